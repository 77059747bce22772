// heed.CausalMask: bottom right, whatever the lengths.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> cases = {
    {"square", {i64({}, {3}), i64({}, {3})}, {boolean({3, 3}, {1, 0, 0, 1, 1, 0, 1, 1, 1})}},
    {"a past", {i64({}, {2}), i64({}, {5})}, {boolean({2, 5}, {1, 1, 1, 1, 0, 1, 1, 1, 1, 1})}},
    {"a decoded token sees all", {i64({1}, {1}), i64({1}, {4})}, {boolean({1, 4}, {1, 1, 1, 1})}},
    {"more queries than keys", {i64({}, {4}), i64({}, {2})}, {boolean({4, 2}, {0, 0, 0, 0, 1, 0, 1, 1})}},
    {"no queries", {i64({}, {0}), i64({}, {4})}, {boolean({0, 4}, {})}},
    {"no keys", {i64({}, {2}), i64({}, {0})}, {boolean({2, 0}, {})}},
};

}  // namespace

HEED_TEST_OPERATOR("heed.CausalMask", cases)

}  // namespace heed::test
