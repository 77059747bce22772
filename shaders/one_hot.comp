#version 450
#extension GL_GOOGLE_include_directive : require
// one_hot.comp: OneHot-11, y[outer, d, inner] = the second of the values where indices[outer, inner] is d, else the
// first; negative indices count from the end, and those outside meet no d. All is dense.
#include "indices.glsl"
#include "moved.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Indices { uint indices[]; };
layout(set = 0, binding = 1, std430) readonly buffer Values { ELEMENT values[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };
layout(set = 0, binding = 3, std430) readonly buffer Parameters {
  uint count, depth, inner_count, words_per_index;  // count: of elements of y; less than 2^31
  int indices_offset, values_offset, y_offset;      // in elements
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += step_size) {
    uint outer = i / inner_count / depth;
    uint word = (uint(indices_offset) + outer * inner_count + i % inner_count) * words_per_index;
    uint low = indices[word];
    int index = heed_index(low, words_per_index == 2 ? indices[word + 1] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
    if (index < 0) index += int(depth);
    y[y_offset + int(i)] = values[values_offset + (index == int(i / inner_count % depth) ? 1 : 0)];
  }
}
