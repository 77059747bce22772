// Whether a node is what its operator's contract allows: inputs, outputs, types, attributes.
#pragma once

#include <optional>

#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// What the rows of a contract's types are at a node: the element type of each row, as far as inputs tell.
class BoundTypes {
 public:
  explicit BoundTypes(const heed_operator& op) : op_(op), elements_(op.type_count) {}
  // The element type that a parameter's type name stands for; null where nothing tells.
  std::optional<DataType> element(heed_text type) const;

 private:
  friend Result<BoundTypes> check_node(const Graph&, const Node&, const OperatorEntry&);
  const heed_operator& op_;
  struct Row {
    std::optional<DataType> element;
    size_t from_input = 0;
  };
  std::vector<Row> elements_;
};

// The text of the error does not name the node.
Result<BoundTypes> check_node(const Graph& graph, const Node& node, const OperatorEntry& contract);

// An input or output by its place; the last one stands for all that follow where it is variadic. Null: there is none.
const heed_parameter* parameter_at(const heed_parameter* list, size_t count, size_t index);

// The heed_attribute_kind of an attribute, by ONNX's numbers.
int32_t kind_of(const Attribute& attribute);

}  // namespace heed
