// Rules of shape inference that several contracts share.
#include "shapes.hpp"

namespace heed::ops {

std::string text_of(std::span<const Dim> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) text += (i ? ", " : "") + to_string(dims[i]);
  return text + "]";
}

Dim product(std::span<const Dim> dims) {
  Dim result = 1;
  for (const auto dim : dims) result *= dim;
  return result;
}

Result<Dims> checked_broadcast(Inference& node, std::span<const Dim> a, std::span<const Dim> b) {
  if (a.size() < b.size()) std::swap(a, b);
  Dims dims(a.begin(), a.end());
  const size_t lead = a.size() - b.size();
  for (size_t i = 0; i < b.size(); ++i) {
    const Dim x = a[lead + i], y = b[i];
    const Dim met = broadcast(x, y);
    if (met.is_unknown()) {
      if (met.why_unknown() == UnknownDim::mismatch)
        return Error{Code::shape_mismatch, text_of(a) + " and " + text_of(b) + " do not broadcast"};
      dims[lead + i] = node.fresh_symbol("broadcast");
      continue;
    }
    dims[lead + i] = met;
    if (x == y || x.is_number(1) || y.is_number(1)) continue;
    // broadcast(n, 12) is 12 without a look at n.
    for (const Dim side : {x, y})
      if (met.is_number() && !side.is_number())
        HEED_TRY(node.require_equal(select(equal(side, 1), met, side), met,
                                    text_of(a) + " and " + text_of(b) + " meet on axis " + std::to_string(lead + i)));
  }
  return dims;
}

Result<void> check_one_sided(Inference& node, std::span<const Dim> a, std::span<const Dim> b) {
  if (node.integer("broadcast") == 0) {
    if (a.size() != b.size())
      return Error{Code::shape_mismatch, text_of(a) + " and " + text_of(b) + " differ, and 'broadcast' is 0"};
    for (size_t i = 0; i < a.size(); ++i) HEED_TRY(node.require_equal(a[i], b[i], "axis " + std::to_string(i)));
    return {};
  }
  const auto a_rank = static_cast<int64_t>(a.size()), b_rank = static_cast<int64_t>(b.size());
  int64_t axis = node.has_attribute("axis") ? node.integer("axis") : a_rank - b_rank;
  if (axis < 0 && node.has_attribute("axis")) axis += a_rank;
  if (axis < 0 || axis + b_rank > a_rank)
    return Error{Code::shape_mismatch,
                 text_of(b) + " does not lie within " + text_of(a) + " from axis " + std::to_string(axis)};
  for (int64_t i = 0; i < b_rank; ++i)
    if (!b[i].is_number(1)) HEED_TRY(node.require_equal(a[axis + i], b[i], "axis " + std::to_string(axis + i)));
  return {};
}

Result<void> like_input(Inference& node) { return node.set_output(0, node.input(0)); }

Result<void> like_input(Inference& node, DataType element) {
  auto type = node.input(0);
  type.c.element = static_cast<int32_t>(element);
  return node.set_output(0, type);
}

void pass_elements(Inference& node) {
  if (const auto elements = node.elements(0)) node.set_elements(0, *elements);
}

Result<std::vector<int32_t>> checked_axes(std::span<const int64_t> axes, int32_t rank, std::string_view what) {
  std::vector<int32_t> result;
  for (const auto given : axes) {
    HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(given, rank, what));
    if (std::find(result.begin(), result.end(), axis) != result.end())
      return Error{Code::invalid_model, "'" + std::string(what) + "' names axis " + std::to_string(axis) + " twice"};
    result.push_back(axis);
  }
  return result;
}

std::optional<std::vector<int64_t>> numbers_of(const Elements& elements) {
  if (!elements) return std::nullopt;
  std::vector<int64_t> numbers;
  for (const auto element : *elements) {
    if (!element.is_number()) return std::nullopt;
    numbers.push_back(element.number());
  }
  return numbers;
}

Result<std::optional<int64_t>> told_length(Inference& node, int32_t input) {
  constexpr int64_t most_axes = 64;
  HEED_TRY(node.require_rank(input, 1));
  const auto list = node.input(input);
  if (!list.has_rank() || !list.dim(0).is_number()) return std::optional<int64_t>();
  if (list.dim(0).number() > most_axes)
    return Error{Code::invalid_model, "input " + std::to_string(input) + " names " + std::to_string(list.dim(0).number()) +
                                          " sizes or axes; a tensor has at most " + std::to_string(most_axes)};
  return std::optional(list.dim(0).number());
}

Dims fresh_dims(Inference& node, int64_t rank, std::string_view hint) {
  Dims dims;
  for (int64_t axis = 0; axis < rank; ++axis) dims.push_back(node.fresh_symbol(hint));
  return dims;
}

Dims dense_strides(std::span<const Dim> dims) {
  Dims strides(dims.size());
  Dim stride = 1;
  for (size_t i = dims.size(); i-- > 0;) {
    strides[i] = stride;
    stride *= dims[i];
  }
  return strides;
}

}  // namespace heed::ops
