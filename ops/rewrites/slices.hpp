// Where Slice and Split cut, as rewrites ask for it.
#pragma once

#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// SLICE("part", "x"): part = Slice(x, ...), whose other inputs are named after it.
#define SLICE(part, x) part " = Slice(" x ", " part "_starts, " part "_ends, " part "_axes, " part "_steps);"

// Along one axis every step-th element from `start` on, as many as the part has.
struct Cut {
  int32_t axis;
  int64_t start, step;
};

// What SLICE(part, ...) cuts from a tensor of this type, where it is along one axis and all is known.
inline std::optional<Cut> cut_of(Match& match, const std::string& part, TypeView from) {
  const auto node = match.node(part);
  // Attributes before opset 10.
  const auto list = [&](const char* name) -> std::optional<std::vector<int64_t>> {
    std::vector<int64_t> numbers;
    if (const auto given = node.integers(name)) return std::vector(given->begin(), given->end());
    const auto elements = match.elements(part + "_" + name);
    if (!elements) return std::nullopt;
    for (const Dim element : *elements) {
      if (!element.is_number()) return std::nullopt;
      numbers.push_back(element.number());
    }
    return numbers;
  };
  const auto starts = list("starts");
  if (!starts || starts->size() != 1 || !from.has_rank()) return std::nullopt;
  const auto axes = list("axes").value_or(std::vector<int64_t>{0});
  const bool has_steps = match.type(part + "_steps").has_value();
  const auto steps = has_steps ? list("steps") : std::vector<int64_t>{1};
  if (axes.size() != 1 || !steps || steps->size() != 1) return std::nullopt;
  if (match.type(part + "_axes") && !list("axes")) return std::nullopt;
  const auto axis = static_cast<int32_t>(axes[0] < 0 ? axes[0] + from.rank() : axes[0]);
  int64_t start = (*starts)[0];
  if (start < 0) {
    if (!from.dim(axis).is_number()) return std::nullopt;
    start += from.dim(axis).number();
  }
  return Cut{axis, start, (*steps)[0]};
}

// Whether a concatenation of the match is along the last axis.
inline bool joins_channels(Match& match, std::string_view result) {
  const int64_t axis = match.node(result).integer("axis", 1);
  return axis == -1 || axis == match.type(result)->rank() - 1;
}

}  // namespace heed::ops
