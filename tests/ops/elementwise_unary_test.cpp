// Relu, Sigmoid, Tanh, Erf, Exp, Log, Sqrt, Reciprocal, Sin, Cos, Floor, Ceil, Round, Softplus, Neg, Abs, Sign, Gelu,
// Swish; the other functions of trigonometry; activations of one input.
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

double elu(double x) { return x < 0 ? 1.5 * std::expm1(x) : x; }
double celu(double x) { return std::max(x, 0.0) + std::min(0.0, 0.75 * std::expm1(x / 0.75)); }
double selu(double x) { return 1.25 * (x > 0 ? x : 2 * std::expm1(x)); }
double leaky_relu(double x) { return x < 0 ? 0.125 * x : x; }
double thresholded_relu(double x) { return x > 0.75 ? x : 0; }
double hard_sigmoid(double x) { return std::clamp(0.25 * x + 0.625, 0.0, 1.0); }
double hard_swish(double x) { return x * std::clamp(x / 6 + 0.5, 0.0, 1.0); }
double softsign(double x) { return x / (1 + std::abs(x)); }
double mish(double x) { return x * std::tanh(std::log1p(std::exp(x))); }
double shrink(double x) { return x < -1.5 ? x + 0.5 : x > 1.5 ? x - 0.5 : 0; }
double quick_gelu(double x) { return x / (1 + std::exp(-1.25 * x)); }

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

const auto shrink_cases =
    with(float_rows<shrink>(), {{"i32, through f64", {i32({5}, {-3, -1, 0, 2, 9})}, {i32({5}, {-2, 0, 0, 1, 8})}},
                                {"u8", {u8({3}, {1, 2, 200})}, {u8({3}, {0, 1, 199})}}});
const auto round_cases =
    with(float_rows<std::nearbyint>(),
         {{"half to even", {f32({6}, {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5})}, {f32({6}, {-2, -2, -0.0, 0, 2, 2})}}});
const Tensor far = f32({7}, {nan, infinity, -infinity, 700, -700, 1e-30, -1e-30});
const auto mish_cases =
    with(float_rows<mish>(), {{"far from 0", {far}, {f32({7}, {nan, infinity, nan, 700, 0, 6e-31, -6e-31})}, 1e-6}});
const auto hard_sigmoid_cases =
    with(float_rows<hard_sigmoid>(-9, 9), {{"far from 0", {far}, {f32({7}, {nan, 1, 0, 1, 0, 0.625, 0.625})}}});
const auto sinh_cases =
    with(float_rows<std::sinh>(),
         {by(each<std::sinh>, "where e^x alone is out of range", {f32({4}, {88.9, -89.2, 100, -infinity})}, 2e-6)});
const auto cosh_cases =
    with(float_rows<std::cosh>(),
         {by(each<std::cosh>, "where e^x alone is out of range", {f32({4}, {88.9, -89.2, 100, -infinity})}, 2e-6)});
const auto asinh_cases =
    with(float_rows<std::asinh>(), {by(each<std::asinh>, "large", {f32({4}, {1e3, -1e10, 1e38, -infinity})}, 1e-6)});
const auto acosh_cases =
    with(float_rows<std::acosh>(1, 4), {by(each<std::acosh>, "large", {f32({4}, {1e3, 1e10, 1e38, infinity})}, 1e-6),
                                        by(each<std::acosh>, "below 1", {f32({2}, {0.5, -3})})});
const auto atanh_cases =
    with(float_rows<std::atanh>(-0.99, 0.99), {by(each<std::atanh>, "1 and beyond", {f32({4}, {1, -1, 2, -3})})});
const auto tan_cases =
    with(float_rows<std::tan>(-1.5, 1.5), {by(each<std::tan>, "many turns", {random({101}, -300, 300)}, 2e-4)});
const auto asin_cases =
    with(float_rows<std::asin>(-1, 1), {by(each<std::asin>, "1 and beyond", {f32({4}, {1, -1, 2, -3})}, 1e-6)});
