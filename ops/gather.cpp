// Gather: slices of the data along an axis, chosen by indices; negative ones count from the end.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto data = node.input(0), indices = node.input(1);
  if (!data.has_rank() || !indices.has_rank()) return node.set_output(0, data.element());
  if (data.rank() < 1) return Error{Code::shape_mismatch, "the data has rank 0; expected at least one axis"};
  HEED_ASSIGN(const int32_t axis, node.axis("axis", data.rank()));
  Dims dims(data.dims().begin(), data.dims().begin() + axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), data.dims().begin() + axis + 1, data.dims().end());
  HEED_TRY(node.set_output(0, data.element(), dims));

  const auto elements = node.elements(0);
  const auto chosen = numbers_of(node.elements(1));
  if (!elements || !chosen || data.rank() != 1) return {};
  Dims picked;
  for (auto index : *chosen) {
    if (index < 0) index += static_cast<int64_t>(elements->size());
    if (index < 0 || index >= static_cast<int64_t>(elements->size()))
      return Error{Code::shape_mismatch, "index " + std::to_string(index) + " is outside of the " +
                                             std::to_string(elements->size()) + " elements of the data"};
    picked.push_back((*elements)[static_cast<size_t>(index)]);
  }
  node.set_elements(0, picked);
  return {};
}

}  // namespace

extern const Operator gather{.op_type = "Gather",
                             .versions = {13, 11, 1},
                             .inputs = {{"data", "T"}, {"indices", "I"}},
                             .outputs = {{"output", "T"}},
                             .types = {{"T", any_type}, {"I", {DataType::i32, DataType::i64}}},
                             .attributes = {attribute("axis", 0)},
                             .infer = infer};

}  // namespace heed::ops
