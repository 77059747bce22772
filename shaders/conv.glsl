// conv.glsl: what the kernels of Conv read, y[n, m, p] = bias[m] + sum over c and i of w[m, c, i] * x[n, c, place of i in
// the window of p], the channels c being those of m's group. w, bias, y and the residual are dense; sums are in f32.
// heed.FusedConv's y are activation(y + residual), or activation(y) + residual.
#include "element.glsl"
#include "epilogue.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Weights { STORED w[]; };
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 4, std430) readonly buffer Residual { STORED residual[]; };

// A kernel may bind more before the parameters, and have more of them.
#ifndef PARAMETERS_BINDING
#define PARAMETERS_BINDING 5
#define CONV_PARAMETERS
#endif
#define MORE_PARAMETERS                                                     \
  uint batch_count, group_count;                                            \
  uint channel_count, output_count; /* of a group */                        \
  uint has_bias;                                                            \
  int w_offset, bias_offset, y_offset;                                      \
  uint activation, residual_kind;                                           \
  float alpha, beta;                                                        \
  int residual_offset;                                                      \
  CONV_PARAMETERS
#include "windows.glsl"

// Those that products do not have.
const uint clip = 7, leaky_relu = 8, hard_sigmoid = 9, hard_swish = 10;
float conv_activated(float s) {
  switch (activation) {
    case clip:
      return s < alpha ? alpha : s > beta ? beta : s;
    case leaky_relu:
      return s < 0.0 ? alpha * s : s;
    case hard_sigmoid:
      return clamp(alpha * s + beta, 0.0, 1.0);
    case hard_swish:
      return s * clamp(s / 6.0 + 0.5, 0.0, 1.0);
  }
  return activated(activation, s);
}

const uint before_activation = 1, behind_activation = 2;

// `output_channel`: counted from the first of all groups.
void store(uint batch, uint output_channel, uint position, float sum) {
  if (has_bias != 0) sum += LOAD(bias[bias_offset + int(output_channel)]);
  uint image = batch * group_count * output_count + output_channel;
  int at = int(image * out_count() + position);
  if (residual_kind == before_activation) sum += LOAD(residual[residual_offset + at]);
  sum = conv_activated(sum);
  if (residual_kind == behind_activation) sum += LOAD(residual[residual_offset + at]);
  y[y_offset + at] = STORE(sum);
}
