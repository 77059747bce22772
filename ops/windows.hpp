// What convolution and pooling share: windows that slide over the spatial axes, [batch, channel, spatial...].
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// A pooling's outputs: [batch, channel, windows...], each with its own element type. Input 0 is [batch, channel,
// spatial...], and kernel_shape a size for each spatial axis.
Result<void> infer_pooling(Inference& node);

// The attribute `name`: `count` numbers from `least` on, or `otherwise` for all where it is absent.
Result<std::vector<int64_t>> axis_numbers(const NodeView& node, std::string_view name, size_t count, int64_t otherwise,
                                          int64_t least);

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

// Where data and padding end along each axis, counted from the first element of the data.
struct PaddedEnds {
  int32_t ends[most_window_axes];
};
PaddedEnds padded_ends_of(const Binding& node, const Sliding& windows);

// Declines where the data has more spatial axes, or not known how many.
Result<void> check_windows(TypeView x);

// `kernel`: a size for each spatial axis of x; y has the sizes of window_counts.
Sliding sliding_of(const Binding& node, const TensorView& x, const TensorView& y, std::span<const int64_t> kernel);

}  // namespace heed::ops
