// What products do with their sums, as a program and number after number.
#include "epilogue.hpp"

#include <string>

#include "convert.hpp"
#include "half.hpp"

namespace heed::cpu {

Result<const FusedProgram*> prepare_epilogue(Preparing& node, EpilogueInputs inputs) {
  const bool has_bias = node.has_input(inputs.bias), has_residual = node.has_input(inputs.residual);
  const bool is_scaled = node.number("scale", 1) != 1;
  const Activation activation = activation_of(node);
  if (!has_bias && !has_residual && !is_scaled && activation == Activation::none) return nullptr;
  std::string text = "s = sum";
  if (is_scaled) text += " * @scale";
  if (has_bias) text += " + bias";
  text += "; y = " + std::string(expression_of(activation));
  text += !has_residual ? "; y" : node.integer("gated") ? "; y * residual" : "; y + residual";
  const ExpressionInput arguments[] = {{"sum", DataType::f32}, {"bias", DataType::f32}, {"residual", DataType::f32}};
  return keep_program(node, text, arguments);
}

Epilogue::Epilogue(const Running& run, EpilogueInputs inputs)
    : bias_(run.input(inputs.bias)),
      residual_(run.input(inputs.residual)),
      scale_(run.number("scale", 1)),
      activation_(activation_of(run)),
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
  alignas(64) float registers[most_activation_registers][block], bias_room[block], residual_room[block];
  FusedSlot slots[FusedProgram::most_slots];
  set_own_slots(*program_, registers[0], block, slots);
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
