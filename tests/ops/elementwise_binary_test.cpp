// Add, Sub, Mul, Div, Mod, Pow, Min, Max, Sum, Mean; gates and activations of two inputs.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

// numpy's rule for two inputs, one number at a time.
template <double (*function)(double, double)>
Tensors broadcast(const Tensors& in) {
  const auto a = values_of(in[0]), b = values_of(in[1]);
  const size_t rank = std::max(in[0].dims.size(), in[1].dims.size());
  std::vector<int64_t> dims(rank, 1);
  for (const auto& tensor : in)
    for (size_t i = 0; i < tensor.dims.size(); ++i) {
      auto& dim = dims[rank - tensor.dims.size() + i];
      if (dim == 1) dim = tensor.dims[i];
    }
  size_t count = 1;
  for (const auto dim : dims) count *= static_cast<size_t>(dim);
  std::vector<double> out(count);
  const auto at = [&](const Tensor& tensor, size_t index) {
    const auto strides = row_major(tensor.dims);
    size_t offset = 0;
    for (size_t i = rank; i-- > 0; index /= static_cast<size_t>(dims[i])) {
      if (i < rank - tensor.dims.size()) continue;
      const size_t own = i - (rank - tensor.dims.size());
      if (tensor.dims[own] != 1) offset += index % static_cast<size_t>(dims[i]) * static_cast<size_t>(strides[own]);
    }
    return offset;
  };
  for (size_t i = 0; i < count; ++i) out[i] = function(a[at(in[0], i)], b[at(in[1], i)]);
  return {numbers(in[0].type, dims, out)};
}

double plus(double a, double b) { return a + b; }
double minus(double a, double b) { return a - b; }
double times(double a, double b) { return a * b; }
double over(double a, double b) { return a / b; }

