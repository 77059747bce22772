// Tensors of two values: OneHot, EyeLike, and Dropout with its mask.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> one_hot_cases = {
    {"at the end", {i64({3}, {0, 2, 1}), i64({}, {3}), f32({2}, {0, 1})}, {f32({3, 3}, {1, 0, 0, 0, 0, 1, 0, 1, 0})}},
    {"from the end, and outside",
     {i64({4}, {-1, -3, -4, 3}), i64({1}, {3}), f32({2}, {5, 2})},
     {f32({4, 3}, {5, 5, 2, 2, 5, 5, 5, 5, 5, 5, 5, 5})}},
    {"far outside, past 32 bits",
     {i64({3}, {4294967296.0, -4294967295.0, 1e18}), i64({}, {2}), f32({2}, {0, 1})},
     {f32({3, 2}, {0, 0, 0, 0, 0, 0})}},
    {"axis 0, i32",
     {i32({3}, {0, 1, 0}), i64({}, {2}), u8({2}, {0, 9})},
     {u8({2, 3}, {9, 0, 9, 0, 9, 0})},
     0,
     "axis = 0"},
    {"axis -2",
     {i32({1, 3}, {0, 1, -1}), i32({}, {2}), f16({2}, {0, 1})},
     {f16({1, 2, 3}, {1, 0, 0, 0, 1, 1})},
     0,
     "axis = -2"},
    {"f32 indices and depth", {f32({2}, {1, 0}), f32({1}, {2}), f64({2}, {1, 3})}, {f64({2, 2}, {1, 3, 3, 1})}},
    {"u8 indices", {u8({2}, {1, 0}), i64({}, {2}), i64({2}, {-1, 3})}, {i64({2, 2}, {-1, 3, 3, -1})}},
    {"texts", {i64({2}, {1, 0}), i64({}, {2}), texts({2}, {"off", "on"})}, {texts({2, 2}, {"off", "on", "on", "off"})}},
    {"a number", {i64({}, {1}), i64({}, {3}), boolean({2}, {0, 1})}, {boolean({3}, {0, 1, 0})}},
    {"no indices", {i64({0, 2}, {}), i64({}, {3}), f32({2}, {0, 1})}, {f32({0, 2, 3}, {})}},
    by(
        [](const Tensors& in) {
          const auto at = values_of(in[0]);
          std::vector<double> y;
          for (size_t i = 0; i < 13; ++i)
            for (int64_t d = 0; d < 67; ++d)
              for (size_t k = 0; k < 7; ++k) y.push_back(static_cast<int64_t>(at[i * 7 + k]) == d ? 1 : 0);
          return Tensors{f32({13, 67, 7}, y)};
        },
        "larger than a workgroup, prime",
        {numbers(DataType::i64, {13, 7}, values_of(random({13, 7}, 0, 67, DataType::i64))), i64({}, {67}),
         f32({2}, {0, 1})},
        0, "axis = 1"),
};

