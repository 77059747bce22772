// com.microsoft's GroupQueryAttention -> heed.Attention behind a past of past_lengths keys, and heed.RotaryEmbedding.
// Where there is no past, padded prompts are short by valid_lengths alone.
#include "split_heads.hpp"

namespace heed::ops {
namespace {

// A root-mean-square norm of each head; `weight` and `epsilon` are named so.
std::string normed(const std::string& x, const std::string& weight, const std::string& epsilon, int64_t heads,
                   Dim width) {
  const std::string per_head = constant_ints({0, 0, heads, width.number()}),
                    flat = constant_ints({0, 0, heads * width.number()});
  return x + "_normed = Reshape(RMSNormalization<axis = -1, epsilon = @" + epsilon + ">(Reshape(" + x + ", " +
         per_head + "), " + weight + "), " + flat + ");";
}

bool accept(Match& match) {
  const auto node = match.node("y");
  const auto query = match.type("query"), cos = match.type("cos"), past = match.type("past_key");
  if (!query || !query->has_rank() || (past && !past->has_rank())) return false;
  const int64_t heads = node.integer("num_heads"), kv_heads = node.integer("kv_num_heads");
  const bool is_packed = !match.type("key");
  const Dim width = floor_divide(query->dim(2), is_packed ? heads + 2 * kv_heads : heads);
  if (!width.is_number()) return false;

  // Packed ones lie side by side: query and key are turned at once.
  const bool is_turned = node.integer("do_rotary") != 0, turns_both = is_packed && is_turned && !match.type("q_norm");
  const int64_t query_hidden = heads * width.number(), key_hidden = kv_heads * width.number();
  std::string text, q = "query", k = "key", v = "value";
  if (turns_both)
    text += "both, v = Split<axis = 2>(query, " + constant_ints({query_hidden + key_hidden, key_hidden}) + ");";
  else if (is_packed)
    text += "q, k, v = Split<axis = 2>(query, " + constant_ints({query_hidden, key_hidden, key_hidden}) + ");";
  if (is_packed) q = "q", k = "k", v = "v";
  if (match.type("q_norm")) {
    const float epsilon = node.number("qk_norm_epsilon", 1e-6f);
    match.set("q_epsilon", node.number("q_norm_epsilon", epsilon));
    match.set("k_epsilon", node.number("k_norm_epsilon", epsilon));
    text += normed(q, "q_norm", "q_epsilon", heads, width) + normed(k, "k_norm", "k_epsilon", kv_heads, width);
    q += "_normed", k += "_normed";
  }

  // T keys, of which the first P lie in the past.
  text += "one = Constant<value = int32[1] {1}>(); lengths = Reshape(seqlens, " + constant_ints({-1}) + ");";
  text += "valid = Add(lengths, one);";
  const bool needs_past = past.has_value() || (is_turned && !match.type("positions"));
  if (needs_past && match.type("query_seqlens"))
    text += "past = Sub(valid, Reshape(query_seqlens, " + constant_ints({-1}) + "));";
  else if (needs_past)
    text +=
        "nothing = Constant<value = int32[1] {0}>(); sequence = Cast<to = 6>(Shape<start = 1, end = 2>(query));"
        "past = Max(Sub(valid, sequence), nothing);";
  if (is_turned) {
    const auto turn = [&](const std::string& x, int64_t count) {
      text += x +
              "_turned = heed.RotaryEmbedding<interleaved = @rotary_interleaved, num_heads = " + std::to_string(count) +
              ", rotary_embedding_dim = @turned>(" + x + ", cos, sin, " +
              (match.type("positions") ? "positions" : "past") + ");";
    };
    match.set("turned", cos->has_rank() && cos->dim(1).is_number() ? 2 * cos->dim(1).number() : int64_t{0});
    if (turns_both) {
      turn("both", heads + kv_heads);
      text += "q, k = Split<axis = 2>(both_turned, " + constant_ints({query_hidden, key_hidden}) + ");";
    } else {
      turn(q, heads);
      turn(k, kv_heads);
      q += "_turned", k += "_turned";
    }
  }
  text += split_heads(q, heads, width) + split_heads(k, kv_heads, width) + split_heads(v, kv_heads, width);

  std::string sinks = "\"\"";
  if (match.type("sink")) {
    text += "sinks = Cast<to = 1>(sink);";
    sinks = "sinks";
  } else if (node.integer("smooth_softmax", -1) > 0) {
    text += "sinks = ConstantOfShape(" + constant_ints({heads}) + ");";
    sinks = "sinks";
  }
  const int64_t window = node.integer("local_window_size", -1);
  match.set("window", window > 0 ? window - 1 : int64_t{-1});
  match.set("scale", node.number("scale", 0));
  const bool gives_weights = node.integer("qk_output") == 2;
  match.set("qk_mode", int64_t{gives_weights ? 3 : 2});
  text +=
      "y_heads, present_key, present_value, all_qk"
      " = heed.Attention<scale = @scale, causal = @causal, top_left = 1, softcap = @softcap, window = @window, "
      "qk_output_mode = @qk_mode>(" +
      q + "_heads, " + k + "_heads, " + v + "_heads, bias, past_key, past_value, valid, " + sinks +
      (past ? ", past, total" : "") + ");" + join_heads("y", width * heads);
  // Places without a key are left out; the scores of hidden keys are zeros.
  text += "there = " + (past ? "Slice(all_qk, " + constant_ints({0}) + ", Reshape(Cast<to = 7>(total), " +
                                   constant_ints({1}) + "), " + constant_ints({3}) + ");"
                             : std::string("Identity(all_qk);"));
  text += gives_weights ? "qk = Identity(there);"
                        : "qk = Where(IsInf(there), CastLike(Constant<value_float = 0.0>(), there), there);";
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Rewrite microsoft_group_query_attention_lowered{
    .name = "group_query_attention",
    .patterns =
        {"y, present_key, present_value, qk = com.microsoft.GroupQueryAttention(query, key, value, past_key, "
         "past_value, "
         "seqlens, total, cos, sin, positions, bias, sink, key_scale, value_scale, q_norm, k_norm, query_seqlens)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
