// Conv, ConvTranspose, poolings and Gemm.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// Two spatial axes, straight from the definition.
struct Window {
  std::vector<int64_t> strides{1, 1}, dilations{1, 1}, pads{0, 0, 0, 0};
  int64_t group = 1;
};
Tensors convolve(const Tensors& in, Window w) {
  const auto x = values_of(in[0]), k = values_of(in[1]);
  const auto bias = in.size() > 2 ? values_of(in[2]) : std::vector<double>(static_cast<size_t>(in[1].dims[0]), 0.0);
  const auto &xd = in[0].dims, &kd = in[1].dims;
  int64_t out[2];
  for (int a = 0; a < 2; ++a)
    out[a] = (xd[2 + a] + w.pads[a] + w.pads[2 + a] - (kd[2 + a] - 1) * w.dilations[a] - 1) / w.strides[a] + 1;
  std::vector<double> y;
  for (int64_t n = 0; n < xd[0]; ++n)
    for (int64_t m = 0; m < kd[0]; ++m)
      for (int64_t i = 0; i < out[0]; ++i)
        for (int64_t j = 0; j < out[1]; ++j) {
          double sum = bias[static_cast<size_t>(m)];
          for (int64_t c = 0; c < kd[1]; ++c)
            for (int64_t p = 0; p < kd[2]; ++p)
              for (int64_t q = 0; q < kd[3]; ++q) {
                const int64_t row = i * w.strides[0] + p * w.dilations[0] - w.pads[0],
                              column = j * w.strides[1] + q * w.dilations[1] - w.pads[1];
                if (row < 0 || column < 0 || row >= xd[2] || column >= xd[3]) continue;
                const int64_t channel = m / (kd[0] / w.group) * kd[1] + c;
                sum += k[static_cast<size_t>(((m * kd[1] + c) * kd[2] + p) * kd[3] + q)] *
                       x[static_cast<size_t>(((n * xd[1] + channel) * xd[2] + row) * xd[3] + column)];
              }
          y.push_back(sum);
        }
  return {numbers(in[0].type, {xd[0], kd[0], out[0], out[1]}, y)};
}
Case conv_row(const char* what, Tensors in, Window window, std::string attributes, double tolerance = 1e-5) {
  return by([=](const Tensors& tensors) { return convolve(tensors, window); }, what, std::move(in), tolerance,
            std::move(attributes));
}

