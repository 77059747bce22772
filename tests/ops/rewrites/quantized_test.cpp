// ops/rewrites/quantized_matmul.cpp, quantized_nbits.cpp and quantized_gather.cpp: weights as quantisers write them.
#include <catch2/catch.hpp>
#include <cmath>
#include <string>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

// A constant `name` as type `to`: waves around `middle`, so high.
std::string made(const std::string& name, int rows, int columns, int to, double height, double middle = 0) {
  std::string text = name + "_numbers = Constant<value = float[" + std::to_string(rows) + ", " + std::to_string(columns) + "] {";
  for (int i = 0; i < rows * columns; ++i) text += (i ? ", " : "") + std::to_string(middle + height * std::sin(i));
  return text + "}>() " + name + " = Cast<to = " + std::to_string(to) + ">(" + name + "_numbers) ";
}
constexpr int f32 = 1, u8 = 2, i8 = 3, f16 = 10, u4 = 21, i4 = 22;

const std::string x = "float[batch, seq, 64] x", y = "float[batch, seq, 5] y";

// Activations on codes, as qx.
const std::string activations =
    "x_scale = Constant<value_float = 0.02>() x_zero_list = Constant<value = uint8[1] {117}>() no_dims = Constant<value "
    "= int64[0] {}>() x_zero = Reshape(x_zero_list, no_dims) qx = QuantizeLinear(x, x_scale, x_zero) ";
const std::string dequantized_x = activations + "dx = DequantizeLinear(qx, x_scale, x_zero) ";

const std::string weights = made("w", 64, 5, i8, 120), turned_weights = made("w", 5, 64, i8, 120),
                  scales = "w_scale = Constant<value_floats = [0.01, 0.02, 0.005, 0.03, 0.01]>() ",
                  zeros = "w_zero = Constant<value = int8[5] {1, 0, -3, 2, 7}>() ", bias = "bias = Constant<value_floats = [0.5, -1.25, 2.0, 1.0, 0.75]>() ";

