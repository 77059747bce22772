// Nodes that one node replaces, as a function.
#include "passes/body_of_nodes.hpp"

#include <unordered_map>
#include <unordered_set>

namespace heed {

std::shared_ptr<const Function> body_of_nodes(const Graph& graph, std::span<const NodeId> nodes, const Node& made) {
  auto body = std::make_shared<Graph>(graph.shared_dims());
  auto function = std::make_shared<Function>();
  std::unordered_map<ValueId, ValueId> inside;
  const auto add = [&](ValueId id) {
    const Value& value = graph.values[id];
    const ValueId copy = body->add_value(value.name, value.type);
    body->values[copy].constant = value.is_input ? nullptr : value.constant;
    inside.emplace(id, copy);
    return copy;
  };
  for (size_t i = 0; i < made.inputs.size(); ++i) {
    const ValueId id = made.inputs[i];
    ValueId copy;
    if (id == no_id || inside.count(id)) {
      copy = body->add_value("absent_" + std::to_string(i));
    } else {
      copy = add(id);
      body->values[copy].constant = nullptr;
    }
    body->values[copy].is_input = true;
    body->inputs.push_back(copy);
    function->inputs.push_back(body->values[copy].name);
  }
  std::unordered_set<NodeId> done;
  for (const NodeId id : nodes) {
    if (!done.insert(id).second) continue;
    Node node = graph.nodes[id];
    node.removed = false;
    if (!subgraphs_of(node).empty()) return nullptr;
    for (ValueId& input : node.inputs) {
      if (input == no_id) continue;
      const auto found = inside.find(input);
      if (found != inside.end()) {
        input = found->second;
      } else if (graph.values[input].constant && !graph.values[input].is_input) {
        input = add(input);
      } else {
        return nullptr;
      }
    }
    for (ValueId& output : node.outputs) {
      if (output != no_id) output = add(output);
    }
    body->add_node(std::move(node));
  }
  for (const ValueId id : made.outputs) {
    const auto found = id == no_id ? inside.end() : inside.find(id);
    if (found == inside.end()) return nullptr;
    body->outputs.push_back(found->second);
    body->output_names.push_back(graph.values[id].name);
    function->outputs.push_back(graph.values[id].name);
  }
  function->name = made.op_type;
  function->domain = made.domain;
  function->body = std::move(body);
  return function;
}

}  // namespace heed
