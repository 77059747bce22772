// What stands behind a convolution, factors of channels (which go into its weights), a bias, an activation, a residual
// -> heed.FusedConv, one after the other. A batch normalization is a factor and a bias.
#include <cmath>
#include <string>

#include "numbers.hpp"

namespace heed::ops {
namespace {

#define ANY_CONV "c = Conv(x, w, b) | heed.FusedConv(x, w, b) | heed.FusedConv(x, w, b, residual); "

// c's own parts and what it does with its sums, as text of a replacement.
struct Convolution {
  std::string w = "w", b, residual, activation;
  float alpha = 0, beta = 0;
  bool residual_last = false;

  bool is_linear() const { return activation == "none"; }
};

std::optional<Convolution> convolution_of(Match& match) {
  const auto c = match.node("c");
  const auto type = match.type("c");
  if (!type || !type->has_rank() || type->rank() < 3 || !is_narrow_float(*type)) return std::nullopt;
  return Convolution{.b = match.type("b") ? "b" : "",
                     .residual = match.type("residual") ? "residual" : "",
                     .activation = std::string(c.text("activation", "none")),
                     .alpha = c.number("alpha"),
                     .beta = c.number("beta"),
                     .residual_last = c.integer("residual_last") != 0};
}

bool replace(Match& match, const Convolution& convolution) {
  const auto c = match.node("c");
  const bool is_plain = convolution.is_linear() && convolution.residual.empty();
  std::string attributes = "auto_pad = @auto_pad, group = @group";
  match.set("auto_pad", c.text("auto_pad", "NOTSET"));
  match.set("group", c.integer("group", 1));
  for (const char* name : {"dilations", "kernel_shape", "pads", "strides"})
    if (const auto list = c.integers(name)) {
      match.set(name, *list);
      attributes += std::string(", ") + name + " = @" + name;
    }
  if (!is_plain) {
    attributes += ", activation = @activation, alpha = @alpha, beta = @beta, residual_last = @residual_last";
    match.set("activation", convolution.activation);
    match.set("alpha", convolution.alpha);
    match.set("beta", convolution.beta);
    match.set("residual_last", int64_t{convolution.residual_last});
  }
  std::string inputs = "x, " + convolution.w;
  if (!convolution.b.empty() || !convolution.residual.empty())
    inputs += ", " + (convolution.b.empty() ? "\"\"" : convolution.b);
  if (!convolution.residual.empty()) inputs += ", " + convolution.residual;
  match.replace_by("y = " + std::string(is_plain ? "Conv" : "heed.FusedConv") + "<" + attributes + ">(" + inputs + ")");
  return true;
}

// Whether `name`, broadcast to c, is a number for each channel, and only that.
bool is_of_channels(Match& match, std::string_view name) {
  const auto more = match.type(name), c = match.type("c");
  if (!more || !more->has_rank() || more->rank() > c->rank() || more->rank() < c->rank() - 1) return false;
  const int32_t channel = more->rank() - c->rank() + 1;
  for (int32_t axis = 0; axis < more->rank(); ++axis)
    if (axis == channel ? !(more->dim(axis) == c->dim(1)) : !more->dim(axis).is_number(1)) return false;
  return true;
}

constexpr char flattened[] = "Reshape(more, Constant<value_ints = [-1]>())";

// Weights and bias times a factor of each output: all constants.
bool accept_scale(Match& match) {
  auto convolution = convolution_of(match);
  if (!convolution || !convolution->is_linear() || !convolution->residual.empty()) return false;
  if (!match.constant("more") || !is_of_channels(match, "more") || !match.constant("w")) return false;
  if (!convolution->b.empty() && !match.constant("b")) return false;
  std::vector<int64_t> column(static_cast<size_t>(match.type("c")->rank()), 1);
  column[0] = -1;
  match.set("column", column);
  convolution->w = "Mul(w, Reshape(more, Constant<value_ints = @column>()))";
  if (!convolution->b.empty()) convolution->b = "Mul(b, " + std::string(flattened) + ")";
  return replace(match, *convolution);
}

bool accept_bias(Match& match) {
  auto convolution = convolution_of(match);
  if (!convolution || !convolution->is_linear() || !convolution->residual.empty()) return false;
  if (!is_of_channels(match, "more")) return false;
  if (!convolution->b.empty() && !(match.constant("b") && match.constant("more"))) return false;
  convolution->b = convolution->b.empty() ? flattened : "Add(b, " + std::string(flattened) + ")";
  return replace(match, *convolution);
}

// What is added as another of its size.
bool accept_residual(Match& match) {
  auto convolution = convolution_of(match);
  const auto more = match.type("more"), c = match.type("c");
  if (!convolution || !convolution->residual.empty() || !more || !more->has_rank() || more->rank() != c->rank())
    return false;
  for (int32_t axis = 0; axis < c->rank(); ++axis)
    if (!(more->dim(axis) == c->dim(axis))) return false;
  convolution->residual = "more";
  convolution->residual_last = !convolution->is_linear();
  return replace(match, *convolution);
}

bool activate(Match& match, std::string activation, float alpha = 0, float beta = 0) {
  auto convolution = convolution_of(match);
  if (!convolution || !convolution->is_linear()) return false;
  convolution->activation = std::move(activation);
  convolution->alpha = alpha;
  convolution->beta = beta;
  return replace(match, *convolution);
}

template <const char* activation>
bool accept_activation(Match& match) {
  return activate(match, activation);
}
constexpr char relu[] = "relu", sigmoid[] = "sigmoid", tanh_of[] = "tanh", hard_swish[] = "hard_swish";

bool accept_silu(Match& match) { return match.node("y").number("alpha", 1) == 1 && activate(match, "silu"); }
bool accept_gelu(Match& match) {
  return activate(match, match.node("y").text("approximate", "none") == "tanh" ? "gelu_tanh" : "gelu");
}
bool accept_leaky_relu(Match& match) { return activate(match, "leaky_relu", match.node("y").number("alpha", 0.01f)); }
bool accept_hard_sigmoid(Match& match) {
  const auto node = match.node("y");
  return activate(match, "hard_sigmoid", node.number("alpha", 0.2f), node.number("beta", 0.5f));
}

// Its bounds are attributes before opset 11.
bool accept_clip(Match& match) {
  const auto node = match.node("y");
  float low = node.number("min", -std::numeric_limits<float>::infinity());
  float high = node.number("max", std::numeric_limits<float>::infinity());
  for (const auto& [name, bound] : {std::pair("low", &low), std::pair("high", &high)}) {
    if (!match.type(name)) continue;
    const auto number = match.scalar(name);
    if (!number || std::isnan(*number)) return false;
    *bound = static_cast<float>(*number);
  }
  return low <= high && activate(match, "clip", low, high);
}

}  // namespace

extern const Rewrite conv_scale{
    .name = "conv_scale", .patterns = {ANY_CONV "y = Mul(c, more)"}, .replacement = "", .accept = accept_scale};
extern const Rewrite conv_bias{
    .name = "conv_bias", .patterns = {ANY_CONV "y = Add(c, more)"}, .replacement = "", .accept = accept_bias};
extern const Rewrite conv_residual_sum{
    .name = "conv_residual", .patterns = {ANY_CONV "y = Add(c, more)"}, .replacement = "", .accept = accept_residual};
extern const Rewrite conv_relu{
    .name = "conv_relu", .patterns = {ANY_CONV "y = Relu(c)"}, .replacement = "", .accept = accept_activation<relu>};
extern const Rewrite conv_clip{
    .name = "conv_clip", .patterns = {ANY_CONV "y = Clip(c, low, high)"}, .replacement = "", .accept = accept_clip};
extern const Rewrite conv_sigmoid{.name = "conv_sigmoid",
                                  .patterns = {ANY_CONV "y = Sigmoid(c)"},
                                  .replacement = "",
                                  .accept = accept_activation<sigmoid>};
extern const Rewrite conv_tanh{
    .name = "conv_tanh", .patterns = {ANY_CONV "y = Tanh(c)"}, .replacement = "", .accept = accept_activation<tanh_of>};
extern const Rewrite conv_silu{
    .name = "conv_silu", .patterns = {ANY_CONV "y = Swish(c)"}, .replacement = "", .accept = accept_silu};
extern const Rewrite conv_gelu{
    .name = "conv_gelu", .patterns = {ANY_CONV "y = Gelu(c)"}, .replacement = "", .accept = accept_gelu};
extern const Rewrite conv_leaky_relu{.name = "conv_leaky_relu",
                                     .patterns = {ANY_CONV "y = LeakyRelu(c)"},
                                     .replacement = "",
                                     .accept = accept_leaky_relu};
extern const Rewrite conv_hard_sigmoid{.name = "conv_hard_sigmoid",
                                       .patterns = {ANY_CONV "y = HardSigmoid(c)"},
                                       .replacement = "",
                                       .accept = accept_hard_sigmoid};
extern const Rewrite conv_hard_swish{.name = "conv_hard_swish",
                                     .patterns = {ANY_CONV "y = HardSwish(c)"},
                                     .replacement = "",
                                     .accept = accept_activation<hard_swish>};

}  // namespace heed::ops