const std::vector<Case> eye_like_cases = {
    {"f32", {f32({2, 3}, {9, 9, 9, 9, 9, 9})}, {f32({2, 3}, {1, 0, 0, 0, 1, 0})}},
    {"above the diagonal, f64",
     {i32({3, 3}, {0, 0, 0, 0, 0, 0, 0, 0, 0})},
     {f64({3, 3}, {0, 1, 0, 0, 0, 1, 0, 0, 0})},
     0,
     "k = 1, dtype = 11"},
    {"below, i64", {i64({3, 2}, {0, 0, 0, 0, 0, 0})}, {i64({3, 2}, {0, 0, 0, 0, 1, 0})}, 0, "k = -2"},
    {"f16", {f32({2, 1}, {0, 0})}, {f16({2, 1}, {1, 0})}, 0, "dtype = 10"},
    {"bf16", {f32({1, 2}, {0, 0})}, {bf16({1, 2}, {0, 1})}, 0, "dtype = 16, k = 1"},
    {"bool", {f32({1, 2}, {0, 0})}, {boolean({1, 2}, {1, 0})}, 0, "dtype = 9"},
    {"u8", {u8({2, 2}, {0, 0, 0, 0})}, {u8({2, 2}, {1, 0, 0, 1})}},
    {"i32", {i32({2, 2}, {0, 0, 0, 0})}, {i32({2, 2}, {1, 0, 0, 1})}},
    {"no diagonal there", {f32({2, 2}, {1, 1, 1, 1})}, {f32({2, 2}, {0, 0, 0, 0})}, 0, "k = 9223372036854775807"},
    {"nothing", {f32({0, 3}, {})}, {f32({0, 3}, {})}},
    by(
        [](const Tensors& in) {
          std::vector<double> y(13 * 67);
          for (size_t i = 0; i < 13; ++i) y[i * 67 + i + 5] = 1;
          return Tensors{numbers(in[0].type, in[0].dims, y)};
        },
        "larger than a workgroup, prime", {random({13, 67})}, 0, "k = 5"),
};

const Tensor x3 = f32({3}, {1, -2, 3});
const std::vector<Case> dropout_cases = {
    {"outside of training", {x3}, {x3}},
    {"with its mask", {x3, f32({}, {0.1})}, {x3, boolean({3}, {1, 1, 1})}},
    {"training turned off",
     {f16({2}, {1, 2}), f32({}, {0.1}), boolean({}, {0})},
     {f16({2}, {1, 2}), boolean({2}, {1, 1})}},
    {"training with a ratio of 0", {x3, f32({}, {0}), boolean({}, {1})}, {x3, boolean({3}, {1, 1, 1})}},
    // numpy.random.RandomState(0).uniform(0, 1, 6) is 0.5488135, 0.71518937, 0.60276338, 0.54488318, 0.4236548,
    // 0.64589411
    {"training (numpy's generator)",
     {f32({2, 3}, {1, 2, 3, 4, 5, 6}), f32({}, {0.6}), boolean({}, {1})},
     {f32({2, 3}, {0, 5, 7.5, 0, 0, 15}), boolean({2, 3}, {0, 1, 1, 0, 0, 1})},
     1e-6,
     "seed = 0"},
    {"training with a ratio of 0.5 by default",
     {f64({4}, {1, 2, 3, 4}), absent(), boolean({}, {1})},
     {f64({4}, {2, 4, 6, 8})},
     1e-12,
     "seed = 0"},
    {"the mask in the type of the data before opset 10", {x3}, {x3, f32({3}, {1, 1, 1})}, 0, "ratio = 0.5", 7},
    {"opset 6", {x3}, {x3}, 0, "is_test = 1", 6},
    {"nothing", {f32({0}, {})}, {f32({0}, {}), boolean({0}, {})}},
};

}  // namespace

HEED_TEST_OPERATOR("OneHot", one_hot_cases)
HEED_TEST_OPERATOR("EyeLike", eye_like_cases)
HEED_TEST_OPERATOR("Dropout", dropout_cases)

TEST_CASE("Dropout outside of training is nothing, on Vulkan too") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m] x, float ratio) => (float[n, m] y, bool[n, m] mask, float[n, m] z) {
      y, mask = Dropout(x, ratio)
      off = Constant<value = bool {0}>()
      s = Dropout(x, ratio, off)
      z = Relu(s)
    })",
                  {random({3, 7}), f32({}, {0.5})});
}
TEST_CASE("Dropout without a seed draws anew") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[64] x, float ratio, bool training) => (float[64] y, float[64] z) {
      y = Dropout(x, ratio, training)
      z = Dropout(x, ratio, training)
    })";
  const auto outputs = run_text(text, {random({64}, 1, 2), f32({}, {0.5}), boolean({}, {1})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  CHECK(values_of((*outputs)[0]) != values_of((*outputs)[1]));
}

}  // namespace heed::test
