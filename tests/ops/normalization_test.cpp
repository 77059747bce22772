// LayerNormalization and RMSNormalization.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// Rows of `length`; scale and bias have a row's shape. Outputs: y, mean, 1 / deviation.
Tensors layer(const Tensors& in, int64_t length, std::vector<int64_t> row_dims) {
  const auto x = values_of(in[0]), scale = values_of(in[1]);
  const auto bias = in.size() > 2 ? values_of(in[2]) : std::vector<double>(static_cast<size_t>(length), 0.0);
  std::vector<double> y(x.size()), means, inverses;
  const auto n = static_cast<size_t>(length);
  for (size_t first = 0; first < x.size(); first += n) {
    double mean = 0, square = 0;
    for (size_t i = 0; i < n; ++i) mean += x[first + i] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) square += (x[first + i] - mean) * (x[first + i] - mean) / static_cast<double>(n);
    const double inverse = 1 / std::sqrt(square + 1e-5);
    for (size_t i = 0; i < n; ++i) y[first + i] = (x[first + i] - mean) * inverse * scale[i] + bias[i];
    means.push_back(mean);
    inverses.push_back(inverse);
  }
  return {numbers(in[0].type, in[0].dims, y), f32(row_dims, means), f32(row_dims, inverses)};
}

Tensor rms(const Tensors& in, int64_t length) {
  const auto x = values_of(in[0]), scale = values_of(in[1]);
  std::vector<double> y(x.size());
  const auto n = static_cast<size_t>(length);
  for (size_t first = 0; first < x.size(); first += n) {
    double square = 0;
    for (size_t i = 0; i < n; ++i) square += x[first + i] * x[first + i] / static_cast<double>(n);
    for (size_t i = 0; i < n; ++i) y[first + i] = x[first + i] / std::sqrt(square + 1e-5) * scale[i];
  }
  return numbers(in[0].type, in[0].dims, y);
}

Case layer_row(const char* what, Tensors in, int64_t length, std::vector<int64_t> row_dims, std::string attributes,
               double tolerance = 1e-5) {
  auto out = layer(in, length, std::move(row_dims));
  return {what, std::move(in), std::move(out), tolerance, std::move(attributes)};
}
Case rms_row(const char* what, Tensors in, int64_t length, std::string attributes, double tolerance = 1e-5) {
  auto out = rms(in, length);
  return {what, std::move(in), {out}, tolerance, std::move(attributes)};
}

const std::vector<Case> layer_cases = {
    layer_row("the last axis", {random({3, 5, 7}), random({7}, 0.5, 1.5), random({7}, -1, 0)}, 7, {3, 5, 1}, ""),
    layer_row("two axes", {random({3, 5, 7}), random({5, 7}, 0.5, 1.5), random({5, 7}, -1, 0)}, 35, {3, 1, 1},
              "axis = 1"),
    layer_row("all axes", {random({3, 5}), random({3, 5}, 0.5, 1.5), random({3, 5}, -1, 0)}, 15, {1, 1}, "axis = 0"),
    layer_row("no bias", {random({3, 5, 160}), random({160}, 0.5, 1.5)}, 160, {3, 5, 1}, "axis = -1"),
    layer_row("a long row, far from zero", {random({2, 2053}, 99, 101), random({2053}, 0.5, 1.5), random({2053})}, 2053,
              {2, 1}, "", 1e-4),
    layer_row("f16",
              {random({3, 16}, -1, 1, DataType::f16), random({16}, 0.5, 1.5, DataType::f16),
               random({16}, -1, 0, DataType::f16)},
              16, {3, 1}, "", 2e-3),
    layer_row("rows of one element, bias alone is left", {random({7, 1}), random({1}), random({1})}, 1, {7, 1}, ""),
    layer_row("more rows than a workgroup, each a thread's", {random({2053, 3}), random({3}, 0.5, 1.5), random({3})}, 3,
              {2053, 1}, ""),
    layer_row("rows of a prime that several share a workgroup", {random({11, 131}), random({131}), random({131})}, 131,
              {11, 1}, ""),
    {"no rows", {f32({0, 3}, {}), f32({3}, {1, 2, 3})}, {f32({0, 3}, {})}},
    {"scale broadcasts within the row",
     {f32({1, 2, 2}, {1, -1, 1, -1}), f32({1}, {2}), f32({2, 1}, {10, 20})},
     {f32({1, 2, 2}, {12, 8, 22, 18})},
     1e-4,
     "axis = 1"},
    {"scale differs from row to row",
     {f32({2, 2}, {1, -1, 1, -1}), f32({2, 1}, {2, 3})},
     {f32({2, 2}, {2, -2, 3, -3})},
     1e-4},
};
const std::vector<Case> rms_cases = {
    rms_row("the last axis", {random({3, 5, 7}), random({7}, 0.5, 1.5)}, 7, ""),
    rms_row("two axes", {random({3, 5, 7}), random({5, 7}, 0.5, 1.5)}, 35, "axis = 1"),
    rms_row("a long row", {random({2, 2053}), random({2053}, 0.5, 1.5)}, 2053, "axis = -1"),
    rms_row("all axes", {random({3, 5, 7}), random({3, 5, 7}, 0.5, 1.5)}, 105, "axis = 0"),
    rms_row("a middle axis, as from the end", {random({3, 5, 7}), random({1, 7}, 0.5, 1.5)}, 7, "axis = -1"),
    rms_row("bf16", {random({3, 16}, -1, 1, DataType::bf16), random({16}, 0.5, 1.5, DataType::bf16)}, 16, "", 1e-2),
};

}  // namespace

HEED_TEST_OPERATOR("LayerNormalization", layer_cases)
HEED_TEST_OPERATOR("RMSNormalization", rms_cases)
// One rounding of each output; what sums in another order are off by may tip it.
TEST_CASE("normalization of f16 and bf16 runs on Vulkan") {
  for (const auto& [type, rounding] : {std::pair(DataType::f16, 0x1p-11), {DataType::bf16, 0x1p-8}}) {
    const std::string t(name_of(type));
    check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 23]> g (" + t + "[N, M] x, " + t + "[M] s, " + t +
                        "[M] b) => (" + t + "[N, M] y, " + t +
                        "[N, M] z, float[N, 1] mean) "
                        "{ y, mean = LayerNormalization(x, s, b) \n z = RMSNormalization(x, s) }",
                    {random({5, 677}, -2, 2, type), random({677}, 0.5, 1.5, type), random({677}, -1, 1, type)},
                    2 * rounding);
  }
}
TEST_CASE("normalization reads strided tensors on Vulkan, and writes where its input lies") {
  // y and z have rows that lie across, w has some of 2053 that do; b is normalized in place.
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x, float[5, m] s, float[2053, 3] c) => (float[a, m, 5] y, float[5, m, n] z, float[3, 2053] w) {
      scale = Transpose(s)
      b = LayerNormalization<axis = 1>(x, scale, scale)
      y = RMSNormalization<axis = 1>(b, scale)
      t = Transpose(x)
      one = Constant<value_floats = [1.5]>()
      z = RMSNormalization(t, one)
      u = Transpose(c)
      w = LayerNormalization(u, one)
    })";
  check_on_vulkan(text, {random({3, 7, 5}), random({5, 7}, 0.5, 1.5), random({2053, 3})}, 1e-5);
  check_on_vulkan(text, {random({1, 1, 5}), random({5, 1}, 0.5, 1.5), random({2053, 3})}, 1e-5);
}

}  // namespace heed::test
