// ai.onnx Attention (23 to 25) -> heed.Attention, and TensorScatter before it into its cache. Queries, keys and values of rank 3 are split into heads first. ONNX
// counts positions from the past on (top_left), except where nonpad_kv_seqlen tells how many keys there are: there the
// last query stands at the last of them.
#include <string>

#include "split_heads.hpp"

namespace heed::ops {
namespace {

bool accept(Match& match) {
  const auto node = match.node("y");
  const auto q = match.type("Q"), k = match.type("K"), v = match.type("V");
  if (!q || !k || !v || !q->has_rank() || !k->has_rank() || !v->has_rank()) return false;
  const int64_t query_heads = node.integer("q_num_heads"), key_heads = node.integer("kv_num_heads");

  std::string text, query = "Q", key = "K", value = "V";
  const bool is_flat = q->rank() == 3;
  if (is_flat) {
    if (query_heads < 1 || key_heads < 1 || k->rank() != 3 || v->rank() != 3) return false;
    text += split_heads("Q", query_heads, floor_divide(q->dim(2), query_heads)) +
            split_heads("K", key_heads, floor_divide(k->dim(2), key_heads)) +
            split_heads("V", key_heads, floor_divide(v->dim(2), key_heads));
    query = "Q_heads", key = "K_heads", value = "V_heads";
  }
  const bool from_end = match.type("valid").has_value();
  const int32_t sequence = q->rank() - 2;
  // Where queries and new keys are as many, both ways of counting meet.
  match.set("top_left", int64_t{!from_end && !(q->dim(sequence) == k->dim(sequence))});
  match.set("scale", node.number("scale", 0));
  match.set("window", node.integer("left_window_size", -1));
  match.set("right_window", node.integer("right_window_size", -1));
  text +=
      std::string(is_flat ? "y_heads" : "y") +
      ", present_key, present_value, weights = heed.Attention<scale = @scale, causal = @is_causal, top_left = "
      "@top_left, "
      "softcap = @softcap, window = @window, right_window = @right_window, qk_output_mode = @qk_matmul_output_mode>(" +
      query + ", " + key + ", " + value + ", mask, past_key, past_value, valid);";
  if (is_flat) text += join_heads("y", floor_divide(v->dim(2), key_heads) * query_heads);
  match.replace_by(text);
  return true;
}

// Caches that new keys and values are scattered into, the last of what is valid in them being those: a past with room.
bool accept_scattered(Match& match) {
  const auto node = match.node("y");
  const auto new_keys = match.type("k"), cache = match.type("past_key");
  if (!new_keys || !new_keys->has_rank() || !cache || !cache->has_rank() || !match.type("at")) return false;
  if (match.type("no_key") || match.type("no_value") || node.integer("top_left") != 0) return false;
  for (const std::string_view result : {"key", "value"}) {
    const auto scatter = match.node(result);
    const int64_t axis = scatter.integer("axis", -2);
    if ((axis != -2 && axis != 2) || scatter.text("mode", "linear") != "linear") return false;
  }
  const auto appended = match.elements("n");
  return appended && appended->size() == 1 && appended->front() == new_keys->dim(2);
}

}  // namespace

extern const Rewrite ai_onnx_attention{
    .name = "ai_onnx_attention",
    .patterns = {"y, present_key, present_value, weights = Attention(Q, K, V, mask, past_key, past_value, valid)"},
    .replacement = "",
    .accept = accept};

extern const Rewrite attention_scattered{
    .name = "attention_scattered",
    .patterns = {"valid = Add(at, n); key = TensorScatter(past_key, k, at); value = TensorScatter(past_value, v, at);"
                 "y, present_key, present_value, weights = heed.Attention(q, key, value, mask, no_key, no_value, valid, sinks)"},
    .replacement = "valid = Add(at, n); no_more = Constant<value_int = 0>();"
                   "y, key, value, weights = heed.Attention<scale = @scale, causal = @causal, softcap = @softcap, window = "
                   "@window, right_window = @right_window, qk_output_mode = @qk_output_mode>(q, k, v, mask, past_key, "
                   "past_value, valid, sinks, at, no_more)",
    .accept = accept_scattered};

}  // namespace heed::ops
