// Softmax and LogSoftmax.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// Over `length` elements `inner` apart.
Tensor softmax(const Tensor& x, int64_t length, int64_t inner, bool logarithm = false) {
  auto values = values_of(x);
  for (int64_t row = 0; row < static_cast<int64_t>(values.size()) / length; ++row) {
    const int64_t first = row / inner * length * inner + row % inner;
    const auto at = [&](int64_t i) -> double& { return values[static_cast<size_t>(first + i * inner)]; };
    double greatest = -infinity, sum = 0;
    for (int64_t i = 0; i < length; ++i) greatest = std::max(greatest, at(i));
    for (int64_t i = 0; i < length; ++i) sum += std::exp(at(i) - greatest);
    for (int64_t i = 0; i < length; ++i)
      at(i) = logarithm ? at(i) - greatest - std::log(sum) : std::exp(at(i) - greatest) / sum;
  }
  return numbers(x.type, x.dims, values);
}

Case row(const char* what, Tensor x, int64_t length, int64_t inner, std::string attributes, double tolerance = 2e-6,
         int32_t opset = newest_opset) {
  auto expected = softmax(x, length, inner);
  return {what, {std::move(x)}, {std::move(expected)}, tolerance, std::move(attributes), opset};
}

const std::vector<Case> cases = {
    {"onnx test_softmax_large_number",
     {f32({2, 4}, {0, 1, 2, 3, 10000, 10001, 10002, 10003})},
     {f32({2, 4}, {0.032058604, 0.08714432, 0.23688284, 0.6439143, 0.032058604, 0.08714432, 0.23688284, 0.6439143})},
     1e-6},
    {"one element", {f32({1, 1}, {7})}, {f32({1, 1}, {1})}},
    {"masked elements are zero", {f32({1, 3}, {-infinity, 0, 0})}, {f32({1, 3}, {0, 0.5, 0.5})}},
    {"an all masked row gives NaN (numpy)",
     {f32({2, 2}, {-infinity, -infinity, 1, 1})},
     {f32({2, 2}, {nan, nan, 0.5, 0.5})}},
    row("the last axis by default", random({3, 5, 7}, -4, 4), 7, 1, ""),
    row("axis 0", random({3, 5, 7}, -4, 4), 3, 35, "axis = 0"),
    row("axis 1", random({3, 5, 7}, -4, 4), 5, 7, "axis = 1"),
    row("axis -2", random({3, 5, 7}, -4, 4), 5, 7, "axis = -2"),
    row("a row longer than a workgroup, prime", random({3, 2053}, -4, 4), 2053, 1, ""),
    row("rank 1", random({13}, -4, 4), 13, 1, "axis = 0"),
    row("f16", random({3, 5}, -4, 4, DataType::f16), 5, 1, "", 1e-3),
    row("f16, rows longer than a workgroup", random({3, 2053}, -4, 4, DataType::f16), 2053, 1, "", 1e-3),
    row("f16, subnormal results (softmax by doubles)", f16({1, 3}, {0, -14, -16}), 3, 1, "", 6e-8),
    row("bf16", random({3, 37}, -4, 4, DataType::bf16), 37, 1, "", 8e-3),
    row("f64", random({3, 5}, -4, 4, DataType::f64), 5, 1, "", 1e-14),
    row("before 13: the tail is flattened, axis 1 by default", random({3, 5, 7}, -4, 4), 35, 1, "", 2e-6, 11),
    row("before 13: axis 0 is everything", random({3, 5, 7}, -4, 4), 105, 1, "axis = 0", 2e-6, 1),
    row("before 13: axis 2", random({3, 5, 7}, -4, 4), 7, 1, "axis = 2", 2e-6, 11),
    {"a number alone", {f32({}, {7})}, {f32({}, {1})}},
    {"NaN and infinity spread over their rows, and no further",
     {f32({3, 3}, {nan, 1, 2, 3, infinity, 4, 1, 1, -infinity})},
     {f32({3, 3}, {nan, nan, nan, nan, nan, nan, 0.5, 0.5, 0})}},
    row("rows of one element", random({7, 1}, -4, 4), 1, 1, ""),
    row("many short rows across", random({5, 8209}, -4, 4), 5, 8209, "axis = 0"),
    row("many long rows across", random({17, 8209}, -4, 4), 17, 8209, "axis = 0"),
    row("a prime that several rows share a workgroup for", random({11, 131}, -4, 4), 131, 1, ""),
    row("a long row in the middle", random({2, 1031, 3}, -4, 4), 1031, 3, "axis = 1"),
    {"before 13: axis past the end", {f32({2, 2}, {1, 2, 3, 4})}, {f32({2, 2}, {1, 1, 1, 1})}, 0, "axis = 2", 11},
    {"empty rows", {f32({0, 3}, {})}, {f32({0, 3}, {})}},
    {"rows without elements", {f32({3, 0}, {})}, {f32({3, 0}, {})}},
};

Case log_row(const char* what, Tensor x, int64_t length, int64_t inner, std::string attributes) {
  auto expected = softmax(x, length, inner, true);
  return {what, {std::move(x)}, {std::move(expected)}, 2e-6, std::move(attributes)};
}
const std::vector<Case> log_cases = {
    log_row("the last axis", random({3, 5, 7}, -4, 4), 7, 1, ""),
    log_row("axis 1", random({3, 5, 7}, -4, 4), 5, 7, "axis = 1"),
    log_row("axis 0", random({131, 7}, -4, 4), 131, 7, "axis = 0"),
    log_row("a row longer than a workgroup, prime", random({3, 2053}, -4, 4), 2053, 1, ""),
    {"an all masked row gives NaN, a masked element minus infinity",
     {f32({2, 2}, {-infinity, -infinity, 1, -infinity})},
     {f32({2, 2}, {nan, nan, 0, -infinity})}},
    log_row("far from zero", random({3, 5}, 9000, 9010), 5, 1, "axis = -1"),
};

}  // namespace

HEED_TEST_OPERATOR("Softmax", cases)
HEED_TEST_OPERATOR("LogSoftmax", log_cases)
TEST_CASE("Softmax reads strided tensors on Vulkan, and writes where its input lies") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x) => (float[5, m, n] y, float[n, 5, m] z) {
      t = Transpose(x)
      y = Softmax<axis = 1>(t)
      s = Softmax<axis = 0>(x)
      u = Transpose<perm = [0, 2, 1]>(s)
      z = LogSoftmax(u)
    })",
                  {random({3, 7, 5}, -4, 4)}, 2e-6);
}
TEST_CASE("Softmax refuses an axis that is not there") {
  check_refused("Softmax", {"axis 2 of two", {f32({1, 1}, {0})}, {f32({1, 1}, {1})}, 0, "axis = 2"}, "'axis' is 2");
}

}  // namespace heed::test
