// What looks along an axis and keeps an order: CumSum, CumProd, TopK, Hardmax, Compress, Unique, ReverseSequence,
// LpNormalization, MeanVarianceNormalization.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "cases.hpp"

namespace heed::test {
namespace {

// Lines along the axis of a tensor of rank 3, one after the other, changed in place.
Reference along(size_t axis, std::function<void(std::vector<double>&)> change) {
  return [=](const Tensors& in) {
    const auto& dims = in[0].dims;
    auto values = values_of(in[0]);
    const auto steps = row_major(dims);
    for (int64_t i = 0; i < static_cast<int64_t>(values.size()); ++i) {
      if (i / steps[axis] % dims[axis] != 0) continue;
      std::vector<double> line;
      for (int64_t k = 0; k < dims[axis]; ++k) line.push_back(values[static_cast<size_t>(i + k * steps[axis])]);
      change(line);
      for (int64_t k = 0; k < dims[axis]; ++k)
        values[static_cast<size_t>(i + k * steps[axis])] = line[static_cast<size_t>(k)];
    }
    return Tensors{numbers(in[0].type, dims, values)};
  };
}
void add_up(std::vector<double>& line) { std::partial_sum(line.begin(), line.end(), line.begin()); }
void add_up_before(std::vector<double>& line) { std::exclusive_scan(line.begin(), line.end(), line.begin(), 0.0); }
void add_up_backwards(std::vector<double>& line) { std::partial_sum(line.rbegin(), line.rend(), line.rbegin()); }
void multiply_up(std::vector<double>& line) {
  std::partial_sum(line.begin(), line.end(), line.begin(), std::multiplies<>());
}

const std::vector<Case> cum_sum_cases = {
    {"onnx test_cumsum_1d", {f64({5}, {1, 2, 3, 4, 5}), i32({}, {0})}, {f64({5}, {1, 3, 6, 10, 15})}},
    {"exclusive", {f32({5}, {1, 2, 3, 4, 5}), i32({}, {0})}, {f32({5}, {0, 1, 3, 6, 10})}, 0, "exclusive = 1"},
    {"reverse", {i64({5}, {1, 2, 3, 4, 5}), i64({}, {-1})}, {i64({5}, {15, 14, 12, 9, 5})}, 0, "reverse = 1"},
    {"exclusive and reverse",
     {i32({5}, {1, 2, 3, 4, 5}), i64({1}, {0})},
     {i32({5}, {14, 12, 9, 5, 0})},
     0,
     "exclusive = 1, reverse = 1"},
    {"u32",
     {numbers(DataType::u32, {2}, {4294967295.0, 2}), i64({}, {0})},
     {numbers(DataType::u32, {2}, {4294967295.0, 1})}},
    {"u64",
     {numbers(DataType::u64, {2}, {4294967295.0, 2}), i64({}, {0})},
     {numbers(DataType::u64, {2}, {4294967295.0, 4294967297.0})}},
    {"f16 adds in f32", {f16({3}, {2048, 1, 1}), i64({}, {0})}, {f16({3}, {2048, 2048, 2050})}},
    {"bf16", {bf16({3}, {1, 2, 3}), i64({}, {0})}, {bf16({3}, {1, 3, 6})}},
    {"one element", {f32({1, 1}, {3}), i64({}, {1})}, {f32({1, 1}, {3})}},
    {"nothing", {f32({2, 0}, {}), i64({}, {1})}, {f32({2, 0}, {})}},
    by(along(0, add_up), "axis 0", {random({13, 3, 31}), i64({}, {0})}, 1e-5),
    by(along(1, add_up_before), "axis 1, exclusive, prime", {random({3, 67, 5}), i64({}, {1})}, 1e-5, "exclusive = 1"),
    by(along(2, add_up), "axis -1, longer than a workgroup, prime", {random({2, 1, 2053}), i64({}, {-1})}, 1e-4),
    by(along(2, add_up_backwards), "longer than a workgroup, reverse",
       {random({1, 2, 1031}, 0, 9, DataType::i64), i64({}, {2})}, 0, "reverse = 1"),
};
const std::vector<Case> cum_prod_cases = {
    {"onnx test_cumprod_1d", {f64({5}, {1, 2, 3, 4, 5}), i32({}, {0})}, {f64({5}, {1, 2, 6, 24, 120})}, 0, "", 26},
    {"exclusive and reverse",
     {i32({4}, {1, 2, 3, 4}), i32({}, {0})},
     {i32({4}, {24, 12, 4, 1})},
     0,
     "exclusive = 1, reverse = 1",
     26},
    by(along(1, multiply_up), "axis 1, prime", {random({3, 67, 5}, 0.9, 1.1), i64({}, {1})}, 1e-5, "", 26),
    by(along(2, multiply_up), "longer than a workgroup", {random({2, 1, 523}, 0.99, 1.01), i64({}, {2})}, 1e-4, "", 26),
};

// The k greatest along the last axis of rank 2 and their places, of numbers that all differ.
Tensors greatest_of(const Tensors& in) {
  const auto values = values_of(in[0]);
  const int64_t length = in[0].dims[1], k = static_cast<int64_t>(values_of(in[1])[0]);
  std::vector<double> best, at;
  for (int64_t row = 0; row < in[0].dims[0]; ++row) {
    const double* from = values.data() + row * length;
    std::vector<int64_t> order(static_cast<size_t>(length));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return from[a] > from[b]; });
    for (int64_t i = 0; i < k; ++i) {
      best.push_back(from[order[static_cast<size_t>(i)]]);
      at.push_back(static_cast<double>(order[static_cast<size_t>(i)]));
    }
  }
  return {numbers(in[0].type, {in[0].dims[0], k}, best), i64({in[0].dims[0], k}, at)};
}
const std::vector<Case> top_k_cases = [] {
  const Tensor x = f32({3, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11});
  std::vector<Case> rows = {
      {"onnx test_top_k",
       {x, i64({1}, {3})},
       {f32({3, 3}, {3, 2, 1, 7, 6, 5, 11, 10, 9}), i64({3, 3}, {3, 2, 1, 3, 2, 1, 3, 2, 1})},
       0,
       "axis = 1"},
      {"onnx test_top_k_smallest",
       {f32({2, 4}, {0, 1, 2, 3, 11, 10, 9, 8}), i64({1}, {3})},
       {f32({2, 3}, {0, 1, 2, 8, 9, 10}), i64({2, 3}, {0, 1, 2, 3, 2, 1})},
       0,
       "largest = 0"},
      {"axis 0", {x, i64({1}, {1})}, {f32({1, 4}, {8, 9, 10, 11}), i64({1, 4}, {2, 2, 2, 2})}, 0, "axis = 0"},
      {"of equal ones the first",
       {i64({5}, {7, 9, 9, 7, 9}), i64({1}, {4})},
       {i64({4}, {9, 9, 9, 7}), i64({4}, {1, 2, 4, 0})}},
      {"of equal least ones the first",
       {i32({5}, {7, 9, 7, 7, 9}), i64({1}, {4})},
       {i32({4}, {7, 7, 7, 9}), i64({4}, {0, 2, 3, 1})},
       0,
       "largest = 0"},
      {"NaN is greatest, -0 is 0",
       {f32({5}, {1, nan, infinity, nan, -infinity}), i64({1}, {5})},
       {f32({5}, {nan, nan, infinity, 1, -infinity}), i64({5}, {1, 3, 2, 0, 4})}},
      {"NaN is not least",
       {f32({3}, {nan, 0, -0.0}), i64({1}, {3})},
       {f32({3}, {0, 0, nan}), i64({3}, {1, 2, 0})},
       0,
       "largest = 0, sorted = 0"},
      {"places alone", {x, i64({1}, {1})}, {absent(), i64({3, 1}, {3, 3, 3})}},
      {"none", {x, i64({1}, {0})}, {f32({3, 0}, {}), i64({3, 0}, {})}},
      {"no rows", {f32({0, 4}, {}), i64({1}, {2})}, {f32({0, 2}, {}), i64({0, 2}, {})}},
      {"k as an attribute", {f32({3}, {1, 3, 2})}, {f32({2}, {3, 2}), i64({2}, {1, 2})}, 0, "k = 2", 9},
      {"f16", {f16({3}, {1, 3, 2}), i64({1}, {2})}, {f16({2}, {3, 2}), i64({2}, {1, 2})}},
      {"bf16", {bf16({3}, {1, 3, 2}), i64({1}, {2})}, {bf16({2}, {3, 2}), i64({2}, {1, 2})}},
      {"u8", {u8({3}, {1, 255, 2}), i64({1}, {2})}, {u8({2}, {255, 2}), i64({2}, {1, 2})}},
      {"u64, past i64",
       {numbers(DataType::u64, {3}, {1, 9223372036854775808.0, 2}), i64({1}, {2})},
       {numbers(DataType::u64, {2}, {9223372036854775808.0, 2}), i64({2}, {1, 2})}},
      by(greatest_of, "some of a row longer than a workgroup", {random({2, 1031}), i64({1}, {7})}),
      by(greatest_of, "all of a row, f64", {random({5, 67}, -9, 9, DataType::f64), i64({1}, {67})}),
      by(greatest_of, "i32, many equal", {random({3, 67}, 0, 5, DataType::i32), i64({1}, {31})}),
  };
  return rows;
}();

