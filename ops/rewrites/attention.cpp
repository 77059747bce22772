// Attention as exporters spell it out, softmax(softcap(q k' * scale) + mask) v -> heed.Attention. attention_inputs.cpp
// then takes in what stands before it.
#include "attention.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// q [batch, head, query, channel], as torch's bmm multiplies them without the first axis.
constexpr std::string_view pattern =
    "kt = Transpose(k) | columns;"
    "qk = MatMul(q, kt);"
    "wide_qk = Cast(qk) | qk;"
    "s = Mul(wide_qk, multiplier) | Div(wide_qk, divisor) | wide_qk;"
    "c = Mul(Tanh(Div(s, cap_divisor)), cap) | Mul(Tanh(Mul(s, one_by_cap)), cap) | s;"
    "biased = Add(c, early_bias) | c;"
    "seen = Where(visible, biased, low) | Where(hidden, low, biased) | biased;"
    "added = Add(seen, first_bias) | seen;"
    "m = Add(added, bias) | added;"
    "wide = Cast(m) | m;"
    "p = Softmax(wide);"
    "guarded = Where(IsNaN(p), zero, p) | p;"  // a query that sees no key: zeros, as heed.Attention gives
    "weights = Cast(guarded) | guarded;"
    "w = Cast(weights) | weights;"
    "wide_v = Cast(v) | v;"
    "y = MatMul(w, wide_v)";

// How a mask lies on the scores [batch, head, query, key]: as heed.Attention takes it, which does not repeat a mask
// along keys; with a number of keys that is not proven to be that of the scores, and is where the model can run at all;
// or not.
enum class MaskFit { not_at_all, once_repeated, as_it_is };

MaskFit fit_of(TypeView mask, const Dims& scores) {
  if (!mask.has_rank() || mask.rank() < 1 || mask.rank() > 4) return MaskFit::not_at_all;
  MaskFit fit = MaskFit::as_it_is;
  for (int32_t axis = 1; axis <= mask.rank(); ++axis) {
    const Dim size = mask.dim(-axis), wanted = scores[static_cast<size_t>(4 - axis)];
    // A broadcast of the mask's own size with another is that size, or the mask's is 1.
    if (size == wanted || (axis > 1 && (size.is_number(1) || broadcast(size, wanted) == wanted))) continue;
    if (axis > 1 || size.is_number()) return MaskFit::not_at_all;
    fit = MaskFit::once_repeated;
  }
  return fit;
}

bool swaps_last_axes(const NodeView& transpose, int32_t rank) {
  const auto perm = transpose.integers("perm");
  if (!perm || static_cast<int32_t>(perm->size()) != rank) return false;
  for (int32_t axis = 0; axis < rank; ++axis) {
    const int32_t from = axis == rank - 1 ? rank - 2 : axis == rank - 2 ? rank - 1 : axis;
    if ((*perm)[static_cast<size_t>(axis)] != from) return false;
  }
  return true;
}

// Softmax over keys, which before opset 13 ran over all axes from its own on.
bool is_over_keys(const NodeView& softmax, int32_t rank) {
  if (softmax.version() < 13 && !softmax.has_attribute("axis")) return false;
  const int64_t axis = softmax.integer("axis", -1);
  return axis == -1 || axis == rank - 1;
}

// 0 where there is none; null where it is no softcap.
std::optional<double> softcap_of(Match& match, TypeView scores) {
  if (!match.type("cap")) return 0.0;
  const auto cap = factor(match, "cap", scores);
  const bool divides = match.type("cap_divisor").has_value();
  const auto before = factor(match, divides ? "cap_divisor" : "one_by_cap", scores);
  if (!cap || !before) return std::nullopt;
  return std::abs((divides ? 1 / *before : *before) * *cap - 1) < 1e-5 ? cap : std::nullopt;
}

