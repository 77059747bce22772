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
  const auto expression = parse_fused_expression(text, in.size());
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
  return {numbers(DataType::f32, dims, y)};
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

}  // namespace

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
