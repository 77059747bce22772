#version 450
#extension GL_GOOGLE_include_directive : require
// reduce_join.comp: the Reduce operators, from the results of parts of rows to those of rows; a workgroup a row.
#include "reduce.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Parts { ELEMENT parts[]; };  // [row, part]
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

void main() {
  for (uint row = gl_WorkGroupID.x; row < row_count; row += gl_NumWorkGroups.x) {
    ELEMENT shift = ELEMENT(0);
#ifdef LOGARITHMS
    if (kind == log_of_sum_of_exps) {
      ELEMENT greatest = least_element;
      for (uint i = row_thread(); i < part_count; i += threads_per_row)
        greatest = greater_of(greatest, parts[row * part_count + i]);
      shift = shift_of_row(greatest);
    }
#endif
    ELEMENT result = neutral();
    for (uint i = row_thread(); i < part_count; i += threads_per_row) {
      ELEMENT part = parts[row * part_count + i];
      result = combine(result, kind == log_of_sum_of_exps ? take(part, shift) : part);
    }
    result = result_of_row(result);
    if (row_thread() == 0) y[y_offset + int(row)] = STORE(finish(result, shift));
  }
}
