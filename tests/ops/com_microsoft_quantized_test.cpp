// com.microsoft's operators of quantised tensors, and its MaxPool, Conv and normalisation of vision. Formulas are those of
// ONNX Runtime's ContribOperators.md; its own results for the same inputs differ by at most one code.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

constexpr DataType i8 = DataType::i8, u8_type = DataType::u8;

Tensor bytes(DataType type, std::vector<int64_t> dims) {
  std::vector<double> values = values_of(random(dims, type == u8_type ? 0 : -128, type == u8_type ? 256 : 128, DataType::f64));
  for (double& value : values) value = std::floor(value);
  return numbers(type, std::move(dims), values);
}
Tensor code(DataType type, double value, std::vector<int64_t> dims = {}) { return numbers(type, std::move(dims), {value}); }
Tensor scale(double value, std::vector<int64_t> dims = {}) { return f32(std::move(dims), {value}); }

double one_of(const Tensor& list) { return list.type == DataType::undefined ? 0 : values_of(list)[0]; }

// What codes stand for.
std::vector<double> numbers_of(const Tensor& codes, const Tensor& scale, const Tensor& zero_point) {
  auto values = values_of(codes);
  for (double& value : values) value = (value - one_of(zero_point)) * static_cast<float>(one_of(scale));
  return values;
}
Tensor codes_of(DataType type, std::vector<int64_t> dims, std::vector<double> values, const Tensor& scale,
                const Tensor& zero_point) {
  const double least = type == i8 ? -128 : 0;
  for (double& value : values)
    value = std::clamp(std::nearbyint(value / static_cast<float>(one_of(scale))) + one_of(zero_point), least, least + 255);
  return numbers(type, std::move(dims), values);
}
constexpr double one_code = 1;  // the nearest of two codes is decided by rounding

// ---- element by element

using Two = double (*)(double, double);

Case binary_row(Two f, std::string what, Tensor a, Tensor a_zero, Tensor b, Tensor b_zero, Tensor c_zero, double c_scale) {
  const auto reference = [=](const Tensors& in) {
    const auto x = numbers_of(in[0], in[1], in[2]), y = numbers_of(in[3], in[4], in[5]);
    std::vector<double> values;
    const auto &large = x.size() >= y.size() ? in[0] : in[3];
    for (size_t i = 0; i < std::max(x.size(), y.size()); ++i) values.push_back(f(x[i % x.size()], y[i % y.size()]));
    return Tensors{codes_of(in[0].type, large.dims, values, in[6], in[7])};
  };
  return by(reference, std::move(what),
            {std::move(a), scale(0.02), std::move(a_zero), std::move(b), scale(0.03, {1}), std::move(b_zero), scale(c_scale),
             std::move(c_zero)},
            one_code);
}
std::vector<Case> binary_rows(Two f, double c_scale) {
  return {binary_row(f, "u8", bytes(u8_type, {2, 3, 7, 11}), code(u8_type, 100), bytes(u8_type, {2, 3, 7, 11}),
                     code(u8_type, 3), code(u8_type, 128), c_scale),
          binary_row(f, "i8, a row for all, no zero points", bytes(i8, {5, 17}), absent(), bytes(i8, {17}), absent(), absent(),
                     c_scale),
          binary_row(f, "one number for all, zero points in lists of one", bytes(i8, {3, 41}), code(i8, -7, {1}), bytes(i8, {1}),
                     code(i8, 5, {1}), code(i8, 0, {1}), c_scale),
          binary_row(f, "saturated", code(u8_type, 255, {1, 1}), code(u8_type, 0), code(u8_type, 255, {1, 1}),
                     code(u8_type, 0), code(u8_type, 200), c_scale),
          binary_row(f, "nothing", bytes(u8_type, {0, 3}), code(u8_type, 9), bytes(u8_type, {0, 3}), code(u8_type, 0),
                     code(u8_type, 1), c_scale)};
}
const std::vector<Case> add_cases = binary_rows([](double a, double b) { return a + b; }, 0.045),
                        mul_cases = binary_rows([](double a, double b) { return a * b; }, 0.08);

using One = std::function<std::vector<double>(const Tensor& x, std::vector<double> numbers)>;

