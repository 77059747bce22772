// Nodes that nobody takes: they are refused, with a reason.
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
      {"RandomNormalLike", {i64({1}, {1})}, "", 22, "no random numbers of i64"},
      {"Bernoulli", {row}, "dtype = 8", 22, "attribute 'dtype' is 8"},
      {"com.microsoft.RotaryEmbedding",
       {f32({1, 1, 2}, {1, 2}), i64({1}, {0}), f32({1, 2}, {1, 1}), f32({1, 2}, {0, 0})},
       "",
       22,
       "a hidden size of 2 has no head of 4 channels"},
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

}  // namespace heed::test
