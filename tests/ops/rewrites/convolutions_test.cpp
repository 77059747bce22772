// ops/rewrites/conv_epilogue.cpp: what exporters write behind convolutions.
#include <catch2/catch.hpp>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string numbers =
    "w = Constant<value = float[3, 2, 1, 2] {1, -2, 0.5, 1, 2, 0.25, -1, 1, 0.75, -0.5, 1, 2}>()"
    "b = Constant<value = float[3] {0.5, -1, 2}>() of_channels = Constant<value = float[3, 1, 1] {2, -0.5, 0.25}>()"
    "of_rows = Constant<value = float[1, 1, 5, 1] {2, -0.5, 0.25, 1, 3}>()"
    "zero = Constant<value_float = 0.0>() six = Constant<value_float = 6.0>() ";

RewriteRow row(const char* what, const std::string& nodes, std::vector<const char*> wanted,
               std::vector<const char*> unwanted = {}, int opset = 24) {
  return {.what = what,
          .inputs = "float[batch, 2, 5, 7] x, float[batch, 3, 5, 6] r",
          .outputs = "float[batch, 3, 5, 6] y",
          .nodes = numbers + nodes,
          .wanted = std::move(wanted),
          .unwanted = std::move(unwanted),
          .opset = opset};
}

const std::vector<RewriteRow> rows = {
    row("relu", "c = Conv(x, w, b) y = Relu(c)", {"heed.FusedConv<activation = relu>"}, {"heed.FusedElementwise"}),
    row("relu6", "c = Conv(x, w) y = Clip(c, zero, six)", {"activation = clip>"}, {"heed.FusedElementwise"}),
    row("clip of one side", "c = Conv(x, w) y = Clip(c, \"\", six)", {"activation = clip>"}, {"heed.FusedElementwise"}),
    row("relu6 of old", "c = Conv(x, w) y = Clip<min = 0.0, max = 6.0>(c)", {"activation = clip>"},
        {"heed.FusedElementwise"}, 10),
    row("silu", "c = Conv(x, w, b) s = Sigmoid(c) y = Mul(c, s)", {"activation = silu>"}, {"heed.FusedElementwise"}),
    row("sigmoid", "c = Conv(x, w, b) y = Sigmoid(c)", {"activation = sigmoid>"}, {"heed.FusedElementwise"}),
    row("tanh", "c = Conv(x, w, b) y = Tanh(c)", {"activation = tanh>"}, {"heed.FusedElementwise"}),
    row("gelu", "c = Conv(x, w, b) y = Gelu(c)", {"activation = gelu>"}, {"heed.FusedElementwise"}),
    row("leaky relu", "c = Conv(x, w) y = LeakyRelu<alpha = 0.25>(c)", {"activation = leaky_relu>alpha = 0.25"},
        {"heed.FusedElementwise"}),
    row("hard sigmoid", "c = Conv(x, w) y = HardSigmoid(c)", {"activation = hard_sigmoid>alpha = 0.2"},
        {"heed.FusedElementwise"}),
    row("hard swish", "c = Conv(x, w) y = HardSwish(c)", {"activation = hard_swish>"}, {"heed.FusedElementwise"}),
    row("a bias by itself", "c = Conv(x, w) y = Add(c, of_channels)", {"fired conv_bias"}, {"heed.Fused"}),
    row("a second bias, before an activation", "c = Conv(x, w, b) d = Add(of_channels, c) y = Relu(d)",
        {"fired conv_bias", "activation = relu>"}, {"heed.FusedElementwise"}),
    row("what is added to rows is no bias", "c = Conv(x, w) y = Add(c, of_rows)", {"heed.FusedElementwise"},
        {"fired conv_bias"}),
    row("factors of channels", "c = Conv(x, w, b) y = Mul(c, of_channels)", {"fired conv_scale"}, {"heed.Fused"}),
    row("a batch normalization, and what is behind it",
        "c = Conv(x, w, b) d = Mul(c, of_channels) e = Add(d, of_channels) f = Add(e, r) y = Relu(f)",
        {"fired conv_scale", "fired conv_bias", "fired conv_residual", "activation = relu>"},
        {"heed.FusedElementwise", "Mul", "Add"}),
    row("factors of rows", "c = Conv(x, w, b) y = Mul(c, of_rows)", {"heed.FusedElementwise"}, {"fired conv_scale"}),
    row("a residual network's block", "c = Conv(x, w, b) d = Add(c, r) y = Relu(d)",
        {"fired conv_residual", "residual_last = 0", "activation = relu>"}, {"heed.FusedElementwise"}),
    row("a residual behind an activation", "c = Conv(x, w, b) d = Relu(c) y = Add(r, d)", {"residual_last = 1"},
        {"heed.FusedElementwise"}),
    row("two convolutions, of which one takes the other", "c = Conv(x, w, b) d = Conv(x, w) y = Add(c, d)",
        {"fired conv_residual", "Conv"}, {"heed.FusedElementwise"}),
    row("a second activation", "c = Conv(x, w, b) d = Relu(c) y = Tanh(d)",
        {"activation = relu>", "heed.FusedElementwise"}, {"fired conv_tanh"}),
    row("a sum that is used twice", "c = Conv(x, w, b) d = Relu(c) y = Sub(c, d)", {"heed.FusedElementwise"},
        {"fired conv_relu"}),
    {.what = "windows keep their attributes",
     .inputs = "float[batch, 4, 9] x",
     .outputs = "float[batch, 2, 4] y",
     .nodes =
         "w = Constant<value = float[2, 2, 3] {1, -2, 0.5, 1, 2, 0.25, -1, 1, 0.75, -0.5, 1, 2}>()"
         "c = Conv<group = 2, strides = [2], dilations = [2], pads = [1, 1], kernel_shape = [3]>(x, w) y = Relu(c)",
     .wanted = {"group = 2", "dilations = [2]", "kernel_shape = [3]", "pads = [1, 1]", "strides = [2]"},
     .unwanted = {"heed.FusedElementwise"}},
    {.what = "f64 keeps numbers that attributes would round",
     .inputs = "double[batch, 1, 9] x",
     .outputs = "double[batch, 1, 9] y",
     .nodes = "w = Constant<value = double[1, 1, 1] {0.3}>() c = Conv(x, w) y = LeakyRelu<alpha = 0.25>(c)",
     .wanted = {"LeakyRelu"},
     .unwanted = {"heed.FusedConv"}},
};

}  // namespace

TEST_CASE("what stands behind convolutions is taken into them") { check_rewrites(rows); }

}  // namespace heed::test
