// What fused operators do with a sum s: their attribute `activation`, whose numbers are the attributes alpha and beta.
#pragma once

#include "fused_elementwise.hpp"
#include "heed/plugin.hpp"

namespace heed::cpu {

enum class Activation { none, relu, sigmoid, tanh, silu, gelu, gelu_tanh, clip, leaky_relu, hard_sigmoid, hard_swish };

// Of a node whose contract allows no other.
Activation activation_of(const NodeView& node);

// As an expression of s, @alpha and @beta.
std::string_view expression_of(Activation activation);

// Of one number. T: float, double.
template <class T>
T activated(Activation activation, T s, T alpha = 0, T beta = 0);

// An expression over f32 arguments, in which @name is a number among the node's attributes, as a program that is owned
// by the node's Model. It takes no more registers than that.
inline constexpr int32_t most_activation_registers = 8;
Result<const FusedProgram*> keep_program(Preparing& node, const std::string& text,
                                         std::span<const ExpressionInput> arguments);

}  // namespace heed::cpu
