// Operators whose output is the input's elements in the same order under another shape: Reshape, Flatten, Squeeze,
// Unsqueeze, Identity; BitCast, under another type of as many bits.
#include "checks.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr Types int64_only{DataType::i64};

Result<void> set_dims(Inference& node, std::span<const Dim> dims) {
  HEED_TRY(node.set_output(0, node.input(0).element(), dims));
  pass_elements(node);
  return {};
}

// ---- Reshape: 0 keeps the input's size (unless allowzero), -1 takes what is left ------------------------------------

Result<void> infer_reshape(Inference& node) {
  const auto data = node.input(0);
  Dims wanted;
  if (node.version() >= 5) HEED_TRY(require_input(node, 1, "shape"));
  if (node.version() < 5 && !node.has_attribute("shape"))
    return Error{Code::invalid_model, "there is no attribute 'shape'"};
  if (const auto attribute = node.integers("shape")) {  // Reshape-1
    wanted.assign(attribute->begin(), attribute->end());
  } else if (const auto elements = node.elements(1)) {
    wanted.assign(elements->begin(), elements->end());
  } else {
    HEED_ASSIGN(const auto rank, told_length(node, 1));
    if (!rank) return node.set_output(0, data.element());
    return set_dims(node, fresh_dims(node, *rank, "reshaped"));
  }

  const bool zero_is_zero = node.integer("allowzero") != 0;
  std::optional<size_t> open;
  for (size_t axis = 0; axis < wanted.size(); ++axis) {
    if (wanted[axis].is_number(0) && !zero_is_zero) {
      if (!data.has_rank()) return set_dims(node, fresh_dims(node, static_cast<int64_t>(wanted.size()), "reshaped"));
      if (axis >= data.dims().size())
        return Error{Code::shape_mismatch, "the shape " + text_of(wanted) + " keeps axis " + std::to_string(axis) +
                                               " of the input " + text_of(data.dims()) + ", which it has not"};
      wanted[axis] = data.dims()[axis];
    } else if (wanted[axis].is_number(-1)) {
      if (open) return Error{Code::invalid_model, "the shape " + text_of(wanted) + " has more than one -1"};
      open = axis;
    } else if (wanted[axis].is_number() && wanted[axis].number() < 0) {
      return Error{Code::invalid_model, "the shape " + text_of(wanted) + " has a negative size"};
    }
  }
  if (!data.has_rank()) {
    if (open) wanted[*open] = node.fresh_symbol("reshaped");
    return set_dims(node, wanted);
  }

  const Dim total = product(data.dims());
  if (open) {
    wanted[*open] = 1;
    const Dim rest = product(wanted);
    if (rest.is_number(0))
      return Error{Code::shape_mismatch, "the -1 of the shape stands beside a 0: any size would do"};
    wanted[*open] = floor_divide(total, rest);
    if (wanted[*open].is_unknown()) wanted[*open] = node.fresh_symbol("reshaped");
  }
  const Dim asked = product(wanted);
  if (!total.is_unknown() && !asked.is_unknown())
    HEED_TRY(node.require_equal(total, asked, "element counts of " + text_of(data.dims()) + " and " + text_of(wanted)));
  return set_dims(node, wanted);
}

// ---- Flatten: [axes before, axes from `axis` on]
// ----------------------------------------------------------------------

Result<void> infer_flatten(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return set_dims(node, fresh_dims(node, 2, "flat"));
  int64_t axis = node.integer("axis", 1);
  if (axis < -input.rank() || axis > input.rank())
    return Error{Code::invalid_model, "attribute 'axis' is " + std::to_string(axis) + " for " + text_of(input.dims())};
  if (axis < 0) axis += input.rank();
  return set_dims(node, Dims{product(input.dims().first(axis)), product(input.dims().subspan(axis))});
}

// ---- Squeeze and Unsqueeze
// --------------------------------------------------------------------------------------------

Result<std::optional<std::vector<int64_t>>> axes_of(const Inference& node) {
  using Axes = std::optional<std::vector<int64_t>>;
  if (const auto axes = node.integers("axes")) return Axes(std::in_place, axes->begin(), axes->end());
  return numbers_of(node.elements(1));
}

Result<void> infer_squeeze(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return node.set_output(0, input.element());
  HEED_ASSIGN(const auto axes, axes_of(node));
  if (!axes && node.has_input(1)) {  // which ones is not known
    HEED_ASSIGN(const auto dropped_count, told_length(node, 1));
    if (!dropped_count) return node.set_output(0, input.element());
    return set_dims(node, fresh_dims(node, std::max<int64_t>(0, input.rank() - *dropped_count), "squeezed"));
  }
  std::vector<int32_t> dropped;
  if (axes) {
    HEED_ASSIGN(dropped, checked_axes(*axes, input.rank(), "axes"));
    for (const auto axis : dropped)
      HEED_TRY(node.require_equal(input.dim(axis), 1,
                                  "squeezed axis " + std::to_string(axis) + " of " + text_of(input.dims())));
  } else {
    for (int32_t axis = 0; axis < input.rank(); ++axis) {
      const Dim dim = input.dim(axis);
      if (dim.is_number(1)) dropped.push_back(axis);
      // The run tells whether it goes, and with it the rank.
      if (!dim.is_number() && dim.lower_bound() <= 1 && dim.upper_bound() >= 1)
        return node.set_output(0, input.element());
    }
  }
  Dims dims;
  for (int32_t axis = 0; axis < input.rank(); ++axis)
    if (std::find(dropped.begin(), dropped.end(), axis) == dropped.end()) dims.push_back(input.dim(axis));
  return set_dims(node, dims);
}

