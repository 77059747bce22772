// Tensors from sizes, indices and parts: Shape, Size, Constant, ConstantOfShape, Range, Concat, Gather, Trilu, NonZero.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

const Tensor x = random({2, 3, 4});
const std::vector<Case> shape_cases = {
    {"all sizes", {x}, {i64({3}, {2, 3, 4})}},
    {"from start on", {x}, {i64({2}, {3, 4})}, 0, "start = 1"},
    {"to a negative end", {x}, {i64({2}, {2, 3})}, 0, "end = -1"},
    {"clamped", {x}, {i64({3}, {2, 3, 4})}, 0, "start = -10, end = 10"},
    {"start behind end", {x}, {i64({0}, {})}, 0, "start = 2, end = 1"},
    {"scalar", {f32({}, {1})}, {i64({0}, {})}},
    {"of texts", {texts({2}, {"a", "b"})}, {i64({1}, {2})}},
};
const std::vector<Case> size_cases = {{"a matrix", {x}, {i64({}, {24})}},
                                      {"empty", {f32({2, 0}, {})}, {i64({}, {0})}},
                                      {"scalar", {f32({}, {1})}, {i64({}, {1})}}};

const std::vector<Case> constant_cases = {
    {"value", {}, {f32({2}, {1, 2})}, 0, "value = float[2] {1, 2}"},
    {"value_float", {}, {f32({}, {2.5})}, 0, "value_float = 2.5"},
    {"value_floats", {}, {f32({2}, {2.5, 3})}, 0, "value_floats = [2.5, 3.0]"},
    {"value_int", {}, {i64({}, {7})}, 0, "value_int = 7"},
    {"value_ints", {}, {i64({3}, {7, 8, 9})}, 0, "value_ints = [7, 8, 9]"},
    {"value_string", {}, {texts({}, {"seven"})}, 0, "value_string = \"seven\""},
    {"value_strings", {}, {texts({2}, {"a", "b"})}, 0, "value_strings = [\"a\", \"b\"]"},
};
const std::vector<Case> constant_of_shape_cases = {
    {"zero by default", {i64({2}, {2, 1})}, {f32({2, 1}, {0, 0})}},
    {"a value", {i64({1}, {3})}, {i64({3}, {5, 5, 5})}, 0, "value = int64[1] {5}"},
    {"empty", {i64({2}, {0, 2})}, {u8({0, 2}, {})}, 0, "value = uint8[1] {5}"},
    {"scalar", {i64({0}, {})}, {f32({}, {1})}, 0, "value = float[1] {1}"},
};
const std::vector<Case> range_cases = {
    {"up (onnx test_range_float_type_positive_delta)", {f32({}, {1}), f32({}, {5}), f32({}, {2})}, {f32({2}, {1, 3})}},
    {"down (onnx test_range_int32_type_negative_delta)",
     {i32({}, {10}), i32({}, {6}), i32({}, {-3})},
     {i32({2}, {10, 7})}},
    {"a step that is larger than half of all numbers",
     {i64({}, {-0x1p63}), i64({}, {0x1p62}), i64({}, {0x1p62})},
     {i64({3}, {-0x1p63, -0x1p62, 0})}},
    {"a part of a step more", {i64({}, {0}), i64({}, {7}), i64({}, {3})}, {i64({3}, {0, 3, 6})}},
    {"nothing", {i64({}, {3}), i64({}, {1}), i64({}, {1})}, {i64({0}, {})}},
    {"by one where that is absent", {i32({}, {3}), i32({}, {6})}, {i32({3}, {3, 4, 5})}},
    {"f64", {f64({}, {0}), f64({}, {1}), f64({}, {0.25})}, {f64({4}, {0, 0.25, 0.5, 0.75})}},
};
// The inputs one after the other along axis 1 of 3.
Tensors joined(const Tensors& in) {
  std::vector<int64_t> dims = in[0].dims;
  dims[1] = 0;
  for (const auto& x : in) dims[1] += x.dims[1];
  std::vector<double> y;
  for (int64_t outer = 0; outer < dims[0]; ++outer)
    for (const auto& x : in) {
      const auto values = values_of(x);
      const int64_t part = x.dims[1] * x.dims[2];
      y.insert(y.end(), values.begin() + outer * part, values.begin() + (outer + 1) * part);
    }
  return {numbers(in[0].type, dims, y)};
}
const std::vector<Case> concat_cases = {
    {"axis 0", {f32({1, 2}, {1, 2}), f32({2, 2}, {3, 4, 5, 6})}, {f32({3, 2}, {1, 2, 3, 4, 5, 6})}, 0, "axis = 0"},
    {"axis -1, three",
     {f32({2, 1}, {1, 4}), f32({2, 2}, {2, 3, 5, 6}), f32({2, 0}, {})},
     {f32({2, 3}, {1, 2, 3, 4, 5, 6})},
     0,
     "axis = -1"},
    {"one", {f32({2}, {1, 2})}, {f32({2}, {1, 2})}, 0, "axis = 0"},
    {"u8", {u8({1}, {1}), u8({2}, {2, 3})}, {u8({3}, {1, 2, 3})}, 0, "axis = 0"},
    {"f16", {f16({1}, {1}), f16({2}, {2, 3})}, {f16({3}, {1, 2, 3})}, 0, "axis = 0"},
    {"i64", {i64({1}, {1}), i64({2}, {-2, 3})}, {i64({3}, {1, -2, 3})}, 0, "axis = 0"},
    {"nothing but empty ones", {f32({0, 2}, {}), f32({0, 2}, {})}, {f32({0, 2}, {})}, 0, "axis = 0"},
    by(joined, "larger than a workgroup, prime, the middle axis",
       {random({3, 5, 67}), random({3, 1, 67}), random({3, 7, 67})}, 0, "axis = 1"),
    {"texts", {texts({1}, {"a"}), texts({1}, {"b"})}, {texts({2}, {"a", "b"})}, 0, "axis = 0"},
    {"i4, packed at an odd place",
     {numbers(DataType::i4, {3}, {1, 2, 3}), numbers(DataType::i4, {2}, {-4, -5})},
     {numbers(DataType::i4, {5}, {1, 2, 3, -4, -5})},
     0,
     "axis = 0"},
    {"axis 1 by default before opset 4", {f32({1, 1}, {1}), f32({1, 1}, {2})}, {f32({1, 2}, {1, 2})}, 0, "", 1},
};
const std::vector<Case> gather_cases = {
    {"rows", {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({2, 2}, {0, 1, 1, 2})}, {f32({2, 2, 2}, {1, 2, 3, 4, 3, 4, 5, 6})}},
    {"columns",
     {f32({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9}), i64({1, 2}, {0, 2})},
     {f32({3, 1, 2}, {1, 3, 4, 6, 7, 9})},
     0,
     "axis = 1"},
    {"a scalar index drops the axis", {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({}, {-1})}, {f32({2}, {5, 6})}},
    {"i32 indices from the end", {i64({3}, {7, 8, 9}), i32({2}, {-1, -3})}, {i64({2}, {9, 7})}},
    {"a middle axis, i32 indices of rank 2",
     {i32({2, 3, 2}, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}), i32({2, 1}, {2, -3})},
     {i32({2, 2, 1, 2}, {5, 6, 1, 2, 11, 12, 7, 8})},
     0,
     "axis = -2"},
    {"8 bytes an element",
     {f64({2, 2}, {1, 2, 3, 4}), i64({3}, {1, 0, -1})},
     {f64({2, 3}, {2, 1, 2, 4, 3, 4})},
     0,
     "axis = 1"},
    {"one slice of one", {f32({1, 1}, {3}), i64({1}, {-1})}, {f32({1, 1}, {3})}},
    {"slices without elements", {f32({3, 0}, {}), i64({2}, {0, 2})}, {f32({2, 0}, {})}},
    {"no indices", {f32({3, 2}, {1, 2, 3, 4, 5, 6}), i64({0}, {})}, {f32({0, 2}, {})}},
    {"texts", {texts({2}, {"a", "b"}), i64({3}, {1, 0, 1})}, {texts({3}, {"b", "a", "b"})}},
};
const std::vector<Case> trilu_cases = {
    {"upper", {i64({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9})}, {i64({3, 3}, {1, 2, 3, 0, 5, 6, 0, 0, 9})}},
    {"lower", {i64({3, 3}, {1, 2, 3, 4, 5, 6, 7, 8, 9})}, {i64({3, 3}, {1, 0, 0, 4, 5, 0, 7, 8, 9})}, 0, "upper = 0"},
    {"upper, k = 1", {f32({2, 3}, {1, 2, 3, 4, 5, 6}), i64({}, {1})}, {f32({2, 3}, {0, 2, 3, 0, 0, 6})}},
    {"lower, k = -1, a stack",
     {f32({2, 2, 2}, {1, 2, 3, 4, 5, 6, 7, 8}), i64({}, {-1})},
     {f32({2, 2, 2}, {0, 0, 3, 0, 0, 0, 7, 0})},
     0,
     "upper = 0"},
    {"k beyond 32 bits, 8 bytes an element",
     {f64({2, 2}, {1, 2, 3, 4}), i64({}, {-9223372036854775808.0})},
     {f64({2, 2}, {0, 0, 0, 0})},
     0,
     "upper = 0"},
    {"an empty stack", {f32({0, 2, 2}, {})}, {f32({0, 2, 2}, {})}},
    {"k beyond the matrix", {f32({2, 2}, {1, 2, 3, 4}), i64({}, {50})}, {f32({2, 2}, {0, 0, 0, 0})}},
};
const std::vector<Case> non_zero_cases = {
    {"onnx test_nonzero_example", {boolean({2, 2}, {1, 0, 1, 1})}, {i64({2, 3}, {0, 1, 1, 0, 0, 1})}},
    {"none", {f32({2, 2}, {0, 0, -0.0, 0})}, {i64({2, 0}, {})}},
    {"rank 1, NaN counts", {f32({4}, {0, 3, nan, 0})}, {i64({1, 2}, {1, 2})}},
};

}  // namespace

