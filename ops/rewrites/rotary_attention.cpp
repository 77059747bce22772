// Attention of queries and new keys that are both turned by rotary embedding -> heed.RotaryAttention, which turns them
// itself and puts turned keys where the cache has them. Only once attention is all that it will be.
#include <algorithm>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// Heads are split off before they are turned, so that attention finds what is turned as it takes it.
bool accept_heads(Match& match) {
  const auto x = match.type("x"), split = match.type("split");
  const auto node = match.node("turned");
  if (!x || !x->has_rank() || x->rank() != 3 || !split->has_rank() || split->rank() != 4) return false;
  constexpr int64_t heads_first[] = {0, 2, 1, 3};
  const auto perm = match.node("y").integers("perm");
  if (!perm || !std::equal(perm->begin(), perm->end(), std::begin(heads_first), std::end(heads_first))) return false;
  const Dim heads = split->dim(2), width = split->dim(3);
  if (!heads.is_number() || !(heads * width == x->dim(2)) || !(split->dim(0) == x->dim(0)) ||
      !(split->dim(1) == x->dim(1)))
    return false;
  if (const int64_t told = node.integer("num_heads"); told > 0) {
    if (!heads.is_number(told)) return false;
  } else if (const auto cos = match.type("cos"); !cos->has_rank() || !(cos->dim(-1) * 2 == width)) {
    return false;
  }
  match.set("interleaved", node.integer("interleaved"));
  match.set("turned_channels", node.integer("rotary_embedding_dim"));
  match.set("allowzero", match.node("split").integer("allowzero"));
  return true;
}

bool accept(Match& match) {
  const auto q = match.type("q"), k = match.type("k");
  const auto of_query = match.node("turned_query"), of_key = match.node("turned_key");
  if (!q || !k || !q->has_rank() || !k->has_rank() || q->rank() != 4 || k->rank() != 4 || !(q->dim(2) == k->dim(2)))
    return false;
  for (const std::string_view name : {"interleaved", "rotary_embedding_dim"})
    if (of_query.integer(name) != of_key.integer(name)) return false;
  match.set("interleaved", of_query.integer("interleaved"));
  match.set("turned_channels", of_query.integer("rotary_embedding_dim"));
  return true;
}

#define HEADS_TURNED(rotary)                                                                                     \
  {                                                                                                              \
    .name = "rotary_heads",                                                                                      \
    .patterns = {"turned = " rotary "(x, cos, sin, positions); split = Reshape(turned, shape); y = Transpose(split)"}, \
    .replacement = "split = Reshape<allowzero = @allowzero>(x, shape);"                                          \
                   "y = " rotary "<interleaved = @interleaved, rotary_embedding_dim = @turned_channels>("        \
                   "Transpose<perm = [0, 2, 1, 3]>(split), cos, sin, positions)",                                \
    .accept = accept_heads                                                                                       \
  }

#define TURNED(rotary)                                                                                           \
  "at last: turned_query = " rotary "(q, cos, sin, positions); turned_key = " rotary "(k, cos, sin, positions);" \
  "y, present_key, present_value = heed.Attention(turned_query, turned_key, v, mask, past_key, past_value, valid, " \
  "sinks, past, total)"

}  // namespace

extern const Rewrite rotary_heads = HEADS_TURNED("RotaryEmbedding");
extern const Rewrite rotary_heads_counted = HEADS_TURNED("heed.RotaryEmbedding");

extern const Rewrite rotary_attention{
    .name = "rotary_attention",
    .patterns = {TURNED("RotaryEmbedding"), TURNED("heed.RotaryEmbedding")},
    .replacement =
        "y, present_key, present_value = heed.RotaryAttention<scale = @scale, causal = @causal, top_left = @top_left, "
        "softcap = @softcap, window = @window, right_window = @right_window, interleaved = @interleaved, "
        "rotary_embedding_dim = @turned_channels>(q, k, v, mask, past_key, past_value, valid, sinks, past, total, , cos, "
        "sin, positions)",
    .accept = accept};

}  // namespace heed::ops
