// Split: cuts the input along an axis into parts of given sizes (attribute before 13, input since; the outputs' number
// and equal parts without them; since 18 num_outputs, whose last part may be smaller). Strided views of the input.
#include "shapes.hpp"

namespace heed::ops {
namespace {

// The sizes of the parts; nullopt where they are not known.
Result<std::optional<Dims>> parts_of(const NodeView& node, Dim size) {
  const auto outputs = static_cast<int64_t>(node.output_count());
  Dims parts;
  if (const auto given = node.integers("split")) {
    parts.assign(given->begin(), given->end());
  } else if (node.has_input(1)) {
    const auto given = node.elements(1);
    if (!given) return std::optional<Dims>();
    parts.assign(given->begin(), given->end());
  } else {
    const int64_t count = node.integer("num_outputs", outputs);
    const Dim part = ceil_divide(size, count);
    if (node.version() < 18 && size.is_number() && size.number() % count != 0)
      return Error{Code::shape_mismatch,
                   "a size of " + std::to_string(size.number()) + " has no " + std::to_string(count) + " equal parts"};
    for (int64_t i = 0; i + 1 < count; ++i) parts.push_back(part);
    parts.push_back(size - part * (count - 1));
  }
  if (static_cast<int64_t>(parts.size()) < outputs)
    return Error{Code::invalid_model,
                 std::to_string(parts.size()) + " parts for " + std::to_string(outputs) + " outputs"};
  for (const auto part : parts)
    if (part.is_number() && part.number() < 0)
      return Error{Code::shape_mismatch, "parts " + text_of(parts) + " of a size of " + to_string(size)};
  return std::optional<Dims>(std::move(parts));
}

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  const int64_t count = node.integer("num_outputs", node.output_count());
  if (count < node.output_count() || count < 1 || count > 65536)
    return Error{Code::invalid_model, "'num_outputs' is " + std::to_string(count) + ", the node has " +
                                          std::to_string(node.output_count()) + " outputs"};
  if (!input.has_rank()) {
    for (int32_t i = 0; i < node.output_count(); ++i)
      if (node.has_output(i)) HEED_TRY(node.set_output(i, input.element()));
    return {};
  }
  HEED_ASSIGN(const int32_t axis, node.axis("axis", input.rank()));
  HEED_ASSIGN(const auto parts, parts_of(node, input.dim(axis)));
  Dims dims(input.dims().begin(), input.dims().end());
  if (parts) {
    Dim sum = 0;
    for (const auto part : *parts) sum += part;
    HEED_TRY(
        node.require_equal(sum, input.dim(axis), "the sum of the parts and the size of axis " + std::to_string(axis)));
    for (const auto part : *parts)
      HEED_TRY(node.require_equal(max(part, 0), part,
                                  "a size that may be and that of a part of axis " + std::to_string(axis)));
  }
  // Of the input, those that no part has yet, as long as it is known where the next part begins.
  const auto elements = node.elements(0);
  bool are_known = input.rank() == 1 && parts && elements;
  auto rest = are_known ? *elements : std::span<const Dim>();
  for (int32_t i = 0; i < node.output_count(); ++i) {
    dims[axis] = parts ? (*parts)[i] : node.fresh_symbol("part", input.dim(axis));
    if (node.has_output(i)) HEED_TRY(node.set_output(i, input.element(), dims));
    const size_t length = dims[axis].is_number() ? static_cast<size_t>(dims[axis].number()) : rest.size() + 1;
    are_known = are_known && length <= rest.size();
    if (!are_known) continue;
    if (node.has_output(i)) node.set_elements(i, rest.first(length));
    rest = rest.subspan(length);
  }
  return {};
}

Result<void> view(Viewing& node) {
  const auto input = node.input(0);
  HEED_ASSIGN(const int32_t axis, node.axis("axis", input.rank()));
  HEED_ASSIGN(const auto parts, parts_of(node, input.dim(axis)));
  if (!parts) return {};
  const auto strides = node.source_strides();
  Dim begin = 0;
  for (int32_t i = 0; i < node.output_count(); ++i) {
    if (node.has_output(i)) node.set(i, strides, begin * strides[axis]);
    begin += (*parts)[i];
  }
  return {};
}

}  // namespace

extern const Operator split{.op_type = "Split",
                            .versions = {18, 13, 11, 2, 1},
                            .flags = HEED_VIEW_STRIDED,
                            .inputs = {{"input", "T"}, {"split", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
                            .outputs = {{"outputs", "T", HEED_VARIADIC}},
                            .types = {{"T", any_type}, {"I", {DataType::i64}}},
                            .attributes = {attribute("axis", 0), optional("split", HEED_ATTRIBUTE_INTS),
                                           optional("num_outputs", HEED_ATTRIBUTE_INT)},
                            .infer = infer,
                            .view = view};

}  // namespace heed::ops