HEED_TEST_OPERATOR("Shape", shape_cases)
HEED_TEST_OPERATOR("Size", size_cases)
HEED_TEST_OPERATOR("Constant", constant_cases)
HEED_TEST_OPERATOR("ConstantOfShape", constant_of_shape_cases)
HEED_TEST_OPERATOR("Range", range_cases)
HEED_TEST_OPERATOR("Concat", concat_cases)
HEED_TEST_OPERATOR("Gather", gather_cases)
HEED_TEST_OPERATOR("Trilu", trilu_cases)
HEED_TEST_OPERATOR("NonZero", non_zero_cases)

TEST_CASE("tensors of sizes that only the run tells are made on Vulkan") {
  const char* text = R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x) => (int64[a] up, int64[b] down, float[n, m, 5] twos, bool[n] bytes, int16[n] none, double[m] wide) {
      shape = Shape(x)
      n = Shape<start = 0, end = 1>(x)
      m = Shape<start = 1, end = 2>(x)
      axis = Constant<value_ints = [0]>()
      n0 = Squeeze(n, axis)
      m0 = Squeeze(m, axis)
      two = Constant<value_int = 2>()
      back = Constant<value_int = -3>()
      end = Add(n0, m0)
      up = Range(n0, end, two)
      down = Range(end, n0, back)
      twos = ConstantOfShape<value = float[1] {2}>(shape)
      bytes = ConstantOfShape<value = bool[1] {1}>(n)
      none = ConstantOfShape<value = int16[1] {-3}>(n)
      wide = ConstantOfShape<value = double[1] {0.1}>(m)
    })";
  check_on_vulkan(text, {random({3, 7, 5})});
  check_on_vulkan(text, {random({1, 1, 5})});
  check_on_vulkan(text, {random({4, 0, 5})});
  check_on_vulkan(text, {random({67, 2053, 5})});
}
TEST_CASE("Trilu reads strided tensors on Vulkan, and writes where its input lies") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x, int64[1] k) => (float[5, m, n] y, float[n, 5, m] z) {
      t = Transpose(x)
      y = Trilu(t, k)
      s = Transpose<perm = [0, 2, 1]>(x)
      u = Trilu<upper = 0>(s, k)
      z = Trilu(u)
    })",
                  {random({3, 7, 5}), i64({1}, {-1})});
}
TEST_CASE("Gather reads strided data on Vulkan") {
  check_on_vulkan(R"(<ir_version: 10, opset_import: ["" : 23]>
    agraph (float[n, m, 5] x, int64[i, j] at) => (float[5, i, j, n] y, float[i, j, m, n] z, float[m, i, j, 5] w) {
      t = Transpose(x)
      y = Gather<axis = 1>(t, at)
      z = Gather<axis = 0>(t, at)
      s = Transpose<perm = [1, 0, 2]>(x)
      w = Gather<axis = 1>(s, at)
    })",
                  {random({3, 7, 5}), i64({2, 2}, {0, -3, 2, 1})});
}
TEST_CASE("elements of every size are moved on Vulkan") {
  for (const DataType type : {DataType::boolean, DataType::u8, DataType::f16, DataType::f8e5m2, DataType::f64}) {
    const std::string t(name_of(type));
    check_on_vulkan("<ir_version: 10, opset_import: [\"\" : 25]> g (" + t + "[n, m] x, int32[3] at) => (" + t +
                        "[m, 3] y, " + t + "[m, n] z, " + t +
                        "[n, a] w) { t = Transpose(x) \n y = Gather<axis = 1>(t, at) \n z = Trilu(t) \n"
                        "w = Concat<axis = 1>(x, x) }",
                    {random({5, 7}, 0, 2, type), i32({3}, {4, 0, -1})});
  }
}
TEST_CASE("Gather names the index that is outside") {
  check_refused("Gather", {"3 of 3", {f32({3}, {1, 2, 3}), i64({1}, {3})}, {f32({1}, {0})}}, "index 3 at position 0");
}
TEST_CASE("Gather on Vulkan tells the first index that is outside, and its node") {
  for (const double bad : {3.0, -4.0, 1e18, -1e18, 4294967297.0}) {
    const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 23]>
      agraph (float[3] x, int64[n] at) => (float[n] y) { [pick] y = Gather(x, at) })",
                                  {f32({3}, {1, 2, 3}), i64({4}, {2, -3, bad, bad})}, "vulkan");
    REQUIRE_FALSE(outputs);
    CHECK_THAT(outputs.error().message, Catch::Contains("'pick' (Gather): element 2 of the indices"));
  }
}
TEST_CASE("Concat says which sizes differ") {
  check_refused(
      "Concat",
      {"2 and 3 rows", {f32({2, 1}, {1, 2}), f32({3, 1}, {1, 2, 3})}, {f32({2, 2}, {0, 0, 0, 0})}, 0, "axis = 1"},
      "axis 0 of inputs 0 and 1");
}

