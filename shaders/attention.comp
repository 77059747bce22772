#version 450
#extension GL_GOOGLE_include_directive : require
// attention.comp: y = softmax(scale q k' + mask) v in f32, one workgroup for each (batch, head, query). The softmax is
// kept online over tiles of keys (Milakov and Gimelshein 2018), so no score leaves the workgroup. Keys and values come
// from a past and from new ones behind it. A row in which every key is hidden gives zeros.
#include "math.glsl"

const uint thread_count = 64;
const uint most_channels = 256;  // of a head
const uint sums_per_thread = most_channels / thread_count;

const uint no_mask = 0;
const uint boolean_mask = 1;  // bytes; 0 hides
const uint float_mask = 2;    // added to the scores

layout(local_size_x = thread_count) in;

layout(set = 0, binding = 0, std430) readonly buffer Queries { float queries[]; };
layout(set = 0, binding = 1, std430) readonly buffer Keys { float keys[]; };
layout(set = 0, binding = 2, std430) readonly buffer Values { float values[]; };
layout(set = 0, binding = 3, std430) readonly buffer PastKeys { float past_keys[]; };
layout(set = 0, binding = 4, std430) readonly buffer PastValues { float past_values[]; };
layout(set = 0, binding = 5, std430) readonly buffer Mask { uint mask[]; };
layout(set = 0, binding = 6, std430) writeonly buffer Output { float y[]; };

// A tensor seen as [batch, head, sequence, channel]; in elements.
struct Layout {
  int offset, batch, head, sequence, channel;
};
layout(set = 0, binding = 7, std430) readonly buffer Parameters {
  uint batch_count, head_count, query_count;
  uint past_count, key_count;  // keys of the past, and all of them
  uint channel_count, value_channel_count;
  uint heads_per_key_head;
  float scale;
  float softcap;  // 0: none
  uint mask_kind;
  uint mask_key_count;              // keys from this one on are hidden where there is a mask
  int last_key_of_first_query;  // query i sees keys up to this + i
  int window_begin_of_first_query;  // query i sees keys from this + i on
  Layout query_layout, key_layout, value_layout, past_key_layout, past_value_layout, output_layout;
  Layout mask_layout;  // channel: along keys
};

shared float query_row[most_channels];
shared float scores[thread_count];
shared float weights[thread_count];

int at(Layout l, uint batch, uint head, uint sequence) {
  return l.offset + int(batch) * l.batch + int(head) * l.head + int(sequence) * l.sequence;
}

void main() {
  uint thread = gl_LocalInvocationIndex;
  float minus_infinity = uintBitsToFloat(negative_infinity_bits);
  uint row_count = batch_count * head_count * query_count;

  for (uint row = gl_WorkGroupID.x; row < row_count; row += gl_NumWorkGroups.x) {
    uint query = row % query_count;
    uint head = row / query_count % head_count;
    uint batch = row / query_count / head_count;
    uint key_head = head / heads_per_key_head;

    int query_at = at(query_layout, batch, head, query);
    for (uint c = thread; c < channel_count; c += thread_count)
      query_row[c] = queries[query_at + int(c) * query_layout.channel];

    float sums[sums_per_thread];
    for (uint s = 0; s < sums_per_thread; ++s) sums[s] = 0.0;
    float greatest = 0.0;  // score so far; means nothing while total is 0
    float total = 0.0;     // of the weights so far

    uint first_key = uint(clamp(window_begin_of_first_query + int(query), 0, int(key_count)));
    uint end_key = uint(clamp(last_key_of_first_query + int(query) + 1, 0, int(key_count)));
    barrier();

    for (uint tile = first_key; tile < end_key; tile += thread_count) {
      uint key = tile + thread;
      float score = minus_infinity;
      if (key < end_key) {
        float dot_product = 0.0;
        if (key < past_count) {
          int from = at(past_key_layout, batch, key_head, key);
          for (uint c = 0; c < channel_count; ++c)
            dot_product += query_row[c] * past_keys[from + int(c) * past_key_layout.channel];
        } else {
          int from = at(key_layout, batch, key_head, key - past_count);
          for (uint c = 0; c < channel_count; ++c)
            dot_product += query_row[c] * keys[from + int(c) * key_layout.channel];
        }
        score = dot_product * scale;
        if (softcap > 0.0) score = softcap * heed_tanh(score / softcap);
        if (mask_kind != no_mask) {
          uint i = uint(at(mask_layout, batch, head, query) + int(key) * mask_layout.channel);
          if (key >= mask_key_count)
            score = minus_infinity;
          else if (mask_kind == float_mask)
            score += uintBitsToFloat(mask[i]);
          else if (((mask[i / 4] >> (8 * (i % 4))) & 0xFFu) == 0)
            score = minus_infinity;
        }
      }
      scores[thread] = score;
      barrier();

      uint tile_count = min(thread_count, end_key - tile);
      float tile_greatest = minus_infinity;
      for (uint i = 0; i < tile_count; ++i) tile_greatest = max(tile_greatest, scores[i]);
      // Uniform: every thread sees the same scores. Infinities are compared as bits, which no driver may assume away.
      bool hidden = floatBitsToUint(tile_greatest) == negative_infinity_bits;
      float new_greatest = total > 0.0 ? max(greatest, tile_greatest) : tile_greatest;
      if (!hidden) {
        bool visible = floatBitsToUint(score) != negative_infinity_bits;
        weights[thread] = visible ? heed_exp(score - new_greatest) : 0.0;
      }
      barrier();

      if (!hidden) {
        float rescale = total > 0.0 ? heed_exp(greatest - new_greatest) : 0.0;
        total *= rescale;
        for (uint i = 0; i < tile_count; ++i) total += weights[i];
        for (uint s = 0; s < sums_per_thread; ++s) {
          uint c = s * thread_count + thread;
          if (c >= value_channel_count) break;
          float sum = sums[s] * rescale;
          for (uint i = 0; i < tile_count; ++i) {
            uint j = tile + i;
            float value = j < past_count
                              ? past_values[at(past_value_layout, batch, key_head, j) + int(c) * past_value_layout.channel]
                              : values[at(value_layout, batch, key_head, j - past_count) + int(c) * value_layout.channel];
            sum += weights[i] * value;
          }
          sums[s] = sum;
        }
        greatest = new_greatest;
      }
    }

    int output_at = at(output_layout, batch, head, query);
    for (uint s = 0; s < sums_per_thread; ++s) {
      uint c = s * thread_count + thread;
      if (c < value_channel_count) y[output_at + int(c) * output_layout.channel] = total > 0.0 ? sums[s] / total : 0.0;
    }
    barrier();  // the next row writes query_row
  }
}
