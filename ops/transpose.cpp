// Transpose: axis i of the output is axis perm[i] of the input; without perm the order is reversed. A strided view.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<std::vector<int32_t>> permutation(const NodeView& node, int32_t rank) {
  const auto perm = node.integers("perm");
  if (!perm) {
    std::vector<int32_t> reversed;
    for (int32_t axis = rank; axis-- > 0;) reversed.push_back(axis);
    return reversed;
  }
  if (static_cast<int32_t>(perm->size()) != rank)
    return Error{Code::shape_mismatch,
                 "attribute 'perm' has " + std::to_string(perm->size()) + " axes, the input " + std::to_string(rank)};
  return checked_axes(*perm, rank, "perm");
}

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return node.set_output(0, input.element());
  HEED_ASSIGN(const auto perm, permutation(node, input.rank()));
  Dims dims;
  for (const auto axis : perm) dims.push_back(input.dim(axis));
  HEED_TRY(node.set_output(0, input.element(), dims));
  if (input.rank() < 2) pass_elements(node);
  return {};
}

Result<void> view(Viewing& node) {
  const auto strides = node.source_strides();
  HEED_ASSIGN(const auto perm, permutation(node, static_cast<int32_t>(strides.size())));
  Dims turned;
  for (const auto axis : perm) turned.push_back(strides[axis]);
  node.set(0, turned);
  return {};
}

}  // namespace

extern const Operator transpose{.op_type = "Transpose",
                                .versions = {25, 24, 23, 21, 13, 1},
                                .flags = HEED_VIEW_STRIDED,
                                .inputs = {{"data", "T"}},
                                .outputs = {{"transposed", "T"}},
                                .types = {{"T", any_type}},
                                .attributes = {optional("perm", HEED_ATTRIBUTE_INTS)},
                                .infer = infer,
                                .view = view};

}  // namespace heed::ops
