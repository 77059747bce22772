// Views and their copies: Reshape, Flatten, Squeeze, Unsqueeze, Identity, BitCast, Transpose, Slice, Expand, Split,
// heed.Copy.
#include <catch2/catch.hpp>

#include "cases.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

Tensor reshaped(Tensor tensor, std::vector<int64_t> dims) {
  tensor.dims = std::move(dims);
  return tensor;
}

// Elements by strides over the given dims.
Tensor looked_at(const Tensor& x, std::vector<int64_t> dims, std::vector<int64_t> strides, int64_t first = 0) {
  const auto values = values_of(x);
  std::vector<double> out;
  size_t count = 1;
  for (const auto dim : dims) count *= static_cast<size_t>(dim);
  for (size_t i = 0; i < count; ++i) {
    int64_t at = first;
    size_t rest = i;
    for (size_t axis = dims.size(); axis-- > 0; rest /= static_cast<size_t>(dims[axis]))
      at += static_cast<int64_t>(rest % static_cast<size_t>(dims[axis])) * strides[axis];
    out.push_back(values[static_cast<size_t>(at)]);
  }
  return numbers(x.type, dims, out);
}

const Tensor x = random({2, 3, 4});
const std::vector<Case> reshape_cases = {
    {"another shape", {x, i64({2}, {4, 6})}, {reshaped(x, {4, 6})}},
    {"-1 takes what is left", {x, i64({2}, {4, -1})}, {reshaped(x, {4, 6})}},
    {"0 keeps", {x, i64({3}, {0, 2, -1})}, {reshaped(x, {2, 2, 6})}},
    {"to one axis", {x, i64({1}, {-1})}, {reshaped(x, {24})}},
    {"to a scalar", {f32({1, 1}, {3}), i64({0}, {})}, {f32({}, {3})}},
    {"allowzero", {f32({0, 3}, {}), i64({2}, {3, 0})}, {f32({3, 0}, {})}, 0, "allowzero = 1"},
    {"empty with 0 kept", {f32({0, 3}, {}), i64({2}, {0, 3})}, {f32({0, 3}, {})}},
    {"the shape as an attribute (Reshape-1)", {x}, {reshaped(x, {6, 4})}, 0, "shape = [6, -1]", 1},
    {"texts", {texts({2, 1}, {"a", "bc"}), i64({1}, {2})}, {texts({2}, {"a", "bc"})}},
    {"i4, packed",
     {numbers(DataType::i4, {3, 1}, {1, -2, 3}), i64({1}, {3})},
     {numbers(DataType::i4, {3}, {1, -2, 3})}},
};
const std::vector<Case> flatten_cases = {
    {"axis 1 by default", {x}, {reshaped(x, {2, 12})}},
    {"axis 0", {x}, {reshaped(x, {1, 24})}, 0, "axis = 0"},
    {"axis -1", {x}, {reshaped(x, {6, 4})}, 0, "axis = -1"},
    {"axis 3, the rank", {x}, {reshaped(x, {24, 1})}, 0, "axis = 3"},
};
const std::vector<Case> squeeze_cases = {
    {"the axes as input",
     {f32({1, 3, 1, 2}, {1, 2, 3, 4, 5, 6}), i64({2}, {0, -2})},
     {f32({3, 2}, {1, 2, 3, 4, 5, 6})}},
    {"as attribute", {f32({1, 3, 1}, {1, 2, 3})}, {f32({3, 1}, {1, 2, 3})}, 0, "axes = [0]", 11},
};
const std::vector<Case> unsqueeze_cases = {
    {"the axes as input, unsorted", {f32({3}, {1, 2, 3}), i64({2}, {-1, 0})}, {f32({1, 3, 1}, {1, 2, 3})}},
    {"as attribute", {f32({3}, {1, 2, 3})}, {f32({3, 1}, {1, 2, 3})}, 0, "axes = [1]", 11},
    {"a scalar", {f32({}, {7}), i64({1}, {0})}, {f32({1}, {7})}},
};
const std::vector<Case> identity_cases = {{"a tensor", {x}, {x}},
                                          {"texts", {texts({1}, {"same"})}, {texts({1}, {"same"})}}};

const std::vector<Case> transpose_cases = {
    {"the order reversed", {x}, {looked_at(x, {4, 3, 2}, {1, 4, 12})}},
    {"perm", {x}, {looked_at(x, {3, 2, 4}, {4, 12, 1})}, 0, "perm = [1, 0, 2]"},
    {"the last two",
     {random({3, 65, 33})},
     {looked_at(random({3, 65, 33}), {3, 33, 65}, {65 * 33, 1, 33})},
     0,
     "perm = [0, 2, 1]"},
    {"scalar", {f32({}, {1})}, {f32({}, {1})}},
    {"empty", {f32({2, 0}, {})}, {f32({0, 2}, {})}},
    {"u8", {u8({2, 2}, {1, 2, 3, 4})}, {u8({2, 2}, {1, 3, 2, 4})}},
    {"i4, packed",
     {numbers(DataType::i4, {3, 3}, {0, 1, 2, 3, 4, 5, 6, 7, -8})},
     {numbers(DataType::i4, {3, 3}, {0, 3, 6, 1, 4, 7, 2, 5, -8})}},
    {"texts", {texts({1, 2}, {"a", "b"})}, {texts({2, 1}, {"a", "b"})}},
};

