// Pad: elements before and behind those of the input along its axes, or, where a pad is negative, that many left out.
// What is added is a constant, the input mirrored at its ends (each end once), its ends, or the input again (wrap).
// Attributes before opset 11.
#include "checks.hpp"
#include "padding.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { data_input, pads_input, value_input, axes_input };

Result<Padding> padding_of(const NodeView& node) {
  const auto mode = node.text("mode", "constant");
  if (mode == "constant") return Padding::constant;
  if (mode == "reflect") return Padding::reflect;
  if (mode == "edge") return Padding::edge;
  if (mode == "wrap") return Padding::wrap;
  return Error{Code::invalid_model,
               "attribute 'mode' is '" + std::string(mode) + "'; expected constant, reflect, edge or wrap"};
}

// The attribute of Pad-2, which Pad-1 names otherwise.
std::optional<std::span<const int64_t>> pads_attribute(const NodeView& node) {
  return node.integers(node.version() < 2 ? "paddings" : "pads");
}

struct Pads {
  Dims begins, ends;            // one per axis
  std::vector<int32_t> places;  // of the begins in the list that is given
};

// nullopt where they are not known.
Result<std::optional<Pads>> pads_of(const NodeView& node, int32_t rank) {
  using Known = std::optional<Pads>;
  Dims given;
  if (node.version() < 11) {
    const auto pads = pads_attribute(node);
    given.assign(pads->begin(), pads->end());
  } else {
    const auto pads = node.elements(pads_input);
    if (!pads) return Known();
    given.assign(pads->begin(), pads->end());
  }
  std::vector<int32_t> axes;
  if (node.has_input(axes_input)) {
    const auto numbers = numbers_of(node.elements(axes_input));
    if (!numbers) return Known();
    HEED_ASSIGN(axes, checked_axes(*numbers, rank, "axes"));
  } else {
    for (int32_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  if (given.size() != 2 * axes.size())
    return Error{Code::shape_mismatch, "there are " + std::to_string(given.size()) +
                                           " pads; expected two for each of " + std::to_string(axes.size()) + " axes"};
  Pads pads{Dims(static_cast<size_t>(rank), 0), Dims(static_cast<size_t>(rank), 0),
            std::vector<int32_t>(static_cast<size_t>(rank), -1)};
  for (size_t i = 0; i < axes.size(); ++i) {
    const auto axis = static_cast<size_t>(axes[i]);
    pads.begins[axis] = given[i];
    pads.ends[axis] = given[axes.size() + i];
    pads.places[axis] = static_cast<int32_t>(i);
  }
  return Known(std::move(pads));
}

Result<void> infer(Inference& node) {
  HEED_ASSIGN(const Padding padding, padding_of(node));
  const auto data = node.input(data_input);
  if (node.version() >= 11) {
    HEED_TRY(require_input(node, pads_input, "pads"));
    HEED_TRY(node.require_rank(pads_input, 1));
  } else if (!pads_attribute(node)) {
    return Error{Code::invalid_model, node.version() < 2 ? "attribute 'paddings' is missing" : "attribute 'pads' is missing"};
  } else if (data.has_element() && (!is_float(data.element()) || data.element() == DataType::bf16)) {
    return Error{Code::invalid_model,
                 "Pad takes f16, f32 and f64 before opset 11, not " + std::string(name_of(data.element()))};
  }
  if (!data.has_rank()) return node.set_output(0, data.element());
  HEED_ASSIGN(const auto pads, pads_of(node, data.rank()));
  if (!pads) return node.set_output(0, data.element(), fresh_dims(node, data.rank(), "padded"));
  Dims dims(data.dims().begin(), data.dims().end());
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const Dim begin = pads->begins[axis], end = pads->ends[axis];
    const Dim kept = dims[axis] + min(begin, 0) + min(end, 0);
    if (kept.is_number() && (kept.number() < 0 || (kept.number() == 0 && padding != Padding::constant &&
                                                   !(max(begin, 0) + max(end, 0)).is_number(0))))
      return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " of " + text_of(data.dims()) +
                                             " has nothing left for pads of " + to_string(begin) + " and " +
                                             to_string(end)};
    dims[axis] += begin + end;
    if (dims[axis].is_unknown()) dims[axis] = node.fresh_symbol("padded");
  }
  return node.set_output(0, data.element(), dims);
}

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Padding padding, padding_of(node));
  if (!node.input(data_input).has_rank()) return decline("the rank is not known");
  HEED_ASSIGN(const auto pads, pads_of(node, node.input(data_input).rank()));
  if (!pads) return decline("the pads are known to the run alone");
  return plan_padding(node, padding, value_input, pads_input);
}

// The attribute `value` of Pad-2, as an element of the floats that it takes.
std::array<uint32_t, 2> fill_of(const NodeView& node, DataType element) {
  std::array<uint32_t, 2> bits{};
  const float value = node.number("value");
  const auto write_as = [&](auto number) { std::memcpy(bits.data(), &number, sizeof number); };
  if (element == DataType::f64)
    write_as(double{value});
  else if (element == DataType::f16)
    write_as(Float16(value));
  else
    write_as(value);
  return bits;
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(data_input);
  HEED_ASSIGN(const auto pads, pads_of(node, x.rank()));
  if (x.count() == 0 && node.output(0).count() > 0 && node.text("mode", "constant") != "constant")
    return Error{Code::shape_mismatch, "an input without elements has nothing to be continued by"};
  std::vector<Begin> begins;
  for (size_t axis = 0; axis < pads->begins.size(); ++axis)
    begins.push_back(pads->begins[axis].is_number() ? Begin{.count = pads->begins[axis].number()}
                                                    : Begin{.place = pads->places[axis]});
  if (node.has_input(value_input) && node.input(value_input).count() != 1)
    return Error{Code::shape_mismatch,
                 "constant_value has " + std::to_string(node.input(value_input).count()) + " elements; expected one"};
  const auto fill = node.version() < 11 ? fill_of(node, x.element()) : std::array<uint32_t, 2>{};
  return bind_padding(node, begins, value_input, pads_input, fill);
}

}  // namespace

extern const Operator pad{
    .op_type = "Pad",
    .versions = {25, 24, 23, 21, 19, 18, 13, 11, 2, 1},
    .inputs = {{"data", "T"},
               {"pads", "P", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER},
               {"constant_value", "T", HEED_OPTIONAL_PARAMETER},
               {"axes", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_type}, {"P", {DataType::i64}}, {"I", {DataType::i32, DataType::i64}}},
    .attributes = {attribute("mode", "constant"), optional("paddings", HEED_ATTRIBUTE_INTS),
                   optional("pads", HEED_ATTRIBUTE_INTS), attribute("value", 0.0f)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
