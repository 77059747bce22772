// Arithmetic that changes nothing, and powers and quotients that say the same more plainly. Patterns of other rewrites
// know the plain way only.
#include "numbers.hpp"

namespace heed::ops {
namespace {

bool accept_one(Match& match) {
  const auto x = match.type("x");
  return x && is_number(match, "one", 1, *x);
}

bool accept_zero(Match& match) {
  const auto x = match.type("x");
  return x && is_number(match, "zero", 0, *x);
}

bool accept_power(Match& match) {
  const auto x = match.type("x");
  if (!x) return false;
  if (is_number(match, "exponent", 3, *x)) match.replace_by("y = Mul(x, Mul(x, x))");
  return is_number(match, "exponent", 2, *x) || is_number(match, "exponent", 3, *x);
}

bool accept_quotient(Match& match) {
  const auto x = match.type("x");
  return accept_one(match) && x->has_element() && is_float(x->element());
}

}  // namespace

extern const Rewrite times_one{.name = "times_one",
                               .patterns = {"y = Mul(x, one)", "y = Div(x, one)", "y = Pow(x, one)"},
                               .replacement = "y = Identity(x)",
                               .accept = accept_one};

extern const Rewrite plus_zero{.name = "plus_zero",
                               .patterns = {"y = Add(x, zero)", "y = Sub(x, zero)"},
                               .replacement = "y = Identity(x)",
                               .accept = accept_zero};

extern const Rewrite power_as_product{.name = "power_as_product",
                                      .patterns = {"y = Pow(x, exponent)"},
                                      .replacement = "y = Mul(x, x)",
                                      .accept = accept_power};

extern const Rewrite quotient_as_reciprocal{.name = "quotient_as_reciprocal",
                                            .patterns = {"y = Div(one, x)"},
                                            .replacement = "y = Reciprocal(x)",
                                            .accept = accept_quotient};

}  // namespace heed::ops