const std::vector<Case> conv_cases = {
    conv_row("plain", {random({1, 3, 5, 7}), random({4, 3, 3, 3})}, {}, ""),
    conv_row("bias and padding", {random({2, 3, 5, 7}), random({4, 3, 3, 3}), random({4})}, {.pads = {1, 2, 1, 0}},
             "pads = [1, 2, 1, 0], kernel_shape = [3, 3]"),
    conv_row("strides", {random({1, 2, 9, 11}), random({3, 2, 3, 2})}, {.strides = {2, 3}}, "strides = [2, 3]"),
    conv_row("dilations", {random({1, 2, 9, 11}), random({3, 2, 3, 2})}, {.dilations = {2, 3}}, "dilations = [2, 3]"),
    conv_row("groups", {random({1, 4, 5, 5}), random({6, 2, 3, 3})}, {.group = 2}, "group = 2"),
    conv_row("each channel for itself", {random({1, 4, 5, 5}), random({4, 1, 3, 3})}, {.group = 4}, "group = 4"),
    conv_row("more than a tile along each side", {random({2, 7, 13, 11}), random({37, 7, 3, 3}), random({37})},
             {.pads = {1, 1, 1, 1}}, "pads = [1, 1, 1, 1]"),
    conv_row("a low tile of channels, many positions", {random({3, 5, 19, 17}), random({7, 5, 2, 3}), random({7})}, {},
             ""),
    conv_row("groups of a tile each, in strides and dilations", {random({2, 6, 11, 13}), random({27, 2, 3, 2})},
             {.strides = {2, 1}, .dilations = {1, 3}, .pads = {2, 0, 1, 1}, .group = 3},
             "strides = [2, 1], dilations = [1, 3], pads = [2, 0, 1, 1], group = 3"),
    conv_row("a kernel of one element", {random({2, 33, 3, 5}), random({5, 33, 1, 1})}, {}, ""),
    conv_row("each channel twice", {random({2, 3, 9, 7}), random({6, 1, 3, 3}), random({6})}, {.group = 3},
             "group = 3"),
    conv_row("bf16", {random({1, 2, 4, 4}, -1, 1, DataType::bf16), random({9, 2, 3, 3}, -1, 1, DataType::bf16)}, {}, "",
             2e-2),
    conv_row("SAME_UPPER, even kernel", {random({1, 1, 5, 5}), random({1, 1, 2, 2})}, {.pads = {0, 0, 1, 1}},
             "auto_pad = \"SAME_UPPER\""),
    conv_row("SAME_LOWER, even kernel", {random({1, 1, 5, 5}), random({1, 1, 2, 2})}, {.pads = {1, 1, 0, 0}},
             "auto_pad = \"SAME_LOWER\""),
    conv_row("VALID", {random({1, 1, 5, 5}), random({1, 1, 3, 3})}, {}, "auto_pad = \"VALID\""),
    conv_row("f16", {random({1, 2, 4, 4}, -1, 1, DataType::f16), random({1, 2, 3, 3}, -1, 1, DataType::f16)}, {}, "",
             3e-3),
    {"one spatial axis", {f32({1, 1, 5}, {1, 2, 3, 4, 5}), f32({1, 1, 3}, {1, 0, -1})}, {f32({1, 1, 3}, {-2, -2, -2})}},
    {"three spatial axes",
     {f32({1, 1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), f32({1, 1, 2, 2, 2}, {1, 1, 1, 1, 1, 1, 1, 1})},
     {f32({1, 1, 1, 1, 1}, {36})}},
    {"no images", {f32({0, 1, 3, 3}, {}), random({1, 1, 3, 3})}, {f32({0, 1, 1, 1}, {})}},
    {"images without pixels, padded, with a bias",
     {f32({1, 1, 2, 0}, {}), random({2, 1, 2, 2}), f32({2}, {3, 4})},
     {f32({1, 2, 1, 1}, {3, 4})},
     0,
     "pads = [0, 1, 0, 1]"},
};

const Tensor image = f32({1, 1, 4, 4}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16});
const std::vector<Case> pool_cases = {
    {"2 by 2", {image}, {f32({1, 1, 2, 2}, {6, 8, 14, 16})}, 0, "kernel_shape = [2, 2], strides = [2, 2]"},
    {"where they stood",
     {image},
     {f32({1, 1, 2, 2}, {6, 8, 14, 16}), i64({1, 1, 2, 2}, {5, 7, 13, 15})},
     0,
     "kernel_shape = [2, 2], strides = [2, 2]"},
    {"column-major",
     {image},
     {f32({1, 1, 2, 2}, {6, 8, 14, 16}), i64({1, 1, 2, 2}, {5, 13, 7, 15})},
     0,
     "kernel_shape = [2, 2], strides = [2, 2], storage_order = 1"},
    {"padding never wins",
     {f32({1, 1, 2, 2}, {-1, -2, -3, -4})},
     {f32({1, 1, 3, 3}, {-1, -1, -2, -1, -1, -2, -3, -3, -4})},
     0,
     "kernel_shape = [2, 2], pads = [1, 1, 1, 1]"},
    {"ceil_mode (onnx test_maxpool_2d_ceil)",
     {image},
     {f32({1, 1, 2, 2}, {11, 12, 15, 16})},
     0,
     "kernel_shape = [3, 3], strides = [2, 2], ceil_mode = 1"},
    {"ceil_mode: no window begins behind the data (onnx test_maxpool_2d_ceil_output_size_reduce_by_one)",
     {f32({1, 1, 2, 2}, {1, 2, 3, 4})},
     {f32({1, 1, 1, 1}, {1})},
     0,
     "kernel_shape = [1, 1], strides = [2, 2], ceil_mode = 1"},
    {"dilations", {image}, {f32({1, 1, 2, 2}, {11, 12, 15, 16})}, 0, "kernel_shape = [2, 2], dilations = [2, 2]"},
    {"SAME_UPPER",
     {image},
     {f32({1, 1, 2, 2}, {11, 12, 15, 16})},
     0,
     "kernel_shape = [3, 3], strides = [2, 2], auto_pad = \"SAME_UPPER\""},
    {"one axis, u8", {u8({1, 1, 5}, {3, 200, 1, 9, 2})}, {u8({1, 1, 4}, {200, 200, 9, 9})}, 0, "kernel_shape = [2]"},
};

