// What convolutions of floats and of bytes share, and Conv with heed.FusedConv.
#pragma once

#include "heed/plugin.hpp"

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

Result<GpuPlan> plan_conv(Planning& node);
Result<Launch> bind_conv(const Binding& node);

}  // namespace heed::ops