const std::vector<Case> add_cases = {
    {"scalars (by hand)", {f32({}, {1.5}), f32({}, {2})}, {f32({}, {3.5})}},
    by(broadcast<plus>, "same shape, prime sizes", {random({3, 7, 11}), random({3, 7, 11}, 2, 3)}, 1e-6),
    by(broadcast<plus>, "a row to a matrix", {random({5, 13}), random({13}, 2, 3)}, 1e-6),
    by(broadcast<plus>, "a column to a matrix, from the left", {random({5, 1}), random({2, 5, 13})}, 1e-6),
    by(broadcast<plus>, "both grow", {random({4, 1, 6, 1}), random({3, 1, 5})}, 1e-6),
    by(broadcast<plus>, "a scalar on the left", {random({}), random({2, 3})}, 1e-6),
    by(broadcast<plus>, "longer than a thread's piece", {random({40001}), random({40001}, 5, 6)}, 1e-6),
    {"empty", {f32({0, 3}, {}), f32({3}, {1, 2, 3})}, {f32({0, 3}, {})}},
    by(broadcast<plus>, "f16, rounded once",
       {random({7, 5}, -4, 4, DataType::f16), random({7, 5}, 1, 2, DataType::f16)}, 1e-3),
    by(broadcast<plus>, "bf16", {random({7, 5}, -4, 4, DataType::bf16), random({5}, 1, 2, DataType::bf16)}, 1e-2),
    by(broadcast<plus>, "f64", {random({7, 5}, -4, 4, DataType::f64), random({5}, 1, 2, DataType::f64)}),
    {"u8 wraps (numpy)", {u8({3}, {250, 1, 255}), u8({3}, {10, 2, 1})}, {u8({3}, {4, 3, 0})}},
    {"i64 shapes", {i64({3}, {1, -2, 3}), i64({1}, {4})}, {i64({3}, {5, 2, 7})}},
    {"Add-6: b along axis 1 (Operators.md of opset 6)",
     {f32({2, 3, 2}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}), f32({3}, {10, 20, 30})},
     {f32({2, 3, 2}, {10, 11, 22, 23, 34, 35, 16, 17, 28, 29, 40, 41})},
     0,
     "broadcast = 1, axis = 1",
     6},
    {"Add-6: b along the last axes",
     {f32({2, 2}, {1, 2, 3, 4}), f32({2}, {10, 20})},
     {f32({2, 2}, {11, 22, 13, 24})},
     0,
     "broadcast = 1",
     6},
    {"Add-1 without broadcast", {f32({2}, {1, 2}), f32({2}, {3, 4})}, {f32({2}, {4, 6})}, 0, "broadcast = 0", 1},
};
const std::vector<Case> sub_cases = {
    by(broadcast<minus>, "broadcast", {random({5, 13}), random({13}, 2, 3)}, 1e-6),
    {"u32 wraps",
     {numbers(DataType::u32, {1}, {1}), numbers(DataType::u32, {1}, {2})},
     {numbers(DataType::u32, {1}, {4294967295.0})}},
};
const std::vector<Case> mul_cases = {
    by(broadcast<times>, "broadcast", {random({5, 13}), random({5, 1}, 2, 3)}, 1e-6),
    {"i32", {i32({3}, {-2, 3, 4}), i32({3}, {5, 6, -7})}, {i32({3}, {-10, 18, -28})}},
};
const std::vector<Case> div_cases = {
    by(broadcast<over>, "floats", {random({5, 13}), random({13}, 2, 3)}, 1e-6),
    {"integers truncate (onnx test_div_int32_trunc)",
     {i32({4}, {-3, 3, -8, 8}), i32({4}, {2, -2, 3, 3})},
     {i32({4}, {-1, -1, -2, 2})}},
    {"by zero: infinity and NaN", {f32({3}, {1, -1, 0}), f32({1}, {0})}, {f32({3}, {infinity, -infinity, nan})}},
};
const std::vector<Case> mod_cases = {
    {"follows the divisor (onnx test_mod_mixed_sign_int32)",
     {i32({6}, {-4, 7, 5, 4, -7, 8}), i32({6}, {2, -3, 8, -2, 3, 5})},
     {i32({6}, {0, -2, 5, 0, 2, 3})}},
    {"fmod follows the dividend (onnx test_mod_mixed_sign_float32)",
     {f32({6}, {-4.3, 7.2, 5.0, 4.3, -7.2, 8.0}), f32({6}, {2.1, -3.4, 8.0, -2.1, 3.4, 5.0})},
     {f32({6}, {-0.1, 0.4, 5, 0.1, -0.4, 3})},
     1e-5,
     "fmod = 1"},
    {"u8", {u8({3}, {7, 8, 9}), u8({1}, {4})}, {u8({3}, {3, 0, 1})}},
};
const std::vector<Case> pow_cases = {
    {"floats", {f32({3}, {1, 2, 3}), f32({3}, {4, 5, 6})}, {f32({3}, {1, 32, 729})}, 1e-6},
    {"a square", {f32({3}, {1.5, -2, 3}), f32({}, {2})}, {f32({3}, {2.25, 4, 9})}},
    {"i64 to the i64", {i64({3}, {2, -3, 5}), i64({3}, {10, 3, 0})}, {i64({3}, {1024, -27, 1})}},
    {"f32 to the i32", {f32({2}, {2, 0.5}), i32({2}, {3, 2})}, {f32({2}, {8, 0.25})}},
    {"i32 to the f32, truncated (onnx test_pow_types_int32_float32)",
     {i32({3}, {1, 2, 3}), f32({3}, {4, 5, 0.5})},
     {i32({3}, {1, 32, 1})}},
};
const std::vector<Case> min_cases = {
    {"three of them", {f32({3}, {3, 2, 1}), f32({3}, {1, 4, 4}), f32({3}, {2, 5, 0})}, {f32({3}, {1, 2, 0})}},
    {"one", {f32({2}, {3, 2})}, {f32({2}, {3, 2})}},
    {"broadcast, i8",
     {numbers(DataType::i8, {2, 1}, {-3, 4}), numbers(DataType::i8, {3}, {-5, 0, 9})},
     {numbers(DataType::i8, {2, 3}, {-5, -3, -3, -5, 0, 4})}},
    {"NaN wins (numpy)", {f32({2}, {nan, 1}), f32({2}, {1, nan})}, {f32({2}, {nan, nan})}},
};
const std::vector<Case> max_cases = {
    {"three of them", {f32({3}, {3, 2, 1}), f32({3}, {1, 4, 4}), f32({3}, {2, 5, 3})}, {f32({3}, {3, 5, 4})}},
    {"u64 beyond i64",
     {numbers(DataType::u64, {1}, {9223372036854775808.0}), numbers(DataType::u64, {1}, {1})},
     {numbers(DataType::u64, {1}, {9223372036854775808.0})}},
};

