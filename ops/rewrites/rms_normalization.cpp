// x / sqrt(mean(x^2) + epsilon), as Llama, T5 and their kin spell it out -> RMSNormalization; then the scale (Gemma's
// is 1 + w, a constant by then), and the casts of a 16-bit model that normalises in f32.
#include <string>

#include "numbers.hpp"

namespace heed::ops {
namespace {

#define STATISTICS "mean = ReduceMean(Mul(x, x), axes); shifted = Add(mean, epsilon);"

bool accept(Match& match) {
  const auto x = match.type("x");
  if (!x || !x->has_rank() || !is_narrow_float(*x)) return false;
  const auto axis = first_reduced_axis(match, "mean", "axes", *x);
  const auto epsilon = match.scalar("epsilon");
  if (!axis || !epsilon || *epsilon < 0 || match.type("epsilon")->rank() > x->rank()) return false;
  if (match.type("minus_half") && !is_number(match, "minus_half", -0.5, *x)) return false;
  match.set("axis", int64_t{*axis - x->rank()});
  match.set("epsilon", static_cast<float>(*epsilon));
  match.set("type", int64_t{x->c.element});
  return true;
}

void keep_attributes(Match& match) {
  const auto node = match.node("n");
  match.set("axis", node.integer("axis", -1));
  match.set("epsilon", node.number("epsilon", 1e-5f));
}

// A scale of 1 is replaced, another one multiplied with. Where several scale what was normalised once, each normalises
// for itself.
bool accept_scale(Match& match) {
  const auto x = match.type("x"), more = match.type("more");
  if (!x || !more || !x->has_rank()) return false;
  const int64_t axis = match.node("n").integer("axis", -1);
  if (!lies_along_rows(*more, *x, static_cast<int32_t>(axis < 0 ? axis + x->rank() : axis))) return false;
  const bool is_one = match.scalar("scale") == 1.0;
  if (!is_one && !(match.constant("scale") && match.constant("more"))) return false;
  keep_attributes(match);
  match.replace_by(std::string("n = RMSNormalization<axis = @axis, epsilon = @epsilon>(x, scale);"
                               "y = RMSNormalization<axis = @axis, epsilon = @epsilon>(x, ") +
                   (is_one ? "more)" : "Mul(scale, more))"));
  return true;
}

// Statistics are in f32 either way.
bool accept_casts(Match& match) {
  const auto x = match.type("x"), wide = match.type("wide"), y = match.type("y");
  if (!x || !wide || !y || !x->has_element() || !y->has_element() || x->c.element != y->c.element) return false;
  if (wide->element() != DataType::f32 || (x->element() != DataType::f16 && x->element() != DataType::bf16))
    return false;
  if (!match.constant("scale")) return false;
  keep_attributes(match);
  match.set("wide_type", int64_t{wide->c.element});
  return true;
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

extern const Rewrite rms_normalization_scale{.name = "rms_normalization",
                                             .patterns = {"n = RMSNormalization(x, scale); y = Mul(n, more)"},
                                             .replacement = "",
                                             .accept = accept_scale};

extern const Rewrite rms_normalization_casts{
    .name = "rms_normalization",
    .patterns = {"wide = Cast(x); n = RMSNormalization(wide, scale); y = Cast(n)"},
    .replacement =
        "wide = Cast<to = @wide_type>(x);"
        "y = RMSNormalization<axis = @axis, epsilon = @epsilon>(x, Cast<to = @to>(scale))",
    .accept = accept_casts};

}  // namespace heed::ops
