// The GPU half of operators that lengthen or cut a tensor along its axes: Pad, Tile, CenterCropPad.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// What stands where the tensor does not reach. Mirrors shaders/pad.comp.
enum class Padding : uint32_t { constant, reflect, edge, wrap };

// Input 0 is what is padded. `value` is the input that holds the constant, or -1.
Result<GpuPlan> plan_padding(Planning& node, Padding padding, int32_t value = -1);

// `begins` tells for each axis how many elements of output 0 stand before those of input 0, or negative how many of
// them are left out; what the sizes leave open stands, or is left out, behind. Without an input `value` the constant is
// `fill`, the bits of an element.
Result<Launch> bind_padding(const Binding& node, std::span<const int64_t> begins, int32_t value = -1,
                            std::array<uint32_t, 2> fill = {});

}  // namespace heed::ops
