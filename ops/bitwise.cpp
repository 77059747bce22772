// BitwiseAnd, BitwiseOr, BitwiseXor, BitwiseNot, BitShift: y = a op b on the bits of integers, after broadcasting. A
// shift by a negative number goes as far as one by all bits; to the right it keeps the sign.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto a = node.input(0), b = node.input(1);
  if (!a.has_rank() || !b.has_rank()) return node.set_output(0, a.element());
  HEED_ASSIGN(const auto dims, checked_broadcast(node, a.dims(), b.dims()));
  return node.set_output(0, a.element(), dims);
}

Operator bitwise(std::string_view op_type, std::string_view expression) {
  return {.op_type = op_type,
          .versions = {18},
          .flags = HEED_COMMUTATIVE,
          .inputs = {{"A", "T"}, {"B", "T"}},
          .outputs = {{"C", "T"}},
          .types = {{"T", any_integer}},
          .expression = expression,
          .infer = infer};
}

}  // namespace

extern const Operator bitwise_and = bitwise("BitwiseAnd", "bit_and(A, B)");
extern const Operator bitwise_or = bitwise("BitwiseOr", "bit_or(A, B)");
extern const Operator bitwise_xor = bitwise("BitwiseXor", "bit_xor(A, B)");

extern const Operator bitwise_not{.op_type = "BitwiseNot",
                                  .versions = {18},
                                  .inputs = {{"X", "T"}},
                                  .outputs = {{"Y", "T"}},
                                  .types = {{"T", any_integer}},
                                  .expression = "bit_not(X)",
                                  .infer = [](Inference& node) { return like_input(node); }};

extern const Operator bit_shift{
    .op_type = "BitShift",
    .versions = {28, 11},
    .inputs = {{"X", "T"}, {"Y", "T"}},
    .outputs = {{"Z", "T"}},
    .types = {{"T", any_integer}},
    .attributes = {required("direction", HEED_ATTRIBUTE_STRING)},
    .expression = "select(@direction == \"LEFT\", shift_left(X, Y), shift_right(X, Y))",
    .infer = [](Inference& node) -> Result<void> {
      const auto direction = node.text("direction");
      if (direction != "LEFT" && direction != "RIGHT")
        return Error{Code::invalid_model,
                     "attribute 'direction' is '" + std::string(direction) + "'; expected 'LEFT' or 'RIGHT'"};
      return infer(node);
    }};

}  // namespace heed::ops