void mark_greatest(std::vector<double>& line) {
  const auto best = std::max_element(line.begin(), line.end()) - line.begin();
  std::fill(line.begin(), line.end(), 0);
  line[static_cast<size_t>(best)] = 1;
}
const std::vector<Case> hardmax_cases = {
    {"onnx test_hardmax_example",
     {f32({4, 4}, {3, 0, 1, 2, 2, 5, 1, 0, 0, 1, 3, 2, 0, 1, 2, 3})},
     {f32({4, 4}, {1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1})}},
    {"the first of equal ones", {f16({1, 4}, {3, 3, 3, 1})}, {f16({1, 4}, {1, 0, 0, 0})}},
    {"the first NaN", {f32({4}, {3, nan, 5, nan})}, {f32({4}, {0, 1, 0, 0})}},
    {"bf16", {bf16({2}, {-1, -2})}, {bf16({2}, {1, 0})}},
    {"over the flattened tail before opset 13",
     {f32({2, 2, 2}, {0, 1, 2, 3, 9, 8, 7, 6})},
     {f32({2, 2, 2}, {0, 0, 0, 1, 1, 0, 0, 0})},
     0,
     "",
     11},
    {"nothing", {f32({0, 3}, {})}, {f32({0, 3}, {})}},
    by(along(0, mark_greatest), "axis 0", {random({13, 3, 31})}, 0, "axis = 0"),
    by(along(1, mark_greatest), "axis -2, prime", {random({3, 67, 5})}, 0, "axis = -2"),
    by(along(2, mark_greatest), "longer than a workgroup", {random({2, 1, 1031}, -9, 9, DataType::f64)}),
};