Case unary_row(One f, std::string what, Tensor x, Tensor x_zero, double y_scale, Tensor y_zero, std::string attributes = "",
               std::vector<int64_t> y_dims = {}) {
  const auto reference = [=](const Tensors& in) {
    return Tensors{codes_of(in[0].type, y_dims.empty() ? in[0].dims : y_dims, f(in[0], numbers_of(in[0], in[1], in[2])), in[3],
                            in[4])};
  };
  return by(reference, std::move(what), {std::move(x), scale(0.04), std::move(x_zero), scale(y_scale), std::move(y_zero)},
            one_code, std::move(attributes));
}
One each(double (*f)(double)) {
  return [=](const Tensor&, std::vector<double> values) {
    for (double& value : values) value = f(value);
    return values;
  };
}

const One sigmoid = each([](double x) { return 1 / (1 + std::exp(-x)); });
const std::vector<Case> sigmoid_cases = {
    unary_row(sigmoid, "u8", bytes(u8_type, {3, 5, 17}), code(u8_type, 128), 1.0 / 256, code(u8_type, 0)),
    unary_row(sigmoid, "i8", bytes(i8, {67}), code(i8, 3), 1.0 / 256, code(i8, -128)),
    unary_row(sigmoid, "no zero points", bytes(i8, {67}), absent(), 1.0 / 100, absent())};

const One leaky = each([](double x) { return x < 0 ? 0.2f * x : x; });
const std::vector<Case> leaky_cases = {
    unary_row(leaky, "u8", bytes(u8_type, {3, 5, 17}), code(u8_type, 128), 0.03, code(u8_type, 40), "alpha = 0.2"),
    unary_row(leaky, "i8", bytes(i8, {67}), code(i8, 3), 0.05, code(i8, -90), "alpha = 0.2")};

const std::vector<Case> where_cases = {by(
    [](const Tensors& in) {
      const auto condition = values_of(in[0]), x = numbers_of(in[1], in[2], in[3]), y = numbers_of(in[4], in[5], in[6]);
      std::vector<double> values;
      for (size_t i = 0; i < x.size(); ++i) values.push_back(condition[i / 5] != 0 ? x[i] : y[i % 5]);
      return Tensors{codes_of(u8_type, in[1].dims, values, in[7], in[8])};
    },
    "rows of one or the other",
    {boolean({3, 1}, {1, 0, 1}), bytes(u8_type, {3, 5}), scale(0.02), code(u8_type, 7), bytes(u8_type, {5}), scale(0.03),
     code(u8_type, 100), scale(0.025), code(u8_type, 30)},
    one_code)};

// ---- along axes

// Over `size` neighbours.
One softmax(size_t size) {
  return [=](const Tensor&, std::vector<double> values) {
    for (size_t first = 0; first < values.size(); first += size) {
      const double greatest = *std::max_element(values.begin() + first, values.begin() + first + size);
      double sum = 0;
      for (size_t i = first; i < first + size; ++i) sum += values[i] = std::exp(values[i] - greatest);
      for (size_t i = first; i < first + size; ++i) values[i] /= sum;
    }
    return values;
  };
}
const std::vector<Case> softmax_cases = {
    unary_row(softmax(17), "the last axis", bytes(u8_type, {3, 5, 17}), code(u8_type, 128), 1.0 / 256, code(u8_type, 0),
              "axis = -1, opset = 13"),
    unary_row(softmax(15), "before opset 13 all axes behind", bytes(i8, {2, 3, 5}), code(i8, 0), 1.0 / 256, code(i8, -128),
              "axis = 1, opset = 11")};

std::vector<Case> concat_rows() {
  const auto reference = [](const Tensors& in) {
    // Along the middle axis of three.
    std::vector<int64_t> dims = in[2].dims;
    std::vector<std::vector<double>> parts;
    dims[1] = 0;
    for (size_t i = 2; i < in.size(); i += 3) {
      dims[1] += in[i].dims[1];
      parts.push_back(numbers_of(in[i], in[i + 1], in[i + 2]));
    }
    std::vector<double> values;
    for (int64_t outer = 0; outer < dims[0]; ++outer)
      for (const auto& part : parts) {
        const auto size = part.size() / static_cast<size_t>(dims[0]);
        values.insert(values.end(), part.begin() + outer * size, part.begin() + (outer + 1) * size);
      }
    return Tensors{codes_of(in[1].type, dims, values, in[0], in[1])};
  };
  return {by(reference, "three parts, one of them on the scale of the whole",
             {scale(0.02), code(u8_type, 10), bytes(u8_type, {2, 3, 5}), scale(0.02), code(u8_type, 10), bytes(u8_type, {2, 1, 5}),
              scale(0.03), code(u8_type, 128), bytes(u8_type, {2, 4, 5}), scale(0.01), code(u8_type, 0)},
             one_code, "axis = 1"),
          by(reference, "one part, i8",
             {scale(0.02), code(i8, 10), bytes(i8, {1, 3, 5}), scale(0.04), code(i8, -3)}, one_code, "axis = -2")};
}
const std::vector<Case> concat_cases = concat_rows();

