// inline_bodies: a subgraph's values become the graph's, and what it captures is read where it stands.
#include "passes/inline_bodies.hpp"

#include <string>
#include <utility>
#include <vector>

#include "passes/substitute_values.hpp"

namespace heed {
namespace {

void inline_body(Graph& graph, const Node& node, Graph& body, std::vector<Node>& nodes, Substitution& replaced) {
  std::vector<ValueId> values;  // by the body's value: the graph's
  for (Value& value : body.values) {
    if (value.captured != no_id) {
      values.push_back(value.captured);
      continue;
    }
    const ValueId id = graph.add_value(graph.unique_name(node.name + "/" + value.name), std::move(value.type));
    graph.values[id].elements = std::move(value.elements);
    graph.values[id].constant = std::move(value.constant);
    graph.values[id].sizes_declared = value.sizes_declared;
    values.push_back(id);
  }
  const auto map = [&](ValueId& id) {
    if (id != no_id) id = values[id];
  };
  for (Node& inner : body.nodes) {
    if (inner.removed) continue;
    inner.name = node.name + "/" + inner.name;
    for (ValueId& input : inner.inputs) map(input);
    for (ValueId& output : inner.outputs) map(output);
    for (const auto& each : subgraphs_of(inner))
      for (Value& value : each->values) map(value.captured);
    nodes.push_back(std::move(inner));
  }
  for (size_t i = 0; i < node.outputs.size(); ++i)
    if (node.outputs[i] != no_id) replaced.emplace(node.outputs[i], values[body.outputs[i]]);
  graph.bounds.merge(body.bounds);
  for (Constraint& constraint : body.constraints) graph.constraints.push_back(std::move(constraint));
}

}  // namespace

Result<size_t> inline_bodies(Graph& graph) {
  size_t count = 0;
  std::vector<Node> nodes;
  Substitution replaced;
  for (Node& node : graph.nodes) {
    if (node.removed) continue;
    const auto bodies = subgraphs_of(node);
    for (const auto& body : bodies) {
      HEED_ASSIGN(const size_t in_body, inline_bodies(*body));
      count += in_body;
    }
    if (node.becomes < 0) {
      nodes.push_back(std::move(node));
    } else {
      inline_body(graph, node, *bodies[static_cast<size_t>(node.becomes)], nodes, replaced);
      ++count;
    }
  }
  graph.nodes = std::move(nodes);
  substitute_values(graph, replaced);
  HEED_TRY(graph.order());
  return count;
}

}  // namespace heed
