#version 450
#extension GL_GOOGLE_include_directive : require
// attention_weights.comp: the attention weights of heed.Attention, or the scores before them, for who asks for them: one
// row in a workgroup, a key in a thread. Weights are made of what the shader before this one has kept of each row.
#define PARAMETERS_BINDING 10
#include "attention.glsl"

layout(constant_id = 0) const uint most_channels = 64;  // of a key

layout(local_size_x = 64) in;

layout(set = 0, binding = 9, std430) writeonly buffer Weights { STORED weights[]; };

shared float query_row[most_channels];

void main() {
  for (uint row = gl_WorkGroupID.x; row < batch_count * head_count * query_count; row += gl_NumWorkGroups.x) {
    uint query = row % query_count, head = row / query_count % head_count, batch = row / query_count / head_count;
    uint key_head = head / heads_per_key_head;
    int from = at(query_layout, batch, head, query);
    barrier();  // the row before this one is done
    for (uint c = gl_LocalInvocationIndex; c < channel_count; c += gl_WorkGroupSize.x)
      query_row[c] = LOAD(queries[from + int(c) * query_layout.channel]);
    barrier();

    past_count = past_count_of(batch);
    ivec2 seen = seen_keys(batch, query);
    int mask_at = at(mask_layout, batch, head, query);
    int to = at(weights_layout, batch, head, query);
    for (int key = int(gl_LocalInvocationIndex); key < key_count; key += int(gl_WorkGroupSize.x)) {
      float score = 0.0;
      if (key < past_count) {
        int at_key = at(past_key_layout, batch, key_head, uint(key));
        for (uint c = 0; c < channel_count; ++c)
          score += query_row[c] * LOAD(past_keys[at_key + int(c) * past_key_layout.channel]);
      } else if (key < past_count + fresh_count) {
        int at_key = at(key_layout, batch, key_head, uint(key - past_count));
        for (uint c = 0; c < channel_count; ++c)
          score += query_row[c] * LOAD(keys[at_key + int(c) * key_layout.channel]);
      }
      score *= scale;
      if (output_mode >= 1) score = capped(score);
      if (output_mode >= 2) score = key >= seen.x && key < seen.y ? masked(score, mask_at, key) : hidden_score;
      if (output_mode == 3) {
        float total = scratch[2 * row + 1];
        score = total == 0.0 ? 0.0 : exponential(score, scratch[2 * row]) / total;
      }
      weights[to + key * weights_layout.channel] = STORE(score);
    }
  }
}
