// conv.glsl: what the kernels of Conv read, y[n, m, p] = bias[m] + sum over c and i of w[m, c, i] * x[n, c, place of i in
// the window of p], the channels c being those of m's group. w, bias and y are dense; sums are in f32.
#include "element.glsl"

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Weights { STORED w[]; };
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };

#define PARAMETERS_BINDING 4
#define MORE_PARAMETERS                                                     \
  uint batch_count, group_count;                                            \
  uint channel_count, output_count; /* of a group */                        \
  uint has_bias;                                                            \
  int w_offset, bias_offset, y_offset;
#include "windows.glsl"

// `output_channel`: counted from the first of all groups.
void store(uint batch, uint output_channel, uint position, float sum) {
  if (has_bias != 0) sum += LOAD(bias[bias_offset + int(output_channel)]);
  uint image = batch * group_count * output_count + output_channel;
  y[y_offset + int(image * out_count() + position)] = STORE(sum);
}
