// Compress: the slices along an axis (without one the elements of the flattened input) for which the condition is true;
// a condition that is shorter than the axis leaves out the rest.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  HEED_TRY(node.require_rank(1, 1));
  if (!node.has_attribute("axis")) {
    const Dim most = x.has_rank() ? product(x.dims()) : Dim::unknown(UnknownDim::outgrown);
    const Dim found = most.is_unknown() ? node.fresh_symbol("found") : node.fresh_symbol("found", most);
    return node.set_output(0, x.element(), Dims{found});
  }
  if (!x.has_rank()) return node.set_output(0, x.element());
  HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank()));
  Dims dims(x.dims().begin(), x.dims().end());
  dims[static_cast<size_t>(axis)] = node.fresh_symbol("found", x.dim(axis));
  return node.set_output(0, x.element(), dims);
}

}  // namespace

extern const Operator compress{.op_type = "Compress",
                               .versions = {11, 9},
                               .inputs = {{"input", "T"}, {"condition", "B"}},
                               .outputs = {{"output", "T"}},
                               .types = {{"T", any_type}, {"B", {DataType::boolean}}},
                               .attributes = {optional("axis", HEED_ATTRIBUTE_INT)},
                               .infer = infer};

}  // namespace heed::ops