// Means of `size` neighbours, or of each `step`th.
One means(size_t size, size_t step) {
  return [=](const Tensor&, const std::vector<double>& values) {
    std::vector<double> result;
    for (size_t outer = 0; outer < values.size(); outer += size * step)
      for (size_t inner = 0; inner < step; ++inner) {
        double sum = 0;
        for (size_t i = 0; i < size; ++i) sum += values[outer + i * step + inner];
        result.push_back(sum / static_cast<double>(size));
      }
    return result;
  };
}
const std::vector<Case> global_pool_cases = {
    unary_row(means(35, 1), "channels second", bytes(u8_type, {2, 3, 5, 7}), code(u8_type, 128), 0.02, code(u8_type, 90), "",
              {2, 3, 1, 1}),
    unary_row(means(35, 3), "channels last", bytes(i8, {2, 5, 7, 3}), code(i8, 1), 0.02, code(i8, 2), "channels_last = 1",
              {2, 1, 1, 3})};

// The means of windows of an image [batch, row, column, channel], or with the channels second.
struct PoolWindow {
  std::vector<int64_t> kernel, strides = {1, 1}, pads = {0, 0, 0, 0};
  bool channels_last = false, include_pad = false;
};
Case pool_row(std::string what, Tensor x, Tensor x_zero, Tensor y_zero, PoolWindow w, std::string attributes) {
  const std::vector<int64_t> d = x.dims;
  const int64_t channels = d[w.channels_last ? 3 : 1], rows = d[w.channels_last ? 1 : 2], columns = d[w.channels_last ? 2 : 3];
  const int64_t y_rows = (rows + w.pads[0] + w.pads[2] - w.kernel[0]) / w.strides[0] + 1,
                y_columns = (columns + w.pads[1] + w.pads[3] - w.kernel[1]) / w.strides[1] + 1;
  const auto place = [=](int64_t image, int64_t channel, int64_t row, int64_t column, int64_t row_count, int64_t column_count) {
    return static_cast<size_t>(w.channels_last ? ((image * row_count + row) * column_count + column) * channels + channel
                                               : ((image * channels + channel) * row_count + row) * column_count + column);
  };
  const One means = [=](const Tensor&, std::vector<double> values) {
    std::vector<double> y(static_cast<size_t>(d[0] * channels * y_rows * y_columns));
    for (int64_t image = 0; image < d[0]; ++image)
      for (int64_t channel = 0; channel < channels; ++channel)
        for (int64_t i = 0; i < y_rows; ++i)
          for (int64_t j = 0; j < y_columns; ++j) {
            double sum = 0;
            int64_t count = 0;
            for (int64_t p = 0; p < w.kernel[0]; ++p)
              for (int64_t q = 0; q < w.kernel[1]; ++q) {
                const int64_t row = i * w.strides[0] + p - w.pads[0], column = j * w.strides[1] + q - w.pads[1];
                if (row < 0 || row >= rows || column < 0 || column >= columns) continue;
                sum += values[place(image, channel, row, column, rows, columns)], ++count;
              }
            y[place(image, channel, i, j, y_rows, y_columns)] =
                sum / static_cast<double>(w.include_pad ? w.kernel[0] * w.kernel[1] : count);
          }
    return y;
  };
  return unary_row(means, std::move(what), std::move(x), std::move(x_zero), 0.02, std::move(y_zero), std::move(attributes),
                   w.channels_last ? std::vector<int64_t>{d[0], y_rows, y_columns, channels}
                                   : std::vector<int64_t>{d[0], channels, y_rows, y_columns});
}
const std::vector<Case> average_pool_cases = {
    pool_row("plain", bytes(u8_type, {2, 3, 5, 7}), code(u8_type, 128), code(u8_type, 90), {.kernel = {3, 2}},
             "kernel_shape = [3, 2]"),
    pool_row("channels last, strides, padding left out", bytes(i8, {1, 7, 5, 3}), code(i8, 1), code(i8, 2),
             {.kernel = {3, 3}, .strides = {2, 1}, .pads = {1, 0, 1, 2}, .channels_last = true},
             "kernel_shape = [3, 3], strides = [2, 1], pads = [1, 0, 1, 2], channels_last = 1"),
    pool_row("padding counted, which is the number 0, whatever its code", bytes(u8_type, {1, 2, 4, 3}), code(u8_type, 77),
             code(u8_type, 10), {.kernel = {2, 2}, .pads = {1, 1, 0, 0}, .include_pad = true},
             "kernel_shape = [2, 2], pads = [1, 1, 0, 0], count_include_pad = 1"),
    pool_row("no zero points", bytes(i8, {1, 1, 3, 3}), absent(), absent(), {.kernel = {2, 2}}, "kernel_shape = [2, 2]")};

