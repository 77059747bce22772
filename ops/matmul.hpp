// What products share. Those of the domain heed finish their sums: y = activation(scale * sum + bias) + residual, or, where
// they are gated, times the residual.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// Infers output 0, the product of inputs a and b by numpy's rules, of elements like a's; gives its dims where ranks are
// known.
Result<std::optional<Dims>> infer_product(Inference& node);
Result<std::optional<Dims>> infer_product(Inference& node, int32_t a, int32_t b, DataType element);

// Infers output 0 of Gemm.
Result<void> infer_gemm(Inference& node);

// heed's operator `op_type` that finishes the sums of `product`: with attributes `scale`, `activation` and `gated`, and a last
// input `residual`, as large as its output.
Operator finishing(Operator product, std::string_view op_type);
// Checks what it adds. Of `product` itself there is nothing to check.
Result<void> check_epilogue(Inference& node, int32_t residual_input, const std::optional<Dims>& y);

// As shaders take it; of a node without those attributes it does nothing.
struct Epilogue {
  float scale = 1;
  uint32_t activation = 0;     // one of shaders/epilogue.glsl
  uint32_t residual_kind = 0;  // 0: none, 1: added, 2: a factor
  int32_t residual_offset = 0;
};
Epilogue epilogue_of(const Binding& node, int32_t residual_input);

// On a GPU.
Result<GpuPlan> plan_matmul(Planning& node);
Result<Launch> bind_matmul(const Binding& node);

// A stack of products of dense f32 matrices that another operator's kernel makes on its way: c[i] = a[i] b[i], of a [stack,
// row, inner], b [stack, inner, column] and c [stack, row, column], each beginning at so many elements of what is bound.
struct StackedProduct {
  uint32_t stack, rows, columns, inner;
  uint32_t a_offset = 0, b_offset = 0, c_offset = 0;
};
// The variants that it may take.
std::vector<Variant> stacked_product_variants(const Planning& node, heed_binding a, heed_binding b, heed_binding c);
// `first`: where they begin among those of the plan.
Dispatch stacked_product(const Binding& node, const StackedProduct& product, int32_t first);

// Of com.microsoft.MatMulNBits and heed.FusedMatMulNBits, whose b is packed codes; its inputs behind a and b.
enum { nbits_scales = 2, nbits_zero_points, nbits_g_idx, nbits_bias, nbits_residual };
Result<GpuPlan> plan_matmul_nbits(Planning& node);
Result<Launch> bind_matmul_nbits(const Binding& node);

// Inputs of heed.FusedMatMul; MatMul has the first two.
enum { a_input, b_input, bias_input, residual_input };

}  // namespace heed::ops
