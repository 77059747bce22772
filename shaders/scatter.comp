#version 450
#extension GL_GOOGLE_include_directive : require
// scatter.comp: ScatterElements-18, ScatterND-18 and TensorScatter-24, y[.., index 0, .., index n, ..] = or += an update,
// with a tuple of indices for each; y holds the data already. Updates that may meet in one element of y are a row, and
// of those of a row the last one wins, or they are reduced in order. Negative indices count from the end; one that is
// outside is told, and its update dropped.
#include "indices.glsl"
#ifdef BYTES
#include "moved.glsl"
#define STORED ELEMENT
#else
#include "element.glsl"
#endif

const uint add_to = 0;
const uint multiply = 1;
const uint least = 2;
const uint greatest = 3;
layout(constant_id = 2) const uint reduction = add_to;  // where elements are computed with
// The index of a row tells the place of its first update; those behind it follow, in a circle if wished.
layout(constant_id = 3) const bool follows = false;
layout(constant_id = 4) const bool circular = false;
// A thread takes a row; or, so that threads may take an update each, each claims its place first, for the last one.
const uint rows_in_order = 0;
const uint claim = 1;
const uint write_claimed = 2;
layout(constant_id = 5) const uint turn = rows_in_order;

layout(set = 0, binding = 0, std430) readonly buffer Indices { uint indices[]; };
layout(set = 0, binding = 1, std430) readonly buffer Updates { STORED updates[]; };
layout(set = 0, binding = 2, std430) buffer Output { STORED y[]; };
#define ERROR_BINDING 3
#include "error_word.glsl"

// For each element of y 1 + the place in its row of the update that it takes; 0: none.
layout(set = 0, binding = 4, std430) buffer Claims { uint claims[]; };

// The tensors walked, over the updates' axes: the tuples' first indices, the updates, and y at place 0 of all axes that
// the tuples choose from.
#define PARAMETERS_BINDING 5
#define MORE_PARAMETERS             \
  uint tuple_size, words_per_index; \
  uint has_indices;                 \
  int y_offset;                     \
  int sizes[8]; /* an index of a tuple each */ \
  int y_strides[8];
#include "rows.glsl"

#ifndef BYTES
// A NaN wins.
ELEMENT combine(ELEMENT a, ELEMENT b) {
  if (reduction == multiply) return a * b;
  if (reduction == least) return b < a || IS_NAN(b) ? b : a;
  if (reduction == greatest) return b > a || IS_NAN(b) ? b : a;
  return a + b;
}
#endif

int index_at(int place) {
  if (has_indices == 0) return 0;
  uint word = uint(place) * words_per_index;
  uint low = indices[word];
  return heed_index(low, words_per_index == 2 ? indices[word + 1] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
}

// Update i of a row, which lies at `at`.
void take(ivec4 at, uint i) {
  int to = at.z;
  for (int k = 0; k < int(tuple_size); ++k) {
    int index = index_at(at.x + k);
    bool inside = true;
    if (follows) {
      inside = index >= 0 && index < sizes[k];
      if (!inside) index = 0;  // so that no sum wraps around
      index += int(i);
      if (circular && index >= sizes[k]) index -= sizes[k];
    } else if (index < 0) {
      index += sizes[k];
    }
    if (!inside || index < 0 || index >= sizes[k]) {
      tell_error(uint(at.x + k - offsets.x));
      return;
    }
    to += index * y_strides[k];
  }
#ifdef BYTES
  if (turn == claim)
    atomicMax(claims[to - y_offset], i + 1);
  else if (turn == rows_in_order || claims[to - y_offset] == i + 1)
    y[to] = updates[at.y];
#else
  y[to] = STORE(combine(LOAD(y[to]), LOAD(updates[at.y])));
#endif
}

void main() {
  uint item_count = turn == rows_in_order ? row_count : row_count * row_length;
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint item = gl_GlobalInvocationID.x; item < item_count; item += step_size) {
    ivec4 begin = row_at(item % row_count);
    uint first = item / row_count;
    uint end = turn == rows_in_order ? row_length : first + 1;
    for (uint i = first; i < end; ++i) take(element_at(begin, i), i);
  }
}
