// Expand: the input broadcast with a shape, both ways. A strided view with stride 0 where a size of 1 is repeated.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  HEED_TRY(node.require_rank(1, 1));
  const auto shape = node.elements(1);
  if (!input.has_rank()) return node.set_output(0, input.element());
  if (!shape) {
    HEED_ASSIGN(const auto rank, told_length(node, 1));
    if (!rank) return node.set_output(0, input.element());
    return node.set_output(0, input.element(), fresh_dims(node, std::max<int64_t>(input.rank(), *rank), "expanded"));
  }
  HEED_ASSIGN(const auto dims, checked_broadcast(node, input.dims(), *shape));
  for (const auto dim : dims)
    if (dim.is_number() && dim.number() < 0)
      return Error{Code::invalid_model, "the shape " + text_of(*shape) + " has a negative size"};
  HEED_TRY(node.set_output(0, input.element(), dims));

  const auto elements = node.elements(0);
  if (!elements || elements->size() != 1 || dims.size() != 1 || !dims[0].is_number() || dims[0].number() > 64)
    return {};
  node.set_elements(0, Dims(static_cast<size_t>(dims[0].number()), (*elements)[0]));
  return {};
}

Result<void> view(Viewing& node) {
  const auto from = node.input(0).dims(), to = node.output(0).dims();
  const auto source = node.source_strides();
  Dims strides(to.size(), 0);
  const size_t lead = to.size() - from.size();
  for (size_t axis = 0; axis < from.size(); ++axis) {
    if (from[axis] == to[lead + axis])
      strides[lead + axis] = source[axis];
    else if (!from[axis].is_number(1))  // 1 or not: known at a run
      strides[lead + axis] = select(equal(from[axis], 1), 0, source[axis]);
  }
  node.set(0, strides);
  return {};
}

}  // namespace

extern const Operator expand{.op_type = "Expand",
                             .versions = {13, 8},
                             .flags = HEED_VIEW_STRIDED | HEED_ENLARGES,
                             .inputs = {{"input", "T"}, {"shape", "I", HEED_SHAPE_DATA}},
                             .outputs = {{"output", "T"}},
                             .types = {{"T", any_type}, {"I", {DataType::i64}}},
                             .infer = infer,
                             .view = view};

}  // namespace heed::ops