const std::vector<Case> slice_cases = {
    {"starts and ends", {x, i64({3}, {0, 1, 1}), i64({3}, {2, 3, 3})}, {looked_at(x, {2, 2, 2}, {12, 4, 1}, 5)}},
    {"axes and steps",
     {x, i64({2}, {0, 1}), i64({2}, {3, 4}), i64({2}, {1, -1}), i64({2}, {2, 2})},
     {looked_at(x, {2, 2, 2}, {12, 8, 2}, 1)}},
    {"from the end", {x, i64({1}, {-3}), i64({1}, {-1}), i64({1}, {2})}, {looked_at(x, {2, 3, 2}, {12, 4, 1}, 1)}},
    {"back, to the front",
     {x, i64({1}, {3}), i64({1}, {-100}), i64({1}, {-1}), i64({1}, {-1})},
     {looked_at(x, {2, 3, 4}, {12, 4, -1}, 3)}},
    {"back by two",
     {x, i64({1}, {100}), i64({1}, {0}), i64({1}, {2}), i64({1}, {-2})},
     {looked_at(x, {2, 3, 2}, {12, 4, -2}, 3)}},
    {"to the very end", {x, i64({1}, {1}), i64({1}, {9e18}), i64({1}, {1})}, {looked_at(x, {2, 2, 4}, {12, 4, 1}, 4)}},
    {"nothing", {x, i64({1}, {3}), i64({1}, {1}), i64({1}, {1})}, {f32({2, 0, 4}, {})}},
    {"outside", {x, i64({1}, {50}), i64({1}, {90}), i64({1}, {1})}, {f32({2, 0, 4}, {})}},
    {"i32 positions", {x, i32({1}, {1}), i32({1}, {2})}, {looked_at(x, {1, 3, 4}, {12, 4, 1}, 12)}},
    {"attributes (Slice-1)",
     {x},
     {looked_at(x, {2, 2, 4}, {12, 4, 1}, 4)},
     0,
     "starts = [1], ends = [1000], axes = [1]",
     9},
};
const std::vector<Case> expand_cases = {
    {"a column", {f32({3, 1}, {1, 2, 3}), i64({2}, {3, 4})}, {f32({3, 4}, {1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3})}},
    {"more axes", {f32({2}, {1, 2}), i64({2}, {3, 1})}, {f32({3, 2}, {1, 2, 1, 2, 1, 2})}},
    {"the shape is smaller", {x, i64({1}, {1})}, {x}},
    {"to nothing", {f32({1}, {1}), i64({1}, {0})}, {f32({0}, {})}},
};
const std::vector<Case> split_cases = {
    {"equal parts",
     {f32({6}, {1, 2, 3, 4, 5, 6})},
     {f32({2}, {1, 2}), f32({2}, {3, 4}), f32({2}, {5, 6})},
     0,
     "axis = 0, num_outputs = 3"},
    {"the last part is smaller (Split-18)",
     {f32({7}, {1, 2, 3, 4, 5, 6, 7})},
     {f32({2}, {1, 2}), f32({2}, {3, 4}), f32({2}, {5, 6}), f32({1}, {7})},
     0,
     "num_outputs = 4"},
    {"given parts along axis -1",
     {f32({2, 3}, {1, 2, 3, 4, 5, 6}), i64({2}, {1, 2})},
     {f32({2, 1}, {1, 4}), f32({2, 2}, {2, 3, 5, 6})},
     0,
     "axis = -1"},
    {"an empty part", {f32({2}, {1, 2}), i64({3}, {0, 2, 0})}, {f32({0}, {}), f32({2}, {1, 2}), f32({0}, {})}},
    {"parts as attribute",
     {f32({2, 3}, {1, 2, 3, 4, 5, 6})},
     {f32({2, 2}, {1, 2, 4, 5}), f32({2, 1}, {3, 6})},
     0,
     "axis = 1, split = [2, 1]",
     11},
};
const std::vector<Case> bit_cast_cases = {
    {"f32 as i32",
     {f32({2, 2}, {1, -2, 0, infinity})},
     {i32({2, 2}, {0x3F800000, -0x40000000, 0, 0x7F800000})},
     0,
     "to = 6"},
    {"i64 as f64", {i64({1}, {0x3FF0000000000000})}, {f64({1}, {1})}, 0, "to = 11"},
    {"f16 as u16", {f16({3}, {1, -1, 0})}, {numbers(DataType::u16, {3}, {0x3C00, 0xBC00, 0})}, 0, "to = 4"},
    {"i8 as u8", {numbers(DataType::i8, {2}, {-1, 5})}, {u8({2}, {255, 5})}, 0, "to = 2"},
    {"booleans as u8", {boolean({3}, {1, 0, 1})}, {u8({3}, {1, 0, 1})}, 0, "to = 2"},
    {"i4 as u4", {numbers(DataType::i4, {3}, {-1, 5, -8})}, {numbers(DataType::u4, {3}, {15, 5, 8})}, 0, "to = 21"},
    {"a scalar", {f32({}, {1})}, {i32({}, {0x3F800000})}, 0, "to = 6"},
    {"empty", {f32({0, 3}, {})}, {i32({0, 3}, {})}, 0, "to = 6"},
};
const std::vector<Case> copy_cases = {
    {"f32", {x}, {x}},
    {"u8", {u8({3}, {1, 2, 3})}, {u8({3}, {1, 2, 3})}},
    {"f16", {f16({3}, {1, -2, 3})}, {f16({3}, {1, -2, 3})}},
    {"i64", {i64({1, 3}, {1, -2, 3})}, {i64({1, 3}, {1, -2, 3})}},
    {"u8, larger than a workgroup", {random({1031}, 0, 255, DataType::u8)}, {random({1031}, 0, 255, DataType::u8)}},
    {"empty", {f32({0, 3}, {})}, {f32({0, 3}, {})}},
    {"texts", {texts({1}, {"x"})}, {texts({1}, {"x"})}}};

}  // namespace