const std::vector<Case> gemm_cases = {
    {"by hand", {f32({2, 2}, {1, 2, 3, 4}), f32({2, 3}, {1, 0, 2, 0, 1, 3})}, {f32({2, 3}, {1, 2, 8, 3, 4, 18})}},
    {"both turned, scaled, with a row",
     {f32({2, 2}, {1, 3, 2, 4}), f32({3, 2}, {1, 0, 0, 1, 2, 3}), f32({3}, {1, 2, 3})},
     {f32({2, 3}, {2.5, 5, 17.5, 6.5, 9, 37.5})},
     1e-6,
     "alpha = 2.0, beta = 0.5, transA = 1, transB = 1"},
    {"a column is added",
     {f32({2, 1}, {1, 2}), f32({1, 2}, {3, 4}), f32({2, 1}, {10, 20})},
     {f32({2, 2}, {13, 14, 26, 28})}},
    {"a scalar is added", {f32({1, 1}, {2}), f32({1, 1}, {3}), f32({}, {1})}, {f32({1, 1}, {7})}},
    {"nothing to sum up", {f32({1, 0}, {}), f32({0, 2}, {}), f32({2}, {5, 6})}, {f32({1, 2}, {5, 6})}},
    {"i32", {i32({1, 2}, {1, 2}), i32({2, 1}, {3, 4})}, {i32({1, 1}, {11})}},
};

// The windows of AveragePool and LpPool, from the definition; `ends`: where data and padding end.
Tensors pool(const Tensors& in, std::vector<int64_t> kernel, Window w, std::vector<int64_t> out, double power,
             bool include_pad) {
  const auto x = values_of(in[0]);
  const auto& xd = in[0].dims;
  std::vector<double> y;
  for (int64_t image = 0; image < xd[0] * xd[1]; ++image)
    for (int64_t i = 0; i < out[0]; ++i)
      for (int64_t j = 0; j < out[1]; ++j) {
        double sum = 0, count = 0;
        for (int64_t p = 0; p < kernel[0]; ++p)
          for (int64_t q = 0; q < kernel[1]; ++q) {
            const int64_t row = i * w.strides[0] + p * w.dilations[0] - w.pads[0],
                          column = j * w.strides[1] + q * w.dilations[1] - w.pads[1];
            const bool inside = row >= 0 && column >= 0 && row < xd[2] && column < xd[3];
            if (inside || (include_pad && row < xd[2] + w.pads[2] && column < xd[3] + w.pads[3])) ++count;
            if (!inside) continue;
            const double value = x[static_cast<size_t>((image * xd[2] + row) * xd[3] + column)];
            sum += power == 0 ? value : std::pow(std::abs(value), power);
          }
        y.push_back(power == 0 ? sum / count : std::pow(sum, 1 / power));
      }
  return {numbers(in[0].type, {xd[0], xd[1], out[0], out[1]}, y)};
}
Case pool_row(const char* what, Tensor x, std::vector<int64_t> kernel, Window w, std::vector<int64_t> out,
              std::string attributes, double power = 0, bool include_pad = false, double tolerance = 1e-5) {
  attributes = "kernel_shape = [" + std::to_string(kernel[0]) + ", " + std::to_string(kernel[1]) + "]" +
               (attributes.empty() ? "" : ", " + attributes);
  return by([=](const Tensors& in) { return pool(in, kernel, w, out, power, include_pad); }, what, {std::move(x)},
            tolerance, std::move(attributes));
}

