// remove_unused and merge_equal.
#include "passes/remove_unused.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>
#include <vector>

#include "passes/check_node.hpp"
#include "passes/substitute_values.hpp"

namespace heed {
namespace {

constexpr size_t small_bytes = 1024;

std::vector<bool> graph_outputs(const Graph& graph) {
  std::vector<bool> is_output(graph.values.size(), false);
  for (const ValueId id : graph.outputs) is_output[id] = true;
  return is_output;
}

void drop_unread_outputs(Graph& graph, const Registry& registry) {
  const auto uses = graph.use_counts();
  for (Node& node : graph.nodes) {
    const OperatorEntry* contract = registry.find_operator(node.domain, node.op_type);
    if (contract == nullptr) continue;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] == no_id || uses[node.outputs[i]] > 0) continue;
      const auto* parameter = parameter_at(contract->c->outputs, contract->c->output_count, i);
      if (parameter && (parameter->flags & HEED_OPTIONAL_PARAMETER)) node.outputs[i] = no_id;
    }
    while (!node.outputs.empty() && node.outputs.back() == no_id) node.outputs.pop_back();
  }
}

void bypass_unchanged(Graph& graph, const Registry& registry, bool is_body) {
  // A person reads the names of a model's outputs, nobody those of a body's.
  const auto is_output = is_body ? std::vector<bool>(graph.values.size()) : graph_outputs(graph);
  Substitution replaced;
  for (const Node& node : graph.nodes) {
    const OperatorEntry* contract = registry.find_operator(node.domain, node.op_type);
    if (contract == nullptr || !contract->is(HEED_VIEW_DENSE) || node.inputs.empty() || node.inputs[0] == no_id)
      continue;
    if (node.outputs.size() != 1 || node.outputs[0] == no_id || is_output[node.outputs[0]]) continue;
    if (graph.values[node.inputs[0]].type == graph.values[node.outputs[0]].type &&
        graph.values[node.inputs[0]].type.dims.has_value()) {
      replaced.emplace(node.outputs[0], node.inputs[0]);
    }
  }
  substitute_values(graph, replaced);
}

void simplify(Graph& graph, const Registry& registry, bool is_body) {
  drop_unread_outputs(graph, registry);
  bypass_unchanged(graph, registry, is_body);
  for (const Node& node : graph.nodes) {
    for (const auto& body : subgraphs_of(node)) simplify(*body, registry, true);
  }
}

void release_unread_constants(Graph& graph) {
  const auto uses = graph.use_counts();
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    if (uses[id] == 0 && !graph.values[id].is_input) graph.values[id].constant.reset();
  }
  for (const Node& node : graph.nodes) {
    for (const auto& body : subgraphs_of(node)) release_unread_constants(*body);
  }
}

template <class T>
void append(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_text(std::string& key, std::string_view text) {
  append(key, text.size());
  key.append(text);
}

template <class T>
void append_list(std::string& key, const std::vector<T>& list) {
  append(key, list.size());
  for (const T& each : list) append(key, each);
}

// False: this kind of attribute is not compared.
bool append_attribute(std::string& key, const Attribute& attribute) {
  append(key, attribute.content.index());
  if (const auto* i = std::get_if<int64_t>(&attribute.content)) return append(key, *i), true;
  if (const auto* f = std::get_if<float>(&attribute.content)) return append(key, *f), true;
  if (const auto* s = std::get_if<std::string>(&attribute.content)) return append_text(key, *s), true;
  if (const auto* ints = std::get_if<std::vector<int64_t>>(&attribute.content)) return append_list(key, *ints), true;
  if (const auto* floats = std::get_if<std::vector<float>>(&attribute.content)) return append_list(key, *floats), true;
  return false;
}

// What a node does with what, as bytes; empty where it is not merged.
std::string key_of(const Node& node) {
  std::string key;
  append_text(key, node.domain);
  append_text(key, node.op_type);
  append_text(key, node.overload);
  append(key, node.opset);
  append_list(key, node.inputs);
  append(key, node.outputs.size());
  for (const ValueId output : node.outputs) append(key, output == no_id);
  for (const auto& [name, attribute] : node.attributes) {
    append_text(key, name);
    if (!append_attribute(key, attribute)) return {};
  }
  return key;
}

// What a node gives, as bytes, where that is sizes alone, whatever it reads them from; else empty.
std::string key_of_sizes(const Graph& graph, const Node& node) {
  std::string key = "sizes";
  for (const ValueId output : node.outputs) {
    if (output == no_id) return {};
    const Value& value = graph.values[output];
    if (!value.elements || !value.type.element || !value.type.dims) return {};
    for (const Dim element : *value.elements)
      if (element.is_unknown()) return {};
    append(key, *value.type.element);
    append_list(key, *value.type.dims);
    append_list(key, *value.elements);
  }
  return key;
}

Substitution equal_constants(const Graph& graph) {
  Substitution replaced;
  std::unordered_map<std::string, ValueId> seen;
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const Value& value = graph.values[id];
    if (!value.constant || value.is_input || value.captured != no_id) continue;
    const Tensor& tensor = *value.constant;
    if (tensor.size_bytes > small_bytes || tensor.type == DataType::string) continue;
    std::string key;
    append(key, tensor.type);
    append_list(key, tensor.dims);
    if (tensor.size_bytes > 0) key.append(reinterpret_cast<const char*>(tensor.data), tensor.size_bytes);
    const auto [place, is_new] = seen.emplace(std::move(key), id);
    if (!is_new) replaced.emplace(id, place->second);
  }
  return replaced;
}

}  // namespace

Result<void> remove_unused(Graph& graph, const Registry& registry) {
  HEED_TRY(graph.sort());
  simplify(graph, registry, false);
  HEED_TRY(graph.sort());
  release_unread_constants(graph);
  return {};
}

Result<size_t> merge_equal(Graph& graph, const Registry& registry) {
  size_t merged_count = 0;
  const auto is_output = graph_outputs(graph);
  substitute_values(graph, equal_constants(graph));
  Substitution replaced;
  std::unordered_map<std::string, NodeId> seen;
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    Node& node = graph.nodes[id];
    if (node.removed) continue;
    for (ValueId& input : node.inputs) {
      if (const auto found = replaced.find(input); found != replaced.end()) input = found->second;
    }
    const auto bodies = subgraphs_of(node);
    for (const auto& body : bodies) {
      HEED_ASSIGN(const size_t in_body, merge_equal(*body, registry));
      merged_count += in_body;
    }
    const OperatorEntry* contract = registry.find_operator(node.domain, node.op_type);
    if (contract == nullptr || contract->is(HEED_RANDOM) || contract->is(HEED_CONTROL) || !bodies.empty()) continue;
    const bool gives_output = std::any_of(node.outputs.begin(), node.outputs.end(),
                                          [&](ValueId output) { return output != no_id && is_output[output]; });
    std::string key = key_of_sizes(graph, node);
    if (key.empty()) key = key_of(node);
    if (key.empty()) continue;
    const auto [place, is_new] = seen.emplace(std::move(key), id);
    if (is_new || gives_output) continue;
    const Node& first = graph.nodes[place->second];
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] != no_id) replaced.emplace(node.outputs[i], first.outputs[i]);
    }
    node.removed = true;
    ++merged_count;
  }
  substitute_values(graph, replaced);
  HEED_TRY(graph.order());
  return merged_count;
}

}  // namespace heed