// ---- QGemm

Case gemm_row(std::string what, Tensors in, std::string attributes, bool a_is_turned, bool b_is_turned, double alpha = 1) {
  const auto reference = [=](const Tensors& given) {
    const auto a = values_of(given[0]), b = values_of(given[3]), b_scales = values_of(given[4]), b_zeros = values_of(given[5]);
    const int64_t rows = given[0].dims[a_is_turned], inner = given[0].dims[!a_is_turned], columns = given[3].dims[!b_is_turned];
    std::vector<double> values;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        if (given[6].type != DataType::undefined) {
          const auto c = values_of(given[6]);
          sum = c[static_cast<size_t>(i * columns + j) % c.size()];
        }
        const auto column = static_cast<size_t>(j);
        for (int64_t k = 0; k < inner; ++k)
          sum += (a[static_cast<size_t>(a_is_turned ? k * rows + i : i * inner + k)] - one_of(given[2])) *
                 (b[static_cast<size_t>(b_is_turned ? j * inner + k : k * columns + j)] - b_zeros[column % b_zeros.size()]);
        values.push_back(sum * alpha * one_of(given[1]) * b_scales[column % b_scales.size()]);
      }
    if (given[7].type == DataType::undefined) return Tensors{f32({rows, columns}, values)};
    return Tensors{codes_of(given[8].type, {rows, columns}, values, given[7], given[8])};
  };
  const double tolerance = in[7].type == DataType::undefined ? 1e-5 : one_code;
  return by(reference, std::move(what), std::move(in), tolerance, std::move(attributes));
}
const std::vector<Case> gemm_cases = {
    gemm_row("codes, a bias, a column each its own",
             {bytes(u8_type, {5, 19}), scale(0.02), code(u8_type, 120), bytes(i8, {19, 7}), random({7}, 0.01, 0.03),
              numbers(i8, {7}, {0, 1, -3, 0, 0, 2, 5}), random({7}, -900, 900, DataType::i32), scale(0.3), code(u8_type, 100)},
             "", false, false),
    gemm_row("floats, both turned, scaled",
             {bytes(i8, {19, 5}), scale(0.02), code(i8, 3), bytes(u8_type, {7, 19}), scale(0.01), code(u8_type, 128), absent(),
              absent(), absent()},
             "transA = 1, transB = 1, alpha = 0.5", true, true, 0.5)};

// ---- of floats, and bytes without scales

const std::vector<Case> max_pool_cases = {
    {"2 by 2, two channels",
     {u8({1, 2, 4, 2}, {1, 90, 2, 80, 3, 70, 4, 60, 5, 50, 6, 40, 7, 30, 8, 20})},
     {u8({1, 1, 2, 2}, {6, 90, 8, 70})},
     0,
     "kernel_shape = [2, 2], strides = [2, 2]"},
    {"one axis, padded, i8", {numbers(i8, {1, 3, 1}, {-5, -9, -2})}, {numbers(i8, {1, 3, 1}, {-5, -2, -2})}, 0,
     "kernel_shape = [3], pads = [1, 1]"}};

// A kernel of one element by 2 in 1 channel: sums by hand.
const Tensor line = f32({1, 1, 4}, {1, -2, 3, -4}), pair = f32({1, 1, 2}, {1, 2});
const std::vector<Case> fused_conv_cases = {
    {"as it is", {line, pair}, {f32({1, 1, 3}, {-3, 4, -5})}, 1e-6},
    {"a bias, Relu", {line, pair, f32({1}, {4})}, {f32({1, 1, 3}, {1, 8, 0})}, 1e-6, "activation = \"Relu\""},
    {"a sum before the activation", {line, pair, absent(), f32({1, 1, 3}, {1, 2, 9})}, {f32({1, 1, 3}, {-0.5, 6, 4})}, 1e-6,
     "activation = \"LeakyRelu\", activation_params = [0.25]"},
    {"Clip", {line, pair}, {f32({1, 1, 3}, {-3, 2, -4})}, 1e-6, "activation = \"Clip\", activation_params = [-4.0, 2.0]"},
    {"HardSigmoid", {line, pair}, {f32({1, 1, 3}, {0, 1, 0})}, 1e-6,
     "activation = \"HardSigmoid\", activation_params = [0.5, 0.5]"},
    {"strides, Tanh", {line, pair}, {f32({1, 1, 2}, {std::tanh(-3.0), std::tanh(-5.0)})}, 1e-6,
     "activation = \"Tanh\", strides = [2]"}};

