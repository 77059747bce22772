// The language of element-wise expressions: what is read, what it means, what is refused, and that printing keeps it.
#include "heed/expression.hpp"

#include <catch2/catch.hpp>
#include <limits>

#include "rows.hpp"

namespace heed::test {
namespace {

constexpr ExpressionInput names[] = {{"a"}, {"b"}};
constexpr DataType two_f32[] = {DataType::f32, DataType::f32};
constexpr float infinity = std::numeric_limits<float>::infinity();

Result<Expression> parse(std::string_view text) {
  return parse_expression(text, names,
                          [](std::string_view name) { return name == "alpha" ? std::optional(0.5f) : std::nullopt; });
}

struct Meaning {
  const char* text;
  float a, b, value;
};

// By hand.
const Meaning meanings[] = {
    {"a", 3, 0, 3},
    {"1 + 2 * 3", 0, 0, 7},
    {"(1 + 2) * 3", 0, 0, 9},
    {"a - b - 1", 5, 2, 2},
    {"a / b / 2", 12, 3, 2},
    {"-a * b", 2, 3, -6},
    {"--a", 2, 0, 2},
    {"-2 - -3", 0, 0, 1},
    {"2e1 + .5 + 1e-1", 0, 0, 20.6f},
    {"a < b", 1, 2, 1},
    {"a >= b", 1, 2, 0},
    {"a + 1 == b", 1, 2, 1},
    {"a != b", 1, 2, 1},
    {"select(a > b, a, b)", 1, 2, 2},
    {"max(a, min(b, 3))", 1, 7, 3},
    {"a * @alpha", 3, 0, 1.5f},
    {"t = a + b; t * t", 1, 2, 9},
    {"t = a; u = t + b; u", 1, 2, 3},
    {"t = a + b;", 1, 2, 3},
    {"y = a * 2", 4, 0, 8},
    {"inf - a", 4, 0, infinity},
    {"-inf", 0, 0, -infinity},
    {"a==b", 2, 2, 1},
    {"round(a) + round(b)", 2.5f, 3.5f, 6},
    {"sign(a) + sign(b)", -3, 0, -1},
    {"not(a) + and(a, b) + or(a, b)", 0, 2, 2},
};

TEST_CASE("expressions mean what they say") {
  for (const auto& row : meanings) {
    INFO(row.text);
    const auto expression = parse(row.text);
    CHECK((expression ? "" : expression.error().message) == "");
    count_row(expression.has_value());
    if (!expression) continue;
    const float inputs[] = {row.a, row.b};
    CHECK(expression->evaluate(inputs) == Approx(row.value));
    // Printed and read again it is the same.
    const auto text = to_text(*expression);
    INFO(text);
    const auto again = parse_fused_expression(text, two_f32);
    REQUIRE(again.has_value());
    CHECK(again->evaluate(inputs) == Approx(row.value));
    CHECK(to_text(*again) == text);
  }
}

struct Refusal {
  const char* text;
  const char* part;
};

const Refusal refusals[] = {
    {"", "it is empty"},
    {"a +", "column 4: expected a number"},
    {"a b", "unexpected 'b'"},
    {"c", "'c' is no input"},
    {"f(a)", "no function 'f'"},
    {"max(a)", "max takes 2"},
    {"max(a, b, a)", "max takes 2"},
    {"(a", "expected ')'"},
    {"@beta", "no attribute 'beta'"},
    {"t = a; t = b; t", "'t' is made twice"},
    {"a $ b", "unexpected '$'"},
};

TEST_CASE("what is no expression is refused where it goes wrong") {
  for (const auto& row : refusals) {
    INFO(row.text);
    const auto expression = parse(row.text);
    count_row(!expression.has_value());
    CHECK_FALSE(expression.has_value());
    if (!expression) CHECK_THAT(expression.error().message, Catch::Contains(row.part));
  }
}

constexpr ExpressionInput typed_names[] = {{"f"},
                                           {"p", DataType::boolean},
                                           {"i", DataType::i32},
                                           {"l", DataType::i64},
                                           {"d", DataType::f64},
                                           {"h", DataType::f16},
                                           {"u", DataType::u8},
                                           {"w", DataType::u64},
                                           {"z", DataType::f8e5m2},
                                           {""}};

struct Typing {
  const char* text;
  const char* result;  // the type, or a part of the refusal
};

const Typing typings[] = {
    {"f + 1", "f32"},
    {"i + 1", "i32"},
    {"l * -1", "i64"},
    {"max(l, 9223372036854775807)", "i64"},
    {"1 + 2", "f32"},
    {"f < 1", "bool"},
    {"p == p", "bool"},
    {"p + p", "f32"},
    {"p + l", "i64"},
    {"and(f, l)", "bool"},
    {"select(f, p, p)", "bool"},
    {"select(p, l, 0)", "i64"},
    {"select(p, 1, 0)", "f32"},
    {"cast(f, i64) + l", "i64"},
    {"cast(p, i32)", "i32"},
    {"cast(3, bool)", "bool"},
    {"f + l", "'+' of f32 and i64"},
    {"exp(i)", "'exp' takes floats, not i32"},
    {"bit_not(f)", "'bit_not' takes integers, not f32"},
    {"bit_and(1, 2)", "'bit_and' takes integers, not f32"},
    {"shift_left(bit_and(u, 7), 1)", "u8"},
    {"l / 2", "i64"},
    {"mod(u, 3) + 255", "u8"},
    {"exp(h) * 0.1", "f16"},
    {"d * 0.1", "f64"},
    {"select(p, cast(1, f16), cast(0.1, f16))", "f16"},
    {"max(w, 18446744073709551615)", "u64"},
    {"cast(f, u)", "u8"},
    {"given(f, l)", "f32"},
    {"given(left_out, l)", "i64"},
    {"given(@left_out, l)", "i64"},
    {"cast(1, f) + cast(2, f64)", "'+' of f32 and f64"},
    {"u + 256", "is no u8"},
    {"u + -1", "is no u8"},
    {"f + h", "'+' of f32 and f16"},
    {"given(f l)", "given takes 2"},
    {"l + 0.5", "is no i64"},
    {"i + 2147483648", "is no i32"},
    {"cast(f, t)", "'t' is no type"},
    {"cast(f, z)", "expressions are not of f8e5m2"},
    {"z + 1", "'z' is f8e5m2"},
};

TEST_CASE("each step of an expression has a type") {
  for (const auto& row : typings) {
    INFO(row.text);
    const auto expression = parse_expression(row.text, typed_names);
    const std::string got(expression ? std::string(name_of(expression->type())) : expression.error().message);
    CHECK_THAT(got, Catch::Contains(row.result));
    count_row(got.find(row.result) != got.npos);
    if (!expression) continue;
    constexpr DataType types[] = {DataType::f32, DataType::boolean, DataType::i32, DataType::i64,
                                  DataType::f64, DataType::f16,     DataType::u8,  DataType::u64};
    const auto again = parse_fused_expression(to_text(*expression), types);
    INFO(to_text(*expression));
    REQUIRE((again ? "" : again.error().message) == "");
    CHECK(to_text(*again) == to_text(*expression));
    CHECK(again->type() == expression->type());
  }
}

TEST_CASE("attributes are numbers, texts that are compared, or left out") {
  const auto attributes = [](std::string_view name) -> std::optional<ExpressionAttribute> {
    if (name == "kind") return std::string_view("tanh");
    if (name == "alpha") return 2.5;
    return std::nullopt;
  };
  const std::pair<const char*, const char*> texts[] = {
      {"select(@kind == \"tanh\", tanh(a), erf(a))", "y = tanh(x0)"},
      {"select(@kind == \"none\", tanh(a), erf(a))", "y = erf(x0)"},
      {"select(@alpha, tanh(a), erf(a))", "y = tanh(x0)"},
      {"given(@alpha, a) * b", "y = 2.5 * x1"},
      {"given(@beta, a) * b", "y = x0 * x1"},
      {"@kind + 1", "compared with a text"},
      {"@beta == \"tanh\"", "no attribute 'beta'"},
  };
  for (const auto& [text, expected] : texts) {
    INFO(text);
    const auto expression = parse_expression(text, names, attributes);
    const std::string got = expression ? to_text(*expression) : expression.error().message;
    CHECK_THAT(got, Catch::Contains(expected));
    count_row(got.find(expected) != got.npos);
  }
}

TEST_CASE("depth and length have bounds") {
  CHECK_FALSE(parse(std::string(100000, '(')).has_value());
  CHECK_FALSE(parse(std::string(100000, '-')).has_value());
  std::string sum = "a";
  for (int i = 0; i < 100000; ++i) sum += "+" + std::to_string(i) + "*a";
  CHECK_FALSE(parse(sum).has_value());
}

TEST_CASE("equal steps are one, and constants are computed") {
  const auto twice = parse("exp(a) + exp(a)");
  REQUIRE(twice.has_value());
  CHECK(twice->operation_count() == 2);
  const auto constant = parse("a * (1 + 2 * 3)");
  REQUIRE(constant.has_value());
  CHECK(to_text(*constant) == "y = x0 * 7");
  const auto unused = parse("t = exp(b); a + 1");
  REQUIRE(unused.has_value());
  CHECK(to_text(*unused) == "y = x0 + 1");
}

}  // namespace
}  // namespace heed::test
