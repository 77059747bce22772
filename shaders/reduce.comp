#version 450
#extension GL_GOOGLE_include_directive : require
// reduce.comp: the Reduce operators over whole rows.
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    ELEMENT shift = ELEMENT(0);
#ifdef LOGARITHMS
    if (kind == log_of_sum_of_exps) {
      ELEMENT greatest = least_element;
      for (uint i = row_thread(); i < length; i += threads_per_row)
        greatest = greater_of(greatest, LOAD(x[element_at(begin, i).x]));
      shift = shift_of_row(greatest);
    }
#endif
    ELEMENT result = neutral();
    for (uint i = row_thread(); i < length; i += threads_per_row)
      result = combine(result, take(LOAD(x[element_at(begin, i).x]), shift));
    result = result_of_row(result);
    if (row < row_count && row_thread() == 0) y[y_offset + int(row)] = STORE(finish(result, shift));
  }
}
