// What convolution and pooling share: windows that slide over the spatial axes, [batch, channel, spatial...].
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// Per spatial axis. `pads`: before and after the data, from auto_pad where that is set.
struct Windows {
  std::vector<int64_t> kernel, strides, dilations;
  Dims output;
};

// Sizes of the windows' positions over `spatial`; checks strides, dilations, pads and auto_pad.
Result<Windows> windows_of(const NodeView& node, std::span<const Dim> spatial, std::vector<int64_t> kernel);

}  // namespace heed::ops
