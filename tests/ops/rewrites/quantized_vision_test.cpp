// ops/rewrites/quantized_conv.cpp, quantized_movement.cpp and shuffled_channels.cpp: vision as quantisers write it.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

// A constant `name` of these dims as type `to`: waves, so high.
std::string made(const std::string& name, const std::string& dims, int count, int to, double height) {
  std::string text = name + "_numbers = Constant<value = float[" + dims + "] {";
  for (int i = 0; i < count; ++i) text += (i ? ", " : "") + std::to_string(height * std::sin(i));
  return text + "}>() " + name + " = Cast<to = " + std::to_string(to) + ">(" + name + "_numbers) ";
}
constexpr int f32 = 1, i8 = 3, i32 = 6;

// A number without axes as type `to`.
std::string number(const std::string& name, const std::string& type, const std::string& value) {
  return name + "_list = Constant<value = " + type + "[1] {" + value + "}>() " + name + " = Reshape(" + name + "_list, no_dims) ";
}

const std::string x = "float[batch, 2, 5, 6] x", codes = "uint8[batch, 3, 5, 6] y";
const std::string head = "no_dims = Constant<value = int64[0] {}>() " + number("x_scale", "float", "0.02") +
                         number("x_zero", "uint8", "117") + number("y_scale", "float", "0.125") + number("y_zero", "uint8", "0") +
                         number("mid_zero", "uint8", "90");
const std::string data = head + "qx = QuantizeLinear(x, x_scale, x_zero) dx = DequantizeLinear(qx, x_scale, x_zero) ";
const std::string weights = made("w", "3, 2, 3, 3", 54, i8, 120) + "w_scale = Constant<value_floats = [0.01, 0.02, 0.005]>() ",
                  dequantized_weights = weights + "dw = DequantizeLinear<axis = 0>(w, w_scale) ",
                  bias = "bias = Constant<value_floats = [0.5, -1.25, 2.0]>() ",
                  quantized_bias = "qb = Constant<value = int32[3] {2500, -3000, 20000}>() b_scale = Constant<value_floats = "
                                   "[0.0002, 0.0004, 0.0001]>() bias = DequantizeLinear<axis = 0>(qb, b_scale) ";

