// MaxPool over one to three axes, on sizes that vectors and their ends, blocks and padding take.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Window {
  std::vector<int64_t> kernel, strides = {}, dilations = {}, pads = {};  // pads: before and behind
};

Tensors pool(const Tensor& in, Window window) {
  const auto x = values_of(in);
  const size_t axes = window.kernel.size();
  window.strides.resize(axes, 1);
  window.dilations.resize(axes, 1);
  window.pads.resize(2 * axes, 0);
  std::vector<int64_t> dims{in.dims[0], in.dims[1]};
  int64_t pixels = 1, taps = 1, in_pixels = 1;
  for (size_t a = 0; a < axes; ++a) {
    const int64_t reach = (window.kernel[a] - 1) * window.dilations[a] + 1;
    dims.push_back((in.dims[2 + a] + window.pads[a] + window.pads[axes + a] - reach) / window.strides[a] + 1);
    pixels *= dims.back();
    taps *= window.kernel[a];
    in_pixels *= in.dims[2 + a];
  }
  std::vector<double> y;
  for (int64_t image = 0; image < dims[0] * dims[1]; ++image)
    for (int64_t p = 0; p < pixels; ++p) {
      double greatest = -infinity;
      for (int64_t k = 0; k < taps; ++k) {
        int64_t pixel = p, tap = k, place = 0, step = 1;
        bool inside = true;
        for (size_t a = axes; a-- > 0;) {
          const int64_t at =
              pixel % dims[2 + a] * window.strides[a] + tap % window.kernel[a] * window.dilations[a] - window.pads[a];
          inside = inside && at >= 0 && at < in.dims[2 + a];
          place += at * step;
          step *= in.dims[2 + a];
          pixel /= dims[2 + a];
          tap /= window.kernel[a];
        }
        if (inside) greatest = std::max(greatest, x[static_cast<size_t>(image * in_pixels + place)]);
      }
      y.push_back(greatest);
    }
  return {numbers(in.type, dims, y)};
}

Case row(const char* what, Tensor x, Window window) {
  const auto list = [](const std::vector<int64_t>& numbers) {
    std::string text;
    for (const int64_t number : numbers) text += (text.empty() ? "[" : ", ") + std::to_string(number);
    return text + "]";
  };
  std::string attributes = "kernel_shape = " + list(window.kernel);
  if (!window.strides.empty()) attributes += ", strides = " + list(window.strides);
  if (!window.dilations.empty()) attributes += ", dilations = " + list(window.dilations);
  if (!window.pads.empty()) attributes += ", pads = " + list(window.pads);
  return by([=](const Tensors& in) { return pool(in[0], window); }, what, {std::move(x)}, 0, std::move(attributes));
}

std::vector<Case> rows() {
  return {
      row("2 by 2, an odd size", random({2, 3, 29, 43}), {{2, 2}, {2, 2}}),
      row("3 by 3, overlapping, padded", random({1, 5, 19, 67}, -3, -1), {{3, 3}, {2, 2}, {}, {1, 1, 1, 1}}),
      row("images without pixels, padded", f32({1, 2, 3, 0}, {}), {{2, 2}, {}, {}, {0, 1, 0, 1}}),
      row("a row that ends in each part of a vector", random({1, 2, 5, 30}), {{1, 3}}),
      row("many rows", random({1, 1, 611, 21}), {{3, 2}, {1, 1}, {}, {1, 0, 1, 1}}),
      row("wider than a block", random({1, 1, 4, 1103}), {{2, 3}, {1, 2}}),
      row("strides longer than the window", random({1, 2, 17, 23}), {{1, 2}, {3, 4}}),
      row("dilations", random({1, 2, 17, 23}), {{3, 2}, {1, 2}, {2, 5}, {2, 3, 1, 0}}),
      row("one axis", random({2, 3, 157}), {{5}, {2}, {}, {2, 2}}),
      row("three axes", random({1, 2, 5, 6, 19}), {{2, 3, 3}, {1, 2, 1}, {}, {1, 1, 1, 0, 1, 1}}),
      row("four axes", random({1, 2, 3, 3, 4, 5}), {{2, 2, 2, 2}}),
      row("infinities", f32({1, 1, 1, 4}, {-infinity, -infinity, infinity, 0}), {{1, 2}}),
  };
}

}  // namespace

TEST_CASE("MaxPool on sizes of each kind") { run_cases("MaxPool", rows()); }

}  // namespace heed::test
