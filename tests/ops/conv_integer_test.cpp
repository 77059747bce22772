// Convolutions of bytes: ConvInteger, QLinearConv.
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

// One number, or that of an output channel.
double at(const Tensor& list, size_t index) {
  if (list.type == DataType::undefined) return 0;
  const auto values = values_of(list);
  return values[values.size() == 1 ? 0 : index];
}

// Any number of spatial axes; an empty list is as good as ones, or zeros.
struct Window {
  std::vector<int64_t> strides = {}, dilations = {}, pads = {};
  int64_t group = 1;
};
std::string attributes(const Window& w) {
  std::string text = "group = " + std::to_string(w.group);
  for (const auto& [name, list] : {std::pair{"strides", w.strides}, {"dilations", w.dilations}, {"pads", w.pads}}) {
    for (size_t i = 0; i < list.size(); ++i)
      text += (i == 0 ? ", " + std::string(name) + " = [" : ", ") + std::to_string(list[i]);
    if (!list.empty()) text += "]";
  }
  return text;
}

// Straight from the definition; channels: of each sum.
struct Sums {
  std::vector<int64_t> dims;
  std::vector<double> sums;
  std::vector<size_t> channels;
};
Sums sums_of(const Tensor& x, const Tensor& w, const Tensor& x_zero, const Tensor& w_zero, const Window& window) {
  const size_t axes = x.dims.size() - 2;
  const auto number = [](const std::vector<int64_t>& list, size_t i, int64_t otherwise) {
    return list.empty() ? otherwise : list[i];
  };
  Sums y{.dims = {x.dims[0], w.dims[0]}, .sums = {}, .channels = {}};
  int64_t out_count = 1, kernel_count = 1, in_count = 1;
  for (size_t a = 0; a < axes; ++a) {
    const int64_t padding = number(window.pads, a, 0) + number(window.pads, axes + a, 0);
    const int64_t reach = (w.dims[2 + a] - 1) * number(window.dilations, a, 1) + 1;
    out_count *= y.dims.emplace_back((x.dims[2 + a] + padding - reach) / number(window.strides, a, 1) + 1);
    kernel_count *= w.dims[2 + a];
    in_count *= x.dims[2 + a];
  }
  const auto xs = values_of(x), ws = values_of(w);
  for (int64_t n = 0; n < x.dims[0]; ++n)
    for (int64_t m = 0; m < w.dims[0]; ++m)
      for (int64_t p = 0; p < out_count; ++p) {
        double sum = 0;
        for (int64_t c = 0; c < w.dims[1]; ++c)
          for (int64_t k = 0; k < kernel_count; ++k) {
            int64_t pixel = p, window_rest = k, place = 0, step = 1;
            bool inside = true;
            for (size_t a = axes; a-- > 0;) {
              const int64_t i = pixel % y.dims[2 + a] * number(window.strides, a, 1) +
                                window_rest % w.dims[2 + a] * number(window.dilations, a, 1) - number(window.pads, a, 0);
              pixel /= y.dims[2 + a];
              window_rest /= w.dims[2 + a];
              inside = inside && i >= 0 && i < x.dims[2 + a];
              place += i * step;
              step *= x.dims[2 + a];
            }
            if (!inside) continue;
            const int64_t channel = m / (w.dims[0] / window.group) * w.dims[1] + c;
            sum += (xs[static_cast<size_t>((n * x.dims[1] + channel) * in_count + place)] - at(x_zero, 0)) *
                   (ws[static_cast<size_t>((m * w.dims[1] + c) * kernel_count + k)] - at(w_zero, static_cast<size_t>(m)));
          }
        y.sums.push_back(sum);
        y.channels.push_back(static_cast<size_t>(m));
      }
  return y;
}

Case integer_row(std::string what, Tensor x, Tensor w, Tensor x_zero = absent(), Tensor w_zero = absent(), Window window = {}) {
  const auto reference = [=](const Tensors& in) {
    const Sums y = sums_of(in[0], in[1], in[2], in[3], window);
    return Tensors{numbers(DataType::i32, y.dims, y.sums)};
  };
  return by(reference, std::move(what), {std::move(x), std::move(w), std::move(x_zero), std::move(w_zero)}, 0,
            attributes(window));
}

