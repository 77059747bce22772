// What convolutions of floats and of bytes share, and Conv with heed.FusedConv.
#pragma once

#include "heed/plugin.hpp"
#include "windows.hpp"

namespace heed::ops {

// Which inputs of a convolution are its data [batch, channel, spatial...], weights [out, channel / group, kernel...] and
// bias [out]; -1: none.
struct ConvInputs {
  int32_t x, w, bias;
};

// Infers output 0, [batch, out, spatial...] of `element`s; gives its dims where ranks are known.
Result<std::optional<Dims>> infer_convolution(Inference& node, ConvInputs inputs, DataType element);

// Inputs; Conv has the first three.
enum { conv_x, conv_w, conv_bias, conv_residual };

// heed.FusedConv's activations of s, in the order that shaders/conv.glsl knows.
inline constexpr std::string_view conv_activations[] = {
    "none", "relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "clip", "leaky_relu", "hard_sigmoid", "hard_swish"};

// On a GPU.
Result<GpuPlan> plan_conv(Planning& node);
Result<Launch> prepare_conv(const Binding& node);
Result<Launch> bind_conv(const Binding& node);

// Windows along one axis of groups of one channel, so small that a thread makes a strip of four outputs along it.
struct Strips {
  uint32_t axis;  // of three
  uint32_t kernel, stride;
};
inline constexpr int64_t strip_length = 4;
// Along an axis counted back from the last; none where windows are long, dilated or far apart there, or their size is not
// known.
std::optional<Strips> strips_along(const NodeView& node, int32_t w_input, int32_t back);

// Mirrors shaders/conv.glsl.
struct ConvParameters {
  Sliding windows;
  uint32_t batch_count, group_count, channel_count, output_count, has_bias;
  int32_t w_offset, bias_offset, y_offset;
  uint32_t activation, residual_kind;  // 0: none, 1: before the activation, 2: behind it
  float alpha, beta;
  int32_t residual_offset;
};

}  // namespace heed::ops
