// MatMul: numpy's rules and every type. Memory that is laid out otherwise, packing and threads: matmul_memory_test.cpp.
#include <catch2/catch.hpp>

#include "cases.hpp"
#include "plugins/cpu/isa.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

// numpy.matmul in f64.
Tensors matmul(const Tensors& in) {
  auto a_dims = in[0].dims, b_dims = in[1].dims;
  const bool row = a_dims.size() == 1, column = b_dims.size() == 1;
  if (row) a_dims.insert(a_dims.begin(), 1);
  if (column) b_dims.push_back(1);
  while (a_dims.size() < b_dims.size()) a_dims.insert(a_dims.begin(), 1);
  while (b_dims.size() < a_dims.size()) b_dims.insert(b_dims.begin(), 1);
  const size_t outer = a_dims.size() - 2;
  const int64_t rows = a_dims[outer], k_count = a_dims[outer + 1], columns = b_dims[outer + 1];
  std::vector<int64_t> dims;
  int64_t batches = 1;
  for (size_t axis = 0; axis < outer; ++axis)
    batches *= dims.emplace_back(a_dims[axis] == 1 ? b_dims[axis] : a_dims[axis]);
  const auto a = values_of(in[0]), b = values_of(in[1]);
  std::vector<double> y;
  for (int64_t batch = 0; batch < batches; ++batch) {
    int64_t rest = batch, a_at = 0, b_at = 0, a_size = rows * k_count, b_size = k_count * columns;
    for (size_t axis = outer; axis-- > 0;) {
      const int64_t i = rest % dims[axis];
      rest /= dims[axis];
      a_at += a_dims[axis] == 1 ? 0 : i * a_size;
      b_at += b_dims[axis] == 1 ? 0 : i * b_size;
      a_size *= a_dims[axis];
      b_size *= b_dims[axis];
    }
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double sum = 0;
        for (int64_t k = 0; k < k_count; ++k)
          sum += a[static_cast<size_t>(a_at + i * k_count + k)] * b[static_cast<size_t>(b_at + k * columns + j)];
        y.push_back(sum);
      }
  }
  if (!row) dims.push_back(rows);
  if (!column) dims.push_back(columns);
  return {numbers(in[0].type, dims, y)};
}

Case row(std::string what, std::vector<int64_t> a, std::vector<int64_t> b, double tolerance = 1e-5,
         DataType type = DataType::f32, int32_t opset = newest_opset) {
  const double most = is_float(type) ? 1 : 9;
  const double least = is_float(type) || is_signed_integer(type) ? -most : 0;
  return by(matmul, std::move(what), {random(std::move(a), least, most, type), random(std::move(b), least, most, type)},
            tolerance, "", opset);
}

const std::vector<Case> cases = {
    {"by hand", {f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({3, 2}, {1, 0, 0, 1, 1, 1})}, {f32({2, 2}, {4, 5, 10, 11})}},
    {"integers wrap", {i32({1, 2}, {65536, 2147483647}), i32({2, 1}, {65536, 2})}, {i32({1, 1}, {-2})}},
    {"infinity times zero is no number", {f32({1, 2}, {infinity, 1}), f32({2, 1}, {0, 1})}, {f32({1, 1}, {nan})}},
    {"nothing to sum gives zeros", {f32({2, 0}, {}), f32({0, 3}, {})}, {f32({2, 3}, {0, 0, 0, 0, 0, 0})}},
    row("onnx test_matmul_2d", {3, 4}, {4, 3}),
    row("onnx test_matmul_3d", {2, 3, 4}, {2, 4, 3}),
    row("onnx test_matmul_4d", {1, 2, 3, 4}, {1, 2, 4, 3}),
    row("onnx test_matmul_bcast", {3, 1, 3, 4}, {1, 2, 4, 2}),
    row("onnx test_matmul_1d_1d", {3}, {3}),
    row("onnx test_matmul_1d_3d", {2}, {3, 2, 4}),
    row("onnx test_matmul_4d_1d", {3, 1, 4, 2}, {2}),
    row("a vector on the left", {67}, {67, 41}),
    row("a vector on the right", {41, 67}, {67}),
    row("fewer batch axes on the right", {3, 5, 7, 11}, {11, 13}),
    row("fewer batch axes on the left", {7, 11}, {5, 11, 13}),
    row("a decoded token", {1, 1, 192}, {192, 577}),
    row("eight of them", {8, 1, 172}, {172, 65}),
    row("two rows", {2, 131}, {131, 33}),
    row("three rows", {3, 131}, {131, 31}),
    row("seven rows in batches", {5, 7, 3}, {5, 3, 32}),
    row("nine rows", {9, 33}, {33, 34}),
    row("a prompt", {2, 37, 61}, {61, 129}),
    row("longer than a block of k", {3, 1031}, {1031, 17}, 3e-5),
    row("few columns, a long k in pieces", {2, 1061}, {1061, 5}, 3e-5),
    row("few tiles, a long k in pieces", {33, 1100}, {1100, 36}, 3e-5),
    row("few tiles in batches, a long k in pieces", {2, 9, 1057}, {2, 1057, 31}, 3e-5),
    row("columns in fours", {5, 68}, {68, 132}),
    row("tiles in fours", {3, 36, 68}, {3, 68, 132}),
    row("f16 in fours, a token", {1, 132}, {132, 68}, 2e-3, DataType::f16),
    row("f16 in fours", {12, 132}, {132, 68}, 2e-3, DataType::f16),
    row("bf16 in fours, a token", {1, 132}, {132, 68}, 1e-2, DataType::bf16),
    row("bf16 in fours", {12, 132}, {132, 68}, 1e-2, DataType::bf16),
    row("no rows", {0, 4}, {4, 3}),
    row("no columns", {2, 4}, {4, 0}),
    row("f64", {3, 50}, {50, 7}, 1e-13, DataType::f64),
    row("f16", {3, 50}, {50, 7}, 2e-3, DataType::f16),
    row("f16, a prompt", {2, 37, 61}, {61, 67}, 2e-3, DataType::f16),
    row("f16 in eights", {40, 72}, {72, 136}, 2e-3, DataType::f16),
    row("f16, a tile for each of many matrices", {64, 9, 24}, {64, 24, 40}, 2e-3, DataType::f16),
    row("f16, a few tiles for each of some matrices", {16, 40, 41}, {16, 41, 43}, 2e-3, DataType::f16),
    row("f16, few tiles, a long k in pieces", {33, 1100}, {1100, 36}, 4e-3, DataType::f16),
    row("bf16", {3, 50}, {50, 7}, 1e-2, DataType::bf16),
    row("bf16, a prompt", {2, 37, 61}, {61, 67}, 1e-2, DataType::bf16),
    row("i32", {3, 50}, {50, 7}, 0, DataType::i32),
    row("i64", {2, 3, 5}, {5, 7}, 0, DataType::i64),
    row("u32", {3, 50}, {50, 7}, 0, DataType::u32),
    row("u64", {3, 50}, {50, 7}, 0, DataType::u64),
    row("version 1", {3, 4}, {4, 3}, 1e-6, DataType::f32, 1),
};

}  // namespace