const std::vector<Case> compress_cases = {
    {"onnx test_compress_0",
     {f32({3, 2}, {1, 2, 3, 4, 5, 6}), boolean({3}, {0, 1, 1})},
     {f32({2, 2}, {3, 4, 5, 6})},
     0,
     "axis = 0"},
    {"onnx test_compress_1",
     {f32({3, 2}, {1, 2, 3, 4, 5, 6}), boolean({2}, {0, 1})},
     {f32({3, 1}, {2, 4, 6})},
     0,
     "axis = 1"},
    {"flattened, a short condition",
     {i64({3, 2}, {1, 2, 3, 4, 5, 6}), boolean({5}, {0, 1, 0, 0, 1})},
     {i64({2}, {2, 5})}},
    {"none of slices that are longer than there is memory for",
     {f32({1L << 43, 0}, {}), boolean({0}, {})},
     {f32({1L << 43, 0}, {})},
     0,
     "axis = 1"},
    {"axis -1", {u8({1, 3}, {1, 2, 3}), boolean({3}, {1, 0, 1})}, {u8({1, 2}, {1, 3})}, 0, "axis = -1"},
    {"none", {f32({2}, {1, 2}), boolean({2}, {0, 0})}, {f32({0}, {})}},
    {"texts", {texts({3}, {"a", "b", "c"}), boolean({3}, {1, 0, 1})}, {texts({2}, {"a", "c"})}},
    {"i4", {numbers(DataType::i4, {3}, {1, 2, 3}), boolean({3}, {1, 0, 1})}, {numbers(DataType::i4, {2}, {1, 3})}},
};
const std::vector<Case> unique_cases = {
    {"onnx test_unique_sorted_without_axis",
     {f32({6}, {2, 1, 1, 3, 4, 3})},
     {f32({4}, {1, 2, 3, 4}), i64({4}, {1, 0, 3, 4}), i64({6}, {1, 0, 0, 2, 3, 2}), i64({4}, {2, 1, 2, 1})}},
    {"onnx test_unique_not_sorted_without_axis",
     {f32({6}, {2, 1, 1, 3, 4, 3})},
     {f32({4}, {2, 1, 3, 4}), i64({4}, {0, 1, 3, 4}), i64({6}, {0, 1, 1, 2, 3, 2}), i64({4}, {1, 2, 2, 1})},
     0,
     "sorted = 0"},
    {"empty slices",
     {f32({3, 0}, {})},
     {f32({1, 0}, {}), i64({1}, {0}), i64({3}, {0, 0, 0}), i64({1}, {3})},
     0,
     "axis = 0"},
    {"rows (onnx test_unique_sorted_with_axis)",
     {f32({3, 3}, {1, 0, 0, 1, 0, 0, 2, 3, 4})},
     {f32({2, 3}, {1, 0, 0, 2, 3, 4}), i64({2}, {0, 2}), i64({3}, {0, 0, 1}), i64({2}, {2, 1})},
     0,
     "axis = 0"},
    {"columns, not sorted",
     {i64({2, 3}, {5, 1, 5, 6, 2, 6})},
     {i64({2, 2}, {5, 1, 6, 2}), absent(), i64({3}, {0, 1, 0})},
     0,
     "axis = -1, sorted = 0"},
    {"NaNs are equal, and last",
     {f32({5}, {nan, 1, nan, -infinity, 1})},
     {f32({3}, {-infinity, 1, nan}), i64({3}, {3, 1, 0}), i64({5}, {2, 1, 2, 0, 1}), i64({3}, {1, 2, 2})}},
    {"texts", {texts({4}, {"b", "a", "", "b"})}, {texts({3}, {"", "a", "b"}), i64({3}, {2, 1, 0})}},
    {"bool", {boolean({2, 2}, {1, 0, 1, 1})}, {boolean({2}, {0, 1}), absent(), absent(), i64({2}, {1, 3})}},
    {"nothing", {f32({0}, {})}, {f32({0}, {}), i64({0}, {}), i64({0}, {}), i64({0}, {})}},
    {"a number", {f32({}, {3})}, {f32({1}, {3}), i64({1}, {0}), i64({1}, {0}), i64({1}, {1})}},
};

