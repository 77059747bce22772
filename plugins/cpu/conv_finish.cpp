// What heed.FusedConv does with its sums, as bounds, as a program and number after number.
#include "conv_finish.hpp"

#include <cassert>
#include <cmath>
#include <numbers>
#include <string>

namespace heed::cpu {
namespace {

// Attribute `activation`, and each as an expression of s.
enum Activation { none, relu, sigmoid, tanh_of, silu, gelu, gelu_tanh, clip, leaky_relu, hard_sigmoid, hard_swish };
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

size_t activation_of(const NodeView& node) {
  const auto found = std::find_if(std::begin(activations), std::end(activations),
                                  [&](const auto& one) { return one.first == node.text("activation", "none"); });
  assert(found != std::end(activations));
  return static_cast<size_t>(found - std::begin(activations));
}

constexpr int32_t most_registers = 8;

}  // namespace

std::optional<ConvBounds> conv_bounds(const NodeView& node) {
  const size_t activation = activation_of(node);
  if (activation == none) return no_bounds;
  if (node.integer("residual_last") != 0 && node.has_input(conv_residual)) return std::nullopt;
  if (activation == relu) return ConvBounds{0, no_bounds.high};
  if (activation == clip) return ConvBounds{node.number("alpha"), node.number("beta")};
  return std::nullopt;
}

Result<const FusedProgram*> prepare_conv_program(Preparing& node) {
  const bool has_residual = node.has_input(conv_residual), residual_last = node.integer("residual_last") != 0;
  const std::string text = std::string("s = sum") + (has_residual && !residual_last ? " + residual" : "") +
                           "; y = " + std::string(activations[activation_of(node)].second) + "; y" +
                           (has_residual && residual_last ? " + residual" : "");
  const ExpressionInput arguments[] = {{"sum", DataType::f32}, {"residual", DataType::f32}};
  HEED_ASSIGN(const auto expression, parse_expression(text, arguments, [&](std::string_view name) {
                return std::optional(node.number(name));
              }));
  void* memory = node.keep_bytes(sizeof(FusedProgram));
  if (memory == nullptr) return Error{Code::out_of_memory, "no memory for what follows a convolution"};
  auto* program = new (memory) FusedProgram;
  HEED_TRY(compile(expression, static_cast<int32_t>(std::size(arguments)), *program));
  assert(program->register_count <= most_registers);
  return program;
}

void run_conv_program(const FusedProgram& program, RunFused loops, float* sums, const float* residual, int64_t n) {
  constexpr int64_t block = 512;
  alignas(64) float registers[most_registers][block];
  FusedSlot slots[FusedProgram::most_slots];
  for (int32_t k = 0; k < program.constant_count; ++k)
    slots[program.first_constant() + k] = {const_cast<int64_t*>(&program.constants[k]), false};
  for (int32_t k = 0; k < program.register_count; ++k) slots[program.first_register() + k] = {registers[k], true};
  for (int64_t begin = 0; begin < n; begin += block) {
    slots[0] = slots[program.output()] = {sums + begin, true};
    if (residual) slots[1] = {const_cast<float*>(residual) + begin, true};
    loops(program, slots, std::min(block, n - begin));
  }
}

ConvFinisher::ConvFinisher(const NodeView& node)
    : activation_(activation_of(node)),
      alpha_(node.number("alpha")),
      beta_(node.number("beta")),
      residual_last_(node.integer("residual_last") != 0) {}

template <class T>
T ConvFinisher::activated(T s) const {
  const T alpha = static_cast<T>(alpha_), beta = static_cast<T>(beta_);
  switch (activation_) {
    case none:
      return s;
    case relu:
      return s < 0 ? 0 : s;
    case sigmoid:
      return 1 / (1 + std::exp(-s));
    case tanh_of:
      return std::tanh(s);
    case silu:
      return s / (1 + std::exp(-s));
    case gelu:
      return s / 2 * (1 + std::erf(s * std::numbers::sqrt2_v<T> / 2));
    case gelu_tanh:
      return s / 2 * (1 + std::tanh(std::sqrt(2 * std::numbers::inv_pi_v<T>) * (s + T(0.044715) * s * s * s)));
    case clip:
      s = s < alpha ? alpha : s;
      return s > beta ? beta : s;
    case leaky_relu:
      return s < 0 ? alpha * s : s;
    case hard_sigmoid:
      s = alpha * s + beta;
      return s < 0 ? 0 : s > 1 ? 1 : s;
    case hard_swish: {
      const T gate = s / 6 + T(0.5);
      return s * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
    }
  }
  __builtin_unreachable();
}
template float ConvFinisher::activated(float s) const;
template double ConvFinisher::activated(double s) const;

}  // namespace heed::cpu
