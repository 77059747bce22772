// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum,
// ReduceLogSumExp, ArgMax, ArgMin.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

using Fold = double (*)(const std::vector<double>&);

double sum(const std::vector<double>& values) {
  double result = 0;
  for (const auto value : values) result += value;
  return result;
}
double mean(const std::vector<double>& values) { return sum(values) / static_cast<double>(values.size()); }
double greatest(const std::vector<double>& values) { return *std::max_element(values.begin(), values.end()); }
double least(const std::vector<double>& values) { return *std::min_element(values.begin(), values.end()); }
double product(const std::vector<double>& values) {
  double result = 1;
  for (const auto value : values) result *= value;
  return result;
}
double sum_square(const std::vector<double>& values) {
  double result = 0;
  for (const auto value : values) result += value * value;
  return result;
}
double l2(const std::vector<double>& values) { return std::sqrt(sum_square(values)); }
double l1(const std::vector<double>& values) {
  double result = 0;
  for (const auto value : values) result += std::abs(value);
  return result;
}
double log_sum(const std::vector<double>& values) { return std::log(sum(values)); }
double log_sum_exp(const std::vector<double>& values) {
  const double top = greatest(values);
  double result = 0;
  for (const auto value : values) result += std::exp(value - top);
  return top + std::log(result);
}

Tensor reduce(const Tensor& x, const std::vector<int64_t>& axes, bool keep, Fold fold) {
  const auto values = values_of(x);
  const auto strides = row_major(x.dims);
  std::vector<bool> gone(x.dims.size(), axes.empty());
  for (const auto axis : axes)
    gone[static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.dims.size()) : axis)] = true;
  std::vector<int64_t> dims, kept_dims(x.dims);
  for (size_t i = 0; i < gone.size(); ++i) {
    if (!gone[i]) dims.push_back(x.dims[i]);
    if (gone[i] && keep) dims.push_back(1);
    if (gone[i]) kept_dims[i] = 1;
  }
  const auto kept_strides = row_major(kept_dims);
  size_t count = 1;
  for (const auto dim : kept_dims) count *= static_cast<size_t>(dim);
  std::vector<std::vector<double>> slices(count);
  for (size_t i = 0; i < values.size(); ++i) {
    size_t slice = 0;
    for (size_t axis = 0; axis < gone.size(); ++axis)
      if (!gone[axis])
        slice += i / static_cast<size_t>(strides[axis]) % static_cast<size_t>(x.dims[axis]) *
                 static_cast<size_t>(kept_strides[axis]);
    slices[slice].push_back(values[i]);
  }
  std::vector<double> out;
  for (const auto& slice : slices) out.push_back(fold(slice));
  return numbers(x.type, dims, out);
}

std::string list(const std::vector<int64_t>& axes) {
  std::string text = "axes = [";
  for (size_t i = 0; i < axes.size(); ++i) text += (i ? ", " : "") + std::to_string(axes[i]);
  return text + "]";
}

