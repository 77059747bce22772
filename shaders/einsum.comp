#version 450
#extension GL_GOOGLE_include_directive : require
// einsum.comp: Einsum-12, one element of the output from each row: the sum over the row of the product of the inputs.
#include "element.glsl"

layout(constant_id = 2) const uint input_count = 1;

layout(set = 0, binding = 0, std430) readonly buffer A { STORED a[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { STORED b[]; };
layout(set = 0, binding = 2, std430) readonly buffer C { STORED c[]; };
layout(set = 0, binding = 3, std430) readonly buffer D { STORED d[]; };
layout(set = 0, binding = 4, std430) writeonly buffer Output { STORED y[]; };

// The tensors walked: a, b, c, d. y is dense, an element a row.
#define PARAMETERS_BINDING 5
#define MORE_PARAMETERS int y_offset;
#include "rows.glsl"

FOLD_ROW(float, sum_of_row, partial_sums, add)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    float sum = 0.0;
    for (uint i = row_thread(); i < length; i += threads_per_row) {
      ivec4 at = element_at(begin, i);
      float product = LOAD(a[at.x]);
      if (input_count > 1) product *= LOAD(b[at.y]);
      if (input_count > 2) product *= LOAD(c[at.z]);
      if (input_count > 3) product *= LOAD(d[at.w]);
      sum += product;
    }
    sum = sum_of_row(sum);
    if (row < row_count && row_thread() == 0) y[y_offset + int(row)] = STORE(sum);
  }
}
