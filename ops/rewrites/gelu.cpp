// Gelu as exporters spell it out -> Gelu: by the error function, x (1 + erf(x / sqrt(2))) / 2, or by tanh,
// x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2.
#include <numbers>

#include "numbers.hpp"

namespace heed::ops {
namespace {

// What both have: the halves and ones around them.
bool is_frame(Match& match, TypeView x) {
  return x.has_rank() && is_narrow_float(x) && is_number(match, "one", 1, x) && is_number(match, "half", 0.5, x);
}

bool accept_erf(Match& match) {
  const auto x = match.type("x");
  if (!x || !is_frame(match, *x)) return false;
  return match.type("divisor") ? is_about(match, "divisor", std::numbers::sqrt2, *x)
                               : is_about(match, "factor", std::numbers::sqrt2 / 2, *x);
}

bool accept_tanh(Match& match) {
  const auto x = match.type("x");
  if (!x || !is_frame(match, *x)) return false;
  return is_about(match, "small", 0.044715, *x) &&
         is_about(match, "root", std::numbers::sqrt2 * std::numbers::inv_sqrtpi, *x);
}

// In each of these ways the factors of the result are multiplied; f is 1 + erf or 1 + tanh.
#define IN_EACH_ORDER(text) \
  { text "y = Mul(Mul(x, f), half)", text "y = Mul(Mul(x, half), f)", text "y = Mul(x, Mul(f, half))" }

#define BY_ERF "scaled = Div(x, divisor) | Mul(x, factor); f = Add(Erf(scaled), one);"

// x may be taken out of the sum.
#define BY_TANH                                                             \
  "square = Mul(x, x); cube = Mul(x, square);"                              \
  "outer = Add(Mul(square, small), one) | Add(Mul(Mul(x, small), x), one);" \
  "turned = Mul(Add(x, Mul(cube, small)), root) | Mul(Mul(x, root), outer); f = Add(Tanh(turned), one);"

}  // namespace

extern const Rewrite gelu_by_erf{
    .name = "gelu", .patterns = IN_EACH_ORDER(BY_ERF), .replacement = "y = Gelu(x)", .accept = accept_erf};

extern const Rewrite gelu_by_tanh{.name = "gelu_tanh",
                                  .patterns = IN_EACH_ORDER(BY_TANH),
                                  .replacement = "y = Gelu<approximate = \"tanh\">(x)",
                                  .accept = accept_tanh};

}  // namespace heed::ops