// Every set of axes of a rank-4 tensor, with and without keepdims; axes as an input and, in an old version, as
// attribute.
std::vector<Case> rows(Fold fold, double tolerance, int32_t newest_with_attribute) {
  std::vector<Case> rows;
  const auto x = random({3, 5, 2, 7}, 0.5, 1.5);
  for (const bool keep : {true, false}) {
    const std::string keepdims = "keepdims = " + std::to_string(keep);
    for (int set = 0; set < 16; ++set) {
      std::vector<int64_t> axes;
      for (int64_t axis = 0; axis < 4; ++axis)
        if (set >> axis & 1) axes.push_back(axis == 3 ? -1 : axis);
      const auto expected = reduce(x, axes, keep, fold);
      rows.push_back({list(axes),
                      {x, numbers(DataType::i64, {static_cast<int64_t>(axes.size())}, {axes.begin(), axes.end()})},
                      {expected},
                      tolerance,
                      keepdims});
      if (!axes.empty())
        rows.push_back({list(axes) + " as attribute",
                        {x},
                        {expected},
                        tolerance,
                        list(axes) + ", " + keepdims,
                        newest_with_attribute});
    }
    rows.push_back({"all axes", {x}, {reduce(x, {}, keep, fold)}, tolerance, keepdims});
  }
  const auto longer = random({2, 4099}, 0.999, 1.001);
  rows.push_back({"a long row", {longer, i64({1}, {1})}, {reduce(longer, {1}, true, fold)}, tolerance * 10});
  rows.push_back({"a tall column",
                  {random({4099, 3}, 0.999, 1.001), i64({1}, {0})},
                  {reduce(random({4099, 3}, 0.999, 1.001), {0}, true, fold)},
                  tolerance * 10});
  const auto half = random({4, 6}, 0.5, 1.5, DataType::f16);
  rows.push_back({"f16", {half, i64({1}, {1})}, {reduce(half, {1}, true, fold)}, 2e-3});
  return rows;
}

std::vector<Case> with(std::vector<Case> rows, std::vector<Case> more) {
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}

const auto x23 = f32({2, 3}, {1, 2, 3, 4, 5, 6});
const auto sum_cases =
    with(rows(sum, 1e-5, 11), {
                                  {"an empty slice gives 0 (onnx test_reduce_sum_empty_set)",
                                   {f32({2, 0, 4}, {}), i64({1}, {1})},
                                   {f32({2, 1, 4}, {0, 0, 0, 0, 0, 0, 0, 0})}},
                                  {"empty axes with noop", {x23, i64({0}, {})}, {x23}, 0, "noop_with_empty_axes = 1"},
                                  {"i32", {i32({2, 2}, {1, 2, 3, -4}), i64({1}, {1})}, {i32({2, 1}, {3, -1})}},
                                  {"i64, beyond 32 bits, the middle axis",
                                   {i64({1, 3, 2}, {4294967296, 1, -1, 2, 4294967296, -9}), i64({1}, {1})},
                                   {i64({1, 1, 2}, {8589934591, -6})}},
                                  {"i32 wraps", {i32({2}, {2147483647, 2}), i64({1}, {0})}, {i32({1}, {-2147483647})}},
                                  {"no slices", {f32({0, 3}, {}), i64({1}, {1})}, {f32({0, 1}, {})}},
                                  {"one element", {f32({1, 1}, {5}), i64({2}, {0, 1})}, {f32({1, 1}, {5})}},
                                  {"scalar", {f32({}, {3})}, {f32({}, {3})}},
                              });
const auto mean_cases = with(
    rows(mean, 1e-5, 13), {{"an empty slice has no mean", {f32({2, 0}, {}), i64({1}, {1})}, {f32({2, 1}, {nan, nan})}},
                           {"i32 truncates", {i32({1, 2}, {1, 2}), i64({1}, {1})}, {i32({1, 1}, {1})}}});
const auto max_cases =
    with(rows(greatest, 0, 13),
         {
             {"an empty slice gives minus infinity",
              {f32({2, 0}, {}), i64({1}, {1})},
              {f32({2, 1}, {-infinity, -infinity})}},
             {"i32, a row longer than a workgroup",
              {random({3, 2053}, -1e9, 1e9, DataType::i32), i64({1}, {1})},
              {reduce(random({3, 2053}, -1e9, 1e9, DataType::i32), {1}, true, greatest)}},
             {"an empty slice of i64 gives the least number",
              {i64({2, 0}, {}), i64({1}, {1})},
              {i64({2, 1}, {-9223372036854775808.0, -9223372036854775808.0})}},
             {"booleans (ReduceMax-20)", {boolean({2, 2}, {0, 1, 0, 0}), i64({1}, {1})}, {boolean({2, 1}, {1, 0})}},
             {"NaN wins", {f32({1, 3}, {1, nan, 2}), i64({1}, {1})}, {f32({1, 1}, {nan})}},
         });
