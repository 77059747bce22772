// CenterCropPad-18: the middle of the input along each of the axes where `shape` is smaller, and zeros around it where
// `shape` is larger. Where that is odd, one element more is left out, or added, behind.
#include "padding.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<std::vector<int32_t>> axes_of(const NodeView& node, int32_t rank) {
  if (const auto axes = node.integers("axes")) return checked_axes(*axes, rank, "axes");
  std::vector<int32_t> all;
  for (int32_t axis = 0; axis < rank; ++axis) all.push_back(axis);
  return all;
}

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  HEED_TRY(node.require_rank(1, 1));
  if (!input.has_rank()) return node.set_output(0, input.element());
  HEED_ASSIGN(const auto axes, axes_of(node, input.rank()));
  const auto shape = node.elements(1);
  if (shape && shape->size() != axes.size())
    return Error{Code::shape_mismatch, "the shape " + text_of(*shape) + " has " + std::to_string(shape->size()) +
                                           " sizes for " + std::to_string(axes.size()) + " axes"};
  Dims dims(input.dims().begin(), input.dims().end());
  for (size_t i = 0; i < axes.size(); ++i) {
    const Dim size = shape ? (*shape)[i] : node.fresh_symbol("cropped");
    if (size.is_number() && size.number() < 0)
      return Error{Code::invalid_model, "the shape " + text_of(*shape) + " has a negative size"};
    dims[static_cast<size_t>(axes[i])] = size;
  }
  return node.set_output(0, input.element(), dims);
}

Result<GpuPlan> plan(Planning& node) {
  if (!node.elements(1)) return decline("the shape is known to the run alone");
  return plan_padding(node, Padding::constant);
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  std::vector<Begin> begins;
  for (int32_t axis = 0; axis < x.rank(); ++axis) begins.push_back({.count = (y.dim(axis) - x.dim(axis)) / 2});
  return bind_padding(node, begins);
}

}  // namespace

extern const Operator center_crop_pad{.op_type = "CenterCropPad",
                                      .versions = {18},
                                      .inputs = {{"input_data", "T"}, {"shape", "I", HEED_SHAPE_DATA}},
                                      .outputs = {{"output_data", "T"}},
                                      .types = {{"T", any_type}, {"I", {DataType::i32, DataType::i64}}},
                                      .attributes = {optional("axes", HEED_ATTRIBUTE_INTS)},
                                      .infer = infer,
                                      .plan = plan,
                                      .bind = bind};

}  // namespace heed::ops
