#version 450
#extension GL_GOOGLE_include_directive : require
// linear_attention.comp: LinearAttention-27. A workgroup has columns of the state of one head, a thread one of them, in f32
// from the first position to the last; keys, queries and gates of a position are shared.
#include "element.glsl"
#include "math.glsl"

layout(constant_id = 0) const uint key_size = 64;
layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Query { STORED query[]; };    // [batch, sequence, q_heads, key_size]
layout(set = 0, binding = 1, std430) readonly buffer Key { STORED key[]; };        // [batch, sequence, k_heads, key_size]
layout(set = 0, binding = 2, std430) readonly buffer Value { STORED value[]; };    // [batch, sequence, kv_heads, value_size]
layout(set = 0, binding = 3, std430) readonly buffer Past { STORED past[]; };      // [batch, kv_heads, key_size, value_size]
layout(set = 0, binding = 4, std430) readonly buffer Decay { STORED decay[]; };    // [batch, sequence, kv_heads, key_size or 1]
layout(set = 0, binding = 5, std430) readonly buffer Beta { STORED beta[]; };      // [batch, sequence, kv_heads or 1]
layout(set = 0, binding = 6, std430) readonly buffer Erase { STORED erase[]; };    // [batch, sequence, kv_heads, key_size]
layout(set = 0, binding = 7, std430) writeonly buffer Output { STORED y[]; };      // [batch, sequence, heads, value_size]
layout(set = 0, binding = 8, std430) writeonly buffer Present { STORED present[]; };
layout(set = 0, binding = 9, std430) readonly buffer Parameters {
  uint batch_count, sequence_count, value_size;
  uint q_heads, k_heads, kv_heads;
  uint has_past, decay_size, beta_size, has_erase;  // last axes; 0: none
  int query_offset, key_offset, value_offset, past_offset, decay_offset, beta_offset, erase_offset, y_offset,
      present_offset;
  float scale;
};

shared float keys[key_size], erased[key_size], kept[key_size], queries[key_size];

void main() {
  uint thread = gl_LocalInvocationIndex;
  uint column_blocks = (value_size + gl_WorkGroupSize.x - 1u) / gl_WorkGroupSize.x;
  uint heads = max(q_heads, kv_heads), q_of_state = max(q_heads / kv_heads, 1u);
  for (uint index = gl_WorkGroupID.x; index < batch_count * kv_heads * column_blocks; index += gl_NumWorkGroups.x) {
    uint column = index % column_blocks * gl_WorkGroupSize.x + thread;
    uint head = index / column_blocks % kv_heads, batch = index / column_blocks / kv_heads;
    bool is_inside = column < value_size;
    int state_at = int((batch * kv_heads + head) * key_size * value_size + column);
    float state[key_size];
    for (uint i = 0u; i < key_size; ++i)
      state[i] = is_inside && has_past != 0u ? LOAD(past[past_offset + state_at + int(i * value_size)]) : 0.0;

    for (uint position = 0u; position < sequence_count; ++position) {
      uint at = batch * sequence_count + position;
      barrier();
      for (uint i = thread; i < key_size; i += gl_WorkGroupSize.x) {
        float k = LOAD(key[key_offset + int((at * k_heads + head * k_heads / kv_heads) * key_size + i)]);
        keys[i] = k;
        erased[i] = has_erase != 0u ? k * LOAD(erase[erase_offset + int((at * kv_heads + head) * key_size + i)]) : k;
        uint gate = decay_size == kv_heads ? at * kv_heads + head : (at * kv_heads + head) * key_size + i;
        kept[i] = decay_size != 0u ? heed_exp(LOAD(decay[decay_offset + int(gate)])) : 1.0;
      }
      barrier();
      float written = is_inside ? LOAD(value[value_offset + int((at * kv_heads + head) * value_size + column)]) : 0.0;
      float retrieved = 0.0;
      for (uint i = 0u; i < key_size; ++i) {
        state[i] *= kept[i];
        retrieved += state[i] * erased[i];
      }
      if (beta_size != 0u) {
        float rate = LOAD(beta[beta_offset + int(beta_size == 1u ? at : at * kv_heads + head)]);
        written = rate * (written - retrieved);
      }
      for (uint i = 0u; i < key_size; ++i) state[i] += keys[i] * written;
      for (uint g = 0u; g < q_of_state; ++g) {
        uint y_head = head * q_of_state + g, q_head = y_head * q_heads / heads;
        barrier();
        for (uint i = thread; i < key_size; i += gl_WorkGroupSize.x)
          queries[i] = LOAD(query[query_offset + int((at * q_heads + q_head) * key_size + i)]);
        barrier();
        float sum = 0.0;
        for (uint i = 0u; i < key_size; ++i) sum += queries[i] * state[i];
        if (is_inside) y[y_offset + int((at * heads + y_head) * value_size + column)] = STORE(scale * sum);
      }
    }
    for (uint i = 0u; i < key_size && is_inside; ++i)
      present[present_offset + state_at + int(i * value_size)] = STORE(state[i]);
  }
}