const auto min_cases =
    with(rows(least, 0, 13),
         {{"an empty slice gives infinity", {f32({2, 0}, {}), i64({1}, {1})}, {f32({2, 1}, {infinity, infinity})}},
          {"an empty slice of i32 gives the greatest number",
           {i32({0, 2}, {}), i64({1}, {0})},
           {i32({1, 2}, {2147483647, 2147483647})}},
          {"NaN wins", {f32({1, 3}, {1, nan, 0}), i64({1}, {1})}, {f32({1, 1}, {nan})}},
          {"u8", {u8({2, 2}, {3, 1, 200, 255}), i64({1}, {0})}, {u8({1, 2}, {3, 1})}}});

const auto l1_cases =
    with(rows(l1, 1e-5, 13), {{"i32", {i32({2, 2}, {-1, 2, 3, -4}), i64({1}, {1})}, {i32({2, 1}, {3, 7})}},
                              {"f32", {f32({1, 3}, {-1, 2, -infinity}), i64({1}, {1})}, {f32({1, 1}, {infinity})}},
                              {"u8", {u8({2, 2}, {3, 1, 200, 25}), i64({1}, {0})}, {u8({1, 2}, {203, 26})}},
                              {"empty", {f32({2, 0}, {}), i64({1}, {1})}, {f32({2, 1}, {0, 0})}}});
const auto log_sum_cases =
    with(rows(log_sum, 1e-5, 13),
         {{"an empty slice", {f32({2, 0}, {}), i64({1}, {1})}, {f32({2, 1}, {-infinity, -infinity})}},
          {"below 0", {f32({1, 2}, {1, -2}), i64({1}, {1})}, {f32({1, 1}, {nan})}}});
const auto log_sum_exp_cases =
    with(rows(log_sum_exp, 1e-5, 13),
         {{"an empty slice", {f32({2, 0}, {}), i64({1}, {1})}, {f32({2, 1}, {-infinity, -infinity})}},
          {"numbers whose exponentials are out of range",
           {f32({3, 2}, {1000, 1000, -1000, -1000, 1000, -1000}), i64({1}, {1})},
           {f32({3, 1}, {1000 + std::log(2), -1000 + std::log(2), 1000})},
           1e-6},
          {"infinities and NaN",
           {f32({4, 2}, {infinity, 1, -infinity, -infinity, -infinity, 1, nan, 1}), i64({1}, {1})},
           {f32({4, 1}, {infinity, -infinity, 1, nan})}},
          {"long rows",
           {random({2, 20011}, -90, 90), i64({1}, {1})},
           {reduce(random({2, 20011}, -90, 90), {1}, true, log_sum_exp)},
           1e-5},
          {"f64", {f64({2}, {1, 2}), i64({1}, {0})}, {f64({1}, {2 + std::log1p(std::exp(-1))})}, 1e-12},
          {"i32, through f64", {i32({2}, {1, 3}), i64({1}, {0})}, {i32({1}, {3})}}});

// Where the greatest element of each row stands.
Case arg_max_row(const char* what, Tensor x, int64_t rows, int64_t length, bool last) {
  const auto values = values_of(x);
  std::vector<double> places;
  for (int64_t row = 0; row < rows; ++row) {
    const auto begin = values.begin() + row * length, end = begin + length;
    auto found = std::max_element(begin, end);
    for (auto at = found; last && at != end; ++at)
      if (*at == *found) found = at;
    places.push_back(static_cast<double>(found - begin));
  }
  return {what, {std::move(x)}, {i64({rows, 1}, places)}, 0, last ? "axis = 1, select_last_index = 1" : "axis = 1"};
}

