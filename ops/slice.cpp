// Slice: along each of the axes the elements start, start + step, ... before end, numpy's way: negative positions count
// from the end, those outside are clamped, negative steps walk back. Attributes before opset 10. A strided view where
// start and step are known.
#include "checks.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

// One axis: from `start` on every `step`-th, `count` of them.
struct Range {
  Dim start, count;
  int64_t step = 1;
};

// numpy's rule for one axis of `size` elements.
Range range_of(Dim size, Dim start, Dim end, int64_t step) {
  // Positions that are known to be negative count from the end; those whose sign is open are selected when it is known.
  const auto from_front = [&](Dim position) {
    if (position.is_number()) return position.number() < 0 ? position + size : position;
    return position.lower_bound() >= 0 ? position : select(less(position, 0), position + size, position);
  };
  const auto position = [&](Dim given) {
    // "To the very end", as exporters write it, is recognised without a look at the size.
    if (given.is_number() && !size.is_number() && given.number() <= INT32_MIN) return step > 0 ? Dim(0) : Dim(-1);
    if (given.is_number() && !size.is_number() && given.number() >= INT32_MAX) return step > 0 ? size : size - 1;
    const Dim there = from_front(given);
    return step > 0 ? max(0, min(there, size)) : max(-1, min(there, size - 1));
  };
  const Dim first = position(start), last = position(end);
  const Dim span = step > 0 ? last - first : first - last;
  return {first, max(0, ceil_divide(span, step > 0 ? step : -step)), step};
}

struct Lists {
  std::vector<int64_t> axes, steps;
  Dims starts, ends;
};

// nullopt: some of it is not known.
Result<std::optional<Lists>> lists_of(const NodeView& node, int32_t rank) {
  using Known = std::optional<Lists>;
  Lists lists;
  if (node.version() < 10) {
    const auto starts = node.integers("starts"), ends = node.integers("ends");
    lists.starts.assign(starts->begin(), starts->end());
    lists.ends.assign(ends->begin(), ends->end());
    if (const auto axes = node.integers("axes")) lists.axes.assign(axes->begin(), axes->end());
  } else {
    const auto starts = node.elements(1), ends = node.elements(2);
    if (!starts || !ends) return Known();
    lists.starts.assign(starts->begin(), starts->end());
    lists.ends.assign(ends->begin(), ends->end());
    for (const int32_t input : {3, 4}) {
      if (!node.has_input(input)) continue;
      const auto numbers = numbers_of(node.elements(input));
      if (!numbers) return Known();
      (input == 3 ? lists.axes : lists.steps) = *numbers;
    }
  }
  const size_t count = lists.starts.size();
  if (lists.axes.empty())
    for (size_t i = 0; i < count; ++i) lists.axes.push_back(static_cast<int64_t>(i));
  if (lists.steps.empty()) lists.steps.assign(count, 1);
  if (lists.ends.size() != count || lists.axes.size() != count || lists.steps.size() != count)
    return Error{Code::invalid_model, "starts, ends, axes and steps have " + std::to_string(count) + ", " +
                                          std::to_string(lists.ends.size()) + ", " + std::to_string(lists.axes.size()) +
                                          " and " + std::to_string(lists.steps.size()) + " elements"};
  HEED_ASSIGN(const auto axes, checked_axes(lists.axes, rank, "axes"));
  lists.axes.assign(axes.begin(), axes.end());
  for (const auto step : lists.steps)
    if (step == 0 || step == INT64_MIN) return Error{Code::invalid_model, "a step is " + std::to_string(step)};
  return Known(std::move(lists));
}

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  if (node.version() >= 10) {
    HEED_TRY(require_input(node, 1, "starts"));
    HEED_TRY(require_input(node, 2, "ends"));
  } else if (!node.integers("starts") || !node.integers("ends")) {
    return Error{Code::invalid_model, "attributes 'starts' and 'ends' are needed"};
  }
  if (!input.has_rank()) return node.set_output(0, input.element());
  HEED_ASSIGN(const auto lists, lists_of(node, input.rank()));
  Dims dims(input.dims().begin(), input.dims().end());
  if (!lists) {
    std::vector<int32_t> open;
    const auto axes = node.has_input(3) ? numbers_of(node.elements(3)) : std::nullopt;
    if (axes) {
      HEED_ASSIGN(open, checked_axes(*axes, input.rank(), "axes"));
    } else {
      for (int32_t axis = 0; axis < input.rank(); ++axis) open.push_back(axis);
    }
    for (const auto axis : open) dims[axis] = node.fresh_symbol("sliced", dims[axis]);
    return node.set_output(0, input.element(), dims);
  }
  for (size_t i = 0; i < lists->axes.size(); ++i) {
    const auto axis = lists->axes[i];
    const auto range = range_of(dims[axis], lists->starts[i], lists->ends[i], lists->steps[i]);
    dims[axis] = range.count.is_unknown() ? node.fresh_symbol("sliced", dims[axis]) : range.count;
  }
  HEED_TRY(node.set_output(0, input.element(), dims));

  const auto elements = node.elements(0);
  if (!elements || input.rank() != 1 || lists->axes.size() != 1) return {};
  const auto range = range_of(input.dim(0), lists->starts[0], lists->ends[0], lists->steps[0]);
  if (!range.start.is_number() || !range.count.is_number()) return {};
  Dims picked;
  for (int64_t i = 0; i < range.count.number(); ++i)
    picked.push_back((*elements)[range.start.number() + i * range.step]);
  node.set_elements(0, picked);
  return {};
}

Result<void> view(Viewing& node) {
  const auto input = node.input(0);
  HEED_ASSIGN(const auto lists, lists_of(node, input.rank()));
  if (!lists) return {};
  const auto source = node.source_strides();
  Dims strides(source.begin(), source.end());
  Dim offset = 0;
  for (size_t i = 0; i < lists->axes.size(); ++i) {
    const auto axis = lists->axes[i];
    const auto range =
        range_of(input.dim(static_cast<int32_t>(axis)), lists->starts[i], lists->ends[i], lists->steps[i]);
    offset += range.start * strides[axis];
    strides[axis] *= range.step;
  }
  if (offset.is_unknown()) return {};
  for (const auto stride : strides)
    if (stride.is_unknown()) return {};
  node.set(0, strides, offset);
  return {};
}

}  // namespace

extern const Operator slice{
    .op_type = "Slice",
    .versions = {13, 11, 10, 1},
    .flags = HEED_VIEW_STRIDED,
    .inputs = {{"data", "T"},
               {"starts", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER},
               {"ends", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER},
               {"axes", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER},
               {"steps", "I", HEED_SHAPE_DATA | HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}},
    .types = {{"T", any_type}, {"I", {DataType::i32, DataType::i64}}},
    .attributes = {optional("starts", HEED_ATTRIBUTE_INTS), optional("ends", HEED_ATTRIBUTE_INTS),
                   optional("axes", HEED_ATTRIBUTE_INTS)},
    .infer = infer,
    .view = view};

}  // namespace heed::ops
