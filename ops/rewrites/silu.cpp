// x sigmoid(alpha x) -> Swish: silu where alpha is 1, quick gelu where it is 1.702.
#include "numbers.hpp"

namespace heed::ops {
namespace {

bool accept(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank() || !is_narrow_float(*x)) return false;
  if (match.type("one") && !is_number(match, "one", 1, *x)) return false;
  const auto alpha = match.type("alpha") ? match.scalar("alpha") : 1.0;
  if (!alpha || (match.type("alpha") && match.type("alpha")->rank() > x->rank())) return false;
  match.set("alpha", static_cast<float>(*alpha));
  return true;
}

}  // namespace

extern const Rewrite silu{
    .name = "silu",
    .patterns = {"scaled = Mul(x, alpha) | x; y = Mul(x, Sigmoid(scaled))", "y = Div(x, Add(Exp(Neg(x)), one))"},
    .replacement = "y = Swish<alpha = @alpha>(x)",
    .accept = accept};

}  // namespace heed::ops
