// Conv over one to three axes, on sizes that each way of computing it takes: tiles over padded pieces or over a matrix
// made of them, single channels, Winograd. windows_test.cpp has the small rows.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// One entry per spatial axis; empty: 1, or 0 for pads. Straight from the definition, any number of axes.
struct Window {
  std::vector<int64_t> strides = {}, dilations = {}, pads = {};  // pads: before and behind, as the attribute's
  int64_t group = 1;
};

Tensors convolve(const Tensors& in, Window window) {
  const auto x = values_of(in[0]), w = values_of(in[1]);
  const auto &xd = in[0].dims, &wd = in[1].dims;
  const size_t axes = xd.size() - 2;
  window.strides.resize(axes, 1);
  window.dilations.resize(axes, 1);
  window.pads.resize(2 * axes, 0);
  std::vector<int64_t> yd{xd[0], wd[0]};
  for (size_t a = 0; a < axes; ++a)
    yd.push_back((xd[2 + a] + window.pads[a] + window.pads[axes + a] - (wd[2 + a] - 1) * window.dilations[a] - 1) /
                     window.strides[a] +
                 1);
  const auto count = [](const std::vector<int64_t>& dims, size_t first) {
    int64_t product = 1;
    for (size_t a = first; a < dims.size(); ++a) product *= dims[a];
    return product;
  };
  const int64_t pixels = count(yd, 2), taps = count(wd, 2), in_pixels = count(xd, 2);
  std::vector<double> bias(static_cast<size_t>(wd[0]));
  if (in.size() > 2) bias = values_of(in[2]);
  std::vector<double> y;
  for (int64_t n = 0; n < xd[0]; ++n)
    for (int64_t m = 0; m < wd[0]; ++m)
      for (int64_t p = 0; p < pixels; ++p) {
        double sum = bias[static_cast<size_t>(m)];
        for (int64_t k = 0; k < taps; ++k) {
          int64_t pixel = p, tap = k, place = 0, step = 1;
          bool inside = true;
          for (size_t a = axes; a-- > 0;) {
            const int64_t at =
                pixel % yd[2 + a] * window.strides[a] + tap % wd[2 + a] * window.dilations[a] - window.pads[a];
            inside = inside && at >= 0 && at < xd[2 + a];
            place += at * step;
            step *= xd[2 + a];
            pixel /= yd[2 + a];
            tap /= wd[2 + a];
          }
          if (!inside) continue;
          const int64_t channel = m / (wd[0] / window.group) * wd[1];
          for (int64_t c = 0; c < wd[1]; ++c)
            sum += w[static_cast<size_t>((m * wd[1] + c) * taps + k)] *
                   x[static_cast<size_t>((n * xd[1] + channel + c) * in_pixels + place)];
        }
        y.push_back(sum);
      }
  return {numbers(in[0].type, yd, y)};
}

std::string list(const std::vector<int64_t>& numbers) {
  std::string text;
  for (const int64_t number : numbers) text += (text.empty() ? "[" : ", ") + std::to_string(number);
  return text + "]";
}
std::string attributes_of(const Window& window) {
  std::string attributes = "group = " + std::to_string(window.group);
  if (!window.strides.empty()) attributes += ", strides = " + list(window.strides);
  if (!window.dilations.empty()) attributes += ", dilations = " + list(window.dilations);
  if (!window.pads.empty()) attributes += ", pads = " + list(window.pads);
  return attributes;
}
// How far two roundings of nearly the same number to a type may lie apart; f32 has its own tolerances.
double rounding_of(DataType type) { return type == DataType::f16 ? 1.5e-3 : type == DataType::bf16 ? 1e-2 : 0; }
Case row(const char* what, Tensors in, Window window = {}, double tolerance = 1e-5) {
  tolerance += rounding_of(in[0].type);
  return by([=](const Tensors& tensors) { return convolve(tensors, window); }, what, std::move(in), tolerance,
            attributes_of(window));
}

// Of Winograd's rows: sums of so many products of numbers up to 1, in the worst of random cases.
constexpr double winograd_tolerance = 3e-5;

