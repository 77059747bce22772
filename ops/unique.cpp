// Unique-11: the different slices along an axis (without one the elements of the flattened input), sorted, or in the
// order in which they first occur; with where each first occurs, which one each slice is, and how often each occurs.
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { values_output, first_output, inverse_output, counts_output };

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  Dim length = x.has_rank() ? product(x.dims()) : Dim::unknown(UnknownDim::outgrown);
  Dims dims{0};
  size_t axis = 0;
  const bool has_axis = node.has_attribute("axis");
  if (has_axis && x.has_rank()) {
    HEED_ASSIGN(const int32_t given, node.axis("axis", x.rank()));
    axis = static_cast<size_t>(given);
    dims.assign(x.dims().begin(), x.dims().end());
    length = dims[axis];
  }
  const Dim found = length.is_unknown() ? node.fresh_symbol("unique") : node.fresh_symbol("unique", length);
  dims[axis] = found;
  if (has_axis && !x.has_rank())
    HEED_TRY(node.set_output(values_output, x.element()));
  else
    HEED_TRY(node.set_output(values_output, x.element(), dims));
  if (length.is_unknown()) length = node.fresh_symbol("items");
  for (const int32_t output : {first_output, inverse_output, counts_output})
    if (node.has_output(output))
      HEED_TRY(node.set_output(output, DataType::i64, Dims{output == inverse_output ? length : found}));
  return {};
}

}  // namespace

extern const Operator unique{.op_type = "Unique",
                             .versions = {11},
                             .inputs = {{"X", "T"}},
                             .outputs = {{"Y", "T"}, {"indices", "I"}, {"inverse_indices", "I"}, {"counts", "I"}},
                             .types = {{"T", any_type}, {"I", {DataType::i64}}},
                             .attributes = {optional("axis", HEED_ATTRIBUTE_INT), attribute("sorted", 1)},
                             .infer = infer};

}  // namespace heed::ops
