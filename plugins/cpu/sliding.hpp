// Windows that slide over spatial axes, with numbers: what convolution and pooling share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::cpu {

// One entry per spatial axis.
struct Sliding {
  std::vector<int64_t> in, out, kernel, strides, dilations;
  std::vector<int64_t> pads;  // before the data
  int64_t in_count = 1, out_count = 1, kernel_count = 1;

  // The position k of the window, one number per axis.
  void window_at(int64_t k, std::vector<int64_t>& position) const {
    for (size_t axis = kernel.size(); axis-- > 0; k /= kernel[axis]) position[axis] = k % kernel[axis];
  }
};

// For data [batch, channel, spatial...] and the node's strides, dilations, pads, auto_pad and ceil_mode.
Result<Sliding> sliding_of(const NodeView& node, const TensorView& data, std::vector<int64_t> kernel);

}  // namespace heed::cpu
