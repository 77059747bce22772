// What convolution and pooling share: windows that slide over the spatial axes, [batch, channel, spatial...].
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// How many places the windows have along each of the `spatial` axes; checks strides, dilations, pads and auto_pad.
Result<Dims> window_counts(const NodeView& node, std::span<const Dim> spatial, std::span<const Dim> kernel);

// The windows with numbers, over an x that a GPU kernel reads: mirrors the head of the parameters of
// shaders/windows.glsl. Three spatial axes; where the data has fewer, the first ones have size 1.
inline constexpr int32_t most_window_axes = 3;
struct Sliding {
  uint32_t in[most_window_axes], out[most_window_axes], kernel[most_window_axes];
  int32_t strides[most_window_axes], dilations[most_window_axes], pads[most_window_axes];  // pads: before the data
  int32_t x_offset, x_batch_stride, x_channel_stride;
  int32_t x_strides[most_window_axes];
};

// Declines where the data has more spatial axes, or not known how many.
Result<void> check_windows(TypeView x);

// `kernel`: a size for each spatial axis of x; y has the sizes of window_counts.
Sliding sliding_of(const Binding& node, const TensorView& x, const TensorView& y, std::span<const int64_t> kernel);

}  // namespace heed::ops