std::vector<Case> rows(DataType type) {
  const auto random = [=](std::vector<int64_t> dims) { return test::random(std::move(dims), -1, 1, type); };
  return {
      row("few numbers behind a pixel, rows of many vectors",
          {random({1, 3, 9, 71}), random({13, 3, 5, 5}), random({13})}, {.pads = {2, 2, 2, 2}}),
      row("a row that ends in each part of a vector", {random({1, 2, 3, 34}), random({7, 2, 1, 2})}),
      row("wider than a block", {random({1, 1, 3, 1041}), random({5, 1, 2, 3})}, {.pads = {0, 1, 1, 0}}),
      row("strides of 2, a stem", {random({2, 3, 29, 33}), random({12, 3, 7, 7}), random({12})},
          {.strides = {2, 2}, .pads = {3, 3, 3, 3}}),
      row("strides of 3 and 2, dilations of 2 and 3", {random({1, 5, 23, 31}), random({11, 5, 3, 4})},
          {.strides = {3, 2}, .dilations = {2, 3}, .pads = {1, 4, 3, 2}}),
      row("a stride longer than the window", {random({1, 4, 17, 19}), random({6, 4, 1, 2})}, {.strides = {3, 4}}),
      row("padding wider than the image", {random({1, 2, 2, 3}), random({5, 2, 2, 2})}, {.pads = {5, 7, 4, 6}}),
      row("many numbers behind a pixel, in parts", {random({1, 97, 7, 9}), random({23, 97, 3, 5}), random({23})},
          {.strides = {1, 2}, .pads = {1, 2, 1, 2}}, 3e-5),
      row("a matrix of single pixels", {random({2, 67, 13, 29}), random({37, 67, 1, 1}), random({37})}),
      row("single pixels, in parts", {random({1, 771, 3, 5}), random({19, 771, 1, 1})}, {}, 3e-5),
      row("single pixels in strides", {random({1, 35, 13, 15}), random({17, 35, 1, 1}), random({17})},
          {.strides = {2, 2}}),
      row("single channels of one pixel, long strides into padding", {random({1, 2, 9, 500}), random({2, 1, 1, 1})},
          {.strides = {8, 1}, .pads = {0, 0, 8, 0}, .group = 2}),
      row("single pixels in padding", {random({1, 9, 5, 6}), random({8, 9, 1, 1}), random({8})},
          {.pads = {1, 0, 2, 3}}),
      row("single pixels, a vector of them and a few more",
          {random({1, 40, 7, 7}), random({29, 40, 1, 1}), random({29})}),
      row("half as many, and windows", {random({2, 72, 5, 5}), random({15, 72, 3, 3}), random({15})},
          {.pads = {1, 1, 1, 1}}, winograd_tolerance),
      row("one pixel", {random({3, 130, 1, 1}), random({45, 130, 1, 1}), random({45})}),
      row("groups, in a matrix", {random({2, 24, 9, 7}), random({18, 8, 1, 1}), random({18})}, {.group = 3}),
      row("single channels of one pixel", {random({2, 4, 8}), random({4, 1, 1})}, {.group = 4}),
      row("groups of one output", {random({1, 6, 9, 11}), random({2, 3, 3, 3}), random({2})},
          {.pads = {1, 1, 1, 1}, .group = 2}),
      row("single channels, wide", {random({2, 5, 11, 77}), random({5, 1, 3, 3}), random({5})},
          {.pads = {1, 1, 1, 1}, .group = 5}),
      row("single channels of many rows", {random({1, 2, 301, 25}), random({2, 1, 3, 3})},
          {.pads = {1, 1, 1, 1}, .group = 2}),
      row("single channels in strides", {random({1, 7, 23, 57}), random({7, 1, 5, 5}), random({7})},
          {.strides = {2, 2}, .pads = {2, 2, 2, 2}, .group = 7}),
      row("single channels, dilated, two outputs each", {random({1, 3, 15, 19}), random({6, 1, 3, 3}), random({6})},
          {.dilations = {2, 3}, .pads = {2, 3, 2, 3}, .group = 3}),
      row("single channels, five outputs each", {random({1, 3, 15, 19}), random({15, 1, 3, 3}), random({15})},
          {.group = 3}),
      row("single channels, strips down and across", {random({2, 3, 13, 10}), random({6, 1, 7, 5}), random({6})},
          {.strides = {2, 2}, .pads = {3, 1, 2, 4}, .group = 3}),
      row("single channels, strips across, windows longest there", {random({1, 4, 6, 21}), random({4, 1, 2, 7})},
          {.strides = {1, 2}, .pads = {1, 3, 0, 3}, .group = 4}),
      row("single channels, strips across, dilated down", {random({1, 5, 9, 14}), random({5, 1, 5, 3}), random({5})},
          {.dilations = {2, 1}, .pads = {4, 0, 3, 2}, .group = 5}),
      row("single channels, strips down, strides of 3 across", {random({3, 2, 11, 17}), random({2, 1, 3, 3})},
          {.strides = {1, 3}, .group = 2}),
      row("single channels, windows longer than strips take",
          {random({1, 3, 12, 15}), random({3, 1, 8, 9}), random({3})}, {.pads = {4, 4, 3, 4}, .group = 3}),
      row("single channels, windows over all", {random({2, 6, 7, 7}), random({6, 1, 7, 7}), random({6})}, {.group = 6}),
      row("single channels, padding wider than the image", {random({1, 2, 2, 3}), random({2, 1, 3, 2})},
          {.pads = {5, 7, 4, 6}, .group = 2}),
      row("single channels, one axis in strides", {random({2, 6, 85}), random({6, 1, 7}), random({6})},
          {.strides = {2}, .pads = {3, 2}, .group = 6}),
      row("single channels, three axes in strides and dilations",
          {random({1, 3, 9, 8, 11}), random({6, 1, 2, 3, 2}), random({6})},
          {.strides = {3, 2, 2}, .dilations = {3, 1, 1}, .pads = {0, 1, 2, 1, 0, 1}, .group = 3}),
      row("Winograd: whole tiles", {random({1, 16, 12, 16}), random({16, 16, 3, 3}), random({16})},
          {.pads = {1, 1, 1, 1}}, winograd_tolerance),
      row("Winograd: tiles that are cut, no padding", {random({2, 24, 15, 21}), random({11, 24, 3, 3}), random({11})},
          {}, winograd_tolerance),
      row("Winograd: padding on some sides", {random({1, 17, 18, 13}), random({29, 17, 3, 3})}, {.pads = {0, 2, 3, 1}},
          winograd_tolerance),
      row("Winograd: wider than a block", {random({1, 8, 5, 263}), random({24, 8, 3, 3}), random({24})},
          {.pads = {1, 1, 1, 1}}, winograd_tolerance),
      row("Winograd: channels in parts, outputs in more than one", {random({1, 391, 12, 12}), random({67, 391, 3, 3})},
          {.pads = {1, 1, 1, 1}}, 5 * winograd_tolerance),
      row("Winograd: a vector of tiles and a few more", {random({1, 12, 13, 66}), random({20, 12, 3, 3}), random({20})},
          {.pads = {1, 1, 1, 1}}, winograd_tolerance),
      row("Winograd: groups", {random({2, 32, 14, 14}), random({48, 16, 3, 3}), random({48})},
          {.pads = {1, 1, 1, 1}, .group = 2}, winograd_tolerance),
      row("Winograd's lines: windows of 5, rows of whole lines",
          {random({2, 8, 14, 14}), random({16, 8, 5, 5}), random({16})}, {.pads = {2, 2, 2, 2}}, winograd_tolerance),
      row("Winograd's lines: windows of 5, lines that are cut", {random({1, 11, 9, 15}), random({17, 11, 3, 5})},
          {.pads = {1, 0, 0, 3}}, winograd_tolerance),
      row("Winograd's lines: windows of 3, wider than a block, in groups",
          {random({1, 26, 5, 2071}), random({34, 13, 2, 3}), random({34})}, {.pads = {0, 1, 1, 1}, .group = 2},
          winograd_tolerance),
      row("Winograd's lines: one axis, many channels", {random({2, 391, 203}), random({67, 391, 3}), random({67})},
          {.pads = {1, 1}}, 5 * winograd_tolerance),
      row("Winograd's lines: one axis, windows of 5", {random({1, 24, 155}), random({16, 24, 5})}, {},
          winograd_tolerance),
      row("Winograd's lines: dilated down", {random({1, 9, 17, 23}), random({19, 9, 3, 3}), random({19})},
          {.dilations = {3, 1}, .pads = {3, 1, 3, 1}}, winograd_tolerance),
      row("Winograd's lines: three axes, strides of depths",
          {random({1, 5, 6, 7, 18}), random({18, 5, 3, 2, 3}), random({18})},
          {.strides = {2, 1, 1}, .dilations = {2, 1, 1}, .pads = {1, 0, 1, 2, 1, 1}}, winograd_tolerance),
      row("one axis, long", {random({2, 3, 1501}), random({9, 3, 7}), random({9})}, {.strides = {2}, .pads = {3, 3}}),
      row("one axis, one channel, a long window", {random({1, 1, 700}), random({33, 1, 256})}, {.strides = {64}}, 3e-5),
      row("one axis, dilated single channels", {random({2, 5, 203}), random({5, 1, 3}), random({5})},
          {.dilations = {4}, .pads = {8, 0}, .group = 5}),
      row("three axes", {random({2, 3, 5, 7, 9}), random({8, 3, 3, 3, 3}), random({8})}, {.pads = {1, 1, 1, 1, 1, 1}}),
      row("three axes in strides and dilations", {random({1, 4, 9, 8, 11}), random({6, 2, 2, 3, 2}), random({6})},
          {.strides = {2, 1, 2}, .dilations = {3, 2, 1}, .pads = {0, 1, 2, 1, 0, 1}, .group = 2}),
      row("three axes, single channels", {random({1, 3, 4, 6, 19}), random({3, 1, 3, 3, 3})},
          {.pads = {1, 1, 1, 1, 1, 1}, .group = 3}),
      row("four axes", {random({1, 2, 3, 3, 4, 5}), random({3, 2, 2, 2, 2, 2}), random({3})}),
      row("no images, three axes", {random({0, 3, 4, 4, 4}), random({8, 3, 3, 3, 3}), random({8})}),
      row("no images, Winograd", {random({0, 16, 16, 16}), random({16, 16, 3, 3})}),
  };
}