HEED_TEST_OPERATOR("Reshape", reshape_cases)
HEED_TEST_OPERATOR("Flatten", flatten_cases)
HEED_TEST_OPERATOR("Squeeze", squeeze_cases)
HEED_TEST_OPERATOR("Unsqueeze", unsqueeze_cases)
HEED_TEST_OPERATOR("Identity", identity_cases)
HEED_TEST_OPERATOR("BitCast", bit_cast_cases)
HEED_TEST_OPERATOR("Transpose", transpose_cases)
HEED_TEST_OPERATOR("Slice", slice_cases)
HEED_TEST_OPERATOR("Expand", expand_cases)
HEED_TEST_OPERATOR("Split", split_cases)
HEED_TEST_OPERATOR("heed.Copy", copy_cases)

TEST_CASE("BitCast is between types of as many bits") {
  check_refused("BitCast", {"", {f32({1}, {1})}, {f64({1}, {1})}, 0, "to = 11"}, "f32 has 32 bits, f64 has 64");
  check_refused("BitCast", {"", {f32({1}, {1})}, {f32({1}, {1})}, 0, "to = 8"}, "attribute 'to' is 8");
}

TEST_CASE("a BitCast lies where its input lies, which may be strided, on Vulkan") {
  check_on_vulkan(
      "<ir_version: 12, opset_import: [\"\" : 26]> g (float[N, 5] x) => (int32[5, N] y) "
      "{ t = Transpose(x) \n b = BitCast<to = 6>(t) \n y = Neg(b) }",
      {random({3, 5})});
}

TEST_CASE("Concat takes strided inputs on every device") {
  const std::string text =
      "<ir_version: 10, opset_import: [\"\" : 24]> g (float[3, 5] x, float[5, 3] z) => (float[13, 3] y) <int64[1] "
      "front = "
      "{-1}, int64[1] end = {-100}, int64[1] axis = {0}, int64[1] step = {-2}> { t = Transpose(x) \n s = Slice(z, "
      "front, "
      "end, axis, step) \n y = Concat<axis = 0>(t, z, s) }";
  const Tensor across = random({3, 5}), down = random({5, 3});
  auto expected = values_of(looked_at(across, {5, 3}, {1, 5}));
  for (const Tensor& part : {down, looked_at(down, {3, 3}, {-6, 1}, 12)})
    for (const double value : values_of(part)) expected.push_back(value);
  for (const char* device : {"cpu", "vulkan"}) {
    INFO(device);
    const auto got = run_text(text, {across, down}, device);
    REQUIRE((got ? "" : got.error().message) == "");
    check_equal(got->at(0), f32({13, 3}, expected));
    count_row(true);
  }
}

TEST_CASE("Reshape says how many elements do not fit") {
  check_refused("Reshape", {"24 into 25", {x, i64({1}, {25})}, {f32({1}, {0})}},
                "element counts of [2, 3, 4] and [25]");
  check_refused("Reshape", {"two open sizes", {x, i64({2}, {-1, -1})}, {f32({1}, {0})}}, "more than one -1");
}

}  // namespace heed::test