double prelu(double x, double slope) { return x < 0 ? x * slope : x; }
const std::vector<Case> prelu_cases = {
    by(broadcast<prelu>, "slopes of all numbers", {random({3, 7, 11}), random({3, 7, 11}, 0, 2)}, 1e-6),
    by(broadcast<prelu>, "slopes of channels", {random({2, 5, 7, 3}), random({5, 1, 1}, 0, 2)}, 1e-6),
    by(broadcast<prelu>, "one slope", {random({2, 37}), random({}, 0, 2)}, 1e-6),
    by(broadcast<prelu>, "f16", {random({7, 5}, -4, 4, DataType::f16), random({5}, 0, 1, DataType::f16)}, 1e-3),
    by(broadcast<prelu>, "f64", {random({7, 5}, -4, 4, DataType::f64), random({5}, 0, 1, DataType::f64)}),
    {"i32 (by hand)", {i32({2, 2}, {-1, 2, -3, 4}), i32({2}, {5, 7})}, {i32({2, 2}, {-5, 2, -15, 4})}},
    {"u64 (by hand)",
     {numbers(DataType::u64, {2}, {1, 9}), numbers(DataType::u64, {1}, {3})},
     {numbers(DataType::u64, {2}, {1, 9})}},
    {"empty", {f32({0, 3}, {}), f32({3}, {1, 2, 3})}, {f32({0, 3}, {})}},
    {"PRelu-6: a slope for each channel, axis 1",
     {f32({1, 2, 2}, {-1, -2, -3, 4}), f32({2}, {10, 100})},
     {f32({1, 2, 2}, {-10, -20, -300, 4})},
     0,
     "",
     6},
};
double swiglu(double a, double b) { return a / (1 + std::exp(-1.5 * a)) * b; }
const std::vector<Case> swiglu_cases = {
    by(broadcast<swiglu>, "prime sizes", {random({3, 7, 11}, -3, 3), random({3, 7, 11})}, 1e-6, "alpha = 1.5"),
    by(broadcast<swiglu>, "f16", {random({677}, -3, 3, DataType::f16), random({677}, -1, 1, DataType::f16)}, 1e-3,
       "alpha = 1.5"),
    by(broadcast<swiglu>, "f64", {random({7, 5}, -3, 3, DataType::f64), random({7, 5}, -1, 1, DataType::f64)}, 1e-12,
       "alpha = 1.5"),
};
double fast_gelu(double x, double bias) {
  const double t = x + bias;
  return 0.5 * t * (1 + std::tanh(std::sqrt(2 / M_PI) * (t + 0.044715 * t * t * t)));
}
const std::vector<Case> fast_gelu_cases = {
    by(broadcast<fast_gelu>, "a bias", {random({3, 7, 11}, -3, 3), random({11})}, 1e-6),
    by(
        [](const Tensors& in) {
          return broadcast<fast_gelu>({in[0], f32({}, {0})});
        },
        "none", {random({3, 77}, -3, 3)}, 1e-6),
    by(broadcast<fast_gelu>, "bf16", {random({67}, -3, 3, DataType::bf16), random({}, -1, 1, DataType::bf16)}, 1e-2),
};
const std::vector<Case> bias_gelu_cases = {by(broadcast<[](double x, double bias) {
                                                const double t = x + bias;
                                                return 0.5 * t * (1 + std::erf(t / std::sqrt(2)));
                                              }>,
                                              "a bias", {random({3, 7, 11}, -3, 3), random({11})}, 1e-6)};
const std::vector<Case> bias_add_cases = {
    {"by hand",
     {f32({1, 2, 2}, {1, 2, 3, 4}), f32({2}, {10, 20}), f32({1, 2, 2}, {100, 200, 300, 400})},
     {f32({1, 2, 2}, {111, 222, 313, 424})}}};

const std::vector<Case> sum_cases = {
    by(broadcast<plus>, "two that broadcast", {random({5, 1, 3}), random({7, 1})}, 1e-6),
    {"one", {f32({3}, {1, -2, 3})}, {f32({3}, {1, -2, 3})}},
    {"three", {f32({2, 2}, {1, 2, 3, 4}), f32({2}, {10, 20}), f32({}, {100})}, {f32({2, 2}, {111, 122, 113, 124})}},
    {"f16, rounded once: 2048 + 1 + 1", {f16({1}, {2048}), f16({1}, {1}), f16({1}, {1})}, {f16({1}, {2050})}},
    {"f64", {f64({2}, {1, 2}), f64({1}, {1e-15})}, {f64({2}, {1 + 1e-15, 2 + 1e-15})}},
    {"bf16",
     {numbers(DataType::bf16, {2}, {1, 2}), numbers(DataType::bf16, {2}, {3, 4})},
     {numbers(DataType::bf16, {2}, {4, 6})}},
    {"ten", Tensors(10, f32({2}, {1, 2})), {f32({2}, {10, 20})}},
    {"empty", {f32({0, 3}, {}), f32({3}, {1, 2, 3})}, {f32({0, 3}, {})}},
};
const std::vector<Case> mean_cases = {
    {"one", {f32({3}, {1, -2, 3})}, {f32({3}, {1, -2, 3})}},
    {"three",
     {f32({2, 2}, {1, 2, 3, 4}), f32({2}, {2, 4}), f32({}, {3})},
     {f32({2, 2}, {2, 3, 8.0 / 3, 11.0 / 3})},
     1e-6},
    {"f16, whose sum is out of range", {f16({1}, {65504}), f16({1}, {65504})}, {f16({1}, {65504})}},
    {"f64", {f64({2}, {1, 2}), f64({1}, {2})}, {f64({2}, {1.5, 2})}},
    {"ten", Tensors(10, f32({2}, {1, 2})), {f32({2}, {1, 2})}},
};
}  // namespace

