// Attention as exporters spell it out, softmax(q k' * scale + mask) v -> heed.Attention. attention_inputs.cpp then
// takes in what stands before it.
#include "attention.hpp"

#include <deque>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// A mask that broadcasts to the scores and has all their keys: heed.Attention does not repeat a mask along keys.
bool is_mask_of(TypeView mask, const Dims& scores) {
  if (!mask.has_rank() || mask.rank() < 1 || mask.rank() > 4 || !(mask.dim(-1) == scores[3])) return false;
  for (int32_t axis = 2; axis <= mask.rank(); ++axis) {
    const Dim size = mask.dim(-axis);
    if (!size.is_number(1) && !(size == scores[static_cast<size_t>(4 - axis)])) return false;
  }
  return true;
}

bool accept(Match& match) {
  const auto q = match.type("q"), kt = match.type("kt"), v = match.type("v"), qk = match.type("qk");
  for (const auto& type : {q, kt, v, qk})
    if (!type || type->rank() != 4 || !type->has_element() || !is_float(type->element())) return false;
  // MatMul broadcasts batches and heads; attention does not.
  for (const int32_t axis : {0, 1})
    if (!(q->dim(axis) == kt->dim(axis)) || !(q->dim(axis) == v->dim(axis))) return false;
  const Dims scores{q->dim(0), q->dim(1), q->dim(2), kt->dim(3)};
  if (!(q->dim(3) == kt->dim(2)) || !(v->dim(2) == scores[3])) return false;
  const auto softmax = match.node("p");
  const int64_t axis = softmax.integer("axis", -1);
  if (axis != -1 && axis != 3) return false;

  const auto scale = scale_of(match, *qk);
  if (!scale) return false;
  match.set("scale", static_cast<float>(*scale));

  // Keys lie in rows here; where they were transposed before, the two permutations cancel.
  std::string before =
      match.type("k") ? "kt = Transpose<perm = [0, 1, 3, 2]>(k);" : "k_rows = Transpose<perm = [0, 1, 3, 2]>(kt);";
  std::string mask;
  if (const auto bias = match.type("bias")) {
    if (!is_mask_of(*bias, scores) || !is_float(bias->element())) return false;
    mask = ", bias";
  } else if (const auto seen = match.type("visible"), unseen = match.type("hidden"); seen || unseen) {
    if (!is_mask_of(seen ? *seen : *unseen, scores)) return false;
    switch (hiding(match, "low")) {
      case Hiding::no:
        return false;
      case Hiding::infinite:
        mask = seen ? ", visible" : ", Not(hidden)";
        break;
      case Hiding::finite:
        // Where every key is hidden by a finite number, all weigh the same: a bias keeps that, a boolean mask does not.
        before += "nothing = CastLike(Constant<value_float = 0.0>(), low);";
        before += seen ? "bias = Where(visible, nothing, low);" : "bias = Where(hidden, low, nothing);";
        mask = ", bias";
        break;
    }
  }
  match.replace_by(before + "y = heed.Attention<scale = @scale>(q, " + (match.type("k") ? "k" : "k_rows") + ", v" +
                   mask + ")");
  return true;
}

// Each way to hold the keys, to scale and to mask.
std::vector<std::string_view> patterns() {
  static const auto texts = [] {
    std::deque<std::string> made;
    for (const std::string keys : {"kt = Transpose<perm = [0, 1, 3, 2]>(k);", ""})
      for (const std::string scaled : {"s = Div(qk, divisor);", "s = Mul(qk, multiplier);", ""})
        for (const std::string masked :
             {"m = Where(visible, SCORE, low);", "m = Where(hidden, low, SCORE);", "m = Add(SCORE, bias);", ""}) {
          std::string text = keys + "qk = MatMul(q, kt);" + scaled + masked + "p = Softmax(" +
                             (masked.empty() ? "SCORE" : "m") + "); y = MatMul(p, v)";
          const std::string score = scaled.empty() ? "qk" : "s";
          text.replace(text.find("SCORE"), 5, score);
          made.push_back(std::move(text));
        }
    return made;
  }();
  return {texts.begin(), texts.end()};
}

}  // namespace

extern const Rewrite attention_core{.name = "attention", .patterns = patterns(), .replacement = "", .accept = accept};

}  // namespace heed::ops
