// ai.onnx Attention (23 to 25) -> heed.Attention. Queries, keys and values of rank 3 are split into heads first. ONNX
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

}  // namespace

extern const Rewrite ai_onnx_attention{
    .name = "ai_onnx_attention",
    .patterns = {"y, present_key, present_value, weights = Attention(Q, K, V, mask, past_key, past_value, valid)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
