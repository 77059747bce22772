// c = activation(scale * a b + bias) + residual: what MatMul and heed.FusedMatMul share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// Infers output 0, the product of inputs a and b by numpy's rules, of elements like a's; gives its dims where ranks are
// known.
Result<std::optional<Dims>> infer_product(Inference& node);
Result<std::optional<Dims>> infer_product(Inference& node, int32_t a, int32_t b, DataType element);

// Infers output 0 of Gemm.
Result<void> infer_gemm(Inference& node);

// On a GPU.
Result<GpuPlan> plan_matmul(Planning& node);
Result<Launch> bind_matmul(const Binding& node);

// Of com.microsoft.MatMulNBits, whose b is packed codes; its inputs behind a and b.
enum { nbits_scales = 2, nbits_zero_points, nbits_g_idx, nbits_bias };
Result<GpuPlan> plan_matmul_nbits(Planning& node);
Result<Launch> bind_matmul_nbits(const Binding& node);

// Inputs of heed.FusedMatMul; MatMul has the first two.
enum { a_input, b_input, bias_input, residual_input };

// Names of heed.FusedMatMul's attribute `activation`; shaders/matmul.glsl knows them by their places.
inline constexpr std::string_view activations[] = {"none", "relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh"};

}  // namespace heed::ops