const std::vector<RewriteRow> convolutions = {
    {.what = "no bias",
     .inputs = x,
     .outputs = codes,
     .nodes = data + dequantized_weights + "c = Conv<pads = [1, 1, 1, 1]>(dx, dw) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" QLinearConv"},
     .unwanted = {"DequantizeLinear", " Conv"},
     .tolerance = 1},
    {.what = "a bias of floats",
     .inputs = x,
     .outputs = codes,
     .nodes = data + dequantized_weights + bias +
              "c = Conv<pads = [1, 1, 1, 1]>(dx, dw, bias) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" QLinearConv"},
     .unwanted = {"DequantizeLinear", " Conv", "Round"},
     .tolerance = 1},
    {.what = "a bias on the scale of the sums",
     .inputs = x,
     .outputs = codes,
     .nodes = data + dequantized_weights + quantized_bias +
              "c = Conv<pads = [1, 1, 1, 1]>(dx, dw, bias) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" QLinearConv"},
     .unwanted = {"DequantizeLinear", " Conv", "Round"},
     .tolerance = 1},
    {.what = "Relu whose zero is the least code",
     .inputs = x,
     .outputs = codes,
     .nodes = data + dequantized_weights + quantized_bias +
              "c = Conv<pads = [1, 1, 1, 1]>(dx, dw, bias) r = Relu(c) y = QuantizeLinear(r, y_scale, y_zero)",
     .wanted = {" QLinearConv"},
     .unwanted = {"DequantizeLinear", " Conv", "Relu", "Clip", "heed.FusedElementwise"},
     .tolerance = 1},
    {.what = "Relu6 amid the codes",
     .inputs = x,
     .outputs = codes,
     .nodes = data + dequantized_weights + bias + number("low", "float", "0") + number("high", "float", "6") +
              "c = Conv<pads = [1, 1, 1, 1]>(dx, dw, bias) r = Clip(c, low, high) y = QuantizeLinear(r, y_scale, mid_zero)",
     .wanted = {" QLinearConv"},
     .unwanted = {"DequantizeLinear", " Conv"},
     .tolerance = 1},
    {.what = "data that others read too",
     .inputs = x,
     .outputs = codes + ", float[batch, 2, 5, 6] dx",
     .nodes = data + dequantized_weights + "c = Conv<pads = [1, 1, 1, 1]>(dx, dw) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" QLinearConv", "DequantizeLinear"},
     .unwanted = {" Conv"},
     .tolerance = 1},
    {.what = "each channel by itself, in strides",
     .inputs = x,
     .outputs = "uint8[batch, 2, 3, 3] y",
     .nodes = data + made("w", "2, 1, 3, 3", 18, i8, 120) + number("w_scale", "float", "0.01") +
              "dw = DequantizeLinear(w, w_scale) c = Conv<pads = [1, 1, 1, 1], strides = [2, 2], group = 2>(dx, dw)"
              "y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" QLinearConv"},
     .unwanted = {"DequantizeLinear", " Conv"},
     .tolerance = 1},
    {.what = "sums that floats are asked for",
     .inputs = x,
     .outputs = "float[batch, 3, 5, 6] y",
     .nodes = data + dequantized_weights + "y = Conv<pads = [1, 1, 1, 1]>(dx, dw)",
     .wanted = {" Conv"},
     .unwanted = {"QLinearConv"},
     .tolerance = 1e-5},
    {.what = "a convolution that others read too",
     .inputs = x,
     .outputs = codes + ", float[batch, 3, 5, 6] c",
     .nodes = data + dequantized_weights + "c = Conv<pads = [1, 1, 1, 1]>(dx, dw) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" Conv"},
     .unwanted = {"QLinearConv"},
     .tolerance = 1},
    {.what = "scales along the channels that are summed are not those of outputs",
     .inputs = x,
     .outputs = codes,
     .nodes = data + made("w", "3, 2, 3, 3", 54, i8, 120) + "w_scale = Constant<value_floats = [0.01, 0.02]>() "
              "dw = DequantizeLinear<axis = 1>(w, w_scale) c = Conv<pads = [1, 1, 1, 1]>(dx, dw)"
              "y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" Conv"},
     .unwanted = {"QLinearConv"},
     .tolerance = 1},
    {.what = "a bias that differs from run to run",
     .inputs = x + ", float[3] bias",
     .outputs = codes,
     .nodes = data + dequantized_weights +
              "c = Conv<pads = [1, 1, 1, 1]>(dx, dw, bias) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" Conv"},
     .unwanted = {"QLinearConv"},
     .tolerance = 1},
    {.what = "data of floats",
     .inputs = x,
     .outputs = codes,
     .nodes = head + dequantized_weights + "c = Conv<pads = [1, 1, 1, 1]>(x, dw) y = QuantizeLinear(c, y_scale, mid_zero)",
     .wanted = {" Conv"},
     .unwanted = {"QLinearConv"},
     .tolerance = 1},
};

const std::string two = "uint8[batch, 3, 5, 6] a, uint8[batch, 3, 5, 6] b";
const std::string both = head + "da = DequantizeLinear(a, x_scale, x_zero) db = DequantizeLinear(b, y_scale, mid_zero) ";

