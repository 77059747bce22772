// Layer normalisation as exporters before opset 17 spell it out -> LayerNormalization: first what brings rows to mean 0
// and variance 1, then the scale, the bias, and the casts of a 16-bit model that normalises in f32.
#include "normalizations.hpp"

namespace heed::ops {
namespace {

#define CENTERED "mean = ReduceMean(x, mean_axes); centered = Sub(x, mean);"
#define STATISTICS(of) "variance = ReduceMean(Mul(" of ", " of "), variance_axes); shifted = Add(variance, epsilon);"
#define INVERSE "inverse = Reciprocal(Sqrt(shifted)) | Pow(shifted, minus_half);"
// torch widens what 16-bit models square, up to opset 16.
#define WIDENED CENTERED "wide = Cast(centered);" STATISTICS("wide")

bool accept(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank() || !is_narrow_float(*x) || match.type("y")->c.element != x->c.element) return false;
  const auto axis = first_reduced_axis(match, "mean", "mean_axes", *x);
  return axis && first_reduced_axis(match, "variance", "variance_axes", *x) == axis &&
         accept_statistics(match, *x, *axis);
}

bool accept_bias(Match& match) {
  if (!lies_along_normalized(match, "bias")) return false;
  keep_attributes(match);
  return true;
}

}  // namespace

extern const Rewrite layer_normalization_core{
    .name = "layer_normalization",
    .patterns = {CENTERED STATISTICS("centered") "y = Div(centered, Sqrt(shifted))",
                 CENTERED STATISTICS("centered") INVERSE "y = Mul(centered, inverse)",
                 WIDENED "y = Cast(Div(wide, Sqrt(shifted)))", WIDENED INVERSE "y = Cast(Mul(wide, inverse))"},
    .replacement =
        "y = LayerNormalization<axis = @axis, epsilon = @epsilon>(x, Cast<to = @type>(Constant<"
        "value_floats = [1.0]>()))",
    .accept = accept};

extern const Rewrite layer_normalization_scale{
    .name = "layer_normalization",
    .patterns = {"n = LayerNormalization(x, scale); y = Mul(n, more)"},
    .replacement = "",
    .accept = [](Match& match) { return accept_scale(match, "LayerNormalization"); }};

extern const Rewrite layer_normalization_bias{
    .name = "layer_normalization",
    .patterns = {"n = LayerNormalization(x, scale); y = Add(n, bias)"},
    .replacement =
        "n = LayerNormalization<axis = @axis, epsilon = @epsilon>(x, scale);"
        "y = LayerNormalization<axis = @axis, epsilon = @epsilon>(x, scale, bias)",
    .accept = accept_bias};

extern const Rewrite layer_normalization_casts{
    .name = "layer_normalization",
    .patterns = {"wide = Cast(x); n = LayerNormalization(wide, scale, bias); y = Cast(n)"},
    .replacement = "",
    .accept = [](Match& match) { return accept_casts(match, "LayerNormalization"); }};

}  // namespace heed::ops
