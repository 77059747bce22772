// x / sqrt(mean(x^2) + epsilon), as Llama, T5 and their kin spell it out -> RMSNormalization; then the scale (Gemma's
// is 1 + w, a constant by then), and the casts of a 16-bit model that normalises in f32.
#include "normalizations.hpp"

namespace heed::ops {
namespace {

#define STATISTICS "mean = ReduceMean(Mul(x, x), axes); shifted = Add(mean, epsilon);"

bool accept(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank() || !is_narrow_float(*x)) return false;
  const auto axis = first_reduced_axis(match, "mean", "axes", *x);
  return axis && accept_statistics(match, *x, *axis);
}

}  // namespace

extern const Rewrite rms_normalization_core{
    .name = "rms_normalization",
    .patterns = {STATISTICS "y = Div(x, Sqrt(shifted))",
                 STATISTICS "inverse = Reciprocal(Sqrt(shifted)) | Pow(shifted, minus_half);"
                            "y = Mul(x, inverse)"},
    .replacement =
        "y = RMSNormalization<axis = @axis, epsilon = @epsilon>(x, Cast<to = @type>(Constant<"
        "value_floats = [1.0]>()))",
    .accept = accept};

extern const Rewrite rms_normalization_scale{
    .name = "rms_normalization",
    .patterns = {"n = RMSNormalization(x, scale); y = Mul(n, more)"},
    .replacement = "",
    .accept = [](Match& match) { return accept_scale(match, "RMSNormalization"); }};

extern const Rewrite rms_normalization_casts{
    .name = "rms_normalization",
    .patterns = {"wide = Cast(x); n = RMSNormalization(wide, scale); y = Cast(n)"},
    .replacement = "",
    .accept = [](Match& match) { return accept_casts(match, "RMSNormalization"); }};

}  // namespace heed::ops