HEED_TEST_OPERATOR("Add", add_cases)
HEED_TEST_OPERATOR("Sub", sub_cases)
HEED_TEST_OPERATOR("Mul", mul_cases)
HEED_TEST_OPERATOR("Div", div_cases)
HEED_TEST_OPERATOR("Mod", mod_cases)
HEED_TEST_OPERATOR("Pow", pow_cases)
HEED_TEST_OPERATOR("Min", min_cases)
HEED_TEST_OPERATOR("Max", max_cases)

// What wraps around, what no quotient exists for, and primes between.
Tensor edges(DataType type) {
  const int bits = bits_of(type);
  std::vector<double> values = {0, 1, 2, 3, 7, 13, 100, 127};
  const double most = std::ldexp(1, is_signed_integer(type) ? bits - 1 : bits);
  for (const double below : {most / 2, most / 4 + 1}) values.push_back(below);
  if (is_signed_integer(type))
    for (const double negative : {-1.0, -2.0, -3.0, -7.0, -100.0, -most}) values.push_back(negative);
  return numbers(type, {static_cast<int64_t>(values.size())}, values);
}

TEST_CASE("operators of two integers give on Vulkan what they give on the CPU, in every type") {
  for (const DataType type : {DataType::i8, DataType::i16, DataType::i32, DataType::i64, DataType::u8, DataType::u16,
                              DataType::u32, DataType::u64}) {
    const std::string t(name_of(type));
    Tensor b = edges(type), a = b;
    a.dims = {b.dims[0], 1};
    const auto text = [&](const std::string& result, const std::string& call) {
      return "<ir_version: 10, opset_import: [\"\" : 24]> g (" + t + "[M, 1] a, " + t + "[N] b) => (" + result +
             "[M, N] y) { y = " + call + "(a, b) }";
    };
    for (const char* call : {"Add", "Sub", "Mul", "Div", "Mod", "Mod<fmod = 1>", "Min", "Max"})
      check_on_vulkan(text(t, call), {a, b});
    for (const char* call : {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"})
      check_on_vulkan(text("bool", call), {a, b});
    check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 24]> g (" + t + "[M, 1] a, " + t + "[N] b) => (" + t +
                        "[M, N] y) { p = Mul(a, b) \n q = Add(p, b) \n r = Div(q, a) \n c = Less(r, q) \n"
                        "y = Where(c, p, r) }",
                    {a, b});
  }
}

// `rounding` is the most that one is off by, relatively. A single operation is rounded as on the CPU, where f32 does
// not tip it. A chain is rounded once, at its end, on the CPU after each operation; squaring doubles what came before.
TEST_CASE("operators of two floats give on Vulkan what they give on the CPU, in every type") {
  struct Row {
    DataType type;
    double rounding;
  };
  for (const Row& row : {Row{DataType::f16, 0x1p-11}, {DataType::bf16, 0x1p-8}, {DataType::f64, 0}}) {
    const std::string t(name_of(row.type));
    const Tensor a = random({37, 1}, -9, 9, row.type), b = random({61}, 1, 3, row.type);
    const Tensor p = numbers(row.type, {6, 1}, {0, -0.0, nan, infinity, -infinity, 2});
    const Tensor q = numbers(row.type, {6}, {1, 0, nan, infinity, -infinity, -3});
    const std::string head = "<ir_version: 10, opset_import: [\"\" : 24]> g (" + t + "[M, 1] a, " + t + "[N] b) => (";
    for (const char* call : {"Add", "Sub", "Mul", "Div", "Min", "Max", "Mod<fmod = 1>"}) {
      if (row.type == DataType::f64 && std::string_view(call).starts_with("Mod")) continue;
      check_on_vulkan(head + t + "[M, N] y) { y = " + call + "(a, b) }", {a, b}, 2 * row.rounding);
      check_on_vulkan(head + t + "[M, N] y) { y = " + call + "(a, b) }", {p, q});
    }
    for (const char* call : {"Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal"})
      check_on_vulkan(head + "bool[M, N] y) { y = " + call + "(a, b) }", {p, q});
    check_on_vulkan(head + t + "[M, N] y) { s = Sub(a, b) \n t = Mul(s, s) \n u = Div(t, b) \n y = Abs(u) }", {a, b},
                    5 * row.rounding);
  }
}

TEST_CASE("Add says which shapes do not broadcast") {
  check_refused("Add", {"12 and 13", {f32({1, 2}, {0, 0}), f32({1, 3}, {0, 0, 0})}, {f32({1, 3}, {0, 0, 0})}},
                "[1, 2] and [1, 3] do not broadcast");
}

// Sizes that would also broadcast the other way: the attribute decides, fused or not.
TEST_CASE("an old Add along axis 1 stays one beside a Relu") {
  const auto outputs = run_text(R"(<ir_version: 3, opset_import: ["" : 6]>
    agraph (float[2, 3, 3] x, float[3] b) => (float[2, 3, 3] y) {
      sum = Add<broadcast = 1, axis = 1>(x, b)
      y = Relu(sum)
    })",
                                {f32({2, 3, 3}, std::vector<double>(18, 1)), f32({3}, {10, 20, 30})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  check_equal((*outputs)[0], f32({2, 3, 3}, {11, 11, 11, 21, 21, 21, 31, 31, 31, 11, 11, 11, 21, 21, 21, 31, 31, 31}));
}

TEST_CASE("an old Add whose second input ends where the first ends runs on Vulkan") {
  for (const char* attributes : {"broadcast = 1, axis = 1", "broadcast = 1", "axis = 1"}) {
    const std::string b = std::string_view(attributes).starts_with("b") ? "3, 5" : "2, 3, 5";
    check_on_vulkan("<ir_version: 3, opset_import: [\"\" : 6]> g (float[2, 3, 5] x, float[" + b +
                        "] b) => (float[2, 3, 5] y) { y = Add<" + attributes + ">(x, b) }",
                    {random({2, 3, 5}), b == "3, 5" ? random({3, 5}) : random({2, 3, 5})});
  }
}
HEED_TEST_OPERATOR("PRelu", prelu_cases)
HEED_TEST_OPERATOR("SwiGLU", swiglu_cases)
HEED_TEST_OPERATOR("com.microsoft.FastGelu", fast_gelu_cases)
HEED_TEST_OPERATOR("com.microsoft.BiasGelu", bias_gelu_cases)
HEED_TEST_OPERATOR("com.microsoft.BiasAdd", bias_add_cases)
HEED_TEST_OPERATOR("Sum", sum_cases)
HEED_TEST_OPERATOR("Mean", mean_cases)

TEST_CASE("slopes and biases broadcast one way, gates not at all") {
  const auto refused = [](const char* op_type, const Tensor& x, const Tensor& other, const char* part) {
    check_refused(op_type, {"", {x, other}, {x}}, part);
  };
  for (const char* op_type : {"PRelu", "com.microsoft.FastGelu"})
    refused(op_type, f32({3}, {1, 2, 3}), f32({2, 3}, {1, 2, 3, 4, 5, 6}), "[2, 3] does not broadcast to [3]");
  refused("PRelu", f32({2, 1}, {1, 2}), f32({3}, {1, 2, 3}), "axis 1");
  refused("SwiGLU", f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({3}, {1, 2, 3}), "input 1 has rank 1; expected rank 2");
}

TEST_CASE("what rewrites make of old and variadic operators runs on Vulkan") {
  check_on_vulkan(
      "<ir_version: 10, opset_import: [\"\" : 24]> g (float[N, 7] x, float[7] y, float[1] z) => (float[N, 7] m) "
      "{ m = Mean(x, y, z) }",
      {random({5, 7}), random({7}), random({1})}, 1e-6);
  check_on_vulkan(
      "<ir_version: 10, opset_import: [\"\" : 6]> g (float[N, 5, 7] x, float[5] slope) => (float[N, 5, 7] y) "
      "{ y = PRelu(x, slope) }",
      {random({3, 5, 7}), random({5}, 0, 2)}, 1e-6);
  check_on_vulkan(
      "<ir_version: 10, opset_import: [\"\" : 24, \"com.microsoft\" : 1]> "
      "g (float[N, 7] x, float[7] b) => (float[N, 7] y) { y = com.microsoft.BiasGelu(x, b) }",
      {random({3, 7}, -3, 3), random({7})}, 2e-6);
}

}  // namespace heed::test
