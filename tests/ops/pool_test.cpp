// MaxPool and AveragePool over one to three axes, on sizes that vectors and their ends, blocks and padding take.
// windows_test.cpp has the small rows.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Window {
  std::vector<int64_t> kernel, strides = {}, dilations = {}, pads = {};  // pads: before and behind
  bool ceil_mode = false, counts_padding = false;
};

// What becomes of the elements of a window that stand in the data, and of how many do, or do in the padding too.
struct Pool {
  double first;
  double (*add)(double sum, double x);
  double (*last)(double sum, double inside, double padded);
};
const Pool greatest{-infinity, [](double sum, double x) { return std::max(sum, x); },
                    [](double sum, double, double) { return sum; }};
const Pool mean{0, [](double sum, double x) { return sum + x; },
                [](double sum, double inside, double) { return sum / inside; }};
const Pool padded_mean{0, [](double sum, double x) { return sum + x; },
                       [](double sum, double, double padded) { return sum / padded; }};

Tensors pool(const Tensor& in, Window window, const Pool& pool) {
  const auto x = values_of(in);
  const size_t axes = window.kernel.size();
  window.strides.resize(axes, 1);
  window.dilations.resize(axes, 1);
  window.pads.resize(2 * axes, 0);
  std::vector<int64_t> dims{in.dims[0], in.dims[1]};
  int64_t pixels = 1, taps = 1, in_pixels = 1;
  for (size_t a = 0; a < axes; ++a) {
    const int64_t reach = (window.kernel[a] - 1) * window.dilations[a] + 1, size = in.dims[2 + a];
    const int64_t room = size + window.pads[a] + window.pads[axes + a] - reach;
    int64_t out = room / window.strides[a] + 1;
    if (window.ceil_mode && room % window.strides[a] != 0 && out * window.strides[a] < size + window.pads[a]) ++out;
    dims.push_back(out);
    pixels *= dims.back();
    taps *= window.kernel[a];
    in_pixels *= size;
  }
  std::vector<double> y;
  for (int64_t image = 0; image < dims[0] * dims[1]; ++image)
    for (int64_t p = 0; p < pixels; ++p) {
      double sum = pool.first, inside_count = 0, padded_count = 0;
      for (int64_t k = 0; k < taps; ++k) {
        int64_t pixel = p, tap = k, place = 0, step = 1;
        bool inside = true, padded = true;
        for (size_t a = axes; a-- > 0;) {
          const int64_t at =
              pixel % dims[2 + a] * window.strides[a] + tap % window.kernel[a] * window.dilations[a] - window.pads[a];
          inside = inside && at >= 0 && at < in.dims[2 + a];
          padded = padded && at < in.dims[2 + a] + window.pads[axes + a];
          place += at * step;
          step *= in.dims[2 + a];
          pixel /= dims[2 + a];
          tap /= window.kernel[a];
        }
        if (inside) sum = pool.add(sum, x[static_cast<size_t>(image * in_pixels + place)]);
        inside_count += inside;
        padded_count += padded;
      }
      y.push_back(pool.last(sum, inside_count, padded_count));
    }
  return {numbers(in.type, dims, y)};
}

Case row(const char* what, Tensor x, Window window, const Pool& with, double tolerance) {
  const auto list = [](const std::vector<int64_t>& numbers) {
    std::string text;
    for (const int64_t number : numbers) text += (text.empty() ? "[" : ", ") + std::to_string(number);
    return text + "]";
  };
  std::string attributes = "kernel_shape = " + list(window.kernel);
  if (!window.strides.empty()) attributes += ", strides = " + list(window.strides);
  if (!window.dilations.empty()) attributes += ", dilations = " + list(window.dilations);
  if (!window.pads.empty()) attributes += ", pads = " + list(window.pads);
  if (window.ceil_mode) attributes += ", ceil_mode = 1";
  if (window.counts_padding) attributes += ", count_include_pad = 1";
  return by([=](const Tensors& in) { return pool(in[0], window, with); }, what, {std::move(x)}, tolerance,
            std::move(attributes));
}

struct Windowed {
  const char* what;
  Tensor x;
  Window window;
};