// heed.FusedConv: what is done with the sums.
struct Finish {
  const char* activation = "none";
  double alpha = 0, beta = 0;
  bool residual_last = false;

  double operator()(double s) const {
    const std::string_view name = activation;
    if (name == "relu") return std::max(s, 0.0);
    if (name == "sigmoid") return 1 / (1 + std::exp(-s));
    if (name == "tanh") return std::tanh(s);
    if (name == "silu") return s / (1 + std::exp(-s));
    if (name == "gelu") return s / 2 * (1 + std::erf(s / std::sqrt(2.0)));
    if (name == "gelu_tanh") return s / 2 * (1 + std::tanh(std::sqrt(2 / M_PI) * (s + 0.044715 * s * s * s)));
    if (name == "clip") return std::min(std::max(s, alpha), beta);
    if (name == "leaky_relu") return s < 0 ? alpha * s : s;
    if (name == "hard_sigmoid") return std::clamp(alpha * s + beta, 0.0, 1.0);
    if (name == "hard_swish") return s * std::clamp(s / 6 + 0.5, 0.0, 1.0);
    return s;
  }
};
const Finish finishes[] = {{"none"},
                           {"relu"},
                           {"relu", 0, 0, true},
                           {"sigmoid"},
                           {"tanh"},
                           {"silu", 0, 0, true},
                           {"gelu"},
                           {"gelu_tanh"},
                           {"clip", -0.5, 1.25},
                           {"leaky_relu", 0.125},
                           {"hard_sigmoid", 0.25, 0.5},
                           {"hard_swish", 0, 0, true}};