const std::vector<RewriteRow> products = {
    {.what = "activations and weights dequantised, a column each its own",
     .inputs = x,
     .outputs = y,
     .nodes = dequantized_x + weights + scales + zeros +
              "dw = DequantizeLinear(w, w_scale, w_zero) y = MatMul(dx, dw)",
     .wanted = {"com.microsoft.MatMulIntegerToFloat"},
     .unwanted = {"DequantizeLinear", "MatMul", "heed.FusedMatMul"},
     .tolerance = 1e-5},
    {.what = "Gemm over turned weights, with a bias",
     .inputs = "float[seq, 64] x",
     .outputs = "float[seq, 5] y",
     .nodes = dequantized_x + turned_weights + scales + zeros + bias +
              "dw = DequantizeLinear<axis = 0>(w, w_scale, w_zero) y = Gemm<transB = 1>(dx, dw, bias)",
     .wanted = {"com.microsoft.MatMulIntegerToFloat"},
     .unwanted = {"DequantizeLinear", "Gemm", "Transpose", "heed.Pack", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "Gemm with a bias in 32 bits, as onnxruntime's static quantisation has it",
     .inputs = "float[seq, 64] x",
     .outputs = "float[seq, 5] y",
     .nodes = dequantized_x + weights + scales +
              "codes = Constant<value = int32[5] {100, -2000, 30, 4, 5000}>() code_scales = Constant<value_floats = [0.001, 0.002, "
              "0.0005, 0.003, 0.001]>() dw = DequantizeLinear(w, w_scale) bias = DequantizeLinear<axis = 0>(codes, code_scales)"
              "p = Gemm(dx, dw, bias) y = Relu(p)",
     .wanted = {"heed.FusedMatMulIntegerToFloat"},
     .unwanted = {"DequantizeLinear", "Gemm", "Add", "Relu", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "turned weights without zero points",
     .inputs = x,
     .outputs = y,
     .nodes = dequantized_x + turned_weights + scales +
              "dw = DequantizeLinear<axis = -2>(w, w_scale) t = Transpose(dw) y = MatMul(dx, t)",
     .wanted = {"com.microsoft.MatMulIntegerToFloat"},
     .unwanted = {"DequantizeLinear", "Transpose"},
     .tolerance = 1e-5},
    {.what = "quantised again, to one code",
     .inputs = x,
     .outputs = "uint8[batch, seq, 5] y",
     .nodes = dequantized_x + weights +
              "w_scale = Constant<value_float = 0.01>() w_zero_list = Constant<value = int8[1] {3}>() "
              "w_zero = Reshape(w_zero_list, no_dims) y_scale = Constant<value_float = 0.5>()"
              "dw = DequantizeLinear(w, w_scale, w_zero) p = MatMul(dx, dw) y = QuantizeLinear(p, y_scale, x_zero)",
     .wanted = {" QLinearMatMul"},
     .unwanted = {"DequantizeLinear", "com.microsoft.MatMulIntegerToFloat"},
     .tolerance = 1},
    {.what = "activations that another product reads too",
     .inputs = x,
     .outputs = y + ", float[batch, seq, 64] dx",
     .nodes = dequantized_x + weights + scales + zeros +
              "dw = DequantizeLinear(w, w_scale, w_zero) y = MatMul(dx, dw)",
     .wanted = {"com.microsoft.MatMulIntegerToFloat", " DequantizeLinear"},
     .unwanted = {"MatMul"},
     .tolerance = 1e-5},
    {.what = "scales along the inner axis are not those of columns",
     .inputs = x,
     .outputs = y,
     .nodes = dequantized_x + weights + "wave = Constant<value_float = 0.01>() w_dims = Constant<value_ints = [64]>() w_scale = Expand(wave, w_dims) " +
              "dw = DequantizeLinear<axis = 0>(w, w_scale) y = MatMul(dx, dw)",
     .wanted = {" MatMul"},
     .unwanted = {"com.microsoft.MatMulIntegerToFloat"},
     .tolerance = 1e-5},
    {.what = "activations as they are",
     .inputs = x,
     .outputs = y,
     .nodes = weights + scales + "dw = DequantizeLinear(w, w_scale) y = MatMul(x, dw)",
     .wanted = {" MatMul"},
     .unwanted = {"com.microsoft.MatMulIntegerToFloat", "com.microsoft.MatMulNBits"}},
    {.what = "onnxruntime's dynamic quantisation",
     .inputs = x,
     .outputs = y,
     .nodes = weights + scales + zeros + bias +
              "q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w, z, w_zero) f = Cast<to = 1>(p)"
              "ss = Mul(s, w_scale) m = Mul(f, ss) y = Add(m, bias)",
     .wanted = {"com.microsoft.DynamicQuantizeMatMul"},
     .unwanted = {"DynamicQuantizeLinear", "MatMulInteger", "Add", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "dynamic quantisation, an activation and a residual",
     .inputs = x + ", float[batch, seq, 5] r",
     .outputs = y,
     .nodes = weights + scales + bias +
              "q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w, z) f = Cast<to = 1>(p)"
              "ss = Mul(s, w_scale) m = Mul(f, ss) b = Add(bias, m) g = Gelu(b) y = Add(r, g)",
     .wanted = {"heed.FusedDynamicQuantizeMatMul"},
     .unwanted = {"DynamicQuantizeLinear", "MatMulInteger", "Add", "Gelu", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "rows laid in one axis, quantised, and laid out again",
     .inputs = x + ", float[batch, seq, 5] r",
     .outputs = y,
     .nodes = weights + scales + bias +
              "flat = Constant<value_ints = [-1, 64]>() rows = Reshape(x, flat) q, s, z = DynamicQuantizeLinear(rows)"
              "p = MatMulInteger(q, w, z) f = Cast<to = 1>(p) ss = Mul(s, w_scale) m = Mul(f, ss) b = Add(m, bias)"
              "shape = Shape(r) back = Reshape(b, shape) y = Add(back, r)",
     .wanted = {"heed.FusedDynamicQuantizeMatMul"},
     .unwanted = {"Reshape", "Add", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "SwiGLU of codes that both halves read",
     .inputs = x,
     .outputs = y,
     .nodes = weights + scales + made("v", 64, 5, i8, 100) +
              "q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w, z) f = Cast<to = 1>(p) ss = Mul(s, w_scale)"
              "gate = Mul(f, ss) p2 = MatMulInteger(q, v, z) f2 = Cast<to = 1>(p2) up = Mul(f2, ss)"
              "sigmoid = Sigmoid(gate) silu = Mul(gate, sigmoid) y = Mul(silu, up)",
     .wanted = {"heed.FusedMatMulIntegerToFloat"},
     .unwanted = {"Mul", "Sigmoid", "Swish", "heed.FusedElementwise"},
     .tolerance = 1e-4},
    {.what = "dequantised, an activation behind",
     .inputs = x,
     .outputs = y,
     .nodes = dequantized_x + weights + scales + zeros + bias +
              "dw = DequantizeLinear(w, w_scale, w_zero) p = MatMul(dx, dw) b = Add(p, bias) y = Tanh(b)",
     .wanted = {"heed.FusedMatMulIntegerToFloat"},
     .unwanted = {"DequantizeLinear", "Add", "Tanh", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "codes that two products read are made once",
     .inputs = x,
     .outputs = y + ", float[batch, seq, 5] v",
     .nodes = weights + scales +
              "q, s, z = DynamicQuantizeLinear(x) p = MatMulInteger(q, w, z) f = Cast<to = 1>(p) ss = Mul(s, w_scale)"
              "y = Mul(f, ss) turned = Neg(w) p2 = MatMulInteger(q, turned, z) f2 = Cast<to = 1>(p2) v = Mul(f2, ss)",
     .wanted = {"com.microsoft.MatMulIntegerToFloat", "DynamicQuantizeLinear"},
     .unwanted = {"com.microsoft.DynamicQuantizeMatMul", "MatMulInteger"},
     .tolerance = 1e-5},
    {.what = "scales that are one constant",
     .inputs = x,
     .outputs = y,
     .nodes = activations + weights + scales +
              "p = MatMulInteger(qx, w, x_zero) f = Cast<to = 1>(p) ss = Mul(x_scale, w_scale) y = Mul(f, ss)",
     .wanted = {"com.microsoft.MatMulIntegerToFloat"},
     .unwanted = {"MatMulInteger", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "sums as halves would overflow, and are left",
     .inputs = x,
     .outputs = "float16[batch, seq, 5] y",
     .nodes = weights + "h = Constant<value = float16[1] {1}>() q, s, z = DynamicQuantizeLinear(x) "
              "p = MatMulInteger(q, w, z) f = Cast<to = 10>(p) ss = Mul(h, h) y = Mul(f, ss)",
     .wanted = {" MatMulInteger"},
     .unwanted = {"com.microsoft.MatMulIntegerToFloat"},
     .tolerance = 1e-3},
};

const std::vector<RewriteRow> blocks = {
    {.what = "i4 in blocks, [inner, column], zero points",
     .inputs = x,
     .outputs = y,
     .nodes = made("w", 64, 5, i4, 7) + made("s", 4, 5, f32, 0.1, 0.1) + made("z", 4, 5, i4, 3) +
              "dw = DequantizeLinear<axis = 0, block_size = 16>(w, s, z) y = MatMul(x, dw)",
     .wanted = {"com.microsoft.MatMulNBits", "bits = 4"},
     .unwanted = {"DequantizeLinear", "heed.Pack", "MatMul"},
     .tolerance = 1e-5},
    {.what = "u4 in blocks, no zero points, a bias",
     .inputs = x,
     .outputs = y,
     .nodes = bias + made("w", 64, 5, u4, 7, 7) + made("s", 2, 5, f32, 0.1, 0.1) +
              "dw = DequantizeLinear<axis = -2, block_size = 32>(w, s) p = MatMul(x, dw) y = Add(p, bias)",
     .wanted = {"com.microsoft.MatMulNBits"},
     .unwanted = {"DequantizeLinear", "heed.Pack", "MatMul", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "i4 in blocks, a bias, an activation and a residual",
     .inputs = x + ", float[batch, seq, 5] r",
     .outputs = y,
     .nodes = bias + made("w", 64, 5, i4, 7) + made("s", 4, 5, f32, 0.1, 0.1) +
              "dw = DequantizeLinear<axis = 0, block_size = 16>(w, s) p = MatMul(x, dw) b = Add(p, bias)"
              "g = Gelu<approximate = \"tanh\">(b) y = Add(r, g)",
     .wanted = {"heed.FusedMatMulNBits"},
     .unwanted = {"com.microsoft.MatMulNBits", "Gelu", "Add", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "SwiGLU of i4 in blocks",
     .inputs = x,
     .outputs = y,
     .nodes = made("w", 64, 5, i4, 7) + made("s", 4, 5, f32, 0.1, 0.1) + made("v", 64, 5, i4, 5) +
              "dw = DequantizeLinear<axis = 0, block_size = 16>(w, s) gate = MatMul(x, dw)"
              "dv = DequantizeLinear<axis = 0, block_size = 16>(v, s) up = MatMul(x, dv)"
              "sigmoid = Sigmoid(gate) silu = Mul(gate, sigmoid) y = Mul(silu, up)",
     .wanted = {"heed.FusedMatMulNBits"},
     .unwanted = {"Mul", "Sigmoid", "Swish", "heed.FusedElementwise"},
     .tolerance = 1e-4},
    {.what = "bytes in blocks, turned, f16",
     .inputs = "float16[batch, seq, 64] x",
     .outputs = "float16[batch, seq, 5] y",
     .nodes = made("w", 5, 64, i8, 100) + made("s", 5, 2, f16, 0.01, 0.01) +
              "dw = DequantizeLinear<axis = 1, block_size = 32>(w, s) t = Transpose<perm = [1, 0]>(dw) y = MatMul(x, t)",
     .wanted = {"com.microsoft.MatMulNBits", "bits = 8"},
     .unwanted = {"DequantizeLinear", "heed.Pack", "MatMul", "Transpose"},
     .tolerance = 1e-2},
    {.what = "u8 in blocks, turned, zero points",
     .inputs = x,
     .outputs = y,
     .nodes = made("w", 5, 64, u8, 100, 100) + made("s", 5, 4, f32, 0.01, 0.01) + made("z", 5, 4, u8, 90, 90) +
              "dw = DequantizeLinear<axis = -1, block_size = 16>(w, s, z) t = Transpose(dw) y = MatMul(x, t)",
     .wanted = {"com.microsoft.MatMulNBits", "bits = 8"},
     .unwanted = {"DequantizeLinear", "heed.Pack", "MatMul", "Transpose"},
     .tolerance = 1e-5},
    {.what = "blocks along columns are none of MatMulNBits",
     .inputs = x,
     .outputs = "float[batch, seq, 16] y",
     .nodes = made("w", 64, 16, i4, 7) + made("s", 64, 1, f32, 0.1) +
              "dw = DequantizeLinear<axis = 1, block_size = 16>(w, s) y = MatMul(x, dw)",
     .wanted = {" MatMul"},
     .unwanted = {"com.microsoft.MatMulNBits"}},
    {.what = "a table in blocks",
     .inputs = "int64[batch, seq] ids",
     .outputs = "float[batch, seq, 32] y",
     .nodes = made("w", 7, 32, i4, 7) + made("s", 7, 2, f32, 0.1) + made("z", 7, 2, i4, 3) +
              "dw = DequantizeLinear<axis = -1, block_size = 16>(w, s, z) y = Gather(dw, ids)",
     .wanted = {"com.microsoft.GatherBlockQuantized"},
     .unwanted = {"DequantizeLinear", "heed.Embedding"}},
    {.what = "a table in blocks of bytes without zero points, which are not lowered",
     .inputs = "int64[batch, seq] ids",
     .outputs = "float[batch, seq, 32] y",
     .nodes = made("w", 7, 32, u8, 100, 100) + made("s", 7, 2, f32, 0.1) +
              "dw = DequantizeLinear<axis = -1, block_size = 16>(w, s) y = Gather(dw, ids)",
     .wanted = {"DequantizeLinear"},
     .unwanted = {"com.microsoft.GatherBlockQuantized"}},
    {.what = "a table of one scale: chosen, then dequantised",
     .inputs = "int64[batch, seq] ids",
     .outputs = "float[batch, seq, 32] y",
     .nodes = made("w", 7, 32, i8, 100) +
              "s = Constant<value_float = 0.03>() dw = DequantizeLinear(w, s) y = Gather(dw, ids)",
     .wanted = {" Gather", "fired gather_before_dequantize"},
     .unwanted = {"heed.Embedding"}},
};

}  // namespace

TEST_CASE("products of quantised tensors become products of integers") { check_rewrites(products); }
TEST_CASE("weights in blocks are multiplied and gathered as they lie") { check_rewrites(blocks); }

}  // namespace heed::test
