// The GPU half of operators that lengthen or cut a tensor along its axes: Pad, Tile, CenterCropPad.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// What stands where the tensor does not reach. Mirrors shaders/pad.comp.
enum class Padding : uint32_t { constant, reflect, edge, wrap };

// How many elements of output 0 stand before those of input 0 along an axis, or negative how many of them are left out:
// a number, or where that depends on sizes, its place among the pads that the device reads.
struct Begin {
  int64_t count = 0;
  int32_t place = -1;
};

// Input 0 is what is padded. `value` is the input that holds the constant, and `pads` the i64 one where begins have
// their places; -1: there is none.
Result<GpuPlan> plan_padding(Planning& node, Padding padding, int32_t value = -1, int32_t pads = -1);

// With a Begin for each axis; what the sizes leave open stands, or is left out, behind. Without an input `value` the
// constant is `fill`, the bits of an element.
Result<Launch> bind_padding(const Binding& node, std::span<const Begin> begins, int32_t value = -1, int32_t pads = -1,
                            std::array<uint32_t, 2> fill = {});

}  // namespace heed::ops
