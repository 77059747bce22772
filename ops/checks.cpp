// Checks of what a node is given that several contracts share.
#include "checks.hpp"

#include <string>

namespace heed::ops {

Result<void> require_input(const NodeView& node, int32_t input, std::string_view name) {
  if (node.has_input(input)) return {};
  return Error{Code::invalid_model, "input " + std::to_string(input) + " ('" + std::string(name) + "') is missing"};
}

Result<DataType> type_attribute(const NodeView& node, std::string_view name, Types allowed) {
  const int64_t given = node.integer(name, 0);
  if (given == 0) return DataType::undefined;
  const bool is_allowed = given > 0 && given < data_type_count && (allowed.bits() >> given & 1) != 0;
  if (is_allowed) return static_cast<DataType>(given);
  return Error{Code::invalid_model, "attribute '" + std::string(name) + "' is " + std::to_string(given) +
                                        ", a type that it cannot name"};
}

}  // namespace heed::ops
