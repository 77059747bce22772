// DFT and STFT.
#include <catch2/catch.hpp>
#include <cmath>
#include <numbers>

#include "lowered.hpp"

namespace heed::test {
namespace {

struct Way {
  int64_t length = 0;  // 0: that of the axis
  bool inverse = false, onesided = false;
};

// Straight from the definition; x is [outer.., signal, inner.., parts].
Tensor transform(const Tensor& input, int64_t axis, Way way) {
  const auto x = values_of(input);
  const auto rank = static_cast<int64_t>(input.dims.size());
  const int64_t parts = input.dims.back(), given = input.dims[static_cast<size_t>(axis)];
  const bool mirrored = way.inverse && way.onesided;
  const int64_t length = way.length > 0 ? way.length : mirrored ? 2 * (given - 1) : given;
  std::vector<int64_t> dims = input.dims;
  const int64_t kept = dims[static_cast<size_t>(axis)] = way.onesided && !way.inverse ? length / 2 + 1 : length;
  dims.back() = mirrored ? 1 : 2;
  int64_t outer = 1, inner = 1;
  for (int64_t k = 0; k < axis; ++k) outer *= input.dims[static_cast<size_t>(k)];
  for (int64_t k = axis + 1; k + 1 < rank; ++k) inner *= input.dims[static_cast<size_t>(k)];
  std::vector<double> y(static_cast<size_t>(outer * kept * inner * dims.back()));
  for (int64_t o = 0; o < outer; ++o)
    for (int64_t i = 0; i < inner; ++i)
      for (int64_t k = 0; k < kept; ++k) {
        double re = 0, im = 0;
        for (int64_t n = 0; n < length; ++n) {
          const bool turns = mirrored && 2 * n > length;
          const int64_t from = turns ? length - n : n;
          if (from >= given) continue;
          const auto at = static_cast<size_t>(((o * given + from) * inner + i) * parts);
          const double a = x[at];
          double b = parts == 2 ? x[at + 1] : 0;
          if (turns) b = -b;
          if (mirrored && (n == 0 || 2 * n == length)) b = 0;
          if (a == 0 && b == 0) continue;
          const double angle = (way.inverse ? 2 : -2) * std::numbers::pi * static_cast<double>(k * n % length) /
                               static_cast<double>(length);
          re += a * std::cos(angle) - b * std::sin(angle);
          im += a * std::sin(angle) + b * std::cos(angle);
        }
        const double scale = way.inverse ? 1 / static_cast<double>(length) : 1;
        const auto at = static_cast<size_t>(((o * kept + k) * inner + i) * dims.back());
        y[at] = re * scale;
        if (!mirrored) y[at + 1] = im * scale;
      }
  return numbers(input.type, dims, y);
}

Case row(const char* what, const Tensor& x, int64_t axis, Way way = {}, double tolerance = 1e-5) {
  return {what,
          {x, way.length > 0 ? i64({}, {static_cast<double>(way.length)}) : absent(), i64({}, {static_cast<double>(axis)})},
          {transform(x, axis < 0 ? axis + static_cast<int64_t>(x.dims.size()) : axis, way)},
          tolerance,
          std::string(way.inverse ? "inverse = 1" : "inverse = 0") + (way.onesided ? ", onesided = 1" : "")};
}
const Tensor line = random({2, 15, 2});

// A long signal, of which the definition has to read a few elements alone.
Tensor pulses(int64_t length) {
  std::vector<double> x(static_cast<size_t>(2 * length));
  for (const double at : {0.0, 0.3, 0.61, 0.999}) x[static_cast<size_t>(at * static_cast<double>(x.size()))] = 1 + at;
  return f32({1, length, 2}, x);
}

const std::vector<Case> dft_cases = {
    row("odd radices", line, 1),
    row("real, a power of 2", random({3, 32, 1}), 1),
    row("all radices, a middle axis of several signals", random({2, 120, 3, 2}), -3, {}, 2e-5),
    row("two signals of a power of 2 times 2, longer than a workgroup", random({2, 512, 2}), -2, {}, 5e-5),
    row("a prime", random({1, 37, 2}), 1, {}, 2e-5),
    row("a large prime, nine signals", random({1, 131, 9, 1}), 1, {}, 1e-4),
    row("a large prime times others, inverse", random({1, 402, 2}), 1, {.inverse = true}, 1e-5),
    row("a large prime, f64", random({2, 67, 2}, -1, 1, DataType::f64), 1, {}, 1e-12),
    row("longer than the table of roots", pulses(4500), 1, {}, 1e-4),
    row("one element", random({4, 1, 2}), 1),
    row("two elements", random({4, 2, 2}), 1),
    row("inverse", random({2, 30, 2}), 1, {.inverse = true}),
    row("inverse, of a prime", random({17, 7, 2}), 1, {.inverse = true}),
    row("continued with zeros", random({2, 10, 2}), 1, {.length = 12}),
    row("cut", random({2, 10, 1}), 1, {.length = 7}),
    row("one-sided, even", random({9, 12, 1}), 1, {.onesided = true}),
    row("one-sided, odd, cut", random({2, 12, 1}), 1, {.length = 9, .onesided = true}),
    row("of bins 0 to length / 2 a real signal, even", random({9, 7, 2}), 1, {.inverse = true, .onesided = true}),
    row("of too few bins a real signal, odd", random({2, 4, 2}), 1, {.length = 11, .inverse = true, .onesided = true}),
    row("of too many bins a real signal, even", random({2, 8, 2}), 1, {.length = 10, .inverse = true, .onesided = true}),
    row("f16", random({2, 20, 2}, -1, 1, DataType::f16), 1, {}, 3e-3),
    row("bf16", random({2, 20, 2}, -1, 1, DataType::bf16), 1, {}, 2e-2),
    row("f64", random({5, 60, 2}, -1, 1, DataType::f64), 1, {}, 1e-12),
    {"no signals", {f32({0, 4, 2}, {}), absent(), i64({}, {1})}, {f32({0, 4, 2}, {})}},
    {"the axis is an attribute before opset 20, and 1 without one",
     {line},
     {transform(line, 1, {})},
     1e-5,
     "",
     19},
    {"a negative axis before opset 20, a length of i32",
     {random({6, 5, 2}), i32({}, {4})},
     {transform(random({6, 5, 2}), 0, {.length = 4})},
     1e-5,
     "axis = -3",
     17},
};

Tensors frames(const Tensors& in, int64_t step, int64_t length, bool onesided) {
  const auto x = values_of(in[0]);
  const auto window = in.size() > 2 && !in[2].dims.empty() ? values_of(in[2]) : std::vector<double>();
  const int64_t batch = in[0].dims[0], size = in[0].dims[1], parts = in[0].dims[2], count = (size - length) / step + 1;
  std::vector<double> cut;
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t f = 0; f < count; ++f)
      for (int64_t i = 0; i < length; ++i)
        for (int64_t part = 0; part < parts; ++part)
          cut.push_back(x[static_cast<size_t>((b * size + f * step + i) * parts + part)] *
                        (window.empty() ? 1 : window[static_cast<size_t>(i)]));
  return {transform(numbers(in[0].type, {batch, count, length, parts}, cut), 2, {.onesided = onesided})};
}
Case frames_row(const char* what, Tensors in, int64_t step, int64_t length, bool onesided, double tolerance = 2e-5) {
  return by([=](const Tensors& tensors) { return frames(tensors, step, length, onesided); }, what, std::move(in),
            tolerance, onesided ? "" : "onesided = 0", 17);
}

const std::vector<Case> stft_cases = {
    frames_row("a window", {random({2, 53, 1}), i64({}, {5}), random({12})}, 5, 12, true),
    frames_row("a length, frames that do not meet", {random({1, 61, 1}), i64({}, {19}), absent(), i64({}, {15})}, 19, 15,
               true),
    frames_row("both, all bins", {random({1, 40, 1}), i32({}, {3}), random({8}), i32({}, {8})}, 3, 8, false),
    frames_row("complex", {random({2, 24, 2}), i64({}, {4}), random({8})}, 4, 8, false),
    frames_row("neither: one frame", {random({2, 24, 1}), i64({}, {4})}, 4, 24, true),
    frames_row("f16", {random({1, 24, 1}, -1, 1, DataType::f16), i64({}, {8}), random({8}, 0, 1, DataType::f16)}, 8, 8,
               true, 5e-3),
};

}  // namespace

HEED_TEST_OPERATOR("DFT", dft_cases)
HEED_TEST_OPERATOR("STFT", stft_cases)
TEST_CASE("STFT is made of other operators where its frames are known") { check_lowered("STFT", stft_cases); }

TEST_CASE("DFT and STFT say what they do not transform") {
  const Tensor x = random({1, 4, 2});
  check_refused("DFT", {"", {x, absent(), i64({}, {2})}, {x}}, "the one of real and imaginary parts");
  check_refused("DFT", {"", {x, i64({}, {0})}, {x}}, "dft_length is 0");
  check_refused("DFT", {"", {random({1, 4, 3})}, {x}}, "a last axis of 1 (real) or 2 (complex)");
  check_refused("STFT", {"", {x, i64({}, {0})}, {x}}, "frame_step or frame_length is 0");
  check_refused("STFT", {"", {x, i64({}, {1}), absent(), i64({}, {5})}, {x}}, "is longer than the signal");
}

TEST_CASE("DFT transforms strided signals on Vulkan") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 20]>
    agraph (float[a, b, 2] x) => (float[b, a, 2] y) { y = DFT(Transpose<perm = [1, 0, 2]>(x)) })",
                  {random({18, 5, 2})}, 1e-5);
}

}  // namespace heed::test