// Each finish behind a convolution of each way, with a bias, a residual, and both in turns.
std::vector<Case> finished_rows(DataType type) {
  struct Shape {
    std::vector<int64_t> x, w;
    Window window = {};
  };
  const Shape shapes[] = {{{2, 3, 9, 11}, {7, 3, 3, 3}, {.strides = {2, 2}, .pads = {1, 1, 1, 1}}},
                          {{1, 5, 6, 7}, {9, 5, 1, 1}},
                          {{1, 3, 8, 9}, {3, 1, 3, 3}, {.pads = {1, 1, 1, 1}, .group = 3}},
                          {{1, 16, 11, 13}, {13, 16, 3, 3}, {.pads = {1, 1, 1, 1}}},
                          {{2, 3, 41}, {8, 3, 5}, {.pads = {2, 2}}},
                          {{1, 8, 5, 263}, {24, 8, 3, 3}}};
  std::vector<Case> cases;
  for (const Shape& shape : shapes)
    for (const Finish& finish : finishes) {
      const bool has_bias = cases.size() % 3 != 1, has_residual = cases.size() % 3 != 0;
      const auto uniform = [&](std::vector<int64_t> dims) { return random(std::move(dims), -0.5, 0.5, type); };
      const Tensor x = uniform(shape.x), w = uniform(shape.w);
      const Tensor bias = has_bias ? uniform({shape.w[0]}) : absent();
      Tensors inputs{x, w};
      if (has_bias || has_residual) inputs.push_back(bias);
      if (has_residual) inputs.push_back(uniform(convolve({x, w}, shape.window)[0].dims));
      const auto reference = [=](const Tensors& in) {
        // Rounded once: sums of narrow types are those of f64.
        const auto wide = [](const Tensor& tensor) { return numbers(DataType::f64, tensor.dims, values_of(tensor)); };
        Tensors plain{wide(in[0]), wide(in[1])};
        if (has_bias) plain.push_back(wide(in[2]));
        const Tensor c = convolve(plain, shape.window)[0];
        auto y = values_of(c);
        const auto residual = has_residual ? values_of(in[3]) : std::vector<double>(y.size());
        for (size_t i = 0; i < y.size(); ++i)
          y[i] = finish.residual_last ? finish(y[i]) + residual[i] : finish(y[i] + residual[i]);
        return Tensors{numbers(type, c.dims, y)};
      };
      std::string attributes = attributes_of(shape.window) + ", activation = \"" + finish.activation +
                               "\", alpha = " + std::to_string(finish.alpha) +
                               ", beta = " + std::to_string(finish.beta);
      if (finish.residual_last) attributes += ", residual_last = 1";
      cases.push_back(by(reference, finish.activation + std::string(" behind weights ") + list(shape.w), inputs,
                         winograd_tolerance + 2 * rounding_of(type), attributes));
    }
  return cases;
}

}  // namespace