const std::vector<Case> reverse_sequence_cases = {
    {"onnx test_reversesequence_time",
     {f32({4, 4}, {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15}), i64({4}, {4, 3, 2, 1})},
     {f32({4, 4}, {3, 6, 9, 12, 2, 5, 8, 13, 1, 4, 10, 14, 0, 7, 11, 15})}},
    {"onnx test_reversesequence_batch",
     {f32({4, 4}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}), i64({4}, {1, 2, 3, 4})},
     {f32({4, 4}, {0, 1, 2, 3, 5, 4, 6, 7, 10, 9, 8, 11, 15, 14, 13, 12})},
     0,
     "batch_axis = 0, time_axis = 1"},
    {"of length 0, with inner axes",
     {u8({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), i64({2}, {2, 0})},
     {u8({2, 2, 2}, {5, 6, 3, 4, 1, 2, 7, 8})}},
    {"f16", {f16({2, 1}, {1, 2}), i64({1}, {2})}, {f16({2, 1}, {2, 1})}},
    {"i64", {i64({2, 1}, {1, -2}), i64({1}, {2})}, {i64({2, 1}, {-2, 1})}},
    {"texts", {texts({2, 1}, {"a", "b"}), i64({1}, {2})}, {texts({2, 1}, {"b", "a"})}},
    {"nothing", {f32({0, 2}, {}), i64({2}, {0, 0})}, {f32({0, 2}, {})}},
    by(
        [](const Tensors& in) {
          const auto x = values_of(in[0]), lengths = values_of(in[1]);
          std::vector<double> y;
          for (int64_t b = 0; b < 3; ++b)
            for (int64_t t = 0; t < 7; ++t)
              for (int64_t k = 0; k < 67; ++k) {
                const auto length = static_cast<int64_t>(lengths[static_cast<size_t>(b)]);
                y.push_back(x[static_cast<size_t>((b * 7 + (t < length ? length - 1 - t : t)) * 67 + k)]);
              }
          return Tensors{numbers(in[0].type, in[0].dims, y)};
        },
        "larger than a workgroup, prime", {random({3, 7, 67}), i64({3}, {7, 1, 4})}, 0,
        "batch_axis = 0, time_axis = 1"),
};