// Codes of sums that a scale brings into their range, on 1 an output channel or one for all.
Case qlinear_row(std::string what, Tensor x, Tensor x_zero, Tensor w, Tensor w_zero, Tensor w_scale, Tensor y_zero,
                 Tensor bias = absent(), Window window = {}) {
  const auto reference = [=](const Tensors& in) {
    const Sums y = sums_of(in[0], in[3], in[2], in[5], window);
    std::vector<double> codes;
    for (size_t i = 0; i < y.sums.size(); ++i) {
      const auto scale = static_cast<float>(at(in[1], 0)) * static_cast<float>(at(in[4], y.channels[i])) /
                         static_cast<float>(at(in[6], 0));
      const float steps = static_cast<float>(y.sums[i] + at(in[8], y.channels[i])) * scale;
      const double least = in[7].type == i8 ? -128 : 0;
      codes.push_back(std::clamp(std::nearbyint(steps) + at(in[7], 0), least, least + 255));
    }
    return Tensors{numbers(in[7].type, y.dims, codes)};
  };
  return by(reference, std::move(what),
            {std::move(x), f32({}, {0.02}), std::move(x_zero), std::move(w), std::move(w_scale), std::move(w_zero),
             f32({}, {0.75}), std::move(y_zero), std::move(bias)},
            0, attributes(window));
}

std::vector<Case> integer_rows() {
  std::vector<Case> rows;
  for (const DataType x : {i8, u8_type})
    for (const DataType w : {i8, u8_type}) {
      const std::string name = std::string(name_of(x)) + " by " + std::string(name_of(w));
      rows.push_back(integer_row(name, bytes(x, {1, 3, 5, 7}), bytes(w, {4, 3, 3, 3}), bytes(x, {}), bytes(w, {1})));
      rows.push_back(integer_row(name + ", no zero points, padding", bytes(x, {2, 5, 9, 11}), bytes(w, {7, 5, 3, 2}), absent(),
                                 absent(), {.pads = {1, 0, 2, 1}}));
      rows.push_back(integer_row(name + ", each channel by itself", bytes(x, {1, 3, 9, 21}), bytes(w, {3, 1, 3, 3}),
                                 bytes(x, {1}), bytes(w, {3}), {.pads = {1, 1, 1, 1}, .group = 3}));
    }
  rows.push_back(integer_row("the largest numbers, which pairs must not saturate",
                             numbers(u8_type, {1, 8, 3, 3}, std::vector<double>(72, 255)),
                             numbers(i8, {2, 8, 2, 2}, std::vector<double>(64, -128)), numbers(u8_type, {}, {0})));
  rows.push_back(integer_row("the largest numbers, each channel by itself",
                             numbers(u8_type, {1, 2, 3, 3}, std::vector<double>(18, 255)),
                             numbers(u8_type, {2, 1, 3, 3}, std::vector<double>(18, 255)), numbers(u8_type, {}, {0}),
                             numbers(u8_type, {}, {0}), {.group = 2}));
  rows.push_back(integer_row("a kernel of one element, more rows and pixels than a tile", bytes(u8_type, {2, 33, 7, 7}),
                             bytes(i8, {29, 33, 1, 1}), bytes(u8_type, {}), bytes(i8, {29})));
  rows.push_back(integer_row("strides of a kernel of one element", bytes(u8_type, {1, 6, 7, 9}), bytes(i8, {5, 6, 1, 1}),
                             bytes(u8_type, {}), absent(), {.strides = {2, 3}}));
  rows.push_back(integer_row("groups in strides and dilations", bytes(i8, {2, 6, 11, 13}), bytes(i8, {9, 2, 3, 2}), bytes(i8, {}),
                             absent(), {.strides = {2, 1}, .dilations = {1, 3}, .pads = {2, 0, 1, 1}, .group = 3}));
  rows.push_back(integer_row("pixels in words, strides of many rows", bytes(i8, {2, 3, 9, 8}), bytes(u8_type, {37, 3, 3, 3}),
                             bytes(i8, {}), bytes(u8_type, {37}), {.strides = {2, 1}, .pads = {1, 1, 1, 1}}));
  rows.push_back(integer_row("one pixel", bytes(u8_type, {3, 131, 1, 1}), bytes(i8, {45, 131, 1, 1}), bytes(u8_type, {}),
                             bytes(i8, {})));
  rows.push_back(integer_row("padding wider than the image", bytes(u8_type, {1, 2, 2, 3}), bytes(i8, {5, 2, 2, 2}),
                             bytes(u8_type, {}), absent(), {.pads = {5, 7, 4, 6}}));
  rows.push_back(integer_row("one spatial axis", bytes(u8_type, {2, 4, 53}), bytes(i8, {3, 4, 5}), bytes(u8_type, {}), absent(),
                             {.strides = {2}, .pads = {2, 2}}));
  rows.push_back(integer_row("three spatial axes", bytes(u8_type, {1, 2, 5, 4, 7}), bytes(i8, {3, 2, 2, 3, 2}),
                             bytes(u8_type, {}), absent(), {.strides = {1, 2, 1}, .pads = {1, 0, 1, 0, 1, 0}}));
  rows.push_back(integer_row("no images", bytes(u8_type, {0, 2, 5, 5}), bytes(i8, {3, 2, 3, 3})));
  return rows;
}

