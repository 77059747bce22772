// What heed.FusedConv does with its sums, as bounds, as a program and number after number.
#include "conv_finish.hpp"

#include <string>

namespace heed::cpu {

std::optional<ConvBounds> conv_bounds(const NodeView& node) {
  const Activation activation = activation_of(node);
  if (activation == Activation::none) return no_bounds;
  if (node.integer("residual_last") != 0 && node.has_input(conv_residual)) return std::nullopt;
  if (activation == Activation::relu) return ConvBounds{0, no_bounds.high};
  if (activation == Activation::clip) return ConvBounds{node.number("alpha"), node.number("beta")};
  return std::nullopt;
}

Result<const FusedProgram*> prepare_conv_program(Preparing& node) {
  const bool has_residual = node.has_input(conv_residual), residual_last = node.integer("residual_last") != 0;
  const std::string text = std::string("s = sum") + (has_residual && !residual_last ? " + residual" : "") +
                           "; y = " + std::string(expression_of(activation_of(node))) + "; y" +
                           (has_residual && residual_last ? " + residual" : "");
  const ExpressionInput arguments[] = {{"sum", DataType::f32}, {"residual", DataType::f32}};
  return keep_program(node, text, arguments);
}

void run_conv_program(const FusedProgram& program, RunFused loops, float* sums, const float* residual, int64_t n) {
  constexpr int64_t block = 512;
  alignas(64) float registers[most_activation_registers][block];
  FusedSlot slots[FusedProgram::most_slots];
  set_own_slots(program, registers[0], block, slots);
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

}  // namespace heed::cpu
