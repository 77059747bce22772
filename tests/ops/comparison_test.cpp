// Equal, Less, LessOrEqual, Greater, GreaterOrEqual, and And, Or, Xor, Not.
#include <catch2/catch.hpp>

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

}  // namespace heed::test