const auto acos_cases =
    with(float_rows<std::acos>(-1, 1), {by(each<std::acos>, "1 and beyond", {f32({4}, {1, -1, 2, -3})}, 1e-6)});
const auto atan_cases =
    with(float_rows<std::atan>(), {by(each<std::atan>, "large", {f32({4}, {1e3, -1e10, infinity, -infinity})}, 1e-6)});

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
HEED_TEST_OPERATOR("Round", round_cases)
HEED_TEST_OPERATOR("Tan", tan_cases)
HEED_TEST_OPERATOR("Asin", asin_cases)
HEED_TEST_OPERATOR("Acos", acos_cases)
HEED_TEST_OPERATOR("Atan", atan_cases)
HEED_TEST_OPERATOR("Sinh", sinh_cases)
HEED_TEST_OPERATOR("Cosh", cosh_cases)
HEED_TEST_OPERATOR("Asinh", asinh_cases)
HEED_TEST_OPERATOR("Acosh", acosh_cases)
HEED_TEST_OPERATOR("Atanh", atanh_cases)
HEED_TEST_OPERATOR("Elu", with_attributes(float_rows<elu>(), "alpha = 1.5"))
HEED_TEST_OPERATOR("Celu", with_attributes(float_rows<celu>(), "alpha = 0.75"))
HEED_TEST_OPERATOR("Selu", with_attributes(float_rows<selu>(), "alpha = 2.0, gamma = 1.25"))
HEED_TEST_OPERATOR("LeakyRelu", with_attributes(float_rows<leaky_relu>(), "alpha = 0.125"))
HEED_TEST_OPERATOR("ThresholdedRelu", with_attributes(float_rows<thresholded_relu>(), "alpha = 0.75"))
HEED_TEST_OPERATOR("HardSigmoid", with_attributes(hard_sigmoid_cases, "alpha = 0.25, beta = 0.625"))
HEED_TEST_OPERATOR("HardSwish", float_rows<hard_swish>(-5, 5))
HEED_TEST_OPERATOR("Softsign", float_rows<softsign>())
HEED_TEST_OPERATOR("Mish", mish_cases)
HEED_TEST_OPERATOR("Shrink", with_attributes(shrink_cases, "lambd = 1.5, bias = 0.5"))
HEED_TEST_OPERATOR("com.microsoft.Gelu", float_rows<gelu>())
HEED_TEST_OPERATOR("com.microsoft.QuickGelu", with_attributes(float_rows<quick_gelu>(), "alpha = 1.25"))
// Computed in f32 and rounded once, as on the CPU; what the functions are off by in f32 may tip a rounding.
TEST_CASE("functions of f16 and bf16 give on Vulkan what they give on the CPU") {
  for (const auto& [type, rounding] : {std::pair(DataType::f16, 0x1p-11), {DataType::bf16, 0x1p-8}}) {
    const std::string t(name_of(type));
    for (const char* call : {"Relu",      "Sigmoid",    "Tanh", "Erf",   "Exp",   "Log",
                             "Sqrt",      "Reciprocal", "Sin",  "Cos",   "Floor", "Ceil",
                             "Softplus",  "Neg",        "Abs",  "Sign",  "Gelu",  "Gelu<approximate = \"tanh\">",
                             "Swish",     "Round",      "Atan", "Asinh", "Elu",   "Mish",
                             "HardSwish", "LeakyRelu"})
      check_on_vulkan(
          "<ir_version: 10, opset_import: [\"\" : 24]> g (" + t + "[N] x) => (" + t + "[N] y) { y = " + call + "(x) }",
          {random({677}, 0.01, 5, type)}, 2 * rounding);
  }
}

TEST_CASE("Gelu by tanh") { run_cases("Gelu", with_attributes(float_rows<gelu_tanh>(), "approximate = \"tanh\"")); }

}  // namespace heed::test
