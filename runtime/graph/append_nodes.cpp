// Nodes behind those of a model.
#include "graph/append_nodes.hpp"

#include <algorithm>

#include "graph/parse.hpp"

namespace heed {

Result<void> append_nodes(ModelFile& file, std::string_view statements) {
  Graph& graph = *file.graph;
  HEED_ASSIGN(auto parsed, parse_statements(statements));
  // A call in a call has a name that the parser made up, as it did for those of a model that was text.
  const size_t before = graph.values.size();
  const auto own_name = [&](std::string& name) {
    if (name.starts_with('#')) name += "/" + std::to_string(before);
  };
  for (Statement& statement : parsed) {
    std::for_each(statement.inputs.begin(), statement.inputs.end(), own_name);
    std::for_each(statement.outputs.begin(), statement.outputs.end(), own_name);
    Node node;
    node.domain = canonical_domain(statement.domain);
    node.op_type = statement.op_type;
    node.overload = statement.overload;
    node.attributes = statement.attributes;
    node.name = statement.name.empty() ? statement.outputs.front() : statement.name;
    const auto opset = file.opsets.find(node.domain);
    node.opset = opset == file.opsets.end() ? 1 : opset->second;
    for (const std::string& input : statement.inputs) {
      const auto found = graph.find_value(input);
      if (!found && !input.empty())
        return Error{Code::invalid_argument, "an appended node reads '" + input + "', which the model does not make"};
      node.inputs.push_back(found.value_or(no_id));
    }
    for (const std::string& output : statement.outputs) {
      if (graph.find_value(output))
        return Error{Code::invalid_argument, "an appended node makes '" + output + "', which the model makes already"};
      node.outputs.push_back(output.empty() ? no_id : graph.add_value(output));
    }
    graph.add_node(std::move(node));
  }
  return {};
}

Result<void> choose_outputs(Graph& graph, std::span<const std::string> names) {
  graph.outputs.clear();
  graph.output_names.assign(names.begin(), names.end());
  for (const std::string& name : names) {
    const auto found = graph.find_value(name);
    if (!found) return Error{Code::invalid_argument, "the model makes no value '" + name + "' that could be an output"};
    graph.outputs.push_back(*found);
  }
  return {};
}

}  // namespace heed
