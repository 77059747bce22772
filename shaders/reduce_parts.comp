#version 450
#extension GL_GOOGLE_include_directive : require
// reduce_parts.comp: the Reduce operators over parts of rows, a workgroup a part; reduce_join.comp goes on from these.
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Parts { ELEMENT parts[]; };  // [row, part]

void main() {
  for (uint part = gl_WorkGroupID.x; part < row_count * part_count; part += gl_NumWorkGroups.x) {
    ivec4 begin = row_at(part / part_count);
    uint first = part % part_count * part_length;
    uint end = min(first + part_length, row_length);
    ELEMENT shift = ELEMENT(0);
#ifdef LOGARITHMS
    if (kind == log_of_sum_of_exps) {
      ELEMENT greatest = least_element;
      for (uint i = first + row_thread(); i < end; i += threads_per_row)
        greatest = greater_of(greatest, LOAD(x[element_at(begin, i).x]));
      shift = shift_of_row(greatest);
    }
#endif
    ELEMENT result = neutral();
    for (uint i = first + row_thread(); i < end; i += threads_per_row)
      result = combine(result, take(LOAD(x[element_at(begin, i).x]), shift));
    result = result_of_row(result);
    // Of logarithms of parts the join takes the same again.
    if (kind == log_of_sum_of_exps) result = finish(result, shift);
    if (row_thread() == 0) parts[part] = result;
  }
}
