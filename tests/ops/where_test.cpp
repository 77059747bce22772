// Where and Clip.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> where_cases = {
    {"all broadcast", {boolean({2, 1}, {1, 0}), f32({3}, {1, 2, 3}), f32({}, {9})}, {f32({2, 3}, {1, 2, 3, 9, 9, 9})}},
    {"i64", {boolean({2}, {1, 0}), i64({2}, {1, 2}), i64({2}, {3, 4})}, {i64({2}, {1, 4})}},
    {"u8", {boolean({3}, {1, 0, 1}), u8({3}, {1, 2, 3}), u8({3}, {4, 5, 6})}, {u8({3}, {1, 5, 3})}},
    {"f16", {boolean({2}, {0, 1}), f16({2}, {1, 2}), f16({2}, {3, 4})}, {f16({2}, {3, 2})}},
    {"texts",
     {boolean({2}, {1, 0}), texts({2}, {"a", "b"}), texts({1}, {"otherwise"})},
     {texts({2}, {"a", "otherwise"})}},
    {"empty", {boolean({0}, {}), f32({1}, {1}), f32({1}, {1})}, {f32({0}, {})}},
};

const Tensor x = f32({5}, {-3, -1, 0, 2, nan});
const std::vector<Case> clip_cases = {
    {"both bounds", {x, f32({}, {-1}), f32({}, {1})}, {f32({5}, {-1, -1, 0, 1, nan})}},
    {"only the lower", {x, f32({}, {-1})}, {f32({5}, {-1, -1, 0, 2, nan})}},
    {"only the upper", {x, absent(), f32({}, {1})}, {f32({5}, {-3, -1, 0, 1, nan})}},
    {"no bounds", {x}, {x}},
    {"low above high gives high (numpy)", {x, f32({}, {2}), f32({}, {1})}, {f32({5}, {1, 1, 1, 1, nan})}},
    {"attributes (Clip-6)", {x}, {f32({5}, {-1, -1, 0, 1, nan})}, 0, "min = -1.0, max = 1.0", 6},
    {"i8 (onnx test_clip_default_int8_inbounds)",
     {numbers(DataType::i8, {3}, {-100, 0, 100}), numbers(DataType::i8, {}, {-50}), numbers(DataType::i8, {}, {50})},
     {numbers(DataType::i8, {3}, {-50, 0, 50})}},
};

}  // namespace

HEED_TEST_OPERATOR("Where", where_cases)
HEED_TEST_OPERATOR("Clip", clip_cases)

}  // namespace heed::test
