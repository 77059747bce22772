// Products of 8-bit integers: MatMulInteger, QLinearMatMul, MatMulIntegerToFloat, DynamicQuantizeMatMul; heed's that finish
// their sums.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"
#include "finished.hpp"

namespace heed::test {
namespace {

Tensor bytes(DataType type, std::vector<int64_t> dims) {
  std::vector<double> values = values_of(random(dims, type == DataType::u8 ? 0 : -128, type == DataType::u8 ? 256 : 128, DataType::f64));
  for (double& value : values) value = std::floor(value);
  return numbers(type, std::move(dims), values);
}

// A number for place `index`, counted on over matrices.
double at(const Tensor& list, int64_t index) {
  if (list.type == DataType::undefined) return 0;
  const auto values = values_of(list);
  return values[static_cast<size_t>(index) % values.size()];
}

struct Sums {
  std::vector<int64_t> dims;
  std::vector<double> sums;
  std::vector<int64_t> a_rows, b_columns;  // of each, counted on over matrices
};

// By numpy's rules.
Sums sums_of(const Tensor& a, const Tensor& b, const Tensor& a_zero, const Tensor& b_zero) {
  auto a_dims = a.dims, b_dims = b.dims;
  const bool row = a_dims.size() == 1, column = b_dims.size() == 1;
  if (row) a_dims.insert(a_dims.begin(), 1);
  if (column) b_dims.push_back(1);
  while (a_dims.size() < b_dims.size()) a_dims.insert(a_dims.begin(), 1);
  while (b_dims.size() < a_dims.size()) b_dims.insert(b_dims.begin(), 1);
  const size_t outer = a_dims.size() - 2;
  const int64_t rows = a_dims[outer], k_count = a_dims[outer + 1], columns = b_dims[outer + 1];
  Sums y;
  int64_t batches = 1;
  for (size_t axis = 0; axis < outer; ++axis)
    batches *= y.dims.emplace_back(a_dims[axis] == 1 ? b_dims[axis] : a_dims[axis]);
  const auto left = values_of(a), right = values_of(b);
  for (int64_t batch = 0; batch < batches; ++batch) {
    int64_t rest = batch, a_matrix = 0, b_matrix = 0, a_stride = 1, b_stride = 1;
    for (size_t axis = outer; axis-- > 0;) {
      const int64_t i = rest % y.dims[axis];
      rest /= y.dims[axis];
      a_matrix += a_dims[axis] == 1 ? 0 : i * a_stride;
      b_matrix += b_dims[axis] == 1 ? 0 : i * b_stride;
      a_stride *= a_dims[axis];
      b_stride *= b_dims[axis];
    }
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        const int64_t a_row = a_matrix * rows + i, b_column = b_matrix * columns + j;
        double sum = 0;
        for (int64_t k = 0; k < k_count; ++k)
          sum += (left[static_cast<size_t>(a_row * k_count + k)] - at(a_zero, a_row)) *
                 (right[static_cast<size_t>((b_matrix * k_count + k) * columns + j)] - at(b_zero, b_column));
        y.sums.push_back(sum);
        y.a_rows.push_back(a_row);
        y.b_columns.push_back(b_column);
      }
  }
  if (!row) y.dims.push_back(rows);
  if (!column) y.dims.push_back(columns);
  return y;
}

Case integer_row(std::string what, Tensor a, Tensor b, Tensor a_zero = absent(), Tensor b_zero = absent()) {
  const auto reference = [](const Tensors& in) {
    const Sums y = sums_of(in[0], in[1], in[2], in[3]);
    return Tensors{numbers(DataType::i32, y.dims, y.sums)};
  };
  return by(reference, std::move(what), {std::move(a), std::move(b), std::move(a_zero), std::move(b_zero)});
}

constexpr DataType i8 = DataType::i8, u8_type = DataType::u8;

std::vector<Case> integer_rows() {
  std::vector<Case> rows;
  for (const DataType a : {i8, u8_type})
    for (const DataType b : {i8, u8_type}) {
      const std::string name = std::string(name_of(a)) + " by " + std::string(name_of(b));
      rows.push_back(integer_row(name, bytes(a, {3, 37}), bytes(b, {37, 67}), bytes(a, {}), bytes(b, {1})));
      rows.push_back(integer_row(name + ", no zero points", bytes(a, {41, 131}), bytes(b, {131, 35})));
    }
  rows.push_back(integer_row("a row, a column each their own", bytes(u8_type, {5, 17}), bytes(i8, {17, 19}),
                             bytes(u8_type, {5}), bytes(i8, {19})));
  rows.push_back(integer_row("in batches, each their own", bytes(u8_type, {3, 5, 17}), bytes(i8, {3, 17, 19}),
                             bytes(u8_type, {3, 5, 1}), bytes(i8, {3, 1, 19})));
  rows.push_back(integer_row("crossed broadcast", bytes(i8, {3, 1, 7, 9}), bytes(u8_type, {1, 2, 9, 33}), bytes(i8, {7}),
                             bytes(u8_type, {33})));
  rows.push_back(integer_row("batches of rows by one b", bytes(u8_type, {3, 11, 20}), bytes(i8, {20, 40}),
                             bytes(u8_type, {11}), bytes(i8, {})));
  rows.push_back(integer_row("a decoded token", bytes(u8_type, {1, 300}), bytes(i8, {300, 577}), bytes(u8_type, {})));
  rows.push_back(integer_row("as many rows as are few, in fours", bytes(u8_type, {8, 72}), bytes(u8_type, {72, 132}),
                             bytes(u8_type, {8}), bytes(u8_type, {132})));
  rows.push_back(integer_row("a workgroup a batch of many rows", bytes(u8_type, {67, 9, 5}), bytes(i8, {67, 5, 7}),
                             bytes(u8_type, {67, 9, 1}), bytes(i8, {67, 1, 7})));
  rows.push_back(integer_row("a vector on the left", bytes(u8_type, {67}), bytes(i8, {67, 41})));
  rows.push_back(integer_row("a vector on the right", bytes(u8_type, {41, 67}), bytes(i8, {67}), bytes(u8_type, {})));
  rows.push_back(integer_row("two vectors", bytes(u8_type, {3}), bytes(u8_type, {3})));
  rows.push_back(integer_row("rows around blocks of them", bytes(i8, {101, 6}), bytes(i8, {6, 16})));
  rows.push_back(integer_row("the largest numbers, which pairs must not saturate",
                             numbers(u8_type, {2, 64}, std::vector<double>(128, 255)),
                             numbers(i8, {64, 2}, std::vector<double>(128, -128)), numbers(u8_type, {}, {0})));
  rows.push_back(integer_row("more rows than meet a panel at once, each its own", bytes(u8_type, {131, 9}),
                             bytes(i8, {9, 19}), bytes(u8_type, {131}), bytes(i8, {19})));
  for (const double b : {-128.0, 127.0})
    for (const double a : {0.0, 255.0})
      rows.push_back(integer_row("the largest numbers four at a time", numbers(u8_type, {5, 64}, std::vector<double>(320, a)),
                                 numbers(i8, {64, 2}, std::vector<double>(128, b)), numbers(u8_type, {}, {3})));
  // Rows of codes around a zero point, by columns of any numbers, of the greatest, of the least, and of both in turn.
  for (const double zero_point : {0.0, 128.0})
    for (const double greatest : {63.0, 127.0}) {
      std::vector<double> codes, b = values_of(bytes(i8, {64, 19}));
      for (const double step : {0, 16, 17, 31, 32, 33, 63, 64, 65, 127, 128, 255})
        for (const double sign : {-1, 1}) codes.insert(codes.end(), 64, std::clamp(zero_point + sign * step, 0.0, 255.0));
      for (size_t k = 0; k < 64; ++k) codes.push_back(zero_point + (k < 16 ? 5 : k < 32 ? 24 : k < 48 ? 50 : 100));
      for (size_t i = 0; i < b.size(); ++i)
        if (const size_t column = i % 19 % 4; column > 0)
          b[i] = column == 1 || (column == 3 && i / 19 % 2 == 0) ? greatest : -greatest - 1;
      rows.push_back(integer_row("as large as sums of 16 bits have room for, and larger", numbers(u8_type, {25, 64}, codes),
                                 numbers(i8, {64, 19}, b), numbers(u8_type, {}, {zero_point})));
    }
  rows.push_back(integer_row("no rows", bytes(i8, {0, 4}), bytes(i8, {4, 3})));
  rows.push_back(integer_row("nothing to sum", bytes(i8, {2, 0}), bytes(u8_type, {0, 3}), bytes(i8, {})));
  return rows;
}
const std::vector<Case> integer_cases = integer_rows();

Case qlinear_row(std::string what, DataType type, Tensors in) {
  const auto reference = [=](const Tensors& in) {
    const Sums y = sums_of(in[0], in[3], in[2], in[5]);
    const double least = type == i8 ? -128 : 0;
    std::vector<double> codes;
    for (size_t i = 0; i < y.sums.size(); ++i) {
      const float scale = static_cast<float>(at(in[1], y.a_rows[i])) * static_cast<float>(at(in[4], y.b_columns[i])) /
                          static_cast<float>(at(in[6], y.a_rows[i]));
      codes.push_back(std::clamp(std::nearbyint(static_cast<float>(y.sums[i]) * scale) + at(in[7], y.a_rows[i]), least,
                                 least + 255));
    }
    return Tensors{numbers(type, y.dims, codes)};
  };
  return by(reference, std::move(what), std::move(in));
}
const std::vector<Case> qlinear_cases = {
    qlinear_row("u8", u8_type, {bytes(u8_type, {3, 37}), f32({}, {0.01}), bytes(u8_type, {}), bytes(u8_type, {37, 67}),
                                f32({}, {0.02}), bytes(u8_type, {}), f32({}, {0.3}), bytes(u8_type, {})}),
    qlinear_row("i8, f16 scales", i8, {bytes(i8, {2, 9, 37}), f16({1}, {0.01}), bytes(i8, {1}), bytes(i8, {2, 37, 5}),
                                       f16({1}, {0.02}), bytes(i8, {1}), f16({1}, {0.3}), bytes(i8, {1})}),
    qlinear_row("mixed, a row and a column each their own", i8,
                {bytes(u8_type, {5, 37}), random({5}, 0.01, 0.02), bytes(u8_type, {5}), bytes(i8, {37, 19}),
                 random({19}, 0.01, 0.02), bytes(i8, {19}), random({5}, 0.2, 0.4), bytes(i8, {5})}),
    qlinear_row("crossed broadcast, bf16 scales", u8_type,
                {bytes(u8_type, {3, 1, 7, 9}), bf16({}, {0.01}), bytes(u8_type, {}), bytes(i8, {1, 2, 9, 33}),
                 bf16({}, {0.02}), bytes(i8, {}), bf16({}, {0.2}), bytes(u8_type, {})}),
    qlinear_row("no rows", u8_type,
                {bytes(u8_type, {0, 9}), f32({}, {0.01}), bytes(u8_type, {}), bytes(u8_type, {9, 3}), f32({}, {0.02}),
                 bytes(u8_type, {}), f32({}, {0.2}), bytes(u8_type, {})}),
};

Case float_row(std::string what, Tensors in, double tolerance = 1e-6) {
  const auto reference = [](const Tensors& in) {
    const auto optional = [&](size_t i) { return i < in.size() ? in[i] : absent(); };
    const Sums y = sums_of(in[0], in[1], optional(4), optional(5));
    std::vector<double> values;
    for (size_t i = 0; i < y.sums.size(); ++i)
      values.push_back(y.sums[i] * at(in[2], y.a_rows[i]) * at(in[3], y.b_columns[i]) +
                       at(optional(6), y.b_columns[i]));
    return Tensors{numbers(in[2].type, y.dims, values)};
  };
  return by(reference, std::move(what), std::move(in), tolerance);
}
const std::vector<Case> float_cases = {
    float_row("one scale", {bytes(u8_type, {3, 37}), bytes(i8, {37, 67}), f32({}, {0.01}), f32({1}, {0.02})}),
    float_row("all there is", {bytes(u8_type, {2, 3, 37}), bytes(i8, {37, 67}), f32({1}, {0.01}), random({67}, 0.01, 0.02),
                               bytes(u8_type, {1}), bytes(i8, {67}), random({67})}),
    float_row("f16", {bytes(i8, {3, 37}), bytes(u8_type, {37, 9}), f16({}, {0.01}), f16({}, {0.02}), absent(),
                      bytes(u8_type, {})}, 1e-3),
    float_row("in batches, each their own", {bytes(u8_type, {3, 5, 17}), bytes(i8, {3, 17, 19}), random({3, 5, 1}, 0.01, 0.02),
                                             random({3, 1, 19}, 0.01, 0.02), bytes(u8_type, {3, 5, 1}), bytes(i8, {3, 1, 19})}),
    float_row("a few rows, the inner axis in pieces", {bytes(u8_type, {3, 1543}), bytes(u8_type, {1543, 37}), f32({}, {0.01}),
                                                       random({37}, 0.01, 0.02), bytes(u8_type, {3}), bytes(u8_type, {37})}),
    float_row("a decoded token", {bytes(u8_type, {1, 301}), bytes(i8, {301, 577}), f32({}, {0.01}), random({577}, 0.01, 0.02)}),
};

const std::vector<Case> finished_float_cases = {
    finished(float_row("a residual", {bytes(u8_type, {3, 37}), bytes(i8, {37, 67}), f32({}, {0.001}), f32({1}, {0.02})}, 1e-5), 6,
             {.has_residual = true}),
    finished(float_row("all there is", {bytes(u8_type, {2, 3, 37}), bytes(i8, {37, 67}), f32({1}, {0.001}), random({67}, 0.01, 0.02),
                                        bytes(u8_type, {1}), bytes(i8, {67}), random({67})}, 1e-5), 6,
             {"gelu_tanh", 0.5, true}),
    finished(float_row("gated, more columns than a block", {bytes(u8_type, {5, 9}), bytes(i8, {9, 1100}), f32({}, {0.001}),
                                                            random({1100}, 0.01, 0.02)}, 1e-5), 6,
             {"silu", 1, true, true}),
    finished(float_row("more rows than meet a panel at once", {bytes(u8_type, {131, 9}), bytes(i8, {9, 19}), f32({}, {0.001}),
                                                               f32({}, {0.02})}, 1e-5), 6,
             {"sigmoid", 1, true}),
    finished(float_row("f16, an odd count", {bytes(i8, {3, 37}), bytes(u8_type, {37, 9}), f16({}, {0.001}), f16({}, {0.02}), absent(),
                                             bytes(u8_type, {}), random({9}, -1, 1, DataType::f16)}, 3e-3), 6,
             {"gelu", 1, true, true}),
    finished(float_row("in batches, each their own", {bytes(u8_type, {3, 5, 17}), bytes(i8, {3, 17, 19}),
                                                      random({3, 5, 1}, 0.001, 0.002), random({3, 1, 19}, 0.01, 0.02),
                                                      bytes(u8_type, {3, 5, 1}), bytes(i8, {3, 1, 19}), random({19})}, 1e-5), 6,
             {"tanh", -0.5, true}),
    finished(float_row("a decoded token", {bytes(u8_type, {1, 301}), bytes(i8, {301, 577}), f32({}, {0.001}),
                                           random({577}, 0.01, 0.02)}, 1e-5), 6,
             {"relu", 1, true}),
    finished(float_row("nothing to sum", {bytes(i8, {2, 0}), bytes(u8_type, {0, 3}), f32({}, {1}), f32({}, {1}), absent(), absent(),
                                          random({3})}), 6,
             {"relu", 1, true}),
};

Case dynamic_row(std::string what, Tensors in) {
  const auto reference = [](const Tensors& in) {
    float least = 0, greatest = 0;
    for (const double x : values_of(in[0])) {
      least = std::min(least, static_cast<float>(x));
      greatest = std::max(greatest, static_cast<float>(x));
    }
    const float scale = (greatest - least) / 255, zero = std::nearbyintf(-least / scale);
    std::vector<double> codes;
    for (const double x : values_of(in[0]))
      codes.push_back(std::clamp(std::nearbyintf(static_cast<float>(x) / scale) + zero, 0.0f, 255.0f));
    const auto optional = [&](size_t i) { return i < in.size() ? in[i] : absent(); };
    const Sums y = sums_of(numbers(u8_type, in[0].dims, codes), in[1], u8({}, {zero}), optional(3));
    std::vector<double> values;
    for (size_t i = 0; i < y.sums.size(); ++i)
      values.push_back(y.sums[i] * scale * at(in[2], y.b_columns[i]) + at(optional(4), y.b_columns[i]));
    return Tensors{numbers(DataType::f32, y.dims, values)};
  };
  return by(reference, std::move(what), std::move(in), 1e-6);
}
const std::vector<Case> dynamic_cases = {
    dynamic_row("one scale", {random({3, 37}, -2, 1), bytes(i8, {37, 67}), f32({}, {0.02})}),
    dynamic_row("all there is", {random({2, 9, 37}, -2, 3), bytes(u8_type, {37, 67}), random({67}, 0.01, 0.02),
                                 bytes(u8_type, {67}), random({67})}),
    dynamic_row("longer than a workgroup folds at once", {random({67, 131}, -2, 3), bytes(i8, {131, 35}), random({35}, 0.01, 0.02)}),
    dynamic_row("a decoded token, the inner axis in pieces", {random({1, 3072}, -2, 3), bytes(i8, {3072, 36}), random({36}, 0.01, 0.02)}),
    dynamic_row("a decoded token", {random({1, 301}, -2, 3), bytes(i8, {301, 577}), f32({1}, {0.02})}),
};

Case finished_dynamic_row(std::string what, Tensors in, const Finish& finish) {
  Case row = finished(dynamic_row(std::move(what), std::move(in)), 4, finish);
  row.tolerance = 1e-5;
  return row;
}
const std::vector<Case> finished_dynamic_cases = {
    finished_dynamic_row("a residual", {random({3, 37}, -2, 1), bytes(i8, {37, 67}), f32({}, {0.002})}, {.has_residual = true}),
    finished_dynamic_row("all there is", {random({2, 9, 37}, -2, 3), bytes(u8_type, {37, 67}), random({67}, 0.001, 0.002),
                                          bytes(u8_type, {67}), random({67})}, {"gelu", 0.5, true}),
    finished_dynamic_row("gated", {random({67, 131}, -2, 3), bytes(i8, {131, 35}), random({35}, 0.001, 0.002)},
                         {"silu", 1, true, true}),
    finished_dynamic_row("a decoded token, an activation alone",
                         {random({1, 301}, -2, 3), bytes(i8, {301, 577}), f32({1}, {0.002})}, {"tanh"}),
};

}  // namespace