Result<void> infer_unsqueeze(Inference& node) {
  const auto input = node.input(0);
  if (node.version() >= 13) HEED_TRY(require_input(node, 1, "axes"));
  if (!input.has_rank()) return node.set_output(0, input.element());
  HEED_ASSIGN(const auto axes, axes_of(node));
  if (!axes) {
    HEED_ASSIGN(const auto added_count, told_length(node, 1));
    if (!added_count) return node.set_output(0, input.element());
    return set_dims(node, fresh_dims(node, input.rank() + *added_count, "unsqueezed"));
  }
  const auto rank = input.rank() + static_cast<int32_t>(axes->size());
  HEED_ASSIGN(const auto added, checked_axes(*axes, rank, "axes"));
  Dims dims;
  for (int32_t axis = 0, from = 0; axis < rank; ++axis)
    dims.push_back(std::find(added.begin(), added.end(), axis) != added.end() ? Dim(1) : input.dim(from++));
  return set_dims(node, dims);
}

// ---- Identity
// ---------------------------------------------------------------------------------------------------------

Result<void> infer_identity(Inference& node) {
  HEED_TRY(like_input(node));
  if (node.input(0).is_tensor()) pass_elements(node);
  return {};
}

// ---- BitCast
// ---------------------------------------------------------------------------------------------------------

Result<void> infer_bit_cast(Inference& node) {
  const auto to = static_cast<DataType>(node.integer("to")), from = node.input(0).element();
  if (!is_known(to) || bits_of(to) == 0)
    return Error{Code::invalid_model,
                 "attribute 'to' is " + std::to_string(node.integer("to")) + ", which has no bits"};
  if (node.input(0).has_element() && bits_of(from) != bits_of(to))
    return Error{Code::invalid_model, std::string(name_of(from)) + " has " + std::to_string(bits_of(from)) + " bits, " +
                                          std::string(name_of(to)) + " has " + std::to_string(bits_of(to))};
  return like_input(node, to);
}

Operator with_axes(std::string_view op_type, Result<void> (*infer)(Inference&), std::string_view output,
                   uint32_t axes_flags) {
  return {.op_type = op_type,
          .versions = {25, 24, 23, 21, 13, 11, 1},
          .flags = HEED_VIEW_DENSE,
          .inputs = {{"data", "T"}, {"axes", "I", HEED_SHAPE_DATA | axes_flags}},
          .outputs = {{output, "T"}},
          .types = {{"T", any_type}, {"I", int64_only}},
          .attributes = {optional("axes", HEED_ATTRIBUTE_INTS)},
          .infer = infer};
}

}  // namespace

extern const Operator reshape{.op_type = "Reshape",
                              .versions = {25, 24, 23, 21, 19, 14, 13, 5, 1},
                              .flags = HEED_VIEW_DENSE,
                              .inputs = {{"data", "T"}, {"shape", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
                              .outputs = {{"reshaped", "T"}},
                              .types = {{"T", any_type}, {"I", int64_only}},
                              .attributes = {optional("shape", HEED_ATTRIBUTE_INTS), attribute("allowzero", 0),
                                             optional("consumed_inputs", HEED_ATTRIBUTE_INTS)},
                              .infer = infer_reshape};

extern const Operator flatten{.op_type = "Flatten",
                              .versions = {25, 24, 23, 21, 13, 11, 9, 1},
                              .flags = HEED_VIEW_DENSE,
                              .inputs = {{"input", "T"}},
                              .outputs = {{"output", "T"}},
                              .types = {{"T", any_type}},
                              .attributes = {attribute("axis", 1)},
                              .infer = infer_flatten};

extern const Operator squeeze = with_axes("Squeeze", infer_squeeze, "squeezed", HEED_OPTIONAL_PARAMETER);
extern const Operator unsqueeze = with_axes("Unsqueeze", infer_unsqueeze, "expanded", HEED_OPTIONAL_PARAMETER);

extern const Operator identity{
    .op_type = "Identity",
    .versions = {25, 24, 23, 21, 19, 16, 14, 13, 1},
    .flags = HEED_VIEW_DENSE,
    .inputs = {{"input", "V"}},
    .outputs = {{"output", "V"}},
    .types = {{"V", any_type, 1u << HEED_TENSOR | 1u << HEED_SEQUENCE | 1u << HEED_OPTIONAL}},
    .infer = infer_identity};

extern const Operator bit_cast{.op_type = "BitCast",
                               .versions = {26},
                               .flags = HEED_VIEW_DENSE,
                               .inputs = {{"input", "T1"}},
                               .outputs = {{"output", "T2"}},
                               .types = {{"T1", any_type}, {"T2", any_type}},
                               .attributes = {required("to", HEED_ATTRIBUTE_INT)},
                               .infer = infer_bit_cast};

}  // namespace heed::ops
