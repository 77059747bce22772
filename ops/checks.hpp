// Checks of what a node is given that several contracts share.
#pragma once

#include <string_view>

#include "heed/plugin.hpp"

namespace heed::ops {

// Fails where an input is absent that only the versions before, which have an attribute instead, do without.
Result<void> require_input(const NodeView& node, int32_t input, std::string_view name);

// The type whose number an attribute holds; undefined where it is absent or 0. Fails where it is none of those allowed.
Result<DataType> type_attribute(const NodeView& node, std::string_view name, Types allowed);

}  // namespace heed::ops
