// Nodes that nobody takes: they are refused at load or, where only the run tells, by their kernels, with a reason.
#include <catch2/catch.hpp>

#include "cases.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

const Tensor row = f32({3}, {1, 2, 3});

struct BadNode {
  std::string_view op_type;
  Tensors inputs;
  std::string attributes;
  int32_t opset;
  std::string_view part;  // of the message
};

}  // namespace

TEST_CASE("nodes are refused that miss what their version asks for, or say what cannot be") {
  const BadNode nodes[] = {
      {"Reshape", {row}, "", 13, "input 1 ('shape') is missing"},
      {"Unsqueeze", {row}, "", 13, "input 1 ('axes') is missing"},
      {"Slice", {row, i64({1}, {0})}, "", 13, "input 2 ('ends') is missing"},
      {"Slice", {row}, "starts = [0]", 9, "'starts' and 'ends' are needed"},
      {"Pad", {row}, "pads = [0, 1]", 13, "input 1 ('pads') is missing"},
      {"Pad", {row}, "", 9, "attribute 'pads' is missing"},
      {"TopK", {row}, "", 11, "input 1 ('K') is missing"},
      {"Split", {row}, "num_outputs = 0", 18, "'num_outputs' is 0"},
      {"Constant", {}, "value_int = 1, value_ints = [1, 2, 3]", 13, "more than one of the attributes"},
      {"RandomNormalLike", {row}, "dtype = 8", 22, "attribute 'dtype' is 8"},
      {"RandomUniform", {}, "shape = [2], dtype = 4294967297", 22, "attribute 'dtype' is 4294967297"},
      {"Cast", {row}, "to = 4294967297", 22, "attribute 'to' is no data type: 4294967297"},
      {"RandomNormalLike", {i64({1}, {1})}, "", 22, "no random numbers of i64"},
      {"Bernoulli", {row}, "dtype = 8", 22, "attribute 'dtype' is 8"},
      {"com.microsoft.RotaryEmbedding",
       {f32({1, 1, 2}, {1, 2}), i64({1}, {0}), f32({1, 2}, {1, 1}), f32({1, 2}, {0, 0})},
       "",
       22,
       "a hidden size of 2 has no head of 4 channels"},
      {"Equal", {i32({3}, {1, 2, 3}), i32({2}, {1, 2})}, "", 1, "differ"},
      {"Equal", {i32({3}, {1, 2, 3}), i32({2}, {1, 2})}, "broadcast = 1, axis = 0", 1, "3 and 2 differ"},
      {"Greater", {row, f32({1, 3}, {1, 2, 3})}, "broadcast = 1", 1, "[1, 3] does not lie within [3] from axis -1"},
      {"And", {boolean({2}, {1, 0}), boolean({1, 2}, {1, 0})}, "", 1, "[2] and [1, 2] differ, and 'broadcast' is 0"},
      {"Reshape", {row}, "", 1, "there is no attribute 'shape'"},
      {"RotaryEmbedding",
       {f32({1, 1, 1, 2}, {1, 2}), f32({1}, {1}), f32({1}, {0})},
       "",
       23,
       "cos_cache has rank 1; expected 2 or 3"},
      {"RoiAlign", {f32({1, 1, 2, 2}, {1, 2, 3, 4}), row, i64({3}, {0, 0, 0})}, "", 22, "input 1 has rank 1; expected rank 2"},
      {"RoiAlign",
       {f32({1, 1, 0, 2}, {}), f32({1, 4}, {0, 0, 1, 1}), i64({1}, {0})},
       "",
       22,
       "the images have no pixels"},
      {"StringNormalizer", {texts({}, {"a"})}, "", 10, "the input []; expected [text] or [1, text]"},
      {"LinearAttention",
       {f32({1, 1, 0}, {}), f32({1, 1, 0}, {}), f32({1, 1, 0}, {})},
       "update_rule = \"linear\", q_num_heads = 1, kv_num_heads = 1",
       27,
       "a size is divided by zero"},
      {"com.microsoft.MatMulNBits",
       {f32({1, 1}, {1}), u8({1}, {1}), row},
       "N = 1099511627776, K = 1099511627776, block_size = 16",
       22,
       "attribute 'N' is 1099511627776"}};
  for (const auto& [op_type, inputs, attributes, opset, part] : nodes)
    check_refused(op_type, {std::string(part), inputs, {f32({1}, {0})}, 0, attributes, opset}, part);
}