Case norm_row(std::string what, Tensor x, bool is_last, int64_t groups, bool is_active, double tolerance) {
  const int64_t channels = x.dims[is_last ? x.dims.size() - 1 : 1];
  const auto reference = [=](const Tensors& in) {
    auto values = values_of(in[0]);
    const auto gamma = values_of(in[1]), beta = values_of(in[2]);
    const size_t image = values.size() / static_cast<size_t>(in[0].dims[0]), pixels = image / static_cast<size_t>(channels);
    const auto channel_of = [&](size_t i) { return is_last ? i % static_cast<size_t>(channels) : i % image / pixels; };
    std::vector<double> result(values.size());
    for (size_t first = 0; first < values.size(); first += image)
      for (int64_t group = 0; group < groups; ++group) {
        double sum = 0, squares = 0, count = 0;
        const auto for_each = [&](auto body) {
          for (size_t i = first; i < first + image; ++i)
            if (static_cast<int64_t>(channel_of(i)) / (channels / groups) == group) body(i);
        };
        for_each([&](size_t i) { sum += values[i], ++count; });
        for_each([&](size_t i) { squares += std::pow(values[i] - sum / count, 2); });
        for_each([&](size_t i) {
          const double y = (values[i] - sum / count) / std::sqrt(squares / count + 1e-3) * gamma[channel_of(i)] + beta[channel_of(i)];
          result[i] = is_active ? y / (1 + std::exp(-y)) : y;
        });
      }
    return Tensors{numbers(in[0].type, in[0].dims, result)};
  };
  return by(reference, std::move(what), {std::move(x), random({channels}), random({channels}, 0.5, 1)}, tolerance,
            "groups = " + std::to_string(groups) + ", activation = " + std::to_string(is_active) + ", channels_last = " +
                std::to_string(is_last) + ", epsilon = 0.001");
}
const std::vector<Case> norm_cases = {norm_row("channels last", random({2, 3, 5, 6}), true, 3, false, 1e-5),
                                      norm_row("channels second, silu", random({2, 8, 7}), false, 2, true, 1e-5),
                                      norm_row("f16, a group for all", random({1, 3, 3, 4}, -1, 1, DataType::f16), true, 1, true, 2e-3)};

}  // namespace

HEED_TEST_OPERATOR("com.microsoft.QLinearAdd", add_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearMul", mul_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearSigmoid", sigmoid_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearLeakyRelu", leaky_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearWhere", where_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearSoftmax", softmax_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearConcat", concat_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearGlobalAveragePool", global_pool_cases)
HEED_TEST_OPERATOR("com.microsoft.QLinearAveragePool", average_pool_cases)
HEED_TEST_OPERATOR("com.microsoft.QGemm", gemm_cases)
HEED_TEST_OPERATOR("com.microsoft.NhwcMaxPool", max_pool_cases)
HEED_TEST_OPERATOR("com.microsoft.FusedConv", fused_conv_cases)
HEED_TEST_OPERATOR("com.microsoft.GroupNorm", norm_cases)

TEST_CASE("quantised operators of com.microsoft refuse what does not fit") {
  check_refused("com.microsoft.QLinearConcat", {"", {scale(1), code(i8, 0), bytes(i8, {2, 3})}, {absent()}, 0, "axis = 0"},
                "3 inputs");
  check_refused("com.microsoft.QGemm",
                {"", {bytes(i8, {2, 3}), scale(1), code(i8, 0), bytes(i8, {4, 5}), scale(1), code(i8, 0)}, {absent()}},
                "[2, 3] and [4, 5]");
  check_refused("com.microsoft.FusedConv", {"", {line, pair}, {absent()}, 0, "activation = \"Sine\""}, "'Sine'");
  check_refused("com.microsoft.GroupNorm", {"", {random({1, 2, 2, 5}), random({5}), random({5})}, {absent()}, 0,
                                            "groups = 2, activation = 0"},
                "channels modulo groups");
}

}  // namespace heed::test
