// Equal, Less, LessOrEqual, Greater, GreaterOrEqual; And, Or, Xor, Not; IsNaN, IsInf; BitwiseAnd, BitwiseOr,
// BitwiseXor, BitwiseNot, BitShift.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

const Tensor a = f32({2, 3}, {1, 2, 3, 4, 5, nan}), b = f32({3}, {2, 2, 3});

const std::vector<Case> equal_cases = {
    {"broadcast; NaN is not equal", {a, b}, {boolean({2, 3}, {0, 1, 1, 0, 0, 0})}},
    {"i64", {i64({2}, {1, 2}), i64({2}, {1, 3})}, {boolean({2}, {1, 0})}},
    {"booleans", {boolean({2}, {1, 0}), boolean({2}, {1, 1})}, {boolean({2}, {1, 0})}},
    {"texts",
     {texts({2}, {"string1", "string2"}), texts({2}, {"string1", "string3"})},
     {boolean({2}, {1, 0})},
     0,
     "",
     19},
    {"empty", {f32({0}, {}), f32({1}, {1})}, {boolean({0}, {})}},
};
const std::vector<Case> less_cases = {
    {"broadcast; NaN is not less", {a, b}, {boolean({2, 3}, {1, 0, 0, 0, 0, 0})}},
    {"u64 beyond i64",
     {numbers(DataType::u64, {1}, {1}), numbers(DataType::u64, {1}, {9223372036854775808.0})},
     {boolean({1}, {1})}},
    {"f16", {f16({2}, {1, 2}), f16({2}, {2, 2})}, {boolean({2}, {1, 0})}},
};
const std::vector<Case> less_or_equal_cases = {{"broadcast", {a, b}, {boolean({2, 3}, {1, 1, 1, 0, 0, 0})}}};
const std::vector<Case> greater_cases = {{"broadcast", {a, b}, {boolean({2, 3}, {0, 0, 0, 1, 1, 0})}}};
const std::vector<Case> greater_or_equal_cases = {{"broadcast", {a, b}, {boolean({2, 3}, {0, 1, 1, 1, 1, 0})}}};

const Tensor p = boolean({2, 2}, {0, 0, 1, 1}), q = boolean({2}, {0, 1});
const std::vector<Case> and_cases = {{"broadcast", {p, q}, {boolean({2, 2}, {0, 0, 0, 1})}}};
const std::vector<Case> or_cases = {{"broadcast", {p, q}, {boolean({2, 2}, {0, 1, 1, 1})}}};
const std::vector<Case> xor_cases = {{"broadcast", {p, q}, {boolean({2, 2}, {0, 1, 1, 0})}}};
const std::vector<Case> not_cases = {{"a matrix", {p}, {boolean({2, 2}, {1, 1, 0, 0})}}};

Tensors special(DataType type) { return {numbers(type, {7}, {nan, 0, infinity, -infinity, 1, -1, nan})}; }
const Tensor where_nan = boolean({7}, {1, 0, 0, 0, 0, 0, 1});
const std::vector<Case> is_nan_cases = {
    {"f32", special(DataType::f32), {where_nan}},
    {"f16", special(DataType::f16), {where_nan}},
    {"bf16", special(DataType::bf16), {where_nan}},
    {"f64", special(DataType::f64), {where_nan}},
    {"f8", {numbers(DataType::f8e5m2, {3}, {nan, 1, -2})}, {boolean({3}, {1, 0, 0})}},
    {"empty", {f32({0, 3}, {})}, {boolean({0, 3}, {})}}};
const Tensor where_infinite = boolean({7}, {0, 0, 1, 1, 0, 0, 0});
const std::vector<Case> is_inf_cases = {
    {"f32", special(DataType::f32), {where_infinite}},
    {"f16", special(DataType::f16), {where_infinite}},
    {"bf16", special(DataType::bf16), {where_infinite}},
    {"f64", special(DataType::f64), {where_infinite}},
    {"positive ones", special(DataType::f32), {boolean({7}, {0, 0, 1, 0, 0, 0, 0})}, 0, "detect_negative = 0"},
    {"negative ones", special(DataType::f32), {boolean({7}, {0, 0, 0, 1, 0, 0, 0})}, 0, "detect_positive = 0"},
    {"none",
     special(DataType::f32),
     {boolean({7}, {0, 0, 0, 0, 0, 0, 0})},
     0,
     "detect_positive = 0, detect_negative = 0"},
};

