// Tile-6: the input repeated along each axis as often as `repeats` tells.
#include "padding.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  HEED_TRY(node.require_rank(1, 1));
  if (!input.has_rank()) return node.set_output(0, input.element());
  const auto repeats = node.elements(1);
  if (!repeats) return node.set_output(0, input.element(), fresh_dims(node, input.rank(), "tiled"));
  if (repeats->size() != input.dims().size())
    return Error{Code::shape_mismatch, "there are " + std::to_string(repeats->size()) + " repeats for the " +
                                           std::to_string(input.rank()) + " axes of " + text_of(input.dims())};
  Dims dims;
  for (size_t axis = 0; axis < repeats->size(); ++axis) {
    const Dim repeat = (*repeats)[axis];
    if (repeat.is_number() && repeat.number() < 0)
      return Error{Code::invalid_model, "the repeats " + text_of(*repeats) + " have a negative number"};
    dims.push_back(input.dims()[axis] * repeat);
    if (dims.back().is_unknown()) dims.back() = node.fresh_symbol("tiled");
  }
  HEED_TRY(node.set_output(0, input.element(), dims));

  const auto elements = node.elements(0);
  if (!elements || dims.size() != 1 || !dims[0].is_number() || dims[0].number() > 64) return {};
  Dims tiled;
  for (int64_t i = 0; i < dims[0].number(); ++i)
    tiled.push_back((*elements)[static_cast<size_t>(i) % elements->size()]);
  node.set_elements(0, tiled);
  return {};
}

Result<GpuPlan> plan(Planning& node) {
  if (!node.elements(1)) return decline("the repeats are known to the run alone");
  return plan_padding(node, Padding::wrap);
}

Result<Launch> bind(const Binding& node) {
  return bind_padding(node, std::vector<Begin>(static_cast<size_t>(node.input(0).rank())));
}

}  // namespace

extern const Operator tile{.op_type = "Tile",
                           .versions = {13, 6},
                           .flags = HEED_ENLARGES,
                           .inputs = {{"input", "T"}, {"repeats", "I", HEED_SHAPE_DATA}},
                           .outputs = {{"output", "T"}},
                           .types = {{"T", any_type}, {"I", {DataType::i64}}},
                           .infer = infer,
                           .plan = plan,
                           .bind = bind};

}  // namespace heed::ops
