// ArgMax, ArgMin: where along an axis the greatest (least) element stands; of equal ones the first, or with
// select_last_index the last.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return node.set_output(0, DataType::i64);
  HEED_ASSIGN(const int32_t axis, node.axis("axis", input.rank()));
  Dims dims(input.dims().begin(), input.dims().end());
  if (dims[axis].is_number(0))
    return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " of " + text_of(dims) + " is empty"};
  if (node.integer("keepdims") != 0)
    dims[axis] = 1;
  else
    dims.erase(dims.begin() + axis);
  return node.set_output(0, DataType::i64, dims);
}

Operator arg_extreme(std::string_view op_type) {
  return {.op_type = op_type,
          .versions = {13, 12, 11, 1},
          .inputs = {{"data", "T"}},
          .outputs = {{"reduced", "I"}},
          .types = {{"T", any_number}, {"I", {DataType::i64}}},
          .attributes = {attribute("axis", 0), attribute("keepdims", 1), attribute("select_last_index", 0)},
          .infer = infer};
}

}  // namespace

extern const Operator arg_max = arg_extreme("ArgMax");
extern const Operator arg_min = arg_extreme("ArgMin");

}  // namespace heed::ops