std::vector<Windowed> shapes() {
  return {
      {"2 by 2, an odd size", random({2, 3, 29, 43}), {{2, 2}, {2, 2}}},
      {"3 by 3, overlapping, padded", random({1, 5, 19, 67}, -3, -1), {{3, 3}, {2, 2}, {}, {1, 1, 1, 1}}},
      {"3 by 3, side by side", random({2, 3, 31, 100}), {{3, 3}, {3, 3}}},
      {"many small images, side by side", random({3, 37, 14, 14}), {{3, 3}, {3, 3}}},
      {"small images, side by side, padded and cut", random({2, 9, 10, 11}), {{2, 3}, {2, 3}, {}, {1, 2, 1, 1}, true}},
      {"small images, windows apart", random({1, 7, 9, 13}), {{2, 2}, {3, 4}}},
      {"strides of 3, padded on some sides", random({1, 2, 23, 59}), {{4, 5}, {3, 3}, {}, {0, 4, 3, 1}}},
      {"strides of 4", random({1, 3, 17, 149}), {{2, 3}, {4, 4}, {}, {1, 2, 0, 1}}},
      {"strides of 5 and 7", random({1, 2, 37, 83}), {{6, 9}, {5, 7}, {}, {2, 8, 3, 0}}},
      {"strides of 3, dilated", random({1, 2, 19, 71}), {{2, 3}, {3, 3}, {2, 2}, {1, 3, 2, 4}}},
      {"images smaller than a vector", random({3, 7, 7, 7}), {{3, 3}, {1, 1}, {}, {1, 1, 1, 1}}},
      {"a row that ends in each part of a vector", random({1, 2, 5, 30}), {{1, 3}}},
      {"many rows", random({1, 1, 611, 21}), {{3, 2}, {1, 1}, {}, {1, 0, 1, 1}}},
      {"wider than a block", random({1, 1, 4, 1103}), {{2, 3}, {1, 2}}},
      {"wider than a block, strides of 3", random({1, 1, 4, 3203}), {{2, 3}, {1, 3}, {}, {1, 2, 1, 2}}},
      {"strides longer than the window", random({1, 2, 17, 23}), {{1, 2}, {3, 4}}},
      {"one element of several", random({1, 2, 17, 23}), {{1, 1}, {2, 3}}},
      {"dilations", random({1, 2, 17, 23}), {{3, 2}, {1, 2}, {2, 5}, {2, 3, 1, 0}}},
      {"a window as large as the image", random({2, 3, 7, 19}), {{7, 19}}},
      {"a window larger than the image", random({2, 3, 4, 5}), {{9, 13}, {1, 1}, {}, {4, 6, 4, 6}}},
      {"a last window that reaches behind the data", random({1, 3, 14, 37}), {{3, 3}, {2, 2}, {}, {0, 1, 1, 0}, true}},
      {"a last window that reaches far behind the data",
       random({1, 3, 13, 30}),
       {{4, 4}, {4, 4}, {}, {1, 1, 0, 0}, true}},
      {"one axis", random({2, 3, 157}), {{5}, {2}, {}, {2, 2}}},
      {"one axis, strides of 3, a last window behind", random({2, 5, 101}), {{4}, {3}, {}, {1, 0}, true}},
      {"three axes", random({1, 2, 5, 6, 19}), {{2, 3, 3}, {1, 2, 1}, {}, {1, 1, 1, 0, 1, 1}}},
      {"three axes in strides and dilations",
       random({2, 2, 7, 9, 25}),
       {{2, 2, 3}, {3, 1, 2}, {2, 3, 1}, {0, 1, 2, 1, 2, 0}, true}},
      {"four axes", random({1, 2, 3, 3, 4, 5}), {{2, 2, 2, 2}}},
      {"no images", random({0, 3, 9, 9}), {{2, 2}}},
      {"f16", random({2, 3, 19, 37}, -3, 3, DataType::f16), {{3, 3}, {2, 2}, {}, {1, 1, 1, 1}}},
      {"f16, strides of 3", random({1, 3, 19, 61}, -3, 3, DataType::f16), {{2, 3}, {3, 3}, {}, {1, 1, 1, 1}}},
      {"f16, one axis", random({3, 5, 67}, -3, 3, DataType::f16), {{3}, {2}, {}, {1, 0}}},
      {"bf16", random({2, 3, 19, 37}, -3, 3, DataType::bf16), {{5, 2}, {1, 2}, {}, {2, 1, 2, 0}}},
      {"bf16, three axes",
       random({1, 2, 5, 6, 19}, -3, 3, DataType::bf16),
       {{2, 3, 3}, {1, 2, 1}, {}, {1, 1, 1, 0, 1, 1}}},
  };
}

std::vector<Case> greatest_rows() {
  std::vector<Case> rows;
  for (const auto& [what, x, window] : shapes()) rows.push_back(row(what, x, window, greatest, 0));
  rows.push_back(
      row("images without pixels, padded", f32({1, 2, 3, 0}, {}), {{2, 2}, {}, {}, {0, 1, 0, 1}}, greatest, 0));
  rows.push_back(row("infinities", f32({1, 1, 1, 4}, {-infinity, -infinity, infinity, 0}), {{1, 2}}, greatest, 0));
  return rows;
}

std::vector<Case> mean_rows() {
  std::vector<Case> rows;
  for (auto& [what, x, window] : shapes()) {
    const double tolerance = x.type == DataType::f16 ? 2e-3 : x.type == DataType::bf16 ? 1e-2 : 1e-5;
    rows.push_back(row(what, x, window, mean, tolerance));
    window.counts_padding = true;
    rows.push_back(row(what, x, window, padded_mean, tolerance));
  }
  rows.push_back(row("windows without elements", random({1, 1, 3, 20}), {{2, 2}, {}, {}, {2, 3, 0, 3}}, mean, 1e-5));
  rows.push_back(
      row("blocks without elements", random({1, 1, 2, 3}), {{1, 2}, {}, {}, {0, 1200, 1, 1200}}, mean, 1e-5));
  return rows;
}

}  // namespace

TEST_CASE("MaxPool on sizes of each kind") { run_cases("MaxPool", greatest_rows()); }
TEST_CASE("AveragePool on sizes of each kind") { run_cases("AveragePool", mean_rows()); }

}  // namespace heed::test
