// What rewrites of formulas ask of the numbers and axes in a match.
#pragma once

#include <cmath>

#include "heed/plugin.hpp"

namespace heed::ops {

// Whether `name` is this number and leaves the dims of what it meets as they are.
inline bool is_number(Match& match, std::string_view name, double number, TypeView with) {
  const auto found = match.scalar(name);
  return found && *found == number && with.has_rank() && match.type(name)->rank() <= with.rank();
}

// The same for a number with a fraction, which authors round, and 16-bit floats more so.
inline bool is_about(Match& match, std::string_view name, double number, TypeView with) {
  constexpr double rounding = 1.0 / 256;  // of bf16
  const auto found = match.scalar(name);
  return found && std::abs(*found - number) <= rounding * std::abs(number) && with.has_rank() &&
         match.type(name)->rank() <= with.rank();
}

// Operators take numbers as attributes in f32, which would round those of f64.
inline bool is_narrow_float(TypeView type) {
  return type.has_element() && is_float(type.element()) && type.element() != DataType::f64;
}

// The axis from which on, to the last, the reduction that makes `result` goes, its axes an attribute or the input
// `axes`. Null where it reduces others, or drops them.
inline std::optional<int32_t> first_reduced_axis(Match& match, std::string_view result, std::string_view axes,
                                                 TypeView of) {
  const auto node = match.node(result);
  if (node.integer("keepdims", 1) != 1 || !of.has_rank()) return std::nullopt;
  std::vector<bool> is_reduced(static_cast<size_t>(of.rank()), false);
  const auto reduce = [&](int64_t axis) {
    if (axis < -of.rank() || axis >= of.rank()) return false;
    is_reduced[static_cast<size_t>(axis < 0 ? axis + of.rank() : axis)] = true;
    return true;
  };
  if (match.type(axes)) {
    const auto elements = match.elements(axes);
    if (!elements) return std::nullopt;
    for (const Dim axis : *elements)
      if (!axis.is_number() || !reduce(axis.number())) return std::nullopt;
  } else if (const auto given = node.integers("axes")) {
    for (const int64_t axis : *given)
      if (!reduce(axis)) return std::nullopt;
  }
  const auto first = std::find(is_reduced.begin(), is_reduced.end(), true);
  if (first == is_reduced.end() || std::find(first, is_reduced.end(), false) != is_reduced.end()) return std::nullopt;
  return static_cast<int32_t>(first - is_reduced.begin());
}

// Whether `parameter` broadcasts to `x` along the axes from `axis` on alone, as scales and biases of normalisations do.
inline bool lies_along_rows(TypeView parameter, TypeView x, int32_t axis) {
  if (!parameter.has_rank() || !x.has_rank() || parameter.rank() > x.rank()) return false;
  for (int32_t from_end = 1; from_end <= parameter.rank(); ++from_end) {
    const Dim size = parameter.dim(-from_end);
    const bool is_within = x.rank() - from_end >= axis;
    if (!size.is_number(1) && !(is_within && size == x.dim(-from_end))) return false;
  }
  return true;
}

}  // namespace heed::ops
