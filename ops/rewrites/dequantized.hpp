// What the rewrites of quantised weights ask of a DequantizeLinear in a match.
#pragma once

#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// Whether the values of this name are of the type of their scales, in no blocks.
inline bool is_of_scale_type(Match& match, std::string_view name, std::string_view scale) {
  const auto type = match.type(name), scales = match.type(scale);
  return type && scales && type->has_element() && type->c.element == scales->c.element && scales->has_rank();
}
inline bool is_plainly_dequantized(Match& match, std::string_view name, std::string_view scale) {
  return is_of_scale_type(match, name, scale) && match.node(name).integer("block_size", 0) == 0;
}

// A Transpose of two axes.
inline bool swaps_two_axes(const NodeView& transpose) {
  const auto perm = transpose.integers("perm");
  return !perm || (perm->size() == 2 && (*perm)[0] == 1);
}

// For a replacement: the DequantizeLinear as it is, for others that read it too.
inline std::string dequantized_again(Match& match, const std::string& name, const std::string& inputs) {
  const auto node = match.node(name);
  match.set(name + "_axis", node.integer("axis", 1));
  match.set(name + "_block_size", node.integer("block_size", 0));
  return name + " = DequantizeLinear<axis = @" + name + "_axis, block_size = @" + name + "_block_size>(" + inputs + "); ";
}

}  // namespace heed::ops
