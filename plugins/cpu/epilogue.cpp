// What products do with their sums, as a program and number after number.
#include "epilogue.hpp"

#include <cassert>
#include <cmath>
#include <numbers>
#include <string>

#include "convert.hpp"
#include "half.hpp"

namespace heed::cpu {
namespace {

// Attribute `activation`, and each as an expression of s.
constexpr std::pair<std::string_view, std::string_view> activations[] = {
    {"none", "s"},
    {"relu", "max(s, 0)"},
    {"sigmoid", "sigmoid(s)"},
    {"tanh", "tanh(s)"},
    {"silu", "s * sigmoid(s)"},
    {"gelu", "s * 0.5 * (1 + erf(s * 0.70710678118654752))"},
    {"gelu_tanh", "s * 0.5 * (1 + tanh(0.79788456080286536 * (s + 0.044715 * s * s * s)))"}};

size_t activation_of(const NodeView& node) {
  const auto found = std::find_if(std::begin(activations), std::end(activations),
                                  [&](const auto& one) { return one.first == node.text("activation", "none"); });
  assert(found != std::end(activations));
  return static_cast<size_t>(found - std::begin(activations));
}

constexpr int32_t most_registers = 8;

}  // namespace

Result<const FusedProgram*> prepare_epilogue(Preparing& node, EpilogueInputs inputs) {
  const bool has_bias = node.has_input(inputs.bias), has_residual = node.has_input(inputs.residual);
  const bool is_scaled = node.number("scale", 1) != 1;
  const size_t activation = activation_of(node);
  if (!has_bias && !has_residual && !is_scaled && activation == 0) return nullptr;
  std::string text = "s = sum";
  if (is_scaled) text += " * @scale";
  if (has_bias) text += " + bias";
  text += "; y = " + std::string(activations[activation].second);
  text += !has_residual ? "; y" : node.integer("gated") ? "; y * residual" : "; y + residual";
  const ExpressionInput arguments[] = {{"sum", DataType::f32}, {"bias", DataType::f32}, {"residual", DataType::f32}};
  HEED_ASSIGN(const auto expression,
              parse_expression(text, arguments, [&](std::string_view name) { return std::optional(node.number(name)); }));
  void* memory = node.keep_bytes(sizeof(FusedProgram));
  if (memory == nullptr) return Error{Code::out_of_memory, "no memory for what follows a product"};
  auto* program = new (memory) FusedProgram;
  HEED_TRY(compile(expression, static_cast<int32_t>(std::size(arguments)), *program));
  assert(program->register_count <= most_registers);
  return program;
}

Epilogue::Epilogue(const Running& run, EpilogueInputs inputs)
    : bias_(run.input(inputs.bias)),
      residual_(run.input(inputs.residual)),
      scale_(run.number("scale", 1)),
      activation_(static_cast<Activation>(activation_of(run))),
      gated_(run.integer("gated") != 0) {
  is_there_ = bias_.present() || residual_.present() || scale_ != 1 || activation_ != Activation::none;
}

Epilogue::Epilogue(const Running& run, EpilogueInputs inputs, const FusedProgram* program, RunFused loops)
    : is_there_(program != nullptr) {
  if (program == nullptr) return;
  if (loops == nullptr) {
    *this = Epilogue(run, inputs);
    return;
  }
  bias_ = run.input(inputs.bias);
  residual_ = run.input(inputs.residual);
  program_ = program;
  loops_ = loops;
}

template <class T>
T Epilogue::activated(Activation activation, T x) {
  switch (activation) {
    case Activation::none:
      return x;
    case Activation::relu:
      return x < 0 ? 0 : x;
    case Activation::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Activation::tanh:
      return std::tanh(x);
    case Activation::silu:
      return x / (1 + std::exp(-x));
    case Activation::gelu:
      return x / 2 * (1 + std::erf(x * std::numbers::sqrt2_v<T> / 2));
    case Activation::gelu_tanh:
      return x / 2 * (1 + std::tanh(std::sqrt(2 * std::numbers::inv_pi_v<T>) * (x + T(0.044715) * x * x * x)));
  }
  __builtin_unreachable();
}

template <class T>
void Epilogue::finish(T* sums, int64_t column, int64_t index, int64_t n) const {
  if (!is_there_) return;
  if constexpr (std::is_same_v<T, float>)
    if (program_) return run_program(sums, column, index, n);
  const int64_t bias_count = bias_.present() ? bias_.count() : 0;
  RowReader<T> bias_row(bias_), residual_row(residual_);
  const T* bias = bias_count == 0 ? nullptr : bias_count == 1 ? bias_row.row(0, 1) : bias_row.row(column, n);
  const T* residual = residual_.present() ? residual_row.row(index, n) : nullptr;
  for (int64_t i = 0; i < n; ++i) {
    T y = static_cast<T>(scale_) * sums[i];
    if (bias) y += bias[bias_count == 1 ? 0 : i];
    y = activated(activation_, y);
    sums[i] = !residual ? y : gated_ ? y * residual[i] : y + residual[i];
  }
}
template void Epilogue::finish(float* sums, int64_t column, int64_t index, int64_t n) const;
template void Epilogue::finish(double* sums, int64_t column, int64_t index, int64_t n) const;

void Epilogue::run_program(float* sums, int64_t column, int64_t index, int64_t n) const {
  constexpr int64_t block = 512;
  alignas(64) float registers[most_registers][block], bias_room[block], residual_room[block];
  FusedSlot slots[FusedProgram::most_slots];
  for (int32_t k = 0; k < program_->constant_count; ++k)
    slots[program_->first_constant() + k] = {const_cast<int64_t*>(&program_->constants[k]), false};
  for (int32_t k = 0; k < program_->register_count; ++k) slots[program_->first_register() + k] = {registers[k], true};
  const auto floats_of = [](const TensorView& tensor, int64_t first, int64_t count, float* room) {
    if (!is_half(tensor.element())) return const_cast<float*>(tensor.data<float>()) + first;
    widen(tensor.element(), tensor.data<uint16_t>() + first, count, room);
    return room;
  };
  const bool has_one_bias = bias_.present() && bias_.count() == 1;
  for (int64_t begin = 0; begin < n; begin += block) {
    const int64_t count = std::min(block, n - begin);
    slots[0] = slots[program_->output()] = {sums + begin, true};
    if (has_one_bias)
      slots[1] = {floats_of(bias_, 0, 1, bias_room), false};
    else if (bias_.present())
      slots[1] = {floats_of(bias_, column + begin, count, bias_room), true};
    if (residual_.present()) slots[2] = {floats_of(residual_, index + begin, count, residual_room), true};
    loops_(*program_, slots, count);
  }
}

}  // namespace heed::cpu