HEED_TEST_OPERATOR("MatMulInteger", integer_cases)
HEED_TEST_OPERATOR("QLinearMatMul", qlinear_cases)
HEED_TEST_OPERATOR("com.microsoft.MatMulIntegerToFloat", float_cases)
HEED_TEST_OPERATOR("com.microsoft.DynamicQuantizeMatMul", dynamic_cases)
HEED_TEST_OPERATOR("heed.FusedMatMulIntegerToFloat", finished_float_cases)
HEED_TEST_OPERATOR("heed.FusedDynamicQuantizeMatMul", finished_dynamic_cases)

TEST_CASE("products of integers refuse what does not fit") {
  const auto refused = [](std::string_view op_type, Tensors inputs, std::string_view part, std::string attributes = "") {
    check_refused(op_type, {"", std::move(inputs), {f32({1}, {0})}, 0, std::move(attributes)}, part);
  };
  const Tensors a_and_b{random({2, 3}), bytes(i8, {3, 5}), f32({}, {1})};
  refused("heed.FusedDynamicQuantizeMatMul", a_and_b, "'activation' is 'swoosh'", "activation = \"swoosh\"");
  refused("heed.FusedDynamicQuantizeMatMul", a_and_b, "no residual", "gated = 1");
  refused("heed.FusedDynamicQuantizeMatMul", {a_and_b[0], a_and_b[1], a_and_b[2], absent(), absent(), random({2, 4})},
          "axis 1 of the residual");
  refused("MatMulInteger", {bytes(i8, {2, 3}), bytes(i8, {3, 5}), bytes(i8, {3})}, "rows of input 0");
  refused("MatMulInteger", {bytes(i8, {2, 3}), bytes(i8, {3, 5}), absent(), bytes(i8, {3})}, "columns of input 1");
  refused("MatMulInteger", {bytes(i8, {2, 3}), bytes(i8, {4, 5})}, "[2, 3] and [4, 5]");
}

}  // namespace heed::test
