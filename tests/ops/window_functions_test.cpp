// HannWindow, HammingWindow, BlackmanWindow and MelWeightMatrix.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// a - b cos(2 pi i / n) + c cos(4 pi i / n)
Case window(std::string what, int64_t size, int64_t n, double a, double b, double c, std::string attributes = "",
            DataType type = DataType::f32, double tolerance = 1e-6) {
  std::vector<double> y;
  for (int64_t i = 0; i < size; ++i) {
    const double turn = 2 * std::acos(-1.0) * static_cast<double>(i) / static_cast<double>(n);
    y.push_back(a - b * std::cos(turn) + c * std::cos(2 * turn));
  }
  return {std::move(what),
          {i64({}, {static_cast<double>(size)})},
          {numbers(type, {size}, y)},
          tolerance,
          std::move(attributes)};
}
const std::vector<Case> hann_cases = {
    window("of a periodic signal", 11, 11, 0.5, 0.5, 0),
    window("symmetric", 11, 10, 0.5, 0.5, 0, "periodic = 0"),
    window("one", 1, 1, 0.5, 0.5, 0),
    window("none", 0, 1, 0.5, 0.5, 0),
    window("f64", 7, 7, 0.5, 0.5, 0, "output_datatype = 11", DataType::f64),
    window("f16", 7, 7, 0.5, 0.5, 0, "output_datatype = 10", DataType::f16, 1e-3),
    {"an i32 size", {i32({}, {2})}, {f32({2}, {0, 1})}, 1e-6},
};
const std::vector<Case> hamming_cases = {
    window("of a periodic signal", 10, 10, 25.0 / 46, 21.0 / 46, 0),
    window("symmetric", 10, 9, 25.0 / 46, 21.0 / 46, 0, "periodic = 0"),
};
const std::vector<Case> blackman_cases = {
    window("of a periodic signal", 13, 13, 0.42, 0.5, 0.08),
    window("symmetric", 13, 12, 0.42, 0.5, 0.08, "periodic = 0"),
};

Tensors mel(double bins, double length, double rate, double low, double high) {
  return {i64({}, {bins}), i64({}, {length}), i64({}, {rate}), f32({}, {low}), f32({}, {high})};
}
// 700 (10^(m / 2595) - 1) at m = 0, 1/3 and 2/3 of what 4000 Hz is, 2146: 0, 621 and 1794 Hz, of 16 bins of 500 Hz.
const std::vector<Case> mel_cases = {
    {"one triangle", mel(1, 16, 8000, 0, 4000), {f32({9, 1}, {0, 1, 0.5, 0, 0, 0, 0, 0, 0})}, 1e-6},
    {"no bins", mel(0, 4, 8000, 0, 4000), {f32({3, 0}, {})}},
    {"f64", mel(1, 16, 8000, 0, 4000), {f64({9, 1}, {0, 1, 0.5, 0, 0, 0, 0, 0, 0})}, 1e-12, "output_datatype = 11"},
};

}  // namespace

HEED_TEST_OPERATOR("HannWindow", hann_cases)
HEED_TEST_OPERATOR("HammingWindow", hamming_cases)
HEED_TEST_OPERATOR("BlackmanWindow", blackman_cases)
HEED_TEST_OPERATOR("MelWeightMatrix", mel_cases)

TEST_CASE("mel weights refuse edges in the wrong order") {
  check_refused("MelWeightMatrix", {"", mel(1, 4, 8000, 4000, 100), {f32({3, 1}, {0, 0, 0})}}, "hertz");
}

}  // namespace heed::test
