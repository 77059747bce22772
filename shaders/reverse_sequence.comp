#version 450
#extension GL_GOOGLE_include_directive : require
// reverse_sequence.comp: ReverseSequence-10, y[t, b] = x[length[b] - 1 - t, b] where t < length[b], else x[t, b]; time and
// batch are axes 0 and 1, or 1 and 0. A length that is negative or more than there is is told, and read as the nearest
// that is not. All is dense.
#include "indices.glsl"
#include "moved.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { ELEMENT x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Lengths { uvec2 lengths[]; };  // i64
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };
#define ERROR_BINDING 3
#include "error_word.glsl"
layout(set = 0, binding = 4, std430) readonly buffer Parameters {
  uint count, second_size, inner_count;  // count: less than 2^31
  uint time_size, time_is_first;
  int x_offset, lengths_offset, y_offset;  // in elements
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += step_size) {
    uint first = i / inner_count / second_size;
    uint second = i / inner_count % second_size;
    int time = int(time_is_first != 0 ? first : second);
    uint batch = time_is_first != 0 ? second : first;
    uvec2 word = lengths[lengths_offset + int(batch)];
    int length = heed_index(word.x, word.y);
    if (length < 0 || length > int(time_size)) tell_error(batch);
    length = clamp(length, 0, int(time_size));
    int time_stride = int(time_is_first != 0 ? inner_count * second_size : inner_count);
    int moved = time < length ? (length - 1 - 2 * time) * time_stride : 0;
    y[y_offset + int(i)] = x[x_offset + int(i) + moved];
  }
}
