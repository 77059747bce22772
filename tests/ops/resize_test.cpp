// Resize and Upsample: numbers from ONNX's specification and by a reference that follows it for one element at a time.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// Where the element i of an axis comes from.
using Source = std::function<double(double i, double in, double out, double scale)>;
double half_pixel(double i, double, double, double scale) { return (i + 0.5) / scale - 0.5; }
double asymmetric(double i, double, double, double scale) { return i / scale; }
double align_corners(double i, double in, double out, double) { return out == 1 ? 0 : i * (in - 1) / (out - 1); }

double linear(double distance) { return std::max(0.0, 1 - std::abs(distance)); }
double cubic(double distance) {
  const double x = std::abs(distance), a = -0.75;
  if (x <= 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

// Sums over all elements around, those beyond the ends being the ends.
Tensors interpolate(const Tensors& in, const std::vector<double>& scales, const Source& source,
                    double (*kernel)(double)) {
  std::vector<double> x = values_of(in[0]);
  std::vector<int64_t> dims = in[0].dims;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const int64_t size = dims[axis], out = static_cast<int64_t>(std::floor(scales[axis] * static_cast<double>(size)));
    int64_t outer = 1, inner = 1;
    for (size_t i = 0; i < axis; ++i) outer *= dims[i];
    for (size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
    std::vector<double> y(static_cast<size_t>(outer * out * inner));
    for (int64_t o = 0; o < outer; ++o)
      for (int64_t i = 0; i < out; ++i) {
        const double at = source(static_cast<double>(i), static_cast<double>(size),
                                 scales[axis] * static_cast<double>(size), scales[axis]);
        for (int64_t k = static_cast<int64_t>(std::floor(at)) - 3; k <= static_cast<int64_t>(std::floor(at)) + 3; ++k)
          for (int64_t j = 0; j < inner; ++j)
            y[static_cast<size_t>((o * out + i) * inner + j)] +=
                kernel(static_cast<double>(k) - at) *
                x[static_cast<size_t>((o * size + std::clamp<int64_t>(k, 0, size - 1)) * inner + j)];
      }
    x = std::move(y);
    dims[axis] = out;
  }
  return {numbers(in[0].type, dims, x)};
}
Case row(std::string what, Tensor x, std::vector<double> scales, Source source, double (*kernel)(double),
         std::string attributes, double tolerance = 1e-5) {
  const auto count = static_cast<int64_t>(scales.size());
  return by([=](const Tensors& in) { return interpolate(in, scales, source, kernel); }, std::move(what),
            {std::move(x), absent(), f32({count}, scales)}, tolerance, std::move(attributes));
}

const std::vector<Case> resize_cases = {
    {"version 10, nearest, shrunk", {f32({1, 4}, {1, 2, 3, 4}), f32({2}, {1, 0.5})}, {f32({1, 2}, {1, 3})}, 0, "", 10},
    {"version 10, linear", {f32({1, 2}, {1, 3}), f32({2}, {1, 2})}, {f32({1, 4}, {1, 2, 3, 3})}, 0, "mode = \"linear\"", 10},
    row("linear, larger", random({2, 3, 5, 7}), {1, 1, 1.5, 2}, half_pixel, linear, "mode = \"linear\""),
    row("linear, smaller", random({1, 2, 7, 11}), {1, 1, 0.6, 0.5}, half_pixel, linear, "mode = \"linear\""),
    row("linear, from the corners", random({1, 2, 3, 5}), {1, 1, 2, 3}, align_corners, linear,
        "mode = \"linear\", coordinate_transformation_mode = \"align_corners\""),
    row("linear, three axes", random({1, 2, 3, 2, 3}), {1, 1, 2, 1.5, 2}, half_pixel, linear, "mode = \"linear\""),
    row("linear, the first axis too", random({3, 2}), {2, 2}, asymmetric, linear,
        "mode = \"linear\", coordinate_transformation_mode = \"asymmetric\""),
    row("cubic, larger", random({1, 2, 5, 4}), {1, 1, 1.7, 2.5}, half_pixel, cubic, "mode = \"cubic\""),
    row("cubic, smaller", random({1, 1, 9, 13}), {1, 1, 0.7, 0.4}, half_pixel, cubic, "mode = \"cubic\""),
    row("f16", random({1, 2, 3, 4}, -1, 1, DataType::f16), {1, 1, 2, 2}, half_pixel, linear, "mode = \"linear\"", 2e-3),
    row("u8 is rounded", numbers(DataType::u8, {1, 1, 1, 3}, {0, 100, 255}), {1, 1, 1, 2}, half_pixel, linear,
        "mode = \"linear\"", 0.5),
    {"what a cubic kernel overshoots stays within u8",
     {u8({1, 1, 4}, {0, 0, 255, 255}), absent(), f32({3}, {1, 1, 2})},
     {u8({1, 1, 8}, {0, 0, 0, 58, 197, 255, 255, 255})},
     0,
     "mode = \"cubic\""},
    {"and within i8",
     {numbers(DataType::i8, {1, 1, 4}, {-128, -128, 127, 127}), absent(), f32({3}, {1, 1, 2})},
     {numbers(DataType::i8, {1, 1, 8}, {-128, -128, -128, -70, 69, 127, 127, 127})},
     0,
     "mode = \"cubic\""},
    {"i64, beyond what f32 tells apart",
     {i64({2}, {1 << 30, (1 << 30) + 4}), absent(), f32({1}, {2})},
     {i64({4}, {1 << 30, (1 << 30) + 1, (1 << 30) + 3, (1 << 30) + 4})},
     0,
     "mode = \"linear\""},
    {"a scale that f32 rounds down: 10 * 0.7 is 7",
     {f32({10}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), absent(), f32({1}, {0.7})},
     {f32({7}, {0, 2, 3, 4, 6, 7, 9})}},
    {"and one that it rounds up: 3 / 0.6 is 5",
     {f32({10}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}), absent(), f32({1}, {0.6})},
     {f32({6}, {0, 1, 3, 5, 6, 8})},
     0,
     "nearest_mode = \"floor\", coordinate_transformation_mode = \"asymmetric\""},
    {"nearest, larger",
     {f32({1, 1, 2, 2}, {1, 2, 3, 4}), absent(), f32({4}, {1, 1, 2, 3})},
     {f32({1, 1, 4, 6}, {1, 1, 1, 2, 2, 2, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4, 3, 3, 3, 4, 4, 4})}},
    {"nearest by sizes, of i64",
     {i64({1, 1, 4}, {1, 2, 3, 4}), absent(), absent(), i64({3}, {1, 1, 2})},
     {i64({1, 1, 2}, {1, 3})}},
    {"nearest, each way of rounding: floor",
     {f32({4}, {1, 2, 3, 4}), absent(), absent(), i64({1}, {6})},
     {f32({6}, {1, 1, 2, 2, 3, 4})},
     0,
     "nearest_mode = \"floor\", coordinate_transformation_mode = \"half_pixel\""},
    {"axes in another order",
     {f32({2, 1}, {1, 2}), absent(), f32({2}, {2, 1})},
     {f32({2, 2}, {1, 1, 2, 2})},
     0,
     "axes = [1, 0]"},
    {"proportions are kept within",
     {f32({1, 1, 2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}), absent(), absent(), i64({2}, {3, 2})},
     {f32({1, 1, 1, 2}, {1, 3})},
     0,
     "axes = [2, 3], keep_aspect_ratio_policy = \"not_larger\""},
    {"a region, and what is outside of it",
     {f32({1, 1, 1, 3}, {1, 2, 3}), f32({2}, {0.5, 1.5}), absent(), i64({1}, {3})},
     {f32({1, 1, 1, 3}, {2, 3, 9})},
     0,
     "axes = [3], mode = \"linear\", coordinate_transformation_mode = \"tf_crop_and_resize\", extrapolation_value = "
     "9.0"},
    {"smaller without aliases",
     {f32({1, 1, 1, 4}, {0, 4, 8, 12}), absent(), f32({4}, {1, 1, 1, 0.5})},
     {f32({1, 1, 1, 2}, {2.5, 9.5})},
     1e-5,
     "mode = \"linear\", antialias = 1"},
    {"nothing", {f32({0, 1, 2}, {}), absent(), f32({3}, {1, 1, 2})}, {f32({0, 1, 4}, {})}},
};

const std::vector<Case> upsample_cases = {
    {"version 1, scales of images",
     {f32({1, 1, 1, 2}, {1, 3})},
     {f32({1, 1, 2, 4}, {1, 1, 3, 3, 1, 1, 3, 3})},
     0,
     "height_scale = 2.0, width_scale = 2.0",
     1},
    {"version 1, bilinear",
     {f32({1, 1, 1, 2}, {1, 3})},
     {f32({1, 1, 1, 4}, {1, 2, 3, 3})},
     0,
     "height_scale = 1.0, width_scale = 2.0, mode = \"bilinear\"",
     6},
    {"version 9",
     {f32({1, 1, 2, 2}, {1, 2, 3, 4}), f32({4}, {1, 1, 1, 2})},
     {f32({1, 1, 2, 4}, {1, 1, 2, 2, 3, 3, 4, 4})},
     0,
     "",
     9},
    {"version 7, linear",
     {f32({1, 1, 2}, {1, 3})},
     {f32({1, 1, 4}, {1, 2, 3, 3})},
     0,
     "mode = \"linear\", scales = [1.0, 1.0, 2.0]",
     7},
};

}  // namespace

HEED_TEST_OPERATOR("Resize", resize_cases)
HEED_TEST_OPERATOR("Upsample", upsample_cases)

TEST_CASE("Resize refuses what does not fit") {
  check_refused(
      "Resize",
      {"a mode", {f32({2}, {1, 2}), absent(), f32({1}, {2})}, {f32({4}, {1, 1, 2, 2})}, 0, "mode = \"sharp\""},
      "sharp");
  check_refused(
      "Resize",
      {"too many scales", {f32({2}, {1, 2}), absent(), absent(), i64({2}, {2, 2})}, {f32({4}, {1, 1, 2, 2})}, 0},
      "axes");
  check_refused(
      "Resize",
      {"no antialias", {f32({2}, {1, 2}), absent(), f32({1}, {2})}, {f32({4}, {1, 1, 2, 2})}, 0, "antialias = 1"},
      "antialias");
}

}  // namespace heed::test
