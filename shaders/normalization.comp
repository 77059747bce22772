#version 450
#extension GL_GOOGLE_include_directive : require
// normalization.comp: LayerNormalization-17, y = (x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias, and
// RMSNormalization-23, in which the mean is 0 and there is no bias; over rows, in f32. y may lie where x lies.
#include "element.glsl"

layout(constant_id = 2) const bool centred = true;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scale { STORED scale[]; };
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 4, std430) writeonly buffer Mean { float means[]; };        // one a row
layout(set = 0, binding = 5, std430) writeonly buffer Inverse { float inverses[]; };  // 1 / sqrt(variance + epsilon)

// The tensors walked: x, scale, bias, y.
#define PARAMETERS_BINDING 6
#define MORE_PARAMETERS                  \
  float epsilon;                         \
  uint has_bias, has_mean, has_inverse;  \
  int mean_offset, inverse_offset;
#include "rows.glsl"

FOLD_ROW(float, sum_of_row, partial_sums, add)

void main() {
  for (uint first = gl_WorkGroupID.x * rows_per_workgroup; first < row_count;
       first += gl_NumWorkGroups.x * rows_per_workgroup) {
    uint row = first + gl_LocalInvocationIndex / threads_per_row;
    uint length = row < row_count ? row_length : 0;
    ivec4 begin = row_at(row);

    float mean = 0.0;
    if (centred) {
      float sum = 0.0;
      for (uint i = row_thread(); i < length; i += threads_per_row) sum += LOAD(x[element_at(begin, i).x]);
      mean = sum_of_row(sum) / float(row_length);
    }
    float sum = 0.0;
    for (uint i = row_thread(); i < length; i += threads_per_row) {
      float distance = LOAD(x[element_at(begin, i).x]) - mean;
      sum += distance * distance;
    }
    float inverse = 1.0 / sqrt(sum_of_row(sum) / float(row_length) + epsilon);

    for (uint i = row_thread(); i < length; i += threads_per_row) {
      ivec4 at = element_at(begin, i);
      float value = (LOAD(x[at.x]) - mean) * inverse * LOAD(scale[at.y]);
      y[at.w] = STORE(has_bias != 0 ? value + LOAD(bias[at.z]) : value);
    }
    if (length > 0 && row_thread() == 0) {
      if (has_mean != 0) means[mean_offset + int(row)] = mean;
      if (has_inverse != 0) inverses[inverse_offset + int(row)] = inverse;
    }
  }
}
