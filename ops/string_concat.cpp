// StringConcat-20: the texts of two tensors joined, element by element, after broadcasting.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  if (!node.input(0).has_rank() || !node.input(1).has_rank()) return node.set_output(0, DataType::string);
  HEED_ASSIGN(const auto dims, checked_broadcast(node, node.input(0).dims(), node.input(1).dims()));
  return node.set_output(0, DataType::string, dims);
}

}  // namespace

extern const Operator string_concat{.op_type = "StringConcat",
                                    .versions = {20},
                                    .inputs = {{"X", "T"}, {"Y", "T"}},
                                    .outputs = {{"Z", "T"}},
                                    .types = {{"T", {DataType::string}}},
                                    .infer = infer};

}  // namespace heed::ops
