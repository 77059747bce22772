// Layer normalisation as exporters before opset 17 spell it out -> LayerNormalization: first what brings rows to mean 0
// and variance 1, then the scale, the bias, and the casts of a 16-bit model that normalises in f32.
#include <string>

#include "numbers.hpp"

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
  if (!axis || first_reduced_axis(match, "variance", "variance_axes", *x) != axis) return false;
  const auto epsilon = match.scalar("epsilon");
  if (!epsilon || *epsilon < 0 || match.type("epsilon")->rank() > x->rank()) return false;
  if (match.type("minus_half") && !is_number(match, "minus_half", -0.5, *x)) return false;
  match.set("axis", int64_t{*axis - x->rank()});
  match.set("epsilon", static_cast<float>(*epsilon));
  match.set("type", int64_t{x->c.element});
  return true;
}

int32_t axis_of(NodeView node, TypeView x) {
  const auto axis = static_cast<int32_t>(node.integer("axis", -1));
  return axis < 0 ? axis + x.rank() : axis;
}

// Where several scale what was normalised once, each normalises for itself.
#define NORMALIZED_AGAIN "n = LayerNormalization<axis = @axis, epsilon = @epsilon>(x, scale);"

// A scale of 1 is replaced, another one multiplied with.
bool accept_scale(Match& match) {
  const auto x = match.type("x"), more = match.type("more");
  const auto node = match.node("n");
  if (!x || !more || !x->has_rank() || !lies_along_rows(*more, *x, axis_of(node, *x))) return false;
  match.set("axis", node.integer("axis", -1));
  match.set("epsilon", node.number("epsilon", 1e-5f));
  const bool is_one = match.scalar("scale") == 1.0;
  if (!is_one && !(match.constant("scale") && match.constant("more"))) return false;
  match.replace_by(std::string(NORMALIZED_AGAIN "y = LayerNormalization<axis = @axis, epsilon = @epsilon>(x, ") +
                   (is_one ? "more)" : "Mul(scale, more))"));
  return true;
}

bool accept_bias(Match& match) {
  const auto x = match.type("x"), bias = match.type("bias");
  const auto node = match.node("n");
  if (!x || !bias || !x->has_rank() || !lies_along_rows(*bias, *x, axis_of(node, *x))) return false;
  match.set("axis", node.integer("axis", -1));
  match.set("epsilon", node.number("epsilon", 1e-5f));
  return true;
}

// Statistics are in f32 either way.
bool accept_casts(Match& match) {
  const auto x = match.type("x"), wide = match.type("wide"), y = match.type("y");
  if (!x || !wide || !y || !x->has_element() || !y->has_element() || x->c.element != y->c.element) return false;
  if (wide->element() != DataType::f32 || (x->element() != DataType::f16 && x->element() != DataType::bf16))
    return false;
  if (!match.constant("scale") || (match.type("bias") && !match.constant("bias"))) return false;
  const auto node = match.node("n");
  match.set("axis", node.integer("axis", -1));
  match.set("epsilon", node.number("epsilon", 1e-5f));
  match.set("wide_type", int64_t{wide->c.element});
  match.replace_by(std::string("wide = Cast<to = @wide_type>(x); y = LayerNormalization<axis = @axis, epsilon = "
                               "@epsilon>(x, Cast<to = @to>(scale)") +
                   (match.type("bias") ? ", Cast<to = @to>(bias))" : ")"));
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

extern const Rewrite layer_normalization_scale{.name = "layer_normalization",
                                               .patterns = {"n = LayerNormalization(x, scale); y = Mul(n, more)"},
                                               .replacement = "",
                                               .accept = accept_scale};

extern const Rewrite layer_normalization_bias{
    .name = "layer_normalization",
    .patterns = {"n = LayerNormalization(x, scale); y = Add(n, bias)"},
    .replacement = NORMALIZED_AGAIN "y = LayerNormalization<axis = @axis, epsilon = @epsilon>(x, scale, bias)",
    .accept = accept_bias};

extern const Rewrite layer_normalization_casts{
    .name = "layer_normalization",
    .patterns = {"wide = Cast(x); n = LayerNormalization(wide, scale, bias); y = Cast(n)"},
    .replacement = "",
    .accept = accept_casts};

}  // namespace heed::ops
