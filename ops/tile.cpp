// Tile-6: the input repeated along each axis as often as `repeats` tells. Tile-1: along `axis` as often as `tiles` tells,
// both of them numbers of the input's own type; where they are constants Tile-6 takes its place.
#include "checks.hpp"
#include "padding.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto input = node.input(0), repeats_type = node.input(1);
  if (node.version() < 6) {
    HEED_TRY(require_input(node, 2, "axis"));
    if (!input.has_rank()) return node.set_output(0, input.element());
    return node.set_output(0, input.element(), fresh_dims(node, input.rank(), "tiled"));
  }
  if (node.has_input(2) || (repeats_type.has_element() && repeats_type.element() != DataType::i64))
    return Error{Code::invalid_model, "there are three inputs, or repeats that are not i64, from opset 6 on"};
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
  if (node.version() < 6 || !node.elements(1)) return decline("the repeats are known to the run alone");
  return plan_padding(node, Padding::wrap);
}

Result<Launch> bind(const Binding& node) {
  return bind_padding(node, std::vector<Begin>(static_cast<size_t>(node.input(0).rank())));
}

bool accept_numbers(Match& match) {
  const auto x = match.type("x");
  const auto tiles = match.scalar("tiles"), axis = match.scalar("axis");
  if (match.node("y").version() >= 6 || !x || !x->has_rank() || !tiles || !axis) return false;
  if (!(*axis >= 0 && *axis < x->rank() && *tiles >= 0 && *tiles <= 0x1p40)) return false;
  std::vector<int64_t> repeats(static_cast<size_t>(x->rank()), 1);
  repeats[static_cast<size_t>(*axis)] = static_cast<int64_t>(*tiles);
  match.set("repeats", repeats);
  return true;
}

}  // namespace

extern const Rewrite tile_numbers{.name = "tile",
                                  .patterns = {"y = Tile(x, tiles, axis)"},
                                  .replacement = "y = Tile(x, Constant<value_ints = @repeats>())",
                                  .accept = accept_numbers};

extern const Operator tile{.op_type = "Tile",
                           .versions = {13, 6, 1},
                           .flags = HEED_ENLARGES,
                           .inputs = {{"input", "T"},
                                      {"repeats", "I", HEED_SHAPE_DATA},
                                      {"axis", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
                           .outputs = {{"output", "T"}},
                           .types = {{"T", any_type}, {"I", any_float | Types{DataType::i64}}},
                           .infer = infer,
                           .plan = plan,
                           .bind = bind};

}  // namespace heed::ops