TEST_CASE("sizes computed by nodes are known to the operators that read them") {
  // The usual way of exporters: flatten the last two axes, whatever they are.
  const auto outputs = run_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    agraph (float[batch, seq, heads, width] x) => (float[b, s, w] y, int64[n] last) {
      shape = Shape(x)
      zero = Constant<value_ints = [0]>()
      two = Constant<value_ints = [2]>()
      four = Constant<value_ints = [4]>()
      start = Slice(shape, zero, two)
      tail = Slice(shape, two, four)
      product = ReduceProd<keepdims = 1, axes = [0]>(tail)
      wanted = Concat<axis = 0>(start, product)
      y = Reshape(x, wanted)
      one = Constant<value_int = 1>()
      seq = Gather(shape, one)
      axes = Constant<value_ints = [0]>()
      seqs = Unsqueeze(seq, axes)
      last = Sub(Mul(seqs, two), Div(seqs, two))
    })",
                                {random({2, 5, 3, 4})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  CHECK((*outputs)[0].dims == std::vector<int64_t>{2, 5, 12});
  check_equal((*outputs)[1], i64({1}, {8}));
}

TEST_CASE("a size that depends on data flows on") {
  const auto outputs = run_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    agraph (float[n] x) => (float[found, one] y, int64[rank] sizes) {
      where = NonZero(x)
      indices = Transpose(where)
      y = Gather<axis = 0>(x, indices)
      sizes = Shape(y)
    })",
                                {f32({5}, {0, 3, 0, 4, 5})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  check_equal((*outputs)[0], f32({3, 1}, {3, 4, 5}));
  check_equal((*outputs)[1], i64({2}, {3, 1}));
}

TEST_CASE("a shape that only the run knows") {
  const auto outputs = run_text(R"(<ir_version: 8, opset_import: ["" : 17]>
    agraph (float[n] x, int64[2] shape, int64[1] start) => (float[a, b] y, float[c] z) {
      y = Reshape(x, shape)
      end = Constant<value_ints = [1000]>()
      z = Slice(x, start, end)
    })",
                                {f32({6}, {1, 2, 3, 4, 5, 6}), i64({2}, {2, 3}), i64({1}, {4})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  check_equal((*outputs)[0], f32({2, 3}, {1, 2, 3, 4, 5, 6}));
  check_equal((*outputs)[1], f32({2}, {5, 6}));
}

}  // namespace heed::test
