// Batches and heads laid on one axis for torch's bmm, [batch * head, sequence, channel], and apart again behind it, as
// BLOOM, and Bart, OPT and Whisper before transformers' sdpa: MatMul does without, and attention is found.
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// Whether `merged` is `apart` [batch, head, row, column] with its first two axes as one.
bool is_merged(TypeView apart, TypeView merged) {
  return apart.has_rank() && merged.has_rank() && apart.rank() == 4 && merged.rank() == 3 &&
         merged.dim(0) == apart.dim(0) * apart.dim(1) && merged.dim(1) == apart.dim(2) && merged.dim(2) == apart.dim(3);
}

bool same_heads(TypeView a, TypeView b) {
  return a.rank() == 4 && b.rank() == 4 && a.dim(0) == b.dim(0) && a.dim(1) == b.dim(1);
}

// The scores of queries and keys, which numbers may scale and a bias [batch * head, 1 or query, key] follow: BLOOM's,
// or DeBERTa's of places apart, whose queries and keys others read, too.
bool accept_scores(Match& match) {
  const auto q = match.type("q"), k = match.type("k"), q3 = match.type("q3"), k3 = match.type("k3");
  const auto scores = match.type("y");
  if (!is_merged(*q, *q3) || !is_merged(*k, *k3) || !same_heads(*q, *k)) return false;
  if (!scores->has_rank() || !same_heads(*q, *scores) || !(scores->dim(2) == q->dim(2))) return false;
  std::string text = "MatMul(q, Transpose<perm = [0, 1, 3, 2]>(k))";
  for (const std::string factor : {"key_multiplier", "key_divisor", "multiplier", "divisor"}) {
    if (!match.type(factor)) continue;
    if (!match.scalar(factor) || match.type(factor)->rank() > 3) return false;
    text = (factor.ends_with("divisor") ? "Div(" : "Mul(") + text + ", " + factor + ")";
  }
  if (const auto bias = match.type("bias")) {
    if (!bias->has_rank() || bias->rank() != 3 || !(bias->dim(0) == q3->dim(0))) return false;
    const bool is_of_keys = bias->dim(1).is_number(1);
    if (!is_of_keys && !(bias->dim(1) == q->dim(2))) return false;
    const std::string sizes = is_of_keys ? "Shape<end = 2>(q), Constant<value_ints = [1, -1]>()"
                                         : "Shape<end = 3>(q), Constant<value_ints = [-1]>()";
    text = "Add(" + text + ", Reshape(bias, Concat<axis = 0>(" + sizes + ")))";
  }
  match.set("q_zero", match.node("q3").integer("allowzero"));
  match.set("k_zero", match.node("k3").integer("allowzero"));
  match.replace_by(
      "q3 = Reshape<allowzero = @q_zero>(q, q_shape); k3 = Reshape<allowzero = @k_zero>(k, k_shape); y = " + text);
  return true;
}

// Weights are taken of scores that are apart, and laid on one axis afterwards.
bool accept_weights(Match& match) {
  if (!is_merged(*match.type("scores"), *match.type("merged"))) return false;
  const auto softmax = match.node("y");
  if (softmax.version() < 13 && !softmax.has_attribute("axis")) return false;
  const int64_t axis = softmax.integer("axis", -1);
  return axis == -1 || axis == 2;
}

bool accept_values(Match& match) {
  const auto w = match.type("w"), v = match.type("v"), y = match.type("y");
  return is_merged(*w, *match.type("w3")) && is_merged(*v, *match.type("v3")) && same_heads(*w, *v) && y->has_rank() &&
         same_heads(*w, *y) && y->dim(2) == w->dim(2) && y->dim(3) == v->dim(3);
}

}  // namespace

extern const Rewrite merged_scores{
    .name = "merged_heads",
    .patterns = {"q3 = Reshape(q, q_shape); k3 = Reshape(k, k_shape); kt = Transpose<perm = [0, 2, 1]>(k3);"
                 "turned = Mul(kt, key_multiplier) | Div(kt, key_divisor) | kt; qk = MatMul(q3, turned); scaled = "
                 "Mul(qk, multiplier) | Div(qk, divisor) | qk;"
                 "biased = Add(scaled, bias) | scaled; y = Reshape(biased, shape)"},
    .replacement = "",
    .accept = accept_scores};

extern const Rewrite merged_weights{
    .name = "merged_heads",
    .patterns = {"merged = Reshape(scores, shape); y = Softmax(merged)"},
    .replacement =
        "merged = Reshape(scores, shape); y = Reshape<allowzero = 1>(Softmax<axis = 3>(scores), Shape(merged))",
    .accept = accept_weights};

extern const Rewrite merged_values{
    .name = "merged_heads",
    .patterns = {"w3 = Reshape(w, w_shape); v3 = Reshape(v, v_shape); o = MatMul(w3, v3); y = Reshape(o, shape)"},
    .replacement = "y = MatMul(w, v)",
    .accept = accept_values};

}  // namespace heed::ops
