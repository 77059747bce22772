#version 450
#extension GL_GOOGLE_include_directive : require
// lp_normalization.comp: LpNormalization-1, y = x / (sum(|x|^p))^(1/p) over rows, in f32, for p of 1 and 2; a row of zeros
// stays. y may lie where x lies.
#include "element.glsl"

layout(constant_id = 2) const bool squares = true;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

// The tensors walked: x, y.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS
#include "rows.glsl"

FOLD_ROW(float, sum_of_row, partial_sums, add)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);
    float norm = 0.0;
    for (uint i = row_thread(); i < length; i += threads_per_row) {
      float value = LOAD(x[element_at(begin, i).x]);
      norm += squares ? value * value : abs(value);
    }
    norm = sum_of_row(norm);
    if (squares) norm = sqrt(norm);
    if (norm == 0.0) norm = 1.0;
    for (uint i = row_thread(); i < length; i += threads_per_row) {
      ivec4 at = element_at(begin, i);
      y[at.y] = STORE(LOAD(x[at.x]) / norm);
    }
  }
}
