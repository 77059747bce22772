// com.microsoft's MultiHeadAttention -> heed.Attention: heads out of any layout, biases added where they lie side by
// side with what made them, so that a product before takes them in.
#include "microsoft_attention.hpp"

namespace heed::ops {
namespace {

// "x" becomes "x_heads" [batch, heads, sequence, width], of [batch, sequence, heads, 1, width].
std::string heads_of_packed(const std::string& x) {
  return x + "_heads = Transpose<perm = [0, 2, 1, 3]>(Squeeze(" + x + ", " + constant_ints({3}) + "));";
}

bool accept(Match& match) {
  const auto node = match.node("y");
  const auto query = match.type("query"), key = match.type("key"), value = match.type("value"),
             past = match.type("past_key");
  const int64_t heads = node.integer("num_heads");
  for (const std::string_view name : {"query", "key", "value", "mask", "past_key"})
    if (const auto type = match.type(name); type && !type->has_rank()) return false;
  const bool all_packed = !key, pair_packed = key && key->rank() == 5, in_heads = key && key->rank() == 4;
  const Dim width = all_packed ? query->dim(4) : floor_divide(query->dim(2), heads);
  const Dim value_width = all_packed || pair_packed ? width
                          : in_heads                ? value->dim(3)
                                                    : floor_divide(value->dim(2), heads);
  if (!width.is_number() || !value_width.is_number()) return false;

  const bool has_bias = match.type("bias").has_value();
  const int64_t w = width.number(), value_w = value_width.number();
  std::string text;
  if (has_bias)
    text += "bias_q, bias_k, bias_v = Split<axis = 0>(bias, " + constant_ints({heads * w, heads * w, heads * value_w}) +
            ");";
  // What the parts of a packed tensor have added, [batch, sequence, heads, 1, width].
  const auto biased = [&](const std::string& x, const std::string& part, int64_t part_width, bool flat) {
    if (!has_bias) return x;
    const std::string addend = flat ? part : "Reshape(" + part + ", " + constant_ints({heads, 1, part_width}) + ")";
    text += x + "_biased = Add(" + x + ", " + addend + ");";
    return x + "_biased";
  };
  std::string q = "query", k = "key_heads", v = "value_heads";
  if (all_packed) {
    text += "q, k, v = Split<axis = 3>(query, " + constant_ints({1, 1, 1}) + ");";
    q = biased("q", "bias_q", w, false), k = biased("k", "bias_k", w, false), v = biased("v", "bias_v", w, false);
    text += heads_of_packed(q) + heads_of_packed(k) + heads_of_packed(v);
    q += "_heads", k += "_heads", v += "_heads";
  } else {
    q = biased("query", "bias_q", w, true);
    text += split_heads(q, heads, width);
    q += "_heads";
    if (pair_packed) {
      text +=
          "k, v = Split<axis = 3>(key, " + constant_ints({1, 1}) + ");" + heads_of_packed("k") + heads_of_packed("v");
      k = "k_heads", v = "v_heads";
    } else if (in_heads) {
      k = "key", v = "value";
    } else {
      k = biased("key", "bias_k", w, true), v = biased("value", "bias_v", value_w, true);
      text += split_heads(k, heads, width) + split_heads(v, heads, value_width);
      k += "_heads", v += "_heads";
    }
  }

  const bool has_room = match.type("past_length").has_value();
  const auto mask = mask_inputs(match, query->dim(0), node.number("mask_filter_value", -10000),
                                match.type("qk").has_value(), k, past ? "past_key" : "");
  text += mask.text;
  // A buffer with room stays as long as it is.
  std::string room;
  if (has_room) {
    text += "past = Expand(Reshape(past_length, " + constant_ints({1}) +
            "), Shape<start = 0, end = 1>(query));"
            "no_more = Constant<value = int32[1] {0}>();";
    room = ", \"\", past, no_more";
  }
  const bool as_many = !key || (!in_heads && query->dim(1) == key->dim(1));
  match.set("scale", node.number("scale", 0));
  match.set("top_left", int64_t{has_room || !as_many});
  text +=
      "y_heads, present_key, present_value, qk = heed.Attention<scale = @scale, causal = @unidirectional, top_left = "
      "@top_left, "
      "qk_output_mode = 2>(" +
      q + ", " + k + ", " + v + ", " + mask.mask + ", past_key, past_value, " + mask.valid + room + ");" +
      join_heads("y", value_width * heads);
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Rewrite microsoft_multi_head_attention_lowered{
    .name = "multi_head_attention",
    .patterns = {"y, present_key, present_value, qk = com.microsoft.MultiHeadAttention(query, key, value, bias, mask, "
                 "bias_of_scores, "
                 "past_key, past_value, past_length)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