std::vector<Case> qlinear_rows() {
  std::vector<Case> rows;
  const Tensor scale = f32({}, {0.01}), zero = numbers(i8, {}, {0});
  for (const DataType x : {i8, u8_type})
    for (const DataType y : {i8, u8_type})
      rows.push_back(qlinear_row(std::string(name_of(x)) + " to " + std::string(name_of(y)), bytes(x, {1, 5, 6, 7}), bytes(x, {}),
                                 bytes(i8, {19, 5, 3, 3}), zero, scale, bytes(y, {}), absent(), {.pads = {1, 1, 1, 1}}));
  const auto scales = [](int64_t count) { return random({count}, 0.002, 0.02); };
  for (const DataType x : {i8, u8_type})
    for (const DataType w : {i8, u8_type})
      for (const DataType y : {i8, u8_type}) {
        const std::string name = std::string(name_of(x)) + " by " + std::string(name_of(w)) + " to " + std::string(name_of(y));
        rows.push_back(qlinear_row(name + ", groups, windows in words and not", bytes(x, {2, 10, 9, 12}), bytes(x, {}),
                                   bytes(w, {34, 5, 3, 3}), bytes(w, {34}), scales(34), bytes(y, {}),
                                   random({34}, -9000, 9000, DataType::i32), {.pads = {1, 1, 1, 1}, .group = 2}));
        rows.push_back(qlinear_row(name + ", codes of other images in a word", bytes(x, {3, 35, 7, 7}), bytes(x, {}),
                                   bytes(w, {13, 35, 1, 1}), bytes(w, {}), scales(13), bytes(y, {})));
      }
  rows.push_back(qlinear_row("pixels and rows of many tiles", bytes(u8_type, {1, 5, 67, 64}), bytes(u8_type, {}),
                             bytes(i8, {77, 5, 1, 1}), bytes(i8, {77}), scales(77), bytes(u8_type, {}),
                             random({77}, -9000, 9000, DataType::i32)));
  rows.push_back(qlinear_row("dilated, in strides, groups of four", bytes(i8, {2, 6, 17, 15}), bytes(i8, {}),
                             bytes(i8, {12, 2, 3, 2}), zero, scales(12), bytes(i8, {}), absent(),
                             {.strides = {2, 1}, .dilations = {1, 3}, .pads = {2, 0, 1, 1}, .group = 3}));
  rows.push_back(qlinear_row("one axis, four pixels", bytes(u8_type, {1, 40, 9}), bytes(u8_type, {}), bytes(i8, {20, 40, 3}),
                             zero, scales(20), bytes(u8_type, {}), absent(), {.strides = {2}}));
  rows.push_back(qlinear_row("three axes", bytes(u8_type, {2, 3, 3, 5, 7}), bytes(u8_type, {}), bytes(i8, {9, 3, 2, 3, 3}), zero,
                             scales(9), bytes(u8_type, {}), random({9}, -9000, 9000, DataType::i32),
                             {.pads = {1, 1, 0, 0, 1, 2}}));
  rows.push_back(qlinear_row("no images", bytes(u8_type, {0, 5, 4, 4}), bytes(u8_type, {}), bytes(i8, {9, 5, 3, 3}), zero, scale,
                             bytes(u8_type, {})));
  rows.push_back(qlinear_row("u8 weights, each channel its own, a bias", bytes(u8_type, {2, 7, 5, 5}), bytes(u8_type, {}),
                             bytes(u8_type, {13, 7, 1, 1}), bytes(u8_type, {13}), scales(13), bytes(u8_type, {}),
                             random({13}, -9000, 9000, DataType::i32)));
  rows.push_back(qlinear_row("a whole line of pixels, and some", bytes(u8_type, {1, 70, 5, 13}), bytes(u8_type, {}),
                             bytes(i8, {23, 70, 1, 1}), zero, scales(23), numbers(u8_type, {}, {0}),
                             random({23}, -9000, 9000, DataType::i32)));
  rows.push_back(qlinear_row("few pixels, outputs for several threads", bytes(u8_type, {1, 64, 9, 9}), bytes(u8_type, {}),
                             bytes(i8, {302, 64, 3, 3}), bytes(i8, {}), scales(1), bytes(u8_type, {}),
                             random({302}, -9000, 9000, DataType::i32), {.pads = {1, 1, 1, 1}}));
  rows.push_back(qlinear_row("the same in groups", bytes(u8_type, {3, 94, 3, 11}), bytes(u8_type, {}),
                             bytes(i8, {302, 47, 3, 3}), bytes(i8, {}), scales(1), bytes(u8_type, {}), absent(),
                             {.pads = {0, 1, 2, 1}, .group = 2}));
  rows.push_back(qlinear_row("first of a network: three channels in strides", bytes(u8_type, {1, 3, 33, 35}),
                             numbers(u8_type, {}, {114}), bytes(i8, {24, 3, 3, 3}), zero, scales(24), numbers(u8_type, {}, {3}),
                             random({24}, -9000, 9000, DataType::i32), {.strides = {2, 2}, .pads = {1, 1, 1, 1}}));
  for (const int64_t stride : {1, 2, 3})
    rows.push_back(qlinear_row("each channel by itself in strides of " + std::to_string(stride), bytes(u8_type, {2, 5, 29, 37}),
                               numbers(u8_type, {}, {128}), bytes(i8, {5, 1, 3, 3}), zero, scales(5), numbers(u8_type, {}, {131}),
                               random({5}, -9000, 9000, DataType::i32), {.strides = {stride, stride}, .pads = {1, 1, 1, 1}, .group = 5}));
  rows.push_back(qlinear_row("each channel twice, five by four, dilated", bytes(i8, {1, 3, 17, 19}), bytes(i8, {}),
                             bytes(i8, {6, 1, 5, 4}), zero, scales(6), bytes(i8, {}), absent(),
                             {.strides = {1, 2}, .dilations = {2, 3}, .pads = {3, 0, 1, 5}, .group = 3}));
  rows.push_back(qlinear_row("each channel by itself, one axis", bytes(u8_type, {1, 4, 41}), bytes(u8_type, {}),
                             bytes(i8, {4, 1, 7}), zero, scales(4), bytes(u8_type, {}), absent(), {.pads = {3, 3}, .group = 4}));
  rows.push_back(qlinear_row("each channel by itself, three axes", bytes(u8_type, {1, 2, 4, 5, 6}), bytes(u8_type, {}),
                             bytes(i8, {2, 1, 2, 3, 2}), zero, scales(2), bytes(u8_type, {}), absent(),
                             {.strides = {2, 1, 1}, .pads = {1, 1, 1, 0, 1, 0}, .group = 2}));
  return rows;
}

