#version 450
#extension GL_GOOGLE_include_directive : require
// softmax.comp: Softmax-13, y = exp(x - max) / sum(exp(x - max)), or LogSoftmax-13, y = x - max - log(sum(exp(x - max))),
// over rows, in f32. y may lie where x lies.
#include "element.glsl"
#include "math.glsl"

layout(constant_id = 2) const bool logarithm = false;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

// The tensors walked: x, y.
#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS
#include "rows.glsl"

// A NaN is passed by here: the sum finds it.
float greater_of(float a, float b) { return b > a ? b : a; }

FOLD_ROW(float, greatest_of_row, partial_greatest, greater_of)
FOLD_ROW(float, sum_of_row, partial_sums, add)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);

    float greatest = uintBitsToFloat(negative_infinity_bits);
    for (uint i = row_thread(); i < length; i += threads_per_row)
      greatest = greater_of(greatest, LOAD(x[element_at(begin, i).x]));
    greatest = greatest_of_row(greatest);
    // A row of which all is hidden, or one element is infinite, has no distribution. Infinities are compared as bits,
    // which no driver may assume away.
    if ((floatBitsToUint(greatest) & 0x7FFFFFFFu) == 0x7F800000u) greatest = uintBitsToFloat(0x7FC00000u);

    float sum = 0.0;
    for (uint i = row_thread(); i < length; i += threads_per_row)
      sum += heed_exp(LOAD(x[element_at(begin, i).x]) - greatest);
    sum = sum_of_row(sum);
    float log_of_sum = logarithm ? log(sum) : 0.0;

    for (uint i = row_thread(); i < length; i += threads_per_row) {
      ivec4 at = element_at(begin, i);
      float distance = LOAD(x[at.x]) - greatest;
      y[at.y] = STORE(logarithm ? distance - log_of_sum : heed_exp(distance) / sum);
    }
  }
}
