// Relu, Sigmoid, Tanh, Erf, Exp, Log, Sqrt, Reciprocal, Sin, Cos, Floor, Ceil, Softplus, Neg, Abs, Sign, Gelu, Swish.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

template <double (*function)(double)>
Tensors each(const Tensors& in) {
  auto values = values_of(in[0]);
  for (auto& value : values) value = function(value);
  return {numbers(in[0].type, in[0].dims, values)};
}

// The same rows for every function: prime sizes, longer than a thread's piece, empty, scalar, narrow and wide floats.
template <double (*function)(double)>
std::vector<Case> float_rows(double low = -3, double high = 3) {
  return {by(each<function>, "prime sizes", {random({3, 7, 11}, low, high)}, 2e-6),
          by(each<function>, "longer than a thread's piece", {random({33333}, low, high)}, 2e-6),
          by(each<function>, "scalar", {random({}, low, high)}, 2e-6),
          by(each<function>, "empty", {f32({2, 0, 3}, {})}),
          by(each<function>, "f64", {random({5, 3}, low, high, DataType::f64)}, 1e-12),
          by(each<function>, "f16", {random({5, 3}, low, high, DataType::f16)}, 1e-3),
          by(each<function>, "bf16", {random({5, 3}, low, high, DataType::bf16)}, 1e-2)};
}

double relu(double x) { return x < 0 ? 0 : x; }
double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double reciprocal(double x) { return 1 / x; }
double softplus(double x) { return std::log1p(std::exp(x)); }
double neg(double x) { return -x; }
double sign(double x) { return (x > 0) - (x < 0); }
double gelu(double x) { return x * 0.5 * (1 + std::erf(x / std::sqrt(2))); }
double gelu_tanh(double x) { return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x))); }
double swish(double x) { return x / (1 + std::exp(-1.5 * x)); }

std::vector<Case> with(std::vector<Case> rows, std::vector<Case> more) {
  rows.insert(rows.end(), more.begin(), more.end());
  return rows;
}
std::vector<Case> with_attributes(std::vector<Case> rows, const std::string& attributes) {
  for (auto& row : rows) row.attributes = attributes;
  return rows;
}

const auto relu_cases =
    with(float_rows<relu>(), {{"i32", {i32({3}, {-1, 0, 2})}, {i32({3}, {0, 0, 2})}},
                              {"NaN stays (numpy.maximum)", {f32({2}, {nan, -1})}, {f32({2}, {nan, 0})}}});
const auto neg_cases =
    with(float_rows<neg>(),
         {{"i8", {numbers(DataType::i8, {3}, {-4, 2, -128})}, {numbers(DataType::i8, {3}, {4, -2, -128})}}});
const auto abs_cases = with(float_rows<std::abs>(), {{"i64", {i64({2}, {-5, 3})}, {i64({2}, {5, 3})}},
                                                     {"u8", {u8({2}, {200, 3})}, {u8({2}, {200, 3})}}});
const auto sign_cases =
    with(float_rows<sign>(),
         {{"i16", {numbers(DataType::i16, {3}, {-7, 0, 9})}, {numbers(DataType::i16, {3}, {-1, 0, 1})}}});

}  // namespace

HEED_TEST_OPERATOR("Relu", relu_cases)
HEED_TEST_OPERATOR("Sigmoid", float_rows<sigmoid>())
HEED_TEST_OPERATOR("Tanh", float_rows<std::tanh>())
HEED_TEST_OPERATOR("Erf", float_rows<std::erf>())
HEED_TEST_OPERATOR("Exp", float_rows<std::exp>())
HEED_TEST_OPERATOR("Log", float_rows<std::log>(0.1, 5))
HEED_TEST_OPERATOR("Sqrt", float_rows<std::sqrt>(0, 9))
HEED_TEST_OPERATOR("Reciprocal", float_rows<reciprocal>(0.5, 4))
HEED_TEST_OPERATOR("Sin", float_rows<std::sin>())
HEED_TEST_OPERATOR("Cos", float_rows<std::cos>())
HEED_TEST_OPERATOR("Floor", float_rows<std::floor>())
HEED_TEST_OPERATOR("Ceil", float_rows<std::ceil>())
HEED_TEST_OPERATOR("Softplus", float_rows<softplus>())
HEED_TEST_OPERATOR("Neg", neg_cases)
HEED_TEST_OPERATOR("Abs", abs_cases)
HEED_TEST_OPERATOR("Sign", sign_cases)
HEED_TEST_OPERATOR("Gelu", float_rows<gelu>())
HEED_TEST_OPERATOR("Swish", with_attributes(float_rows<swish>(), "alpha = 1.5"))
// Computed in f32 and rounded once, as on the CPU; what the functions are off by in f32 may tip a rounding.
TEST_CASE("functions of f16 and bf16 give on Vulkan what they give on the CPU") {
  for (const auto& [type, rounding] : {std::pair(DataType::f16, 0x1p-11), {DataType::bf16, 0x1p-8}}) {
    const std::string t(name_of(type));
    for (const char* call :
         {"Relu", "Sigmoid", "Tanh", "Erf", "Exp", "Log", "Sqrt", "Reciprocal", "Sin", "Cos", "Floor", "Ceil",
          "Softplus", "Neg", "Abs", "Sign", "Gelu", "Gelu<approximate = \"tanh\">", "Swish"})
      check_on_vulkan(
          "<ir_version: 10, opset_import: [\"\" : 24]> g (" + t + "[N] x) => (" + t + "[N] y) { y = " + call + "(x) }",
          {random({677}, 0.01, 5, type)}, 2 * rounding);
  }
}

TEST_CASE("Gelu by tanh") { run_cases("Gelu", with_attributes(float_rows<gelu_tanh>(), "approximate = \"tanh\"")); }

}  // namespace heed::test