const std::vector<Case> integer_cases = integer_rows(), qlinear_cases = qlinear_rows();

}  // namespace

HEED_TEST_OPERATOR("ConvInteger", integer_cases)
HEED_TEST_OPERATOR("QLinearConv", qlinear_cases)

#ifndef HEED_TABLES
TEST_CASE("convolutions of bytes refuse what does not fit") {
  const auto refused = [](const char* op_type, Tensors inputs, std::string_view part) {
    check_refused(op_type, {"", std::move(inputs), {absent()}}, part);
  };
  refused("ConvInteger", {bytes(i8, {1, 3, 5, 5}), bytes(i8, {4, 2, 3, 3})}, "channels of the data and of the weights");
  refused("ConvInteger", {bytes(i8, {1, 3, 5, 5}), bytes(i8, {4, 3, 3, 3}), bytes(i8, {3})}, "input 2");
  refused("ConvInteger", {bytes(i8, {1, 3, 5, 5}), bytes(i8, {4, 3, 3, 3}), absent(), bytes(i8, {3})}, "output channels");
}

TEST_CASE("convolutions of bytes share strided data") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 21]>
    g (uint8[2, 9, 6, 12] x, int8[7, 6, 3, 3] w, int8[8, 3, 1, 1] v, float[1] scale, uint8[1] zero, int8[1] w_zero)
      => (uint8[2, 7, 9, 12] y, int32[2, 8, 12, 6] z) {
      t = Transpose<perm = [0, 2, 1, 3]>(x)
      y = QLinearConv<pads = [1, 1, 1, 1]>(t, scale, zero, w, scale, w_zero, scale, zero)
      a, b, c = Split<axis = 1, num_outputs = 3>(x)
      u = Transpose<perm = [0, 1, 3, 2]>(c)
      z = ConvInteger(u, v, zero)
    })";
  const Tensors inputs{bytes(u8_type, {2, 9, 6, 12}), bytes(i8, {7, 6, 3, 3}),      bytes(i8, {8, 3, 1, 1}),
                       f32({1}, {0.01}),              numbers(u8_type, {1}, {100}), numbers(i8, {1}, {0})};
  check_on_vulkan(text, inputs);
  check_on_vulkan(text, inputs, 0, {{"vulkan.mask", "cpu_threads"}});
  check_on_vulkan(text, inputs, 0, {{"vulkan.mask", "cpu_threads,integer_dot"}});
}

