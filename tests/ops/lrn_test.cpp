// LRN.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

struct Way {
  int64_t size;
  double alpha = 0.0001f, beta = 0.75, bias = 1;
};

Case lrn(const char* what, const Way& way, const Tensor& input, double tolerance) {
  const auto x = values_of(input);
  const int64_t channel_count = input.dims[1], inner = row_major(input.dims)[1];
  std::vector<double> y;
  for (size_t i = 0; i < x.size(); ++i) {
    const int64_t channel = static_cast<int64_t>(i) / inner % channel_count;
    double sum = 0;
    for (int64_t around = channel - (way.size - 1) / 2; around <= channel + way.size / 2; ++around) {
      if (around < 0 || around >= channel_count) continue;
      const double value = x[i + static_cast<size_t>((around - channel) * inner)];
      sum += value * value;
    }
    y.push_back(x[i] / std::pow(way.bias + way.alpha / static_cast<double>(way.size) * sum, way.beta));
  }
  return {what,
          {input},
          {numbers(input.type, input.dims, y)},
          tolerance,
          "size = " + std::to_string(way.size) + ", alpha = " + std::to_string(way.alpha) +
              ", beta = " + std::to_string(way.beta) + ", bias = " + std::to_string(way.bias)};
}

const std::vector<Case> cases = {
    lrn("an odd window", {3, 2, 0.5, 1}, random({2, 5, 3, 7}, -3, 3), 1e-5),
    lrn("an even window", {4, 2, 0.75, 2}, random({2, 7, 11}, -3, 3), 1e-5),
    lrn("a window of one channel", {1, 1, 1, 0.5}, random({3, 5}, -3, 3), 1e-5),
    lrn("a window wider than all channels", {37, 0.5, 0.75, 1}, random({1, 5, 131}, -3, 3), 1e-5),
    lrn("f16", {3, 2, 0.5, 1}, random({2, 5, 3}, -3, 3, DataType::f16), 2e-3),
    lrn("bf16", {3, 2, 0.5, 1}, random({2, 5, 3}, -3, 3, DataType::bf16), 1e-2),
    lrn("f64", {3, 2, 0.5, 1}, random({2, 5, 3}, -3, 3, DataType::f64), 1e-12),
    {"empty", {f32({0, 3, 2}, {})}, {f32({0, 3, 2}, {})}, 0, "size = 3"},
};

}  // namespace

HEED_TEST_OPERATOR("LRN", cases)

TEST_CASE("LRN takes channels, and a window of some") {
  check_refused("LRN", {"", {f32({2}, {1, 2})}, {f32({2}, {1, 2})}, 0, "size = 3"}, "has no channels");
  check_refused("LRN", {"", {f32({1, 2}, {1, 2})}, {f32({1, 2}, {1, 2})}, 0, "size = 0"}, "attribute 'size' is 0");
}

}  // namespace heed::test
