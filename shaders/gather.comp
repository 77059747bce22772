#version 450
#extension GL_GOOGLE_include_directive : require
// gather.comp: Gather-13, y[outer.., chosen, inner..] = data[outer.., indices[chosen], inner..]; negative indices count from
// the end; one that is outside is told, and read as the nearest that is not. y is dense.
#include "indices.glsl"
#include "moved.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Data { ELEMENT data[]; };
layout(set = 0, binding = 1, std430) readonly buffer Indices { uint indices[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };
#define ERROR_BINDING 3
#include "error_word.glsl"

// The tensor walked: data at the first place of its axis, axis_begin. Outer axes choose a row, inner ones lie within it.
#define PARAMETERS_BINDING 4
#define MORE_PARAMETERS                              \
  uint count; /* of elements of y; less than 2^31 */ \
  uint chosen_count, words_per_index;                \
  int axis_size, axis_stride;                        \
  int indices_offset, y_offset; /* in elements */    \
  uint first_chosen;                                 \
  int axis_begin, axis_end; /* what the window holds of the data: the rest is left to other dispatches */
#include "rows.glsl"

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += step_size) {
    uint inner = i % row_length;
    uint chosen = i / row_length % chosen_count;
    uint outer = i / row_length / chosen_count;
    uint word = (uint(indices_offset) + first_chosen + chosen) * words_per_index;
    uint low = indices[word];
    int index = heed_index(low, words_per_index == 2 ? indices[word + 1] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
    if (index < 0) index += axis_size;
    if (index < 0 || index >= axis_size) tell_error(first_chosen + chosen);
    index = clamp(index, 0, axis_size - 1);
    if (index < axis_begin || index >= axis_end) continue;
    y[y_offset + int(i)] = data[element_at(row_at(outer), inner).x + (index - axis_begin) * axis_stride];
  }
}
