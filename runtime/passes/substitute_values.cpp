// substitute_values: one walk over the graph for any number of values.
#include "passes/substitute_values.hpp"

#include <algorithm>

namespace heed {

void substitute_values(Graph& graph, const Substitution& replaced) {
  if (replaced.empty()) return;
  const auto final_value = [&](ValueId& value) {
    for (auto found = replaced.find(value); found != replaced.end(); found = replaced.find(value))
      value = found->second;
  };
  for (Node& node : graph.nodes) {
    std::for_each(node.inputs.begin(), node.inputs.end(), final_value);
    for (const auto& body : subgraphs_of(node)) {
      for (Value& value : body->values) {
        if (value.captured != no_id) final_value(value.captured);
      }
    }
  }
  std::for_each(graph.outputs.begin(), graph.outputs.end(), final_value);
}

}  // namespace heed