TEST_CASE("heed.FusedConv finishes f32 sums") { run_cases("heed.FusedConv", finished_rows(DataType::f32)); }
TEST_CASE("heed.FusedConv finishes f16 sums") { run_cases("heed.FusedConv", finished_rows(DataType::f16)); }
TEST_CASE("heed.FusedConv finishes bf16 sums") { run_cases("heed.FusedConv", finished_rows(DataType::bf16)); }
TEST_CASE("heed.FusedConv says what does not fit") {
  const Tensors plain{random({1, 1, 3, 3}), random({1, 1, 2, 2})};
  check_refused("heed.FusedConv", {"another activation", plain, {random({1, 1, 2, 2})}, 0, "activation = \"step\""},
                "attribute 'activation' is 'step', which is none");
  check_refused("heed.FusedConv",
                {"another residual", {plain[0], plain[1], absent(), random({1, 1, 2, 3})}, {random({1, 1, 2, 2})}},
                "axis 3 of the residual and the output");
}
TEST_CASE("Conv of single channels takes strided data") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 21]>
    g (float[2, 9, 5, 11] x, float[5, 1, 3, 3] w, float[4, 1, 3, 3] v) => (float[2, 5, 9, 11] y, float[2, 4, 11, 5] z) {
      t = Transpose<perm = [0, 2, 1, 3]>(x)
      y = Conv<pads = [1, 1, 1, 1], group = 5>(t, w)
      a, b = Split<axis = 1, num_outputs = 2>(x)
      u = Transpose<perm = [0, 1, 3, 2]>(b)
      z = Conv<pads = [1, 1, 1, 1], group = 4>(u, v)
    })";
  check_on_vulkan(text, {random({2, 9, 5, 11}), random({5, 1, 3, 3}), random({4, 1, 3, 3})}, 1e-5);
}
TEST_CASE("Conv of f32 in each of its ways") { run_cases("Conv", rows(DataType::f32)); }
TEST_CASE("Conv of f16 in each of its ways") { run_cases("Conv", rows(DataType::f16)); }
TEST_CASE("Conv of bf16 in each of its ways") { run_cases("Conv", rows(DataType::bf16)); }

}  // namespace heed::test
