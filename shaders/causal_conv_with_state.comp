#version 450
#extension GL_GOOGLE_include_directive : require
// causal_conv_with_state.comp: CausalConvWithState-27. A thread makes an element of y or of present_state, which lies behind
// the elements of y of its channel.
#include "element.glsl"
#include "math.glsl"

layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer X { STORED x[]; };            // [batch, channel, length]
layout(set = 0, binding = 1, std430) readonly buffer Weight { STORED weight[]; };  // [channel, kernel]
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };      // [channel]
layout(set = 0, binding = 3, std430) readonly buffer Past { STORED past[]; };      // [batch, channel, kernel - 1]
layout(set = 0, binding = 4, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 5, std430) writeonly buffer Present { STORED present[]; };
layout(set = 0, binding = 6, std430) readonly buffer Parameters {
  uint row_count, channels, length, kernel;  // rows: batch, channel
  uint has_bias, has_past, has_activation;
  int x_offset, weight_offset, bias_offset, past_offset, y_offset, present_offset;
};

// Element i of the past and the input behind it.
float padded(uint row, uint i) {
  if (i + 1u >= kernel) return LOAD(x[x_offset + int(row * length + i + 1u - kernel)]);
  return has_past != 0u ? LOAD(past[past_offset + int(row * (kernel - 1u) + i)]) : 0.0;
}

void main() {
  uint size = length + kernel - 1u;
  for (uint index = gl_GlobalInvocationID.x; index < row_count * size; index += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint row = index / size, at = index % size;
    if (at >= length) {
      uint i = at - length;
      present[present_offset + int(row * (kernel - 1u) + i)] = STORE(padded(row, length + i));
      continue;
    }
    uint channel = row % channels;
    float sum = has_bias != 0u ? LOAD(bias[bias_offset + int(channel)]) : 0.0;
    for (uint i = 0u; i < kernel; ++i)
      sum += LOAD(weight[weight_offset + int(channel * kernel + i)]) * padded(row, at + i);
    if (has_activation != 0u) sum = sum / (1.0 + heed_exp(-sum));
    y[y_offset + int(row * length + at)] = STORE(sum);
  }
}