const std::vector<Case> average_cases = {
    pool_row("plain", random({2, 3, 5, 7}), {3, 2}, {}, {3, 6}, ""),
    pool_row("padding left out", random({1, 2, 5, 4}), {3, 3}, {.pads = {1, 2, 1, 0}}, {5, 4}, "pads = [1, 2, 1, 0]"),
    pool_row("padding counted", random({1, 2, 5, 4}), {3, 3}, {.pads = {1, 2, 1, 0}}, {5, 4},
             "pads = [1, 2, 1, 0], count_include_pad = 1", 0, true),
    pool_row("a last window that reaches past the padding", random({1, 1, 6, 6}), {3, 3},
             {.strides = {2, 2}, .pads = {0, 0, 0, 1}}, {3, 3},
             "strides = [2, 2], ceil_mode = 1, count_include_pad = 1, pads = [0, 0, 0, 1]", 0, true),
    pool_row("dilations, SAME_UPPER", random({1, 2, 5, 7}), {2, 3}, {.dilations = {2, 1}, .pads = {1, 1, 1, 1}}, {5, 7},
             "dilations = [2, 1], auto_pad = \"SAME_UPPER\""),
    pool_row("f16", random({1, 2, 4, 4}, -1, 1, DataType::f16), {2, 2}, {}, {3, 3}, "", 0, false, 2e-3),
    {"one spatial axis",
     {f32({1, 1, 4}, {1, 2, 3, 6})},
     {f32({1, 1, 2}, {1.5, 4.5})},
     0,
     "kernel_shape = [2], strides = [2]"},
    {"three spatial axes",
     {f32({1, 1, 2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8})},
     {f32({1, 1, 1, 1, 1}, {4.5})},
     0,
     "kernel_shape = [2, 2, 2]"},
    {"no images", {f32({0, 1, 3, 3}, {})}, {f32({0, 1, 2, 2}, {})}, 0, "kernel_shape = [2, 2]"},
};
const std::vector<Case> lp_cases = {
    pool_row("p is 2", random({2, 3, 5, 7}), {3, 2}, {}, {3, 6}, "", 2),
    pool_row("p is 3, padding", random({1, 2, 5, 4}), {3, 3}, {.strides = {2, 1}, .pads = {1, 2, 1, 0}}, {3, 4},
             "p = 3, strides = [2, 1], pads = [1, 2, 1, 0]", 3),
    pool_row("p is 1", random({1, 2, 4, 3}), {2, 2}, {}, {3, 2}, "p = 1", 1),
    {"version 1, whose p is a float",
     {f32({1, 1, 2}, {3, -4})},
     {f32({1, 1, 1}, {std::cbrt(91.0)})},
     1e-5,
     "kernel_shape = [2], p = 3.0",
     1},
    {"version 1, p that is no whole number",
     {f32({1, 1, 2}, {4, -4})},
     {f32({1, 1, 1}, {std::cbrt(256.0)})},
     1e-5,
     "kernel_shape = [2], p = 1.5",
     1},
};
const std::vector<Case> global_average_cases = {
    {"two spatial axes", {f32({1, 2, 1, 3}, {1, 2, 3, 4, 5, 9})}, {f32({1, 2, 1, 1}, {2, 6})}, 1e-6},
    {"one", {f32({2, 1, 2}, {1, 2, 3, 5})}, {f32({2, 1, 1}, {1.5, 4})}},
};
const std::vector<Case> global_max_cases = {
    {"two spatial axes", {f32({1, 2, 1, 3}, {1, 2, 3, 9, 5, 4})}, {f32({1, 2, 1, 1}, {3, 9})}}};
const std::vector<Case> global_lp_cases = {
    {"p is 2", {f32({1, 2, 1, 2}, {3, -4, 6, 8})}, {f32({1, 2, 1, 1}, {5, 10})}, 1e-5},
    {"p is 1", {f32({1, 2, 1, 2}, {3, -4, 6, 8})}, {f32({1, 2, 1, 1}, {7, 14})}, 1e-5, "p = 1"},
    {"version 1, whose p is a float", {f32({1, 2, 1, 2}, {3, -4, 6, 8})}, {f32({1, 2, 1, 1}, {5, 10})}, 1e-5, "p = 2.0", 1},
    {"three spatial axes, f16",
     {f16({2, 3, 2, 3, 2}, std::vector<double>(72, 1))},
     {f16({2, 3, 1, 1, 1}, std::vector<double>(6, std::sqrt(12.0)))},
     2e-3},
};

