// Conv's GPU kernels that make their sums by matrix products in scratch, of floats:
//   Winograd's F(4x4, 3x3)   a quarter of the multiplications, for four times the bytes of weights; sums differ from those of
//                            the other kernels by some units in the last place of the largest (3e-5 of 1 over a few hundred
//                            channels), as the CPU's kernel of the same points does
//   columns of windows       where the device is a CPU: shared memory, by which others read an image once, is as slow as any
//                            other there
#pragma once

#include "conv.hpp"

namespace heed::ops {

enum class ConvProducts { none, winograd, columns };
// Which of them the node takes, when it is planned and at each run.
ConvProducts products_of(const Planning& node);
ConvProducts products_of(const Binding& node);

// Adds their variants behind those of the plan.
Result<void> add_product_variants(const Planning& node, ConvProducts products, GpuPlan& plan);

// `first`: where those variants begin. Dispatches that transform the weights, and those of a run.
Launch prepare_winograd(const Binding& node, int32_t first);
Launch launch_products(const Binding& node, ConvProducts products, const ConvParameters& parameters, int32_t first);

}  // namespace heed::ops