const std::vector<Case> arg_max_cases = {
    arg_max_row("a row longer than a workgroup, prime", random({3, 2053}), 3, 2053, false),
    arg_max_row("a long row with many equal ones, the first", random({3, 2053}, 0, 5, DataType::i32), 3, 2053, false),
    arg_max_row("a long row with many equal ones, the last", random({3, 2053}, 0, 5, DataType::i32), 3, 2053, true),
    arg_max_row("more rows than a workgroup", random({2053, 7}), 2053, 7, false),
    arg_max_row("i64", random({5, 131}, -1e15, 1e15, DataType::i64), 5, 131, false),
    {"the first NaN wins", {f32({1, 4}, {1, nan, nan, infinity})}, {i64({1, 1}, {1})}, 0, "axis = 1"},
    {"minus infinity alone", {f32({1, 2}, {-infinity, -infinity})}, {i64({1, 1}, {0})}, 0, "axis = 1"},
    {"no rows", {f32({0, 2}, {})}, {i64({0, 1}, {})}, 0, "axis = 1"},
    {"the first of equal ones",
     {f32({2, 3}, {2, 2, 1, 0, 3, 3})},
     {numbers(DataType::i64, {2, 1}, {0, 1})},
     0,
     "axis = 1"},
    {"the last of equal ones",
     {f32({2, 3}, {2, 2, 1, 0, 3, 3})},
     {numbers(DataType::i64, {2, 1}, {1, 2})},
     0,
     "axis = 1, select_last_index = 1"},
    {"axis 0 without keepdims", {f32({2, 3}, {2, 2, 1, 0, 3, 3})}, {i64({3}, {0, 1, 1})}, 0, "axis = 0, keepdims = 0"},
    {"a middle axis", {i32({1, 3, 2}, {5, 1, 9, 8, 2, 8})}, {i64({1, 1, 2}, {1, 1})}, 0, "axis = -2"},
};
const std::vector<Case> arg_min_cases = {
    {"axis 1", {f32({2, 3}, {2, 2, 1, 0, 3, 3})}, {i64({2, 1}, {2, 0})}, 0, "axis = 1"},
    {"the last of equal ones, across",
     {i64({3, 2}, {2, 2, 1, 0, 1, 3})},
     {i64({1, 2}, {2, 1})},
     0,
     "select_last_index = 1"},
    {"the first NaN wins", {f32({1, 4}, {1, nan, nan, -infinity})}, {i64({1, 1}, {1})}, 0, "axis = 1"}};

}  // namespace