// Two spatial axes, straight from the definition: each input is spread.
Tensors spread(const Tensors& in, Window w, std::vector<int64_t> out) {
  const auto x = values_of(in[0]), k = values_of(in[1]);
  const auto &xd = in[0].dims, &kd = in[1].dims;
  const int64_t outputs = kd[1] * w.group;
  std::vector<double> y(static_cast<size_t>(xd[0] * outputs * out[0] * out[1]));
  for (int64_t n = 0; n < xd[0]; ++n)
    for (int64_t m = 0; m < outputs; ++m)
      for (int64_t i = 0; i < out[0] * out[1]; ++i)
        y[static_cast<size_t>((n * outputs + m) * out[0] * out[1] + i)] =
            in.size() > 2 ? values_of(in[2])[static_cast<size_t>(m)] : 0;
  for (int64_t n = 0; n < xd[0]; ++n)
    for (int64_t c = 0; c < xd[1]; ++c)
      for (int64_t i = 0; i < xd[2]; ++i)
        for (int64_t j = 0; j < xd[3]; ++j)
          for (int64_t m = 0; m < kd[1]; ++m)
            for (int64_t p = 0; p < kd[2]; ++p)
              for (int64_t q = 0; q < kd[3]; ++q) {
                const int64_t row = i * w.strides[0] + p * w.dilations[0] - w.pads[0],
                              column = j * w.strides[1] + q * w.dilations[1] - w.pads[1];
                if (row < 0 || column < 0 || row >= out[0] || column >= out[1]) continue;
                const int64_t output = c / (xd[1] / w.group) * kd[1] + m;
                y[static_cast<size_t>(((n * outputs + output) * out[0] + row) * out[1] + column)] +=
                    x[static_cast<size_t>(((n * xd[1] + c) * xd[2] + i) * xd[3] + j)] *
                    k[static_cast<size_t>(((c * kd[1] + m) * kd[2] + p) * kd[3] + q)];
              }
  return {numbers(in[0].type, {xd[0], outputs, out[0], out[1]}, y)};
}
Case spread_row(const char* what, Tensors in, Window w, std::vector<int64_t> out, std::string attributes,
                double tolerance = 1e-5) {
  return by([=](const Tensors& tensors) { return spread(tensors, w, out); }, what, std::move(in), tolerance,
            std::move(attributes));
}
const std::vector<Case> conv_transpose_cases = {
    spread_row("plain", {random({2, 3, 4, 5}), random({3, 2, 3, 2})}, {}, {6, 6}, ""),
    spread_row("strides, padding, bias", {random({1, 3, 4, 5}), random({3, 4, 3, 3}), random({4})},
               {.strides = {2, 3}, .pads = {1, 0, 1, 2}}, {7, 13}, "strides = [2, 3], pads = [1, 0, 1, 2]"),
    spread_row("groups, dilations", {random({1, 4, 3, 3}), random({4, 3, 2, 3})}, {.dilations = {2, 1}, .group = 2},
               {5, 5}, "dilations = [2, 1], group = 2"),
    spread_row("more behind", {random({1, 1, 3, 3}), random({1, 2, 2, 2})}, {.strides = {3, 2}}, {10, 7},
               "strides = [3, 2], output_padding = [2, 1]"),
    spread_row("a given size", {random({1, 1, 3, 3}), random({1, 2, 3, 3})}, {.strides = {3, 2}, .pads = {0, 0, 0, 0}},
               {10, 8}, "strides = [3, 2], output_shape = [10, 8]"),
    spread_row("SAME_UPPER", {random({1, 1, 3, 3}), random({1, 1, 3, 3})}, {.strides = {2, 2}, .pads = {0, 0, 1, 1}},
               {6, 6}, "strides = [2, 2], auto_pad = \"SAME_UPPER\""),
    spread_row("f16", {random({1, 2, 3, 3}, -1, 1, DataType::f16), random({2, 2, 2, 2}, -1, 1, DataType::f16)}, {},
               {4, 4}, "", 4e-3),
    {"one spatial axis", {f32({1, 1, 3}, {1, 2, 3}), f32({1, 1, 2}, {1, 10})}, {f32({1, 1, 4}, {1, 12, 23, 30})}},
    {"no images", {f32({0, 1, 3, 3}, {}), random({1, 1, 2, 2})}, {f32({0, 1, 4, 4}, {})}},
};

}  // namespace

