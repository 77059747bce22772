#version 450
#extension GL_GOOGLE_include_directive : require
// top_k.comp: TopK-11, the k greatest (least) elements of each row in order, and where they stand, as i64; of equal ones
// the first comes first. A NaN is greater than all. Each is found by a pass over the row, as the first behind the one
// before.
#include "element.glsl"

layout(constant_id = 2) const bool greatest = true;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Values { STORED values[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Places { uvec2 places[]; };  // low word first

// The tensors walked, over x's axes: x, and both outputs, of which a row has k elements.
#define PARAMETERS_BINDING 3
#define MORE_PARAMETERS \
  uint k;               \
  uint has_values, has_places;
#include "rows.glsl"

struct Found {
  ELEMENT value;
  uint index;
};
const uint nothing = 0xFFFFFFFFu;  // as index

bool stands_before(Found a, Found b) {
  bool a_is_nan = IS_NAN(a.value);
  bool b_is_nan = IS_NAN(b.value);
  if (a_is_nan != b_is_nan) return greatest ? a_is_nan : b_is_nan;
  if (a_is_nan || a.value == b.value) return a.index < b.index;
  return greatest ? a.value > b.value : a.value < b.value;
}

Found first_of(Found a, Found b) {
  if (a.index == nothing || (b.index != nothing && stands_before(b, a))) return b;
  return a;
}

FOLD_ROW(Found, first_of_row, partial_firsts, first_of)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    Found last = Found(ELEMENT(0), nothing);
    for (uint j = 0; j < k; ++j) {
      Found best = Found(ELEMENT(0), nothing);
      for (uint i = row_thread(); i < length; i += threads_per_row) {
        Found candidate = Found(LOAD(x[element_at(begin, i).x]), i);
        if (last.index == nothing || stands_before(last, candidate)) best = first_of(best, candidate);
      }
      last = first_of_row(best);
      if (length > 0 && row_thread() == 0) {
        ivec4 at = element_at(begin, j);
        if (has_values != 0) values[at.y] = STORE(last.value);
        if (has_places != 0) places[at.z] = uvec2(last.index, 0);
      }
    }
  }
}