// What inference does not see the kernels check: `open` has a rank that only the run tells.
TEST_CASE("what does not fit is told also where only the run knows it") {
  const Tensor six = f32({6}, {1, 2, 3, 4, 5, 6}), two_by_three = i64({2}, {2, 3}), large = i64({1}, {0x1p62});
  const Tensor many = i64({100}, std::vector<double>(100, 1));
  struct {
    std::string_view inputs, output, node;
    Tensors given;
    std::string_view part;
  } const rows[] = {
      {"int64[2] start, int64[2] end, int64[2] axes", "float[a, b] y", "y = Slice(open, start, end, axes)",
       {i64({2}, {1, 1}), i64({2}, {2, 2}), i64({2}, {0, 0})}, "names axis 0 twice"},
      {"int64[n] pads", "float[a, b] y", "y = Pad(open, pads)", {i64({4}, {0, 0, 0, 0x1p62})}, "cannot take pads of 0 and 4611686018427387904"},
      {"int64[n] size", "float[a] y", "y = Tile(x, size)", {large}, "to be repeated 4611686018427387904 times"},
      {"int64[100] axes", "float y", "y = Unsqueeze(x, axes)", {many}, "names 100 sizes or axes; a tensor has at most 64"},
      {"int64[100] axes", "float y", "y = Squeeze(x, axes)", {many}, "names 100 sizes or axes; a tensor has at most 64"},
      {"int64[100] size", "float y", "y = Expand(x, size)", {many}, "names 100 sizes or axes; a tensor has at most 64"},
      {"int64[100] size", "float y", "y = ConstantOfShape(size)", {many}, "names 100 sizes or axes; a tensor has at most 64"},
      {"float[1, 3, 5] w, float[1, 3, 1] r", "float[a, b, c, d] y", "y = GRU<hidden_size = 1>(open, w, r)",
       {f32({1, 3, 5}, std::vector<double>(15, 1)), f32({1, 3, 1}, {1, 1, 1})}, "came out as [2, 3]"},
      {"float[1, 1, 1] c, int64[2] image, int64[2] block", "float[e, f, g, h] y", "y = Col2Im(c, image, block)",
       {f32({1, 1, 1}, {1}), i64({2}, {0x1p60, 0x1p60}), i64({2}, {1, 1})}, "more elements than 64 bits count"},
      {"float[1, 1, 1] c, int64[1] image, int64[1] block", "float[e, f, g] y", "y = Col2Im(c, image, block)",
       {f32({1, 1, 1}, {1}), i64({1}, {0x1p62}), i64({1}, {1})}, "more elements than 64 bits count"},
      {"int64[n] size", "float[a] y", "y = CenterCropPad(x, size)", {large}, "more bytes than can be addressed"},
      {"float[n] scale", "uint8[a, b] y", "y = QuantizeLinear(open, scale)", {f32({2}, {1, 1})}, "scales and axis 1 of the input: 2 and 3 differ"},
      {"float scale, uint8[n] zero", "uint8[a, b] y", "y = QuantizeLinear(open, scale, zero)", {f32({}, {1}), u8({2}, {1, 1})},
       "scales or zero points and 1: 2 and 1 differ"},
      {"int64[n, 1] at", "float[a] y", "y = GatherND<batch_dims = 1>(open, at)", {i64({3, 1}, {0, 0, 0})}, "batch axis 0: 2 and 3 differ"},
      {"int64[n, 1] at", "float[a] y", "y = GatherND<batch_dims = -1>(open, at)", {i64({3, 1}, {0, 0, 0})}, "attribute 'batch_dims' is -1"},
      {"float[n] w", "float[a] y", "y = MatMul(open, w)", {f32({2}, {1, 1})}, "inner sizes of [2, 3] and [2]: 3 and 2 differ"}};
  for (const auto& [inputs, output, node, given, part] : rows) {
    const std::string text = "<ir_version: 10, opset_import: [\"\" : 21]> main (float[6] x, int64[k] shape, " +
                             std::string(inputs) + ") => (" + std::string(output) + ") { open = Reshape(x, shape)  " + std::string(node) + " }";
    Tensors all = {six, two_by_three};
    all.insert(all.end(), given.begin(), given.end());
    INFO(text);
    const auto result = run_text(text, all);
    count_row(!result.has_value());
    REQUIRE_FALSE(result.has_value());
    CHECK_THAT(result.error().message, Catch::Contains(std::string(part)));
  }
}

TEST_CASE("a sequence takes tensors of its own type") {
  const auto result = run_text(R"(<ir_version: 10, opset_import: ["" : 21]> main (int64[n] x) => (float[m] y) {
    none = SequenceEmpty<dtype = 1>()  one = SequenceInsert(none, x)  y = ConcatFromSequence<axis = 0>(one) })",
                               {i64({2}, {1, 2})});
  REQUIRE_FALSE(result.has_value());
  CHECK_THAT(result.error().message, Catch::Contains("the tensor is i64, those of the sequence are f32"));
}

TEST_CASE("no sequence is made longer that is none, and none is mapped over with an input left out") {
  const auto other = run_text(R"(<ir_version: 10, opset_import: ["" : 21]> main (float[2] x) => (seq(float[m]) y) {
    some = SequenceConstruct(x)
    y = SequenceMap(some, "", some) <body = b (float[k] p, float[k] q, float[k] r) => (float[k] s) { s = Add(p, r) }> })",
                              {f32({2}, {1, 2})});
  REQUIRE_FALSE(other.has_value());
  CHECK_THAT(other.error().message, Catch::Contains("input 1 is missing"));
}

TEST_CASE("Split has no parts of a size too small for their number") {
  const std::string text = R"(<ir_version: 10, opset_import: ["" : 18]> main (float[n] x) => (float[a] y, float[b] z) {
    y, z, rest = Split<num_outputs = 3>(x) })";
  const auto cut = run_text(text, {f32({4}, {1, 2, 3, 4})});
  REQUIRE(cut.has_value());
  check_equal((*cut)[1], f32({2}, {3, 4}));
  const auto refused = run_text(text, {f32({1}, {1})});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("0 and -1 should be equal"));
}

TEST_CASE("a product has its shape where only the run tells the ranks of its factors") {
  const auto outputs = run_text(R"(<ir_version: 10, opset_import: ["" : 21]>
    main (float[6] x, int64[k] shape, float[3, 2] w) => (float[a, b, c] y) { open = Reshape(x, shape)  y = MatMul(open, w) })",
                                {f32({6}, {1, 2, 3, 4, 5, 6}), i64({3}, {1, 2, 3}), f32({3, 2}, {1, 0, 0, 1, 1, 1})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  check_equal((*outputs)[0], f32({1, 2, 2}, {4, 5, 10, 11}));
}

}  // namespace heed::test
