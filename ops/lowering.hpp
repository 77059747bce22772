// Text of replacements, for rewrites that say what an operator of another dialect is made of.
#pragma once

#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// "<pads = @pads, strides = @strides>": those attributes of the node that are there, set for the replacement.
inline std::string carried(Match& match, const NodeView& node, std::initializer_list<std::string_view> names,
                           std::string more = "") {
  for (const auto name : names) {
    const auto attribute = node.attribute(name);
    if (!attribute) continue;
    switch (attribute->kind) {
      case HEED_ATTRIBUTE_INT:
        match.set(name, attribute->i);
        break;
      case HEED_ATTRIBUTE_FLOAT:
        match.set(name, attribute->f);
        break;
      case HEED_ATTRIBUTE_INTS:
        match.set(name, std::span(attribute->ints, attribute->count));
        break;
      case HEED_ATTRIBUTE_STRING:
        match.set(name, from_c(attribute->s));
        break;
      default:
        continue;
    }
    more += (more.empty() ? "" : ", ") + std::string(name) + " = @" + std::string(name);
  }
  return more.empty() ? "" : "<" + more + ">";
}

// x, channels last, with its channels as the second axis, and y back; rank 3 and more.
inline std::string channels_second(Match& match, int32_t rank, const std::string& x) {
  std::vector<int64_t> perm{0, rank - 1};
  for (int64_t axis = 1; axis + 1 < rank; ++axis) perm.push_back(axis);
  match.set("channels_second", perm);
  return "Transpose<perm = @channels_second>(" + x + ")";
}
inline std::string channels_last(Match& match, int32_t rank, const std::string& y) {
  std::vector<int64_t> perm{0};
  for (int64_t axis = 2; axis < rank; ++axis) perm.push_back(axis);
  perm.push_back(1);
  match.set("channels_last", perm);
  return "Transpose<perm = @channels_last>(" + y + ")";
}

}  // namespace heed::ops