bool accept(Match& match) {
  const auto q = match.type("q"), kt = match.type("kt"), v = match.type("v"), qk = match.type("qk");
  if (!q->has_rank() || (q->rank() != 3 && q->rank() != 4)) return false;
  const int32_t rank = q->rank();
  for (const auto& type : {q, kt, v, qk})
    if (type->rank() != rank || !type->has_element() || !is_float(type->element())) return false;
  // MatMul broadcasts batches and heads; attention does so where keys and values have one head alone.
  const bool is_one_head = rank == 4 && kt->dim(1).is_number(1) && v->dim(1).is_number(1);
  for (int32_t axis = 0; axis < rank - 2; ++axis) {
    if (is_one_head && axis == 1) continue;
    if (!(q->dim(axis) == kt->dim(axis)) || !(q->dim(axis) == v->dim(axis))) return false;
  }
  const Dims scores{rank == 4 ? q->dim(0) : Dim(1), q->dim(-3), q->dim(-2), kt->dim(-1)};
  // That there are as many values as keys both products demand, and so does attention.
  if (!is_over_keys(match.node("p"), rank)) return false;
  if (match.type("k") && !swaps_last_axes(match.node("kt"), rank)) return false;
  // A softmax of narrower numbers than the queries would not be ours, nor are weights that were narrower on their way.
  for (const auto name : {"wide_qk", "p", "weights", "wide_v"}) {
    const DataType element = match.type(name)->element();
    if (!is_float(element) || bits_of(element) < bits_of(q->element())) return false;
  }
  if (match.type("zero") && match.scalar("zero") != 0.0) return false;

  const auto scale = scale_of(match, *qk), softcap = softcap_of(match, *qk);
  if (!scale || !softcap) return false;
  match.set("scale", static_cast<float>(*scale));
  match.set("softcap", static_cast<float>(*softcap));

  // Keys lie in rows here; where they were transposed before, the two permutations cancel.
  std::string text, query = "q", key = "k", value = "v", result = "y";
  if (!match.type("k")) {
    text += "k_rows = Transpose<perm = " + std::string(rank == 4 ? "[0, 1, 3, 2]" : "[0, 2, 1]") + ">(columns);";
    key = "k_rows";
  }
  if (rank == 3) {
    text += "first = Constant<value_ints = [0]>();";
    for (std::string* input : {&query, &key, &value}) *input = "Unsqueeze(" + *input + ", first)";
    result = "heads";
  }
  std::vector<std::string> masks;  // to be added up
  MaskFit fit = MaskFit::as_it_is;
  // What hides swallows a bias that was added before.
  for (const std::string bias : {"early_bias", "first_bias", "bias"}) {
    const auto type = match.type(bias);
    if (!type) continue;
    fit = std::min(fit, fit_of(*type, scores));
    if (!is_float(type->element())) return false;
    masks.push_back(bias);
  }
  if (const auto visible = match.type("visible"), hidden = match.type("hidden"); visible || hidden) {
    fit = std::min(fit, fit_of(visible ? *visible : *hidden, scores));
    const Hiding how = hiding(match, "low");
    const bool is_lowest_half = match.type("low")->element() == DataType::f16 && match.scalar("low") == -65504.0;
    if (how == Hiding::infinite && masks.empty()) {
      masks.push_back(visible ? "visible" : "Not(hidden)");
    } else if (how == Hiding::no && !is_lowest_half) {
      return false;
    } else {
      // Where every key is hidden by a finite number, all weigh the same: a bias keeps that, a boolean mask does not.
      if (is_lowest_half) {  // which swallows no score; f32's does, and stands for the biases that are as low
        text += "nothing = Constant<value_float = 0.0>(); lowest = Constant<value_float = -3.4028234663852886e38>();";
        for (std::string& bias : masks) {
          text += "f32_" + bias + " = Cast<to = 1>(" + bias + "); low_" + bias + " = Where(LessOrEqual(f32_" + bias +
                  ", Cast<to = 1>(low)), lowest, f32_" + bias + ");";
          bias = "low_" + bias;
        }
      } else {
        text += "nothing = CastLike(Constant<value_float = 0.0>(), low); lowest = Identity(low);";
      }
      text += visible ? "chosen = Where(visible, nothing, lowest);" : "chosen = Where(hidden, lowest, nothing);";
      masks.insert(masks.begin(), "chosen");
    }
  }
  std::string mask = masks.empty() ? "" : masks[0];
  for (size_t i = 1; i < masks.size(); ++i) mask = "Add(" + mask + ", " + masks[i] + ")";
  if (fit == MaskFit::not_at_all) return false;
  if (fit == MaskFit::once_repeated) mask = "Expand(" + mask + ", Shape<start = -2, end = -1>(v))";
  const DataType wide = match.type("wide_v")->element();
  const bool is_widened = wide != v->element();
  if (is_widened && v->element() != q->element()) return false;
  text += (is_widened ? "narrow" : result) + " = heed.Attention<scale = @scale, softcap = @softcap>(" + query + ", " +
          key + ", " + value + ", " + (mask.empty() ? "\"\"" : mask) + ")";
  // torch's scripts mask scores of 16 bits with f32, which makes all wide that follows, the values too. What is weighed
  // of them by shares of 1 has no more digits than they have.
  if (is_widened) {
    match.set("wide", int64_t{static_cast<int32_t>(wide)});
    text += "; " + result + " = Cast<to = @wide>(narrow)";
  }
  if (rank == 3) text += "; y = Squeeze(heads, first)";
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Rewrite attention_core{.name = "attention", .patterns = {pattern}, .replacement = "", .accept = accept};

}  // namespace heed::ops
