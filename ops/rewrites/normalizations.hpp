// What the rewrites to LayerNormalization and RMSNormalization share: what they ask of the statistics that exporters
// spell out, and what stands around `n`, the normalisation of x, once it is recognised.
#pragma once

#include <string>

#include "numbers.hpp"

namespace heed::ops {

// Takes over the axis from which on rows lie, and epsilon; false where the numbers are others than a normalisation's.
inline bool accept_statistics(Match& match, TypeView x, int32_t axis) {
  const auto epsilon = match.scalar("epsilon");
  if (!epsilon || *epsilon < 0 || match.type("epsilon")->rank() > x.rank()) return false;
  if (match.type("minus_half") && !is_number(match, "minus_half", -0.5, x)) return false;
  match.set("axis", int64_t{axis - x.rank()});
  match.set("epsilon", static_cast<float>(*epsilon));
  match.set("type", int64_t{x.c.element});
  return true;
}

inline void keep_attributes(Match& match) {
  const auto node = match.node("n");
  match.set("axis", node.integer("axis", -1));
  match.set("epsilon", node.number("epsilon", 1e-5f));
}

inline std::string normalized(const std::string& op_type, const std::string& inputs) {
  return op_type + "<axis = @axis, epsilon = @epsilon>(" + inputs + ")";
}

// Whether `parameter`, a scale or a bias, lies along the rows of x that n normalises.
inline bool lies_along_normalized(Match& match, std::string_view parameter) {
  const auto x = match.type("x"), type = match.type(parameter);
  if (!x || !type || !x->has_rank()) return false;
  const auto axis = static_cast<int32_t>(match.node("n").integer("axis", -1));
  return lies_along_rows(*type, *x, axis < 0 ? axis + x->rank() : axis);
}

// y = n * more: a scale of 1 is replaced, another one multiplied with. Where several scale what was normalised once,
// each normalises for itself.
inline bool accept_scale(Match& match, const std::string& op_type) {
  if (!lies_along_normalized(match, "more")) return false;
  const bool is_one = match.scalar("scale") == 1.0;
  if (!is_one && !(match.constant("scale") && match.constant("more"))) return false;
  keep_attributes(match);
  match.replace_by("n = " + normalized(op_type, "x, scale") +
                   "; y = " + normalized(op_type, is_one ? "x, more" : "x, Mul(scale, more)"));
  return true;
}

// n is of x made wide, and y made narrow again. Statistics are in f32 either way.
inline bool accept_casts(Match& match, const std::string& op_type) {
  const auto x = match.type("x"), wide = match.type("wide"), y = match.type("y");
  if (!x || !wide || !y || !x->has_element() || !y->has_element() || x->c.element != y->c.element) return false;
  if (wide->element() != DataType::f32 || (x->element() != DataType::f16 && x->element() != DataType::bf16))
    return false;
  const bool has_bias = match.type("bias").has_value();
  if (!match.constant("scale") || (has_bias && !match.constant("bias"))) return false;
  keep_attributes(match);
  match.set("wide_type", int64_t{wide->c.element});
  const std::string inputs = std::string("x, Cast<to = @to>(scale)") + (has_bias ? ", Cast<to = @to>(bias)" : "");
  match.replace_by("wide = Cast<to = @wide_type>(x); y = " + normalized(op_type, inputs));
  return true;
}

}  // namespace heed::ops