HEED_TEST_OPERATOR("Conv", conv_cases)
HEED_TEST_OPERATOR("MaxPool", pool_cases)
HEED_TEST_OPERATOR("AveragePool", average_cases)
HEED_TEST_OPERATOR("LpPool", lp_cases)
HEED_TEST_OPERATOR("GlobalAveragePool", global_average_cases)
HEED_TEST_OPERATOR("GlobalMaxPool", global_max_cases)
HEED_TEST_OPERATOR("GlobalLpPool", global_lp_cases)
HEED_TEST_OPERATOR("ConvTranspose", conv_transpose_cases)
HEED_TEST_OPERATOR("Gemm", gemm_cases)

TEST_CASE("Conv says that a window does not fit") {
  check_refused("Conv", {"3 over 2", {random({1, 1, 2, 2}), random({1, 1, 3, 3})}, {random({1, 1, 1, 1})}},
                "a window of 3 does not fit a size of 2");
}

TEST_CASE("convolutions whose ranks only the run tells say what does not fit") {
  const struct {
    const char *node, *said;
  } rows[] = {
      {"ConvTranspose<strides = [2, 2]>(x, w)", "has 2 numbers; expected 3"},
      {"ConvTranspose<output_padding = [1, 1]>(x, w)", "has 2 numbers; expected 3"},
      {"ConvTranspose<output_shape = [9, 9]>(x, w)", "has 2 numbers; expected 3"},
      {"ConvTranspose<group = 0>(x, w)", "attribute 'group' is 0"},
      {"Conv<strides = [2, 2]>(x, w)", "has 2 numbers; expected 3"},
      {"Conv<group = 0>(x, w)", "attribute 'group' is 0"},
  };
  for (const auto& row : rows) {
    INFO(row.node);
    const auto outputs = run_text("<ir_version: 10, opset_import: [\"\" : 22]> g (float x, float w) => (float y) { y = " +
                                      std::string(row.node) + " }",
                                  {random({1, 1, 2, 2, 2}), random({1, 1, 1, 1, 1})}, "cpu");
    REQUIRE_FALSE(outputs);
    CHECK_THAT(outputs.error().message, Catch::Contains(row.said));
  }
}

TEST_CASE("windows slide over strided tensors of one to three axes on Vulkan") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 22]>
    agraph (float[a, b, c] x, float[5, 6, 3] w, float[5] bias) => (float[d, 5, e] y, float[f, 6, g] p, int64[f, 6, g] i) {
      t = Transpose(x)
      y = Conv<strides = [2], pads = [1, 2]>(t, w, bias)
      p, i = MaxPool<kernel_shape = [3], strides = [2], ceil_mode = 1>(t)
    })",
                  {random({17, 6, 2}), random({5, 6, 3}), random({5})}, 1e-5);
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 22]>
    agraph (float[a, b, c, d, e] x, float[9, 2, 2, 3, 2] w) => (float[g, 9, h, j, k] y, float[g, o, l, m, n] p, int64[g, o, l, m, n] i) {
      t = Transpose<perm = [0, 1, 4, 2, 3]>(x)
      y = Conv<auto_pad = "SAME_LOWER">(t, w)
      p, i = MaxPool<kernel_shape = [2, 3, 2], dilations = [2, 1, 1], pads = [1, 0, 1, 0, 1, 0], storage_order = 1>(t)
    })",
                  {random({3, 2, 5, 7, 4}), random({9, 2, 2, 3, 2})}, 1e-5);
}
TEST_CASE("MaxPool runs on Vulkan in every type") {
  for (const DataType type : {DataType::f16, DataType::bf16, DataType::f64, DataType::i8, DataType::u8}) {
    const std::string t(name_of(type));
    check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 22]> g (" + t + "[a, b, c, d] x) => (" + t +
                        "[a, b, e, f] y) { y = MaxPool<kernel_shape = [3, 2], auto_pad = \"SAME_UPPER\">(x) }",
                    {random({2, 3, 7, 5}, 0, 100, type)});
  }
}

}  // namespace heed::test
