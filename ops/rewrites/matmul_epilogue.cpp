// What stands behind a product of weights, a scale, a bias, an activation, a residual or a gate -> heed.FusedMatMul, or its
// like of codes and of bytes, one after the other. Only behind constants: attention's products belong to attention. Gemm
// becomes the MatMul that it is.
#include <cmath>
#include <string>

#include "products.hpp"

namespace heed::ops {
namespace {

// Numbers of f64 would be rounded to the attributes' f32.
bool is_fused(TypeView type) {
  return type.has_element() && is_float(type.element()) && type.element() != DataType::f64;
}

// What a product of weights does already.
std::optional<Finish> fusible(Match& match) {
  const auto type = match.type("p");
  if (!type || !type->has_rank() || !is_fused(*type) || !match.constant("b")) return std::nullopt;
  return finish_of(match);
}

bool fuse(Match& match, const Finish& finish) {
  match.replace_by(product_again(match, "a", finish));
  return true;
}

bool accept_scale(Match& match) {
  auto finish = fusible(match);
  const std::string_view name = match.type("factor") ? "factor" : "divisor";
  const auto number = match.scalar(name);
  if (!finish || finish->scale != 1 || !finish->is_linear() || !finish->bias.empty()) return false;
  if (!number || match.type(name)->rank() > match.type("p")->rank()) return false;
  finish->scale = static_cast<float>(name == "factor" ? *number : 1 / *number);
  return std::isfinite(finish->scale) && fuse(match, *finish);
}

bool accept_bias(Match& match) {
  auto finish = fusible(match);
  const auto bias = match.constant("more");
  if (!finish || !finish->bias.empty() || !finish->is_linear() || match.type("b")->rank() < 2) return false;
  if (!bias || bias->rank() == 0 || bias->rank() > match.type("p")->rank()) return false;
  if (bias->count() != bias->dim(-1) || !match.type("p")->dim(-1).is_number(bias->dim(-1))) return false;
  finish->bias = bias->rank() == 1 ? "more" : "Reshape(more, Constant<value_ints = [-1]>())";
  return fuse(match, *finish);
}

// What is added to the product, or multiplied with, as another of its size: a residual, the other half of a SwiGLU.
template <bool gated>
bool accept_residual(Match& match) {
  auto finish = fusible(match);
  const auto residual = match.type("more"), p = match.type("p");
  if (!finish || !residual || !residual->has_rank() || residual->rank() != p->rank()) return false;
  for (int32_t axis = 0; axis < p->rank(); ++axis)
    if (!(residual->dim(axis) == p->dim(axis))) return false;
  finish->residual = "more";
  finish->is_gated = gated;
  return fuse(match, *finish);
}

// Names of heed.FusedMatMul's activations.
constexpr char relu[] = "relu", sigmoid[] = "sigmoid", tanh_of[] = "tanh", silu[] = "silu", gelu[] = "gelu",
               gelu_tanh[] = "gelu_tanh";

template <const char* activation>
bool accept_activation(Match& match) {
  auto finish = fusible(match);
  if (!finish || !finish->is_linear()) return false;
  finish->activation = activation;
  return fuse(match, *finish);
}

bool accept_silu(Match& match) {
  return match.node("y").number("alpha", 1) == 1 && accept_activation<silu>(match);
}

bool accept_gelu(Match& match) {
  const bool by_tanh = match.node("y").text("approximate", "none") == "tanh";
  return by_tanh ? accept_activation<gelu_tanh>(match) : accept_activation<gelu>(match);
}

// y = alpha * a' b' + beta * c, spelled out.
bool accept_gemm(Match& match) {
  const auto gemm = match.node("y");
  const auto type = match.type("a");
  if (!type || !is_fused(*type) || type->rank() != 2) return false;
  const auto turned = [&](const char* attribute, const std::string& matrix) {
    return gemm.integer(attribute) ? "Transpose<perm = [1, 0]>(" + matrix + ")" : matrix;
  };
  const auto times = [&](const std::string& attribute, const std::string& value) {
    if (gemm.number(attribute, 1) == 1) return value;
    const auto element = std::to_string(type->c.element);
    return "Mul(" + value + ", Cast<to = " + element + ">(Constant<value_float = @" + attribute + ">()))";
  };
  const auto product = times("alpha", "MatMul(" + turned("transA", "a") + ", " + turned("transB", "b") + ")");
  const bool has_c = match.type("c") && gemm.number("beta", 1) != 0;
  match.replace_by("y = " + (has_c ? "Add(" + product + ", " + times("beta", "c") + ")" : product));
  return true;
}

#define BEHIND(way) ANY_PRODUCT("a") way

}  // namespace

extern const Rewrite matmul_scale{
    .name = "matmul_scale",
    .patterns = {BEHIND("y = Mul(p, factor)"), BEHIND("y = Div(p, divisor)")},
    .replacement = "",
    .accept = accept_scale};
extern const Rewrite matmul_bias{
    .name = "matmul_bias", .patterns = {BEHIND("y = Add(p, more)")}, .replacement = "", .accept = accept_bias};
extern const Rewrite matmul_residual{
    .name = "matmul_residual",
    .patterns = {BEHIND("y = Add(p, more)")},
    .replacement = "",
    .accept = accept_residual<false>};
extern const Rewrite matmul_gate{
    .name = "matmul_gate",
    .patterns = {BEHIND("y = Mul(p, more)")},
    .replacement = "",
    .accept = accept_residual<true>};

extern const Rewrite matmul_relu{
    .name = "matmul_relu", .patterns = {BEHIND("y = Relu(p)")}, .replacement = "", .accept = accept_activation<relu>};
extern const Rewrite matmul_sigmoid{
    .name = "matmul_sigmoid",
    .patterns = {BEHIND("y = Sigmoid(p)")},
    .replacement = "",
    .accept = accept_activation<sigmoid>};
extern const Rewrite matmul_tanh{
    .name = "matmul_tanh", .patterns = {BEHIND("y = Tanh(p)")}, .replacement = "", .accept = accept_activation<tanh_of>};
extern const Rewrite matmul_silu{
    .name = "matmul_silu",
    .patterns = {BEHIND("y = Swish(p)")},
    .replacement = "",
    .accept = accept_silu};
extern const Rewrite matmul_gelu{
    .name = "matmul_gelu", .patterns = {BEHIND("y = Gelu(p)")}, .replacement = "", .accept = accept_gelu};
extern const Rewrite gemm_as_matmul{
    .name = "gemm", .patterns = {"y = Gemm(a, b, c)"}, .replacement = "", .accept = accept_gemm};

}  // namespace heed::ops
