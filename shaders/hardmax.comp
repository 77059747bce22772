#version 450
#extension GL_GOOGLE_include_directive : require
// hardmax.comp: Hardmax-13, 1 where in each row the first of the greatest elements stands, and 0 elsewhere. The first NaN
// is greater than all. y may lie where x lies.
#include "element.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

// The tensors walked: x, y.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS
#include "rows.glsl"

struct Found {
  ELEMENT value;
  uint index;
};
const uint nothing = 0xFFFFFFFFu;  // as index

Found greater_of(Found a, Found b) {
  if (b.index == nothing) return a;
  if (a.index == nothing) return b;
  bool b_is_greater = IS_NAN(a.value) ? IS_NAN(b.value) && b.index < a.index
                                      : IS_NAN(b.value) || b.value > a.value ||
                                            (b.value == a.value && b.index < a.index);
  if (b_is_greater) return b;
  return a;
}

FOLD_ROW(Found, greatest_of_row, partial_greatest, greater_of)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    Found greatest = Found(ELEMENT(0), nothing);
    for (uint i = row_thread(); i < length; i += threads_per_row)
      greatest = greater_of(greatest, Found(LOAD(x[element_at(begin, i).x]), i));
    greatest = greatest_of_row(greatest);
    for (uint i = row_thread(); i < length; i += threads_per_row)
      y[element_at(begin, i).y] = STORE(i == greatest.index ? ELEMENT(1) : ELEMENT(0));
  }
}
