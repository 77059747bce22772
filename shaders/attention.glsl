// attention.glsl: what all ways to compute heed.Attention share: tensors, who sees whom, scores, the softmax of a row.
// Numbers are STORED in f32, f16 or bf16 (element.glsl), and computed with in f32. Mirrored by ops/heed_attention.cpp.
// Before it is included: #define PARAMETERS_BINDING 14; and where queries and keys are turned, what rotary.glsl asks for.
#extension GL_EXT_control_flow_attributes : require
#include "element.glsl"
#include "indices.glsl"
#include "math.glsl"

// How the elements of a mask are stored.
const uint no_mask = 0;
const uint boolean_mask = 1;  // bytes; 0 hides. The others are added to the scores
const uint f32_mask = 2;
const uint f16_mask = 3;
const uint bf16_mask = 4;
const uint f64_mask = 5;

// A tensor seen as [batch, head, sequence, channel]; in elements.
struct Layout {
  int offset, batch, head, sequence, channel;
};

layout(set = 0, binding = 0, std430) readonly buffer Queries { STORED queries[]; };
layout(set = 0, binding = 1, std430) readonly buffer Keys { STORED keys[]; };
layout(set = 0, binding = 2, std430) readonly buffer PastKeys { STORED past_keys[]; };
layout(set = 0, binding = 3, std430) readonly buffer Mask { uint mask[]; };
layout(set = 0, binding = 4, std430) readonly buffer ValidLengths { uint valid_lengths[]; };  // i32 or i64 [batch]
layout(set = 0, binding = 5, std430) readonly buffer Sinks { float sinks[]; };                // [head]
layout(set = 0, binding = 6, std430) buffer Scratch { float scratch[]; };
#define ERROR_BINDING 7
#include "error_word.glsl"
layout(set = 0, binding = 8, std430) readonly buffer PastLengths { uint past_lengths[]; };  // i32 or i64 [batch]
#ifdef COS_BINDING
#include "rotary.glsl"
#endif

layout(set = 0, binding = PARAMETERS_BINDING, std430) readonly buffer Parameters {
  uint batch_count, head_count, key_head_count, heads_per_key_head;
  uint query_count, channel_count, value_channel_count;
  int key_count;
  int past_room;       // keys that past_keys has places for: all, or as many as past_lengths says, are there
  int fresh_count;     // those behind them, which lie in keys
  int mask_key_count;  // keys from this one on are hidden
  int keys_to_the_left, keys_to_the_right;  // of its place, that a query sees
  int first_place;                          // of the first query among the keys; where counts_from_end, from their end on
  uint counts_from_end;
  float scale;
  float softcap;  // 0: none
  uint mask_kind;
  uint valid_words, past_length_words;                      // of an element; 0: none
  uint has_sinks;
  int valid_offset, valid_stride;
  int past_length_offset, past_length_stride;
  int sinks_offset, sinks_stride;
  uint split_count;                              // workgroups among which the keys of a row are split
  uint keeps_softmax;                            // 1: the weights are asked for
  uint output_mode;                              // what the weights are, as qk_output_mode says
  int appended_keys, appended_values;            // that are written to present_key and present_value: all, or fresh ones
  Layout query_layout, key_layout, past_key_layout, value_layout, past_value_layout, y_layout;
  Layout mask_layout, weights_layout;  // channel: along keys
  Layout present_key_layout, present_value_layout;
#ifdef COS_BINDING
  ROTARY_PARAMETERS
#endif
};

int at(Layout l, uint batch, uint head, uint sequence) {
  return l.offset + int(batch) * l.batch + int(head) * l.head + int(sequence) * l.sequence;
}

// ---- who sees whom ------------------------------------------------------------------------------------------------------

// A number of keys that data tells.
int checked_length(uint low, uint high, uint words, int most, uint batch) {
  int length = words == 2 ? heed_index(low, high) : int(low);
  if (length < 0 || length > most) tell_error(batch);
  return clamp(length, 0, most);
}

// How many keys lie in past_keys.
int past_count_of(uint batch) {
  if (past_length_words == 0) return past_room;
  uint i = uint(past_length_offset + int(batch) * past_length_stride) * past_length_words;
  return checked_length(past_lengths[i], past_lengths[i + past_length_words - 1], past_length_words,
                        min(past_room, key_count), batch);
}
int past_count;  // of the batch at hand

