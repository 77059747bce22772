// heed.Pack: codes lifted and laid side by side, floats turned.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> cases = {
    {"i4, rows of an odd length", {numbers(DataType::i4, {2, 3}, {-8, 0, 7, 1, -1, 2})}, {u8({2, 2}, {0x80, 0x0F, 0x79, 0x0A})}},
    {"u4, turned", {numbers(DataType::u4, {2, 3}, {1, 2, 3, 4, 5, 6})}, {u8({3, 1}, {0x41, 0x52, 0x63})}, 0, "transposed = 1"},
    {"i2", {numbers(DataType::i2, {1, 5}, {-2, -1, 0, 1, 1})}, {u8({1, 2}, {0xE4, 0x03})}},
    {"i8, matrices turned", {numbers(DataType::i8, {2, 1, 2}, {-128, 0, 1, 127})}, {u8({2, 2, 1}, {0, 128, 129, 255})}, 0,
     "transposed = 1"},
    {"u8, a number", {u8({}, {7})}, {u8({}, {7})}},
    {"i4, a list", {numbers(DataType::i4, {3}, {-8, 7, 0})}, {u8({2}, {0xF0, 0x08})}},
    {"f32, turned", {f32({2, 3}, {1, 2, 3, 4, 5, 6})}, {f32({3, 2}, {1, 4, 2, 5, 3, 6})}, 0, "transposed = 1"},
    {"more rows than are packed together", {numbers(DataType::i4, {2, 67}, std::vector<double>(134, -3))},
     {u8({67, 1}, std::vector<double>(67, 0x55))}, 0, "transposed = 1"},
    {"nothing", {numbers(DataType::i4, {0, 4}, {})}, {u8({0, 2}, {})}},
};

}  // namespace

HEED_TEST_OPERATOR("heed.Pack", cases)

}  // namespace heed::test
