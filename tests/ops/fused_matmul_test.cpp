// heed.FusedMatMul: every activation, with and without a scale, a bias and a residual, of few rows and many, against the
// formula in f64. What the product itself has to meet: matmul_test.cpp.
#include <catch2/catch.hpp>

#include "finished.hpp"

namespace heed::test {
namespace {

// [rows, k] x [k, columns].
Case row(std::string what, int64_t rows, int64_t inner, int64_t columns, Finish finish, bool has_bias, bool has_residual,
         DataType type = DataType::f32, double tolerance = 2e-5) {
  const auto sums = [=](const Tensors& given) {
    const auto a = values_of(given[0]), b = values_of(given[1]);
    const auto bias = has_bias ? values_of(given[2]) : std::vector<double>(static_cast<size_t>(columns));
    std::vector<double> y;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = 0; j < columns; ++j) {
        double sum = bias[static_cast<size_t>(j)];
        for (int64_t k = 0; k < inner; ++k)
          sum += a[static_cast<size_t>(i * inner + k)] * b[static_cast<size_t>(k * columns + j)];
        y.push_back(sum);
      }
    return Tensors{numbers(type, {rows, columns}, y)};
  };
  Tensors in{random({rows, inner}, -1, 1, type), random({inner, columns}, -1, 1, type),
             has_bias ? random({columns}, -1, 1, type) : absent()};
  finish.has_residual = has_residual;
  return finished(by(sums, std::move(what), std::move(in), tolerance), 2, finish);
}

std::vector<Case> made() {
  std::vector<Case> cases;
  int64_t rows = 1;
  for (const std::string activation : {"none", "relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh"}) {
    cases.push_back(row(activation + ", of " + std::to_string(rows) + " rows", rows, 37, 67, {activation, 0.75}, true, true));
    rows = 14 - rows;
  }
  cases.push_back(row("a bias alone", 3, 17, 5, {}, true, false));
  cases.push_back(row("a scale alone", 3, 17, 5, {"none", -2.5}, false, false));
  cases.push_back(row("a residual alone", 3, 17, 5, {}, false, true));
  cases.push_back(row("gated, one row", 1, 37, 67, {.gated = true}, false, true));
  cases.push_back(row("gated, tiles, everything", 33, 17, 41, {.activation = "silu", .scale = 0.5, .gated = true}, true, true));
  cases.push_back(row("gated, f16", 5, 36, 68, {.activation = "gelu_tanh", .gated = true}, true, true, DataType::f16, 3e-3));
  cases.push_back(row("gated, pieces of a long k", 1, 1061, 65, {.scale = 0.1, .gated = true}, true, true));
  cases.push_back(row("an activation alone", 40, 17, 41, {"relu"}, false, false));
  cases.push_back(row("nothing to sum", 3, 0, 5, {"sigmoid"}, true, true));
  cases.push_back(row("no rows", 0, 4, 5, {"relu"}, true, true));
  cases.push_back(row("pieces of a long k, one row", 1, 1061, 65, {"gelu", 0.1}, true, true));
  cases.push_back(row("pieces of a long k, tiles", 33, 1061, 36, {"silu", 0.1}, true, true));
  cases.push_back(row("more columns than a block", 2, 5, 1100, {"tanh"}, true, true));
  cases.push_back(row("f16", 5, 36, 68, {"gelu_tanh"}, true, true, DataType::f16, 3e-3));
  cases.push_back(row("f16, tiles", 11, 37, 67, {"gelu"}, true, true, DataType::f16, 3e-3));
  cases.push_back(row("bf16", 5, 36, 68, {"silu"}, true, true, DataType::bf16, 2e-2));
  cases.push_back(row("bf16, tiles", 11, 37, 67, {"relu"}, true, true, DataType::bf16, 2e-2));
  cases.push_back(row("f64", 5, 36, 7, {"gelu"}, true, true, DataType::f64, 1e-12));
  cases.push_back({"in batches, the residual as large as y",
                   {f32({2, 1, 2}, {1, 2, 3, 4}), f32({2, 1}, {1, 10}), f32({1}, {-30}), f32({2, 1, 1}, {0.5, 0.25})},
                   {f32({2, 1, 1}, {0.5, 13.25})},
                   0,
                   "activation = \"relu\""});
  return cases;
}

const std::vector<Case> cases = made();

}  // namespace

HEED_TEST_OPERATOR("heed.FusedMatMul", cases)

TEST_CASE("FusedMatMul refuses what does not fit") {
  const auto refused = [](Tensors inputs, std::string_view part, std::string attributes = "") {
    check_refused("heed.FusedMatMul", {"", std::move(inputs), {f32({1}, {0})}, 0, std::move(attributes)}, part);
  };
  refused({random({2, 3}), random({3, 5}), random({4})}, "bias and columns of b");
  refused({random({2, 3}), random({3, 5}), random({1, 5})}, "expected rank 1");
  refused({random({2, 3}), random({3}), random({1})}, "a vector, which has none");
  refused({random({2, 3}), random({3, 5}), absent(), random({1, 5})}, "axis 0 of the residual");
  refused({random({2, 3}), random({3, 5})}, "activation", "activation = \"swoosh\"");
}

}  // namespace heed::test