HEED_TEST_OPERATOR("ReduceSum", sum_cases)
HEED_TEST_OPERATOR("ReduceMean", mean_cases)
HEED_TEST_OPERATOR("ReduceMax", max_cases)
HEED_TEST_OPERATOR("ReduceMin", min_cases)
HEED_TEST_OPERATOR("ReduceProd", rows(product, 1e-4, 13))
HEED_TEST_OPERATOR("ReduceL2", rows(l2, 1e-5, 13))
HEED_TEST_OPERATOR("ReduceL1", l1_cases)
HEED_TEST_OPERATOR("ReduceLogSum", log_sum_cases)
HEED_TEST_OPERATOR("ReduceLogSumExp", log_sum_exp_cases)
HEED_TEST_OPERATOR("ReduceSumSquare", rows(sum_square, 1e-5, 13))
HEED_TEST_OPERATOR("ArgMax", arg_max_cases)
HEED_TEST_OPERATOR("ArgMin", arg_min_cases)
// Integers wrap around the same way in any order. Floats are summed up as f32 (f64 as f64) and rounded once.
TEST_CASE("reductions run on Vulkan in every type") {
  const auto text = [](DataType type, const std::string& result, const std::string& call) {
    return "<ir_version: 10, opset_import: [\"\" : 23]> g (" + std::string(name_of(type)) + "[N, M] x) => (" + result +
           "[N, 1] y) { axis = Constant<value_ints = [1]>() \n y = " + call + " }";
  };
  const auto check = [&](DataType type, const Tensor& x, double tolerance, std::initializer_list<const char*> calls) {
    for (const char* call : calls) {
      check_on_vulkan(text(type, std::string(name_of(type)), std::string(call) + "(x, axis)"), {x}, tolerance);
    }
  };
  const auto check_places = [&](DataType type, const Tensor& x) {
    for (const char* call : {"ArgMax<axis = 1>(x)", "ArgMin<axis = 1, select_last_index = 1>(x)"})
      check_on_vulkan(text(type, "int64", call), {x});
  };
  for (const DataType type : {DataType::i8, DataType::u8, DataType::i32, DataType::i64, DataType::u32, DataType::u64}) {
    const Tensor x = random({3, 131}, is_signed_integer(type) ? -100 : 0, 120, type);
    check(type, x, 0, {"ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare", "ReduceMax", "ReduceMin"});
    check(type, numbers(type, {2, 0}, {}), 0, {"ReduceSum", "ReduceProd", "ReduceMax", "ReduceMin"});
    check_places(type, x);
  }
  for (const DataType type : {DataType::i16, DataType::u16}) check_places(type, random({3, 131}, 0, 120, type));
  for (const auto& [type, rounding] :
       {std::pair(DataType::f16, 0x1p-11), {DataType::bf16, 0x1p-8}, {DataType::f64, 0x1p-50}}) {
    const Tensor x = random({3, 677}, -3, 3, type);
    check(type, x, 2 * rounding, {"ReduceSum", "ReduceMean", "ReduceL2", "ReduceSumSquare", "ReduceMax", "ReduceMin"});
    check(type, random({3, 7}, 0.5, 2, type), 2 * rounding, {"ReduceProd"});
    if (type != DataType::f64)
      check(type, random({3, 677}, 0.5, 2, type), 2 * rounding, {"ReduceLogSum", "ReduceLogSumExp"});
    check_places(type, x);
  }
  check(DataType::boolean, boolean({3, 2}, {0, 0, 0, 1, 1, 1}), 0, {"ReduceMax", "ReduceMin"});
  check(DataType::boolean, boolean({2, 0}, {}), 0, {"ReduceMax", "ReduceMin"});
}
TEST_CASE("few long rows are reduced in parts on Vulkan") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m] x, int64[m, k] i, float16[m] h) => (float[1, m] mean, float[n, 1] most, int64[1, k] all, float16 sum) {
      zero = Constant<value_ints = [0]>()
      one = Constant<value_ints = [1]>()
      mean = ReduceMean(x, zero)
      most = ReduceMax(x, one)
      all = ReduceProd(i, zero)
      sum = ReduceSum<keepdims = 0>(h)
    })";
  check_on_vulkan(
      text, {random({2, 20011}), random({20011, 3}, 1, 9, DataType::i64), random({20011}, -1, 1, DataType::f16)}, 1e-3);
  check_on_vulkan(text, {random({10007, 2}), random({2, 3}, 1, 9, DataType::i64), random({2}, -1, 1, DataType::f16)},
                  1e-3);
}
TEST_CASE("reductions read strided tensors on Vulkan") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x) => (float[5, n] a, float[1, m, 1] b, float[1] c, int64[5, m] d) {
      t = Transpose(x)
      one = Constant<value_ints = [1]>()
      ends = Constant<value_ints = [0, -1]>()
      a = ReduceMean<keepdims = 0>(t, one)
      b = ReduceMax(t, ends)
      s = ReduceL2<keepdims = 0>(t)
      zero = Constant<value_ints = [0]>()
      c = Unsqueeze(s, zero)
      d = ArgMin<axis = 2, keepdims = 0, select_last_index = 1>(t)
    })";
  check_on_vulkan(text, {random({3, 7, 5})}, 1e-5);
  check_on_vulkan(text, {random({301, 107, 5})}, 1e-4);  // c is of one row, cut into parts
}

}  // namespace heed::test