// The keys [x, y) that a query may see, elements of the mask aside. Later queries see no earlier keys.
ivec2 seen_keys(uint batch, uint query) {
  int end = past_length_words == 0 ? key_count : min(past_count_of(batch) + fresh_count, key_count);
  if (valid_words != 0) {
    uint i = uint(valid_offset + int(batch) * valid_stride) * valid_words;
    end = checked_length(valid_lengths[i], valid_lengths[i + valid_words - 1], valid_words, end, batch);
  }
  int place = int(query);
  if (counts_from_end != 0)
    place += end + first_place;
  else
    place += past_length_words == 0 ? first_place : past_count_of(batch);
  return ivec2(max(place - keys_to_the_left, 0), min(min(end, mask_key_count), place + keys_to_the_right + 1));
}

// ---- scores -------------------------------------------------------------------------------------------------------------

#define hidden_score uintBitsToFloat(negative_infinity_bits)

// Infinities are compared as bits, which no driver may assume away.
bool is_hidden(float score) { return floatBitsToUint(score) == negative_infinity_bits; }

float capped(float score) { return softcap > 0.0 ? softcap * heed_tanh(score / softcap) : score; }

// The f64 of these words, towards zero.
float f64_as_f32(uint low, uint high) {
  int exponent = int(high >> 20 & 0x7FFu) - 1023 + 127;
  uint mantissa = (high & 0xFFFFFu) << 3 | low >> 29;
  uint size = exponent <= 0 ? 0u : exponent < 255 ? uint(exponent) << 23 | mantissa : 0x7F800000u;
  if (exponent == 2047 - 1023 + 127 && (mantissa | low) != 0) size = 0x7FC00000u;  // NaN
  return uintBitsToFloat(high & 0x80000000u | size);
}

float added_by_mask(uint i) {
  if (mask_kind == f32_mask) return uintBitsToFloat(mask[i]);
  if (mask_kind == f64_mask) return f64_as_f32(mask[2 * i], mask[2 * i + 1]);
  uint half_word = mask[i / 2] >> (16 * (i % 2)) & 0xFFFFu;
  return mask_kind == f16_mask ? unpackHalf2x16(half_word).x : uintBitsToFloat(half_word << 16);
}

// A score with the mask's element of this key, the row's mask beginning at mask_at.
float masked(float score, int mask_at, int key) {
  if (mask_kind == no_mask) return score;
  uint i = uint(mask_at + key * mask_layout.channel);
  if (mask_kind == boolean_mask) return (mask[i / 4] >> (8 * (i % 4)) & 0xFFu) != 0 ? score : hidden_score;
  float added = added_by_mask(i);
  return is_hidden(added) ? hidden_score : score + added;
}

// ---- the softmax of a row -----------------------------------------------------------------------------------------------

// A NaN is passed by here: the sum finds it.
float greater_of(float a, float b) { return b > a ? b : a; }

// exp(score - greatest), 0 for what is hidden.
float exponential(float score, float greatest) {
  return is_hidden(score) ? 0.0 : heed_exp(score - (is_hidden(greatest) ? 0.0 : greatest));
}

// Lets a head's sink into the greatest score and the sum of exponentials of a row; by what the sums of values are then
// to be multiplied. A row in which every key is hidden gives zeros.
float normalize(inout float greatest, inout float total, uint head) {
  float factor = 1.0;
  if (has_sinks != 0) {
    float sink = sinks[sinks_offset + int(head) * sinks_stride];
    float both = greater_of(sink, greatest);
    factor = exponential(greatest, both);
    total = total * factor + exponential(sink, both);
    greatest = both;
  }
  return total == 0.0 ? 0.0 : factor / total;
}

// ---- scratch ------------------------------------------------------------------------------------------------------------
// First greatest and total of each row, where they are kept; then, of each split of each row, greatest, total and sums.

uint row_number(uint batch, uint head, uint query) { return (batch * head_count + head) * query_count + query; }

void keep_softmax(uint row, float greatest, float total) {
  if (keeps_softmax == 0) return;
  scratch[2 * row] = greatest;
  scratch[2 * row + 1] = total;
}

uint found_at(uint row, uint split) {
  uint kept = keeps_softmax != 0 ? 2 * batch_count * head_count * query_count : 0;
  return kept + (row * split_count + split) * (value_channel_count + 2);
}