TEST_CASE("convolutions of bytes take strided data and write strided codes") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 21]>
    g (uint8[1, 6, 5, 9] x, int8[4, 3, 1, 1] w, int8[3, 1, 3, 3] v, float[1] scale, uint8[1] zero, int8[1] w_zero) => (uint8[1, 4, 5, 2, 9] y) {
      a, b = Split<axis = 1, num_outputs = 2>(x)
      p = QLinearConv(b, scale, zero, w, scale, w_zero, scale, zero)
      t = Transpose<perm = [0, 1, 3, 2]>(p)
      q = QLinearConv<pads = [1, 1, 1, 1], group = 3>(a, scale, zero, v, scale, w_zero, scale, zero)
      r = QLinearConv(q, scale, zero, w, scale, w_zero, scale, zero)
      axes = Constant<value_ints = [3]>()
      u = Transpose<perm = [0, 1, 3, 2]>(t)
      left = Unsqueeze(u, axes)
      right = Unsqueeze(r, axes)
      y = Concat<axis = 3>(left, right)
    })";
  const Tensors inputs{bytes(u8_type, {1, 6, 5, 9}), bytes(i8, {4, 3, 1, 1}),      bytes(i8, {3, 1, 3, 3}),
                       f32({1}, {0.01}),             numbers(u8_type, {1}, {100}), numbers(i8, {1}, {0})};
  check_on_vulkan(text, inputs);
}
#endif

}  // namespace heed::test
