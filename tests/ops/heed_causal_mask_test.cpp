// heed.CausalMask: bottom right, whatever the lengths, and windows around it.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> cases = {
    {"square", {i64({}, {3}), i64({}, {3})}, {boolean({3, 3}, {1, 0, 0, 1, 1, 0, 1, 1, 1})}},
    {"a past", {i64({}, {2}), i64({}, {5})}, {boolean({2, 5}, {1, 1, 1, 1, 0, 1, 1, 1, 1, 1})}},
    {"a decoded token sees all", {i64({1}, {1}), i64({1}, {4})}, {boolean({1, 4}, {1, 1, 1, 1})}},
    {"more queries than keys", {i64({}, {4}), i64({}, {2})}, {boolean({4, 2}, {0, 0, 0, 0, 1, 0, 1, 1})}},
    {"a window behind, all that follows seen",
     {i64({}, {3}), i64({}, {4})},
     {boolean({3, 4}, {1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, 1})},
     0, "window = 1, right_window = -1"},
    {"a window on both sides",
     {i64({}, {3}), i64({}, {5})},
     {boolean({3, 5}, {0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0, 0, 0, 1, 1})},
     0, "window = 1, right_window = 1"},
    {"a window larger than all", {i64({}, {1}), i64({}, {3})}, {boolean({1, 3}, {1, 1, 1})}, 0, "window = 99"},
    {"windows of queries before the first key",
     {i64({}, {4}), i64({}, {2})},
     {boolean({4, 2}, {0, 0, 1, 0, 1, 1, 0, 1})},
     0, "window = 0, right_window = 1"},
    {"no queries", {i64({}, {0}), i64({}, {4})}, {boolean({0, 4}, {})}},
    {"no keys", {i64({}, {2}), i64({}, {0})}, {boolean({2, 0}, {})}},
};

}  // namespace

HEED_TEST_OPERATOR("heed.CausalMask", cases)

TEST_CASE("a causal mask refuses a window of less than no keys") {
  const Case row{"", {i64({}, {3}), i64({}, {3})}, {boolean({3, 3}, {1, 0, 0, 1, 1, 0, 1, 1, 1})}, 0, "window = -2"};
  check_refused("heed.CausalMask", row, "window is -2");
}

TEST_CASE("a causal mask of sizes that only the run tells is made on Vulkan") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23, "heed" : 1]>
    agraph (float[query, key] x) => (bool[query, key] y) {
      n = Shape<start = 0, end = 1>(x)
      m = Shape<start = 1, end = 2>(x)
      y = heed.CausalMask(n, m)
    })";
  for (const auto& [query, key] : {std::pair<int64_t, int64_t>{3, 3}, {1, 1}, {5, 7}, {7, 5}, {3, 0}, {101, 103}})
    check_on_vulkan(text, {random({query, key})});
}

}  // namespace heed::test
