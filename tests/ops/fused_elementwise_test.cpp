// heed.FusedElementwise: each function of the language, broadcasting, odd sizes, registers that run out. Expected
// numbers are those of Expression::evaluate, which uses the C library.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"
#include "heed/expression.hpp"

namespace heed::test {
namespace {

// numpy's rule.
std::vector<int64_t> broadcast_dims(const Tensors& in) {
  std::vector<int64_t> dims;
  for (const auto& x : in) {
    if (x.dims.size() > dims.size()) dims.insert(dims.begin(), x.dims.size() - dims.size(), 1);
    const size_t lead = dims.size() - x.dims.size();
    for (size_t axis = 0; axis < x.dims.size(); ++axis)
      if (x.dims[axis] != 1) dims[lead + axis] = x.dims[axis];
  }
  return dims;
}

Tensors evaluated(const std::string& text, const Tensors& in) {
  std::vector<DataType> types;
  for (const auto& x : in) types.push_back(x.type);
  const auto expression = parse_fused_expression(text, types);
  REQUIRE((expression ? "" : expression.error().message) == "");
  const auto dims = broadcast_dims(in);
  const auto strides = row_major(dims);
  int64_t count = 1;
  for (const int64_t dim : dims) count *= dim;
  std::vector<std::vector<double>> values;
  std::vector<std::vector<int64_t>> own_strides;
  for (const auto& x : in) values.push_back(values_of(x)), own_strides.push_back(row_major(x.dims));
  std::vector<double> y;
  for (int64_t i = 0; i < count; ++i) {
    std::vector<float> numbers;
    for (size_t k = 0; k < in.size(); ++k) {
      int64_t at = 0;
      const size_t lead = dims.size() - in[k].dims.size();
      for (size_t axis = 0; axis < in[k].dims.size(); ++axis)
        if (in[k].dims[axis] != 1) at += i / strides[lead + axis] % dims[lead + axis] * own_strides[k][axis];
      numbers.push_back(static_cast<float>(values[k][static_cast<size_t>(at)]));
    }
    y.push_back(expression->evaluate(numbers));
  }
  return {numbers(expression->type(), dims, y)};
}

Case row(const char* what, const std::string& text, Tensors in, double tolerance = 1e-6) {
  return by([=](const Tensors& tensors) { return evaluated(text, tensors); }, what, std::move(in), tolerance,
            "expression = \"" + text + "\"");
}

const Tensor specials = f32({19}, {0.0, -0.0, 1, -1, 0.5, -0.5, 2, -2, 1e-30, -1e-30, 80, -80, 100, -100, infinity,
                                   -infinity, nan, 0.625, -0.625});
const Tensor others =
    f32({19}, {1, 2, nan, -1, 0, infinity, -infinity, 0.5, 2, -2, 1, 1, 3, 0, 1, -0.5, 1, 0.625, nan});

std::vector<Case> functions() {
  std::vector<Case> cases;
  for (const char* name :
       {"neg", "abs", "sign", "sqrt", "exp", "log", "tanh", "sigmoid", "erf", "floor", "ceil", "round", "not"}) {
    cases.push_back(row("a function of special numbers", std::string(name) + "(x0)", {specials}));
    cases.push_back(row("a function of numbers around 0", std::string(name) + "(x0)", {random({3, 677}, -3, 3)}));
  }
  for (const char* name : {"sin", "cos", "tan", "asin", "acos", "atan", "sinh", "cosh", "asinh", "acosh", "atanh"})
    cases.push_back(row("a function of numbers in its domain", std::string(name) + "(x0)",
                        {random({37}, std::string_view(name) == "acosh" ? 1 : -0.9, 0.9)}, 4e-6));
  for (const char* name : {"sin", "cos", "tan", "atan"})
    cases.push_back(row("a function of large numbers", std::string(name) + "(x0)", {random({101}, -5000, 5000)},
                        std::string_view(name) == "tan" ? 1e-3 : 2e-6));
  for (const char* name : {"min", "max", "and", "or"})
    cases.push_back(row("special numbers meet", std::string(name) + "(x0, x1)", {specials, others}));
  cases.push_back(row("positive bases to any power", "pow(x0, x1)", {random({53}, 0.1, 3), random({53}, -3, 3)}, 1e-5));
  cases.push_back(row("negative bases to whole powers", "pow(x0, x1)",
                      {f32({6}, {-2, -2, -2, -1, 0, -3}), f32({6}, {2, 3, 0, 5, 0, -1})}, 1e-5));
  cases.push_back(row("squares", "pow(x0, 2) + pow(x0, 3)", {random({53}, -3, 3)}, 1e-5));
  for (const char* sign : {"<", "<=", ">", ">=", "==", "!=", "+", "-", "*", "/"})
    cases.push_back(row("special numbers meet", std::string("x0 ") + sign + " x1", {specials, others}));
  return cases;
}

const std::string gelu = "t = x0 + x1; t * 0.5 * (1 + erf(t / 1.41421356))";

std::vector<Case> shapes() {
  std::string deep = "x0";
  for (int i = 0; i < 40; ++i)
    deep = "(x0 + " + std::to_string(i) + " * " + deep + " / " + std::to_string(2 * i + 1) + ")";
  std::string wide = "a0 = x0 * 1;";
  for (int i = 1; i < 24; ++i) wide += "a" + std::to_string(i) + " = x0 * " + std::to_string(i) + " + x1;";
  wide += "a0";
  for (int i = 1; i < 24; ++i) wide += " + a" + std::to_string(i);
  std::vector<Case> cases = {
      row("one element", gelu, {random({1}), random({1})}),
      row("a scalar", gelu, {random({}), random({})}),
      row("empty", gelu, {random({0, 3}), random({3})}),
      row("shorter than a vector", gelu, {random({3}), random({3})}),
      row("prime, longer than a block", gelu, {random({1, 2053}), random({2053})}),
      row("bias along the last axis", gelu, {random({5, 7, 131}), random({131})}),
      row("bias first", gelu, {random({131}), random({5, 7, 131})}),
      row("bias along channels", gelu, {random({2, 5, 7, 11}), random({5, 1, 1})}),
      row("columns meet rows", "x0 - x1", {random({13, 1}), random({1, 17})}),
      row("middle axis repeated", "x0 * x1 + x2", {random({3, 1, 5}), random({3, 7, 5}), random({7, 1})}),
      row("scalar input first", "x0 / x1", {random({}, 1, 2), random({67}, 1, 2)}),
      row("one number everywhere", "x0 * x0 + 1", {random({3, 1, 1})}),
      row("the input itself", "x0", {random({37})}),
      row("a constant in the shape of the input", "0 * x0 + 2.5", {random({2, 37})}),
      row("eight inputs", "x0 + x1 * x2 - x3 + max(x4, x5) * x6 - x7",
          {random({65}), random({65}), random({1}), random({65}), random({65}), random({65}), random({65}),
           random({})}),
      row("rotary: cos and sin repeat over heads", "x0 * x1 + x2 * x3",
          {random({2, 6, 3, 32}), random({3, 32}), random({2, 6, 3, 32}), random({3, 32})}),
      row("many steps", deep, {random({100}, 0, 1)}, 1e-5),
      row("many values at once", wide, {random({1031}), random({1031})}, 1e-5),
      row("more than one thread's share", gelu, {random({37, 5003}), random({5003})}),
      row("select", "select(x0 > 0.25, x1, -x1 * 2)", {random({333}), random({333})}),
      row("select between single numbers", "select(x0 > 0.25, x1, 3)", {random({333}), random({})}),
  };
  return cases;
}

constexpr double least_i64 = -9223372036854775808.0, least_i32 = -2147483648.0;

Case typed(const char* what, const char* text, Tensors in, Tensor out) {
  return {what, std::move(in), {std::move(out)}, 0, "expression = \"" + std::string(text) + "\""};
}

// By hand: two's complement wraps around.
std::vector<Case> types() {
  const Tensor i = i64({5}, {least_i64, -1, 0, 1, 4611686018427387904.0}),
               j = i64({5}, {-1, least_i64, -1, 0, 4611686018427387904.0});
  const Tensor k = i32({4}, {least_i32, -1, 0, 1073741824}), m = i32({4}, {-1, least_i32, -1, 1073741824});
  const Tensor p = boolean({4}, {0, 0, 1, 1}), q = boolean({4}, {0, 1, 0, 1});
  const Tensor f = f32({7}, {nan, -0.0, 0, -infinity, infinity, -2.75, 2.75});
  return {
      typed("i64 neg", "neg(x0)", {i}, i64({5}, {least_i64, 1, 0, -1, -4611686018427387904.0})),
      typed("i64 abs", "abs(x0)", {i}, i64({5}, {least_i64, 1, 0, 1, 4611686018427387904.0})),
      typed("i64 sign", "sign(x0)", {i}, i64({5}, {-1, -1, 0, 1, 1})),
      typed("i64 add", "x0 + x1 + 1", {i, j}, i64({5}, {least_i64, least_i64, 0, 2, least_i64 + 1})),
      typed("i64 sub", "x0 - x1", {i64({2}, {least_i64, 0}), i64({2}, {least_i64, least_i64})},
            i64({2}, {0, least_i64})),
      typed("i64 mul", "x0 * x1", {i, j}, i64({5}, {least_i64, least_i64, 0, 0, 0})),
      typed("i8 bits wrap", "bit_xor(shift_left(x0, 1), bit_not(x0))", {numbers(DataType::i8, {3}, {-128, 64, -1})},
            numbers(DataType::i8, {3}, {127, 63, -2})),
      typed("i64 bits, then arithmetic", "shift_right(x0, 62) + bit_and(x0, 3)", {i}, i64({5}, {-2, 2, 0, 1, 1})),
      typed("i64 min", "min(x0, x1)", {i, j}, i64({5}, {least_i64, least_i64, -1, 0, 4611686018427387904.0})),
      typed("i64 max", "max(x0, x1)", {i, j}, i64({5}, {-1, -1, 0, 1, 4611686018427387904.0})),
      typed("i64 less", "x0 < x1", {i, j}, boolean({5}, {1, 0, 0, 0, 0})),
      typed("i64 greater or equal", "x0 >= x1", {i, j}, boolean({5}, {0, 1, 1, 1, 1})),
      typed("i64 equal, above 2^53", "x0 == x1 + 1",
            {i64({2}, {9007199254740992.0, 2}), i64({2}, {9007199254740992.0, 1})}, boolean({2}, {0, 1})),
      typed("i64 numbers in the text", "max(x0, -9223372036854775808) + cast(9007199254740993, i64) - 9007199254740993",
            {i}, i),
      typed("i32 neg", "neg(x0)", {k}, i32({4}, {least_i32, 1, 0, -1073741824})),
      typed("i32 add", "x0 + x1", {k, m}, i32({4}, {2147483647, 2147483647, -1, least_i32})),
      typed("i32 mul", "x0 * x1", {k, m}, i32({4}, {least_i32, least_i32, 0, 0})),
      typed("i32 min of many", "min(min(x0, x1), -5)", {k, m}, i32({4}, {least_i32, least_i32, -5, -5})),
      typed("and", "and(x0, x1)", {p, q}, boolean({4}, {0, 0, 0, 1})),
      typed("or", "or(x0, x1)", {p, q}, boolean({4}, {0, 1, 1, 1})),
      typed("not", "not(x0)", {p}, boolean({4}, {1, 1, 0, 0})),
      typed("exclusive or", "x0 != x1", {p, q}, boolean({4}, {0, 1, 1, 0})),
      typed("truth of floats", "cast(x0, bool)", {f}, boolean({7}, {1, 0, 0, 1, 1, 1, 1})),
      typed("truth as a number", "x0 + 1", {p}, f32({4}, {1, 1, 2, 2})),
      typed("NaN compares", "or(x0 < x0, or(x0 == x0, x0 >= 0))", {f}, boolean({7}, {0, 1, 1, 1, 1, 1, 1})),
      typed("floats to i64, towards zero", "cast(select(abs(x0) < 5, x0, 7), i64)", {f},
            i64({7}, {7, 0, 0, 7, 7, -2, 2})),
      typed("floats to i32, towards zero", "cast(select(abs(x0) < 5, x0, 7), i32)", {f},
            i32({7}, {7, 0, 0, 7, 7, -2, 2})),
      typed("i64 to i32 drops the high word", "cast(x0, i32)", {i64({3}, {4294967295.0, 4294967298.0, least_i64})},
            i32({3}, {-1, 2, 0})),
      typed("i32 to i64 keeps the sign", "cast(x0, i64)", {k}, i64({4}, {least_i32, -1, 0, 1073741824})),
      typed("i64 to f32", "cast(x0, f32) * 0.5", {i64({3}, {-3, 0, 16777216})}, f32({3}, {-1.5, 0, 8388608})),
      typed("select broadcasts all three", "select(x0, x1, x2)",
            {boolean({2, 1}, {1, 0}), i64({3}, {1, 2, 3}), i64({}, {least_i64})},
            i64({2, 3}, {1, 2, 3, least_i64, least_i64, least_i64})),
      typed("select of truth", "select(x0, x1, not(x1))", {p, q}, boolean({4}, {1, 0, 0, 1})),
      typed("empty", "x0 < 1", {i64({0, 3}, {})}, boolean({0, 3}, {})),
      by([](const Tensors& in) { return Tensors{in[0]}; }, "booleans, longer than a block, prime",
         {random({3, 2053}, 0, 2, DataType::i32)}, 0, "expression = \"cast(cast(cast(x0, i64), bool), i32)\""),
  };
}

}  // namespace

TEST_CASE("heed.FusedElementwise computes each type") { run_cases("heed.FusedElementwise", types()); }
TEST_CASE("heed.FusedElementwise computes each function of the language") {
  run_cases("heed.FusedElementwise", functions());
}
TEST_CASE("heed.FusedElementwise broadcasts") { run_cases("heed.FusedElementwise", shapes()); }

TEST_CASE("heed.FusedElementwise refuses what is no expression of its inputs") {
  const Tensors in = {random({3})};
  check_refused("heed.FusedElementwise", {"", in, {random({3})}, 0, "expression = \"x0 + x1\""}, "'x1' is no input");
  check_refused("heed.FusedElementwise", {"", in, {random({3})}, 0, "expression = \"x0 +\""}, "column 5");
}

}  // namespace heed::test