HEED_TEST_OPERATOR("MatMul", cases)

namespace {

// A product of which b, or else a, lies transposed.
void check_transposed(int64_t rows, int64_t inner, int64_t columns, DataType type, double tolerance) {
  const auto dims = [](int64_t first, int64_t second) {
    return "[" + std::to_string(first) + ", " + std::to_string(second) + "]";
  };
  const std::string name = type == DataType::f16 ? "float16" : "float";
  const auto text = [&](const std::string& a, const std::string& b, const std::string& body) {
    return "<ir_version: 10, opset_import: [\"\": 21]> g (" + name + a + " a, " + name + b + " b) => (" + name +
           dims(rows, columns) + " y) {" + body + "}";
  };
  check_on_vulkan(text(dims(rows, inner), dims(columns, inner), "t = Transpose<perm = [1, 0]>(b) y = MatMul(a, t)"),
                  {random({rows, inner}, -1, 1, type), random({columns, inner}, -1, 1, type)}, tolerance);
  check_on_vulkan(text(dims(inner, rows), dims(inner, columns), "t = Transpose<perm = [1, 0]>(a) y = MatMul(t, b)"),
                  {random({inner, rows}, -1, 1, type), random({inner, columns}, -1, 1, type)}, tolerance);
}

}  // namespace

TEST_CASE("MatMul on Vulkan reads matrices as they lie") {
  for (const int64_t rows : {1, 7, 37})
    for (const int64_t inner : {67, 132})
      for (const int64_t columns : {19, 68}) check_transposed(rows, inner, columns, DataType::f32, 1e-5);
  for (const int64_t inner : {67, 136})
    for (const auto& [rows, columns] : {std::pair(37, 19), std::pair(40, 72)})
      check_transposed(rows, inner, columns, DataType::f16, 2e-3);
}

// The constant is a view when kernels are chosen, and lies there by itself when sizes are known.
TEST_CASE("MatMul on Vulkan with a constant that others read turned, of few rows and many") {
  for (const int64_t rows : {3, 10, 40})
    check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 21]>
      g (float[batch, seq, 8] x, int64[ids] i) => (float[batch, seq, 20] y, float[ids, 8] rows) {
        zero = Constant<value_float = 0.0>()
        count = Constant<value_float = 160.0>()
        one = Constant<value_float = 1.0>()
        dims = Constant<value_ints = [20, 8]>()
        list = Range(zero, count, one)
        sines = Sin(list)
        table = Reshape(sines, dims)
        turned = Transpose<perm = [1, 0]>(table)
        y = MatMul(x, turned)
        rows = Gather(table, i)
      })",
                    {random({2, rows, 8}), i64({2}, {3, 7})}, 1e-5);
}

TEST_CASE("MatMul refuses what does not fit, with the shapes") {
  const auto refused = [](std::vector<int64_t> a, std::vector<int64_t> b, std::string_view part) {
    check_refused("MatMul", {"", {random(std::move(a)), random(std::move(b))}, {f32({1}, {0})}}, part);
  };
  refused({2, 3}, {4, 5}, "[2, 3] and [4, 5]");
  refused({}, {4, 5}, "input 0 has rank 0");
  refused({2, 1, 3}, {5, 3, 2}, "do not broadcast");
}

TEST_CASE("kernels that do not run on this machine") {
  std::string lacking;
  for (const cpu::Isa isa : cpu::every_isa)
    if (!cpu::machine_has(isa)) lacking += " " + std::string(cpu::name_of(isa));
  if (!lacking.empty()) skip_row("kernels for" + lacking + ": this machine has none of these");
}

}  // namespace heed::test
