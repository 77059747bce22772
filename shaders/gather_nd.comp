#version 450
#extension GL_GOOGLE_include_directive : require
// gather_nd.comp: GatherND-13 and GatherElements-13, y[i] = data[.., index 0, .., index n, ..] with a tuple of indices for
// each element of y; negative indices count from the end; one that is outside is told, and read as the nearest that is
// not. y is dense.
#include "indices.glsl"
#include "moved.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Data { ELEMENT data[]; };
layout(set = 0, binding = 1, std430) readonly buffer Indices { uint indices[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };
#define ERROR_BINDING 3
#include "error_word.glsl"

// The tensors walked, over y's axes, all of which choose a row: the tuples' first indices, and data at place 0 of all
// axes that they choose from.
#define PARAMETERS_BINDING 4
#define MORE_PARAMETERS                  \
  uint tuple_size, words_per_index;      \
  int y_offset;                          \
  int sizes[8]; /* an index of a tuple each */ \
  int data_strides[8];
#include "rows.glsl"

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < row_count; i += step_size) {
    ivec4 at = row_at(i);
    int from = at.y;
    for (int k = 0; k < int(tuple_size); ++k) {
      uint word = uint(at.x + k) * words_per_index;
      uint low = indices[word];
      int index = heed_index(low, words_per_index == 2 ? indices[word + 1] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
      if (index < 0) index += sizes[k];
      if (index < 0 || index >= sizes[k]) tell_error(uint(at.x + k - offsets.x));
      from += clamp(index, 0, sizes[k] - 1) * data_strides[k];
    }
    y[y_offset + int(i)] = data[from];
  }
}