void divide_by_length(std::vector<double>& line) {
  double sum = 0;
  for (const double value : line) sum += value * value;
  for (double& value : line) value /= std::sqrt(sum);
}
void divide_by_sum(std::vector<double>& line) {
  double sum = 0;
  for (const double value : line) sum += std::abs(value);
  for (double& value : line) value /= sum;
}
const std::vector<Case> lp_normalization_cases = {
    {"of length 5", {f32({2, 2}, {3, 4, 0, 0})}, {f32({2, 2}, {0.6, 0.8, 0, 0})}, 1e-6},
    {"p = 1", {f64({4}, {1, -2, 3, 4})}, {f64({4}, {0.1, -0.2, 0.3, 0.4})}, 1e-6, "p = 1"},
    {"f16, squares past its range", {f16({2}, {300, 400})}, {f16({2}, {0.6, 0.8})}, 1e-3},
    {"bf16, axis 0", {bf16({2, 1}, {3, -4})}, {bf16({2, 1}, {0.6, -0.8})}, 1e-2, "axis = 0"},
    {"nothing", {f32({0, 3}, {})}, {f32({0, 3}, {})}},
    by(along(0, divide_by_length), "axis 0", {random({13, 3, 31})}, 1e-5, "axis = 0"),
    by(along(1, divide_by_sum), "axis -2, p = 1", {random({3, 67, 5})}, 1e-5, "axis = -2, p = 1"),
    by(along(2, divide_by_length), "longer than a workgroup", {random({2, 1, 1031})}, 1e-5),
};

Tensors of_mean_0_and_variance_1(const Tensors& in) {  // [3, 5, 7], over axes 0 and 2
  auto values = values_of(in[0]);
  for (int64_t channel = 0; channel < 5; ++channel) {
    std::vector<double*> members;
    for (int64_t i = 0; i < 105; ++i)
      if (i / 7 % 5 == channel) members.push_back(&values[static_cast<size_t>(i)]);
    double mean = 0, variance = 0;
    for (const double* x : members) mean += *x / 21;
    for (const double* x : members) variance += (*x - mean) * (*x - mean) / 21;
    for (double* x : members) *x = (*x - mean) / (std::sqrt(variance) + 1e-9);
  }
  return {numbers(in[0].type, in[0].dims, values)};
}
const std::vector<Case> mean_variance_normalization_cases = {
    by(of_mean_0_and_variance_1, "axes 0 and 2", {random({3, 5, 7}, 100, 101)}, 1e-4, "axes = [0, 2]"),
    by(of_mean_0_and_variance_1, "axes by default", {random({3, 5, 7, 1})}, 1e-5),
    {"of equal ones", {f32({2}, {3, 3})}, {f32({2}, {0, 0})}, 0, "axes = [0]"},
};

}  // namespace

HEED_TEST_OPERATOR("CumSum", cum_sum_cases)
HEED_TEST_OPERATOR("CumProd", cum_prod_cases)
HEED_TEST_OPERATOR("TopK", top_k_cases)
HEED_TEST_OPERATOR("Hardmax", hardmax_cases)
HEED_TEST_OPERATOR("Compress", compress_cases)
HEED_TEST_OPERATOR("Unique", unique_cases)
HEED_TEST_OPERATOR("ReverseSequence", reverse_sequence_cases)
HEED_TEST_OPERATOR("LpNormalization", lp_normalization_cases)
HEED_TEST_OPERATOR("MeanVarianceNormalization", mean_variance_normalization_cases)

TEST_CASE("CumSum, TopK, Hardmax and LpNormalization read strided tensors on Vulkan") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x) => (float[5, m, n] a, float[5, two, n] b, int64[5, two, n] c, float[5, m, n] d,
                                  float[5, m, n] e) {
      t = Transpose(x)
      one = Constant<value_int = 1>()
      two = Constant<value_ints = [2]>()
      a = CumSum<reverse = 1>(t, one)
      b, c = TopK<axis = 1>(t, two)
      s = Sub(t, a)
      d = Hardmax<axis = 1>(s)
      e = LpNormalization<axis = 1>(t)
    })",
                  {random({3, 7, 5})}, 1e-5);
}
TEST_CASE("ReverseSequence tells which length is outside") {
  for (const auto device : {"cpu", "vulkan"})
    for (const double bad : {3.0, -1.0, 1e18}) {
      INFO(device << ", " << bad);
      const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 23]>
        agraph (float[2, 2] x, int64[2] at) => (float[a, b] y) { y = ReverseSequence(x, at) })",
                                    {random({2, 2}), i64({2}, {2, bad})}, device);
      REQUIRE_FALSE(outputs);
      CHECK_THAT(outputs.error().message, Catch::Contains("element 1 of sequence_lens"));
    }
}
TEST_CASE("TopK says when there are not so many") {
  check_refused("TopK", {"4 of 3", {f32({3}, {1, 2, 3}), i64({1}, {4})}, {f32({3}, {1, 2, 3})}}, "k is 4");
}

}  // namespace heed::test