const std::vector<RewriteRow> movements = {
    {.what = "turned and laid out anew, on one scale: codes are moved",
     .inputs = "uint8[batch, 3, 5, 6] a",
     .outputs = "uint8[batch, 6, 15] y",
     .nodes = head + "d = DequantizeLinear(a, x_scale, x_zero) t = Transpose<perm = [0, 3, 1, 2]>(d)"
              "s = Constant<value_ints = [0, 6, 15]>() r = Reshape(t, s) y = QuantizeLinear(r, x_scale, x_zero)",
     .wanted = {" Transpose"},
     .unwanted = {"DequantizeLinear", "QuantizeLinear", "heed.FusedElementwise"},
     .tolerance = 0},
    {.what = "on another scale",
     .inputs = "uint8[batch, 3, 5, 6] a",
     .outputs = "uint8[batch, 6, 3, 5] y",
     .nodes = head + "d = DequantizeLinear(a, x_scale, x_zero) t = Transpose<perm = [0, 3, 1, 2]>(d)"
              "y = QuantizeLinear(t, y_scale, mid_zero)",
     .wanted = {"heed.FusedElementwise"},
     .unwanted = {"DequantizeLinear", "QuantizeLinear"},
     .tolerance = 0},
    {.what = "numbers that others read too",
     .inputs = "uint8[batch, 3, 5, 6] a",
     .outputs = "uint8[batch, 6, 3, 5] y, float[batch, 6, 3, 5] t",
     .nodes = head + "d = DequantizeLinear(a, x_scale, x_zero) t = Transpose<perm = [0, 3, 1, 2]>(d)"
              "y = QuantizeLinear(t, x_scale, x_zero)",
     .wanted = {"DequantizeLinear", " Transpose"},
     .unwanted = {" QuantizeLinear"},
     .tolerance = 0},
    {.what = "two parts, one on the scale of both",
     .inputs = two,
     .outputs = "uint8[batch, 6, 5, 6] y",
     .nodes = both + "c = Concat<axis = 1>(da, db) y = QuantizeLinear(c, x_scale, x_zero)",
     .wanted = {" Concat", "heed.FusedElementwise"},
     .unwanted = {"DequantizeLinear", "QuantizeLinear"},
     .tolerance = 0},
    {.what = "a part of floats",
     .inputs = "uint8[batch, 3, 5, 6] a, float[batch, 3, 5, 6] b",
     .outputs = "uint8[batch, 6, 5, 6] y",
     .nodes = head + "da = DequantizeLinear(a, x_scale, x_zero) c = Concat<axis = 1>(da, b) y = QuantizeLinear(c, x_scale, x_zero)",
     .wanted = {" DequantizeLinear", " QuantizeLinear"},
     .unwanted = {},
     .tolerance = 1},
    {.what = "channels of two halves in turn, as ShuffleNet has them",
     .inputs = two,
     .outputs = "uint8[batch, 3, 5, 6] y, uint8[batch, 3, 5, 6] z",
     .nodes = both + "c = Concat<axis = 1>(da, db) inner = Constant<value_ints = [-1, 2, 3, 5, 6]>() r = Reshape(c, inner)"
              "t = Transpose<perm = [0, 2, 1, 3, 4]>(r) outer = Constant<value_ints = [-1, 6, 5, 6]>() s = Reshape(t, outer)"
              "q = QuantizeLinear(s, x_scale, x_zero) y, z = Split<axis = 1, num_outputs = 2>(q)",
     .wanted = {" Concat<axis = 2", "fired shuffled_channels"},
     .unwanted = {"DequantizeLinear", "QuantizeLinear", "Transpose"},
     .tolerance = 0},
    {.what = "other axes turned",
     .inputs = two,
     .outputs = "uint8[batch, 6, 5, 6] y",
     .nodes = "c = Concat<axis = 1>(a, b) inner = Constant<value_ints = [-1, 2, 3, 5, 6]>() r = Reshape(c, inner)"
              "t = Transpose<perm = [0, 1, 2, 4, 3]>(r) outer = Constant<value_ints = [-1, 6, 5, 6]>() y = Reshape(t, outer)",
     .wanted = {"Transpose"},
     .unwanted = {"Concat<axis = 2"},
     .tolerance = 0},
};

}  // namespace

TEST_CASE("convolutions of quantised tensors become convolutions of bytes") { check_rewrites(convolutions); }
TEST_CASE("what quantised tensors are moved by moves codes") { check_rewrites(movements); }

}  // namespace heed::test
