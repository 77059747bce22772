// com.microsoft's Attention and QAttention -> one product for query, key and value, of 8-bit integers in the latter,
// and heed.Attention over views of it.
#include "microsoft_attention.hpp"

#include <cmath>
#include <cstdio>

namespace heed::ops {
namespace {

// Turns "q" and "k" by the angles of their places, whose first is "first_place" of i64: GPT-NeoX's rotary embedding (Su
// et al., RoFormer, 2021), frequencies being powers of 10000.
std::string turned(int64_t heads, int64_t channels) {
  std::string frequencies;
  for (int64_t i = 0; i < channels / 2; ++i) {
    const double frequency = std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(channels));
    char number[32];
    std::snprintf(number, sizeof number, "%s%.9e", i ? ", " : "", frequency);
    frequencies += number;
  }
  const std::string turn = " = heed.RotaryEmbedding<num_heads = " + std::to_string(heads) +
                           ", rotary_embedding_dim = " + std::to_string(channels) + ">(";
  return "step_place = Constant<value_int = 1>(); end_place = Add(first_place, Squeeze(Shape<start = 1, end = "
         "2>(input)));"
         "angles = Mul(Unsqueeze(Cast<to = 1>(Range(first_place, end_place, step_place)), " +
         constant_ints({1}) + "), Constant<value_floats = [" + frequencies +
         "]>()); cos = CastLike(Cos(angles), q); sin = CastLike(Sin(angles), q);"
         "first_row = " +
         constant_ints({0}) + "; q_turned" + turn + "q, cos, sin, first_row); k_turned" + turn +
         "k, cos, sin, first_row);";
}

// Text of attention behind "projected" [batch, sequence, q + k + v].
bool lower(Match& match, std::string text) {
  const auto node = match.node("y");
  const auto input = match.type("input"), weights = match.type("weights"), past = match.type("past");
  for (const std::string_view name : {"input", "weights", "mask", "past"})
    if (const auto type = match.type(name); type && !type->has_rank()) return false;
  if (!weights->dim(1).is_number()) return false;
  const int64_t heads = node.integer("num_heads");
  int64_t hidden = weights->dim(1).number() / 3, value_hidden = hidden;
  if (const auto sizes = node.integers("qkv_hidden_sizes"); sizes && sizes->size() == 3)
    hidden = (*sizes)[0], value_hidden = (*sizes)[2];
  text += "q, k, v = Split<axis = 2>(projected, " + constant_ints({hidden, hidden, value_hidden}) + ");";

  const bool shares = node.integer("past_present_share_buffer") != 0;
  if (past)
    text += "past_of_keys, past_of_values = Split<axis = 0>(past, " + constant_ints({1, 1}) +
            "); past_key = Squeeze(past_of_keys, " + constant_ints({0}) + "); past_value = Squeeze(past_of_values, " +
            constant_ints({0}) + ");";
  const bool is_turned = node.integer("do_rotary") != 0,
             has_places = match.type("mask") && match.type("mask")->rank() == 4;
  if (is_turned || has_places) {
    if (shares)
      text += "first_place = Squeeze(Cast<to = 7>(past_length));";
    else if (past)
      text += "first_place = Squeeze(Shape<start = 2, end = 3>(past_key));";
    else
      text += "first_place = Constant<value_int = 0>();";
  }
  std::string q = "q", k = "k";
  if (is_turned) {
    const int64_t channels = node.integer("rotary_embedding_dim");
    text += turned(heads, channels > 0 ? channels : hidden / heads);
    q = "q_turned", k = "k_turned";
  }
  text += split_heads(q, heads, hidden / heads) + split_heads(k, heads, hidden / heads) +
          split_heads("v", heads, value_hidden / heads);
  q += "_heads", k += "_heads";
  const auto mask =
      mask_inputs(match, input->dim(0), node.number("mask_filter_value", -10000), false, k, past ? "past_key" : "");
  text += mask.text;
  std::string room;
  if (shares) {
    text += "there = Expand(Reshape(past_length, " + constant_ints({1}) +
            "), Shape<start = 0, end = 1>(input));"
            "no_more = Constant<value = int32[1] {0}>();";
    room = ", \"\", there, no_more";
  }
  match.set("scale", node.number("scale", 0));
  match.set("top_left", int64_t{shares});
  text +=
      "y_heads, present_key, present_value = heed.Attention<scale = @scale, causal = @unidirectional, top_left = "
      "@top_left>(" +
      q + ", " + k + ", v_heads, " + mask.mask + ", " + (past ? "past_key, past_value, " : "\"\", \"\", ") +
      mask.valid + room + ");" + join_heads("y", value_hidden);
  text += "present = Concat<axis = 0>(Unsqueeze(present_key, " + constant_ints({0}) + "), Unsqueeze(present_value, " +
          constant_ints({0}) + "));";
  match.replace_by(text);
  return true;
}

bool accept(Match& match) {
  const bool has_bias = match.type("bias").has_value();
  return lower(match,
               has_bias ? "projected = Add(MatMul(input, weights), bias);" : "projected = MatMul(input, weights);");
}

bool accept_of_integers(Match& match) {
  return lower(match,
               "projected = com.microsoft.MatMulIntegerToFloat(input, weights, input_scale, weight_scale, input_zero, "
               "weight_zero, bias);");
}

}  // namespace

extern const Rewrite microsoft_attention_lowered{
    .name = "attention_with_projection",
    .patterns = {"y, present = com.microsoft.Attention(input, weights, bias, mask, past, bias_of_scores, past_length)"},
    .replacement = "",
    .accept = accept};

extern const Rewrite microsoft_qattention_lowered{
    .name = "attention_with_integer_projection",
    .patterns = {"y, present = com.microsoft.QAttention(input, weights, bias, input_scale, weight_scale, mask, "
                 "input_zero, weight_zero, past)"},
    .replacement = "",
    .accept = accept_of_integers};

}  // namespace heed::ops
