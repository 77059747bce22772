// Activations by name, as expressions, and number after number.
#include "fused_activation.hpp"

#include <cassert>
#include <cmath>
#include <numbers>
#include <string>

namespace heed::cpu {
namespace {

// In the order of the enumeration.
constexpr std::pair<std::string_view, std::string_view> activations[] = {
    {"none", "s"},
    {"relu", "max(s, 0)"},
    {"sigmoid", "sigmoid(s)"},
    {"tanh", "tanh(s)"},
    {"silu", "s * sigmoid(s)"},
    {"gelu", "s * 0.5 * (1 + erf(s * 0.70710678118654752))"},
    {"gelu_tanh", "s * 0.5 * (1 + tanh(0.79788456080286536 * (s + 0.044715 * s * s * s)))"},
    {"clip", "min(max(s, @alpha), @beta)"},
    {"leaky_relu", "select(s < 0, @alpha * s, s)"},
    {"hard_sigmoid", "max(0, min(1, @alpha * s + @beta))"},
    {"hard_swish", "s * max(0, min(1, s / 6 + 0.5))"}};

}  // namespace

Activation activation_of(const NodeView& node) {
  const auto found = std::find_if(std::begin(activations), std::end(activations),
                                  [&](const auto& one) { return one.first == node.text("activation", "none"); });
  assert(found != std::end(activations));
  return static_cast<Activation>(found - std::begin(activations));
}

std::string_view expression_of(Activation activation) { return activations[static_cast<size_t>(activation)].second; }

template <class T>
T activated(Activation activation, T s, T alpha, T beta) {
  switch (activation) {
    case Activation::none:
      return s;
    case Activation::relu:
      return s < 0 ? 0 : s;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-s));
    case Activation::tanh:
      return std::tanh(s);
    case Activation::silu:
      return s / (1 + std::exp(-s));
    case Activation::gelu:
      return s / 2 * (1 + std::erf(s * std::numbers::sqrt2_v<T> / 2));
    case Activation::gelu_tanh:
      return s / 2 * (1 + std::tanh(std::sqrt(2 * std::numbers::inv_pi_v<T>) * (s + T(0.044715) * s * s * s)));
    case Activation::clip:
      s = s < alpha ? alpha : s;
      return s > beta ? beta : s;
    case Activation::leaky_relu:
      return s < 0 ? alpha * s : s;
    case Activation::hard_sigmoid:
      s = alpha * s + beta;
      return s < 0 ? 0 : s > 1 ? 1 : s;
    case Activation::hard_swish: {
      const T gate = s / 6 + T(0.5);
      return s * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
    }
  }
  __builtin_unreachable();
}
template float activated(Activation activation, float s, float alpha, float beta);
template double activated(Activation activation, double s, double alpha, double beta);

Result<const FusedProgram*> keep_program(Preparing& node, const std::string& text,
                                         std::span<const ExpressionInput> arguments) {
  HEED_ASSIGN(const auto expression, parse_expression(text, arguments, [&](std::string_view name) {
                return std::optional(node.number(name));
              }));
  void* memory = node.keep_bytes(sizeof(FusedProgram));
  if (memory == nullptr) return Error{Code::out_of_memory, "no memory for what follows a product"};
  auto* program = new (memory) FusedProgram;
  HEED_TRY(compile(expression, static_cast<int32_t>(arguments.size()), *program));
  assert(program->register_count <= most_activation_registers);
  return program;
}

}  // namespace heed::cpu
