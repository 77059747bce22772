#version 450
#extension GL_GOOGLE_include_directive : require
// arg_max.comp: ArgMax-13 and ArgMin-13, where in each row the greatest (least) element stands, as i64; of equal ones the
// first or the last. The first NaN is greater and less than all.
#include "element.glsl"

layout(constant_id = 2) const bool greatest = true;
layout(constant_id = 3) const bool select_last = false;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { uvec2 y[]; };  // low word first

// The tensor walked: x. y is dense, an element a row.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS int y_offset;
#include "rows.glsl"

struct Found {
  ELEMENT value;
  uint index;
};
const uint nothing = 0xFFFFFFFFu;  // as index

Found better_of(Found a, Found b) {
  if (b.index == nothing) return a;
  if (a.index == nothing) return b;
  bool a_is_nan = IS_NAN(a.value);
  bool b_is_nan = IS_NAN(b.value);
  if (a_is_nan != b_is_nan) {
    if (a_is_nan) return a;
    return b;
  }
  bool a_is_better = greatest ? a.value > b.value : a.value < b.value;
  if (a_is_nan)
    a_is_better = a.index < b.index;
  else if (a.value == b.value)
    a_is_better = select_last ? a.index > b.index : a.index < b.index;
  if (a_is_better) return a;
  return b;
}

FOLD_ROW(Found, best_of_row, partial_best, better_of)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    Found best = Found(ELEMENT(0), nothing);
    for (uint i = row_thread(); i < length; i += threads_per_row)
      best = better_of(best, Found(LOAD(x[element_at(begin, i).x]), i));
    best = best_of_row(best);
    if (length > 0 && row_thread() == 0) y[y_offset + int(row)] = uvec2(best.index, 0);
  }
}
