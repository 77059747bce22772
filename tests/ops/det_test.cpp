// Det.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

// By its first row (Laplace).
double determinant(const std::vector<double>& a, size_t size) {
  if (size == 0) return 1;
  double sum = 0;
  for (size_t left_out = 0; left_out < size; ++left_out) {
    std::vector<double> minor;
    for (size_t row = 1; row < size; ++row)
      for (size_t column = 0; column < size; ++column)
        if (column != left_out) minor.push_back(a[row * size + column]);
    sum += (left_out % 2 ? -1 : 1) * a[left_out] * determinant(minor, size - 1);
  }
  return sum;
}

Tensors determinants(const Tensors& in) {
  const auto x = values_of(in[0]);
  const std::vector<int64_t> dims(in[0].dims.begin(), in[0].dims.end() - 2);
  const auto size = static_cast<size_t>(in[0].dims.back());
  std::vector<double> y;
  for (auto at = x.begin(); at != x.end(); at += static_cast<int64_t>(size * size))
    y.push_back(determinant({at, at + static_cast<int64_t>(size * size)}, size));
  return {numbers(in[0].type, dims, y)};
}

// 1 below the diagonal of a cycle: a permutation of many rows, of which each needs its pivot.
Tensor cycle(int64_t size) {
  std::vector<double> x(static_cast<size_t>(size * size), 0);
  for (int64_t row = 0; row < size; ++row) x[static_cast<size_t>(row * size + (row + 1) % size)] = 1;
  return f32({size, size}, x);
}

const std::vector<Case> cases = {
    by(determinants, "one number", {random({5, 1, 1})}, 1e-6),
    by(determinants, "a matrix", {random({2, 2})}, 1e-6),
    by(determinants, "batches of matrices", {random({3, 2, 7, 7})}, 1e-5),
    by(determinants, "f16", {random({2, 3, 3}, -1, 1, DataType::f16)}, 2e-3),
    by(determinants, "bf16", {random({2, 3, 3}, -1, 1, DataType::bf16)}, 1e-2),
    by(determinants, "f64", {random({2, 5, 5}, -1, 1, DataType::f64)}, 1e-12),
    {"a pivot of 0 (by hand)", {f32({2, 2}, {0, 2, 3, 4})}, {f32({}, {-6})}},
    {"singular", {f32({3, 3}, {1, 2, 3, 2, 4, 6, 7, 8, 10})}, {f32({}, {0})}, 1e-5},
    {"a cycle of an odd number of rows", {cycle(131)}, {f32({}, {1})}},
    {"a cycle of an even number of rows", {cycle(20)}, {f32({}, {-1})}},
    {"no matrices", {f32({0, 2, 2}, {})}, {f32({0}, {})}},
    {"matrices of nothing (numpy)", {f32({2, 0, 0}, {})}, {f32({2}, {1, 1})}},
};

}  // namespace

HEED_TEST_OPERATOR("Det", cases)

TEST_CASE("Det takes square matrices, which may be strided") {
  check_refused("Det", {"", {f32({2, 3}, {1, 2, 3, 4, 5, 6})}, {f32({}, {0})}}, "rows and columns");
  check_refused("Det", {"", {f32({2}, {1, 2})}, {f32({}, {0})}}, "the input [2] is no matrix");
  check_on_vulkan(
      "<ir_version: 10, opset_import: [\"\" : 22]> g (float[3, N, 3] x) => (float[N] y) "
      "{ t = Transpose<perm = [1, 0, 2]>(x) \n y = Det(t) }",
      {random({3, 5, 3})}, 1e-5);
}

}  // namespace heed::test
