// Winograd's F(4x4, 3x3) as a family of Conv's GPU kernels: a quarter of the multiplications, for four times the bytes of
// weights. Sums differ from those of the other kernels by some units in the last place of the largest (3e-5 of 1 over a few
// hundred channels), as the CPU's kernel of the same points does.
#pragma once

#include "conv.hpp"

namespace heed::ops {

// Whether a plan takes it: constant weights of windows of 3 x 3 that move by one, channels enough, and no more of what is
// made of them than a binding may hold.
bool takes_winograd(const NodeView& node, uint64_t most_bytes);

// Its variants; conv_winograd.cpp counts them from `first`.
void add_winograd_variants(const Planning& node, GpuPlan& plan);

// Transforms the weights, once per Model. `first`: where the variants begin.
Result<Launch> prepare_winograd(const Binding& node, int32_t first);

// Where the weights were transformed.
Launch launch_winograd(const Binding& node, const ConvParameters& parameters, int32_t first);

}  // namespace heed::ops
