#version 450
#extension GL_GOOGLE_include_directive : require
// attention_merge.comp: y of heed.Attention from what the splits of each row's keys have found, in their order.
#define PARAMETERS_BINDING 10
#include "attention.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 9, std430) writeonly buffer Output { STORED y[]; };

void main() {
  for (uint row = gl_WorkGroupID.x; row < batch_count * head_count * query_count; row += gl_NumWorkGroups.x) {
    uint query = row % query_count, head = row / query_count % head_count, batch = row / query_count / head_count;
    float greatest = hidden_score, total = 0.0;
    for (uint split = 0; split < split_count; ++split) greatest = greater_of(greatest, scratch[found_at(row, split)]);
    for (uint split = 0; split < split_count; ++split) {
      uint found = found_at(row, split);
      total += scratch[found + 1] * exponential(scratch[found], greatest);
    }
    float greatest_of_keys = greatest;
    float factor = normalize(greatest, total, head);
    if (gl_LocalInvocationIndex == 0) keep_softmax(row, greatest, total);

    int to = at(y_layout, batch, head, query);
    for (uint channel = gl_LocalInvocationIndex; channel < value_channel_count; channel += gl_WorkGroupSize.x) {
      float sum = 0.0;
      for (uint split = 0; split < split_count; ++split) {
        uint found = found_at(row, split);
        sum += scratch[found + 2 + channel] * exponential(scratch[found], greatest_of_keys);
      }
      y[to + int(channel) * y_layout.channel] = STORE(sum * factor);
    }
  }
}
