// ValueInfoProto and TypeProto: what a file says about the types of values.
#pragma once

#include <string>

#include "graph/graph.hpp"
#include "onnx/fields.hpp"

namespace heed::onnx_file {

// What becomes of sizes that are no numbers.
enum class Symbols : int32_t {
  of_input,  // dim_params by name; a size about which nothing is said is a fresh symbol
  of_value,  // dim_params by name; where nothing is said about a size, the rank is not known either
  none,      // in functions, whose symbols are not those of the graph that calls them: the rank is not known
};

struct NamedType {
  std::string name;
  ValueType type;
};

Result<NamedType> read_value_info(Bytes message, DimPool& dims, Symbols symbols);
Result<ValueType> read_type(Bytes message, DimPool& dims, Symbols symbols);

}  // namespace heed::onnx_file