// One row for each type, on the bits of its numbers.
template <class Function>
std::vector<Case> bitwise_rows(Function function) {
  std::vector<Case> rows;
  for (const auto type : {DataType::i8, DataType::i16, DataType::i32, DataType::i64, DataType::u8, DataType::u16,
                          DataType::u32, DataType::u64}) {
    const bool is_signed = is_signed_integer(type);
    const std::vector<double> x{is_signed ? -128.0 : 255, 0, 1, 107}, y{13, is_signed ? -1.0 : 85};
    std::vector<double> z;
    for (size_t i = 0; i < 8; ++i)
      z.push_back(static_cast<double>(function(static_cast<int64_t>(x[i / 2]), static_cast<int64_t>(y[i % 2]))));
    rows.push_back(
        {std::string(name_of(type)), {numbers(type, {4, 1}, x), numbers(type, {2}, y)}, {numbers(type, {4, 2}, z)}});
  }
  return rows;
}
const auto bitwise_and_cases = bitwise_rows([](int64_t x, int64_t y) { return x & y; });
const auto bitwise_or_cases = bitwise_rows([](int64_t x, int64_t y) { return x | y; });
const auto bitwise_xor_cases = bitwise_rows([](int64_t x, int64_t y) { return x ^ y; });
const std::vector<Case> bitwise_not_cases = {
    {"i8", {numbers(DataType::i8, {3}, {-128, 0, 5})}, {numbers(DataType::i8, {3}, {127, -1, -6})}},
    {"i32", {i32({3}, {-1, 0, 5})}, {i32({3}, {0, -1, -6})}},
    {"i64", {i64({3}, {-1, 0, 5})}, {i64({3}, {0, -1, -6})}},
    {"u8", {u8({3}, {255, 0, 5})}, {u8({3}, {0, 255, 250})}},
    {"u16", {numbers(DataType::u16, {2}, {0, 5})}, {numbers(DataType::u16, {2}, {65535, 65530})}},
    {"u32", {numbers(DataType::u32, {2}, {0, 5})}, {numbers(DataType::u32, {2}, {4294967295.0, 4294967290.0})}},
    {"empty", {i32({0}, {})}, {i32({0}, {})}}};

// By as many bits as there are, and more, a shift gives 0 (numpy).
std::vector<Case> shift_rows() {
  std::vector<Case> rows;
  for (const auto type : {DataType::u8, DataType::u16, DataType::u32, DataType::u64}) {
    const double bits = bits_of(type), whole = std::ldexp(1, bits_of(type));
    const Tensor x = numbers(type, {4}, {whole / 2, 3, 5, whole / 4});
    rows.push_back({std::string(name_of(type)),
                    {x, numbers(type, {4}, {1, 2, bits, 1})},
                    {numbers(type, {4}, {0, 12, 0, whole / 2})},
                    0,
                    "direction = \"LEFT\""});
    rows.push_back({std::string(name_of(type)),
                    {x, numbers(type, {4}, {1, 1, bits, 2})},
                    {numbers(type, {4}, {whole / 4, 1, 0, whole / 16})},
                    0,
                    "direction = \"RIGHT\""});
    rows.push_back({"by one number, beyond 64",
                    {x, numbers(type, {}, {100})},
                    {numbers(type, {4}, {0, 0, 0, 0})},
                    0,
                    "direction = \"RIGHT\""});
  }
  for (const auto type : {DataType::i8, DataType::i16, DataType::i32, DataType::i64}) {
    const double least = -std::ldexp(1, bits_of(type) - 1), bits = bits_of(type);
    const Tensor x = numbers(type, {6}, {least, -7, 5, -7, 5, -1}), y = numbers(type, {6}, {1, 1, 1, bits, -1, -bits});
    rows.push_back({std::string(name_of(type)) + " (onnx test_bitshift_right_int8_negative_shift)",
                    {x, y},
                    {numbers(type, {6}, {least / 2, -4, 2, -1, 0, -1})},
                    0,
                    "direction = \"RIGHT\""});
    rows.push_back(
        {std::string(name_of(type)), {x, y}, {numbers(type, {6}, {0, -14, 10, 0, 0, 0})}, 0, "direction = \"LEFT\""});
  }
  return rows;
}

}  // namespace

HEED_TEST_OPERATOR("Equal", equal_cases)
HEED_TEST_OPERATOR("Less", less_cases)
HEED_TEST_OPERATOR("LessOrEqual", less_or_equal_cases)
HEED_TEST_OPERATOR("Greater", greater_cases)
HEED_TEST_OPERATOR("GreaterOrEqual", greater_or_equal_cases)
HEED_TEST_OPERATOR("And", and_cases)
HEED_TEST_OPERATOR("Or", or_cases)
HEED_TEST_OPERATOR("Xor", xor_cases)
HEED_TEST_OPERATOR("Not", not_cases)
HEED_TEST_OPERATOR("IsNaN", is_nan_cases)
HEED_TEST_OPERATOR("IsInf", is_inf_cases)
HEED_TEST_OPERATOR("BitwiseAnd", bitwise_and_cases)
HEED_TEST_OPERATOR("BitwiseOr", bitwise_or_cases)
HEED_TEST_OPERATOR("BitwiseXor", bitwise_xor_cases)
HEED_TEST_OPERATOR("BitwiseNot", bitwise_not_cases)
HEED_TEST_OPERATOR("BitShift", shift_rows())

TEST_CASE("a shift goes to the left or to the right") {
  check_refused("BitShift", {"", {u8({1}, {1}), u8({1}, {1})}, {u8({1}, {2})}, 0, "direction = \"UP\""},
                "attribute 'direction' is 'UP'");
}

}  // namespace heed::test
