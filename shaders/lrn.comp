#version 450
#extension GL_GOOGLE_include_directive : require
// lrn.comp: LRN-13, y = x / (bias + alpha * sum of x^2 over the channels around)^beta, an element a thread. Both are dense.
#include "element.glsl"
#include "math.glsl"

layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };  // [batch, channel, inner]
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint count, channel_count, inner_count;
  int channels_before, channels_behind;
  float alpha, beta, bias;
  int x_offset, y_offset;
};

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    int channel = int(i / inner_count % channel_count);
    int first = max(channel - channels_before, 0);
    int last = channels_behind < int(channel_count) - channel ? channel + channels_behind : int(channel_count) - 1;
    int at = x_offset + int(i) - (channel - first) * int(inner_count);
    float sum = 0.0;
    for (int around = first; around <= last; ++around, at += int(inner_count)) {
      float value = LOAD(x[at]);
      sum += value * value;
    }
    y[y_offset + int(i)] = STORE(LOAD(x[x_offset + int(i)]) * heed_exp(-beta * heed_log(bias + alpha * sum)));
  }
}
