// Graph's own bookkeeping: names, uses, and the order of nodes.
#include "graph/graph.hpp"

#include <algorithm>
#include <functional>
#include <queue>

namespace heed {
namespace {

bool is_capture(const Value& value) { return value.captured != no_id; }

// Each node's producers-before-readers relation in compressed rows: edges[begin[n] .. begin[n + 1]) read what n makes.
struct Readers {
  std::vector<uint32_t> begin;
  std::vector<NodeId> edges;
  std::vector<uint32_t> waiting_for;  // how many reads of each node are of nodes not placed yet
};

Readers find_readers(const std::vector<Node>& nodes, const std::vector<Value>& values) {
  std::vector<std::pair<NodeId, NodeId>> pairs;
  for (NodeId reader = 0; reader < nodes.size(); ++reader) {
    for (ValueId value : reads_of(nodes[reader])) {
      if (values[value].producer != no_id) pairs.emplace_back(values[value].producer, reader);
    }
  }
  Readers readers{std::vector<uint32_t>(nodes.size() + 1, 0), std::vector<NodeId>(pairs.size()),
                  std::vector<uint32_t>(nodes.size(), 0)};
  for (const auto& [producer, reader] : pairs) ++readers.begin[producer + 1], ++readers.waiting_for[reader];
  for (size_t n = 0; n < nodes.size(); ++n) readers.begin[n + 1] += readers.begin[n];
  std::vector<uint32_t> next(readers.begin.begin(), readers.begin.end() - 1);
  for (const auto& [producer, reader] : pairs) readers.edges[next[producer]++] = reader;
  return readers;
}

// Follows producers among the nodes that wait for each other until one comes back.
Error describe_cycle(const std::vector<Node>& nodes, const std::vector<Value>& values,
                     const std::vector<uint32_t>& waiting_for) {
  const auto waits = [&](NodeId node) { return waiting_for[node] > 0; };
  NodeId node = 0;
  while (!waits(node)) ++node;
  std::vector<NodeId> path;
  std::vector<bool> seen(nodes.size(), false);
  while (!seen[node]) {
    seen[node] = true;
    path.push_back(node);
    for (ValueId value : reads_of(nodes[node])) {
      const NodeId producer = values[value].producer;
      if (producer != no_id && waits(producer)) {
        node = producer;
        break;
      }
    }
  }
  path.erase(path.begin(), std::find(path.begin(), path.end(), node));
  std::reverse(path.begin(), path.end());
  std::rotate(path.begin(), std::min_element(path.begin(), path.end()), path.end());
  constexpr size_t named_limit = 8;
  std::string text = "nodes read each other's outputs in a circle: ";
  for (size_t i = 0; i < std::min(path.size(), named_limit); ++i) text += describe(nodes[path[i]]) + " -> ";
  if (path.size() > named_limit) text += "... " + std::to_string(path.size() - named_limit) + " more -> ";
  text += describe(nodes[path.front()]) + ". One of these inputs is probably misnamed.";
  return Error{Code::invalid_model, std::move(text)};
}

}  // namespace

std::vector<std::shared_ptr<Graph>> subgraphs_of(const Node& node) {
  std::vector<std::shared_ptr<Graph>> graphs;
  for (const auto& [name, attribute] : node.attributes) {
    if (const auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.content)) graphs.push_back(*one);
    if (const auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.content)) {
      graphs.insert(graphs.end(), many->begin(), many->end());
    }
  }
  return graphs;
}

std::vector<ValueId> reads_of(const Node& node) {
  std::vector<ValueId> reads;
  for (ValueId value : node.inputs) {
    if (value != no_id) reads.push_back(value);
  }
  for (const auto& graph : subgraphs_of(node)) {
    for (const Value& value : graph->values) {
      if (is_capture(value)) reads.push_back(value.captured);
    }
  }
  return reads;
}

std::string describe(const Node& node) { return "node '" + node.name + "' (" + node.op_type + ")"; }

std::string to_string(const ValueType& type) {
  std::string text = type.element ? std::string(name_of(*type.element)) : "?";
  if (type.dims) {
    text += " [";
    for (size_t axis = 0; axis < type.dims->size(); ++axis) {
      text += (axis ? ", " : "") + to_string((*type.dims)[axis]);
    }
    text += "]";
  }
  if (type.kind == Kind::sequence || type.sequence_of_optional) text = "sequence(" + text + ")";
  if (type.kind == Kind::optional) text = "optional(" + text + ")";
  if (type.kind == Kind::map) text = "map(" + text + ")";
  return text;
}

void Graph::index_names() const {
  if (indexed_count_ > values.size()) ids_by_name_.clear(), indexed_count_ = 0;
  for (; indexed_count_ < values.size(); ++indexed_count_) {
    ids_by_name_.emplace(values[indexed_count_].name, static_cast<ValueId>(indexed_count_));
  }
}

std::optional<ValueId> Graph::find_value(std::string_view name) const {
  index_names();
  const auto found = ids_by_name_.find(std::string(name));
  if (found == ids_by_name_.end()) return std::nullopt;
  return found->second;
}

std::string Graph::unique_name(std::string_view wish) const {
  index_names();
  std::string name(wish);
  if (ids_by_name_.count(name) == 0) return name;
  size_t& suffix = last_suffixes_.try_emplace(name, 1).first->second;
  do {
    name = std::string(wish) + "_" + std::to_string(++suffix);
  } while (ids_by_name_.count(name) != 0);
  return name;
}

ValueId Graph::add_value(std::string name, ValueType type) {
  Value value;
  value.name = std::move(name);
  value.type = std::move(type);
  values.push_back(std::move(value));
  return static_cast<ValueId>(values.size() - 1);
}

ValueId Graph::add_constant(std::string name, Tensor tensor) {
  ValueType type;
  type.element = tensor.type;
  type.dims.emplace(tensor.dims.begin(), tensor.dims.end());
  const ValueId id = add_value(std::move(name), std::move(type));
  values[id].constant = std::make_shared<const Tensor>(std::move(tensor));
  return id;
}

NodeId Graph::add_node(Node node) {
  const NodeId id = static_cast<NodeId>(nodes.size());
  for (ValueId output : node.outputs) {
    if (output != no_id) values[output].producer = id;
  }
  nodes.push_back(std::move(node));
  return id;
}

std::vector<int32_t> Graph::use_counts() const {
  std::vector<int32_t> counts(values.size(), 0);
  for (const Node& node : nodes) {
    if (node.removed) continue;
    for (ValueId value : reads_of(node)) ++counts[value];
  }
  for (ValueId value : outputs) ++counts[value];
  return counts;
}

void Graph::replace_uses(ValueId value, ValueId with) {
  for (Node& node : nodes) {
    if (node.removed) continue;
    std::replace(node.inputs.begin(), node.inputs.end(), value, with);
    for (const auto& graph : subgraphs_of(node)) {
      for (Value& inner : graph->values) {
        if (inner.captured == value) inner.captured = with;
      }
    }
  }
  std::replace(outputs.begin(), outputs.end(), value, with);
}

void Graph::mark_unread() {
  std::vector<NodeId> to_visit;
  std::vector<bool> read(nodes.size(), false);
  std::vector<NodeId> producers(values.size(), no_id);
  for (NodeId id = 0; id < nodes.size(); ++id) {
    for (ValueId output : nodes[id].outputs) {
      if (output != no_id && !nodes[id].removed) producers[output] = id;
    }
  }
  const auto reach = [&](ValueId value) {
    const NodeId producer = producers[value];
    if (producer != no_id && !read[producer]) read[producer] = true, to_visit.push_back(producer);
  };
  for (ValueId value : outputs) reach(value);
  while (!to_visit.empty()) {
    const NodeId node = to_visit.back();
    to_visit.pop_back();
    for (ValueId value : reads_of(nodes[node])) reach(value);
  }
  for (NodeId id = 0; id < nodes.size(); ++id) nodes[id].removed = !read[id];
}

Result<void> Graph::sort() {
  for (const Node& node : nodes) {
    if (node.removed) continue;
    for (const auto& graph : subgraphs_of(node)) {
      if (Result<void> sorted = graph->sort(); !sorted) return std::move(sorted).error().within(describe(node));
      const std::vector<int32_t> uses = graph->use_counts();
      for (ValueId value = 0; value < graph->values.size(); ++value) {
        if (uses[value] == 0) graph->values[value].captured = no_id;
      }
    }
  }
  mark_unread();
  return order();
}

Result<void> Graph::order() {
  std::erase_if(nodes, [](const Node& node) { return node.removed; });
  for (Value& value : values) value.producer = no_id;
  for (NodeId id = 0; id < nodes.size(); ++id) {
    for (ValueId output : nodes[id].outputs) {
      if (output != no_id) values[output].producer = id;
    }
  }
  Readers readers = find_readers(nodes, values);
  std::priority_queue<NodeId, std::vector<NodeId>, std::greater<>> ready;
  for (NodeId id = 0; id < nodes.size(); ++id) {
    if (readers.waiting_for[id] == 0) ready.push(id);
  }
  std::vector<NodeId> sequence;
  sequence.reserve(nodes.size());
  while (!ready.empty()) {
    const NodeId id = ready.top();
    ready.pop();
    sequence.push_back(id);
    for (uint32_t edge = readers.begin[id]; edge < readers.begin[id + 1]; ++edge) {
      if (--readers.waiting_for[readers.edges[edge]] == 0) ready.push(readers.edges[edge]);
    }
  }
  if (sequence.size() < nodes.size()) return describe_cycle(nodes, values, readers.waiting_for);

  if (!std::is_sorted(sequence.begin(), sequence.end())) {
    std::vector<Node> ordered;
    ordered.reserve(nodes.size());
    for (NodeId id : sequence) ordered.push_back(std::move(nodes[id]));
    nodes = std::move(ordered);
    for (NodeId id = 0; id < nodes.size(); ++id) {
      for (ValueId output : nodes[id].outputs) {
        if (output != no_id) values[output].producer = id;
      }
    }
  }
  return {};
}

std::shared_ptr<Graph> Graph::clone() const {
  auto copy = std::make_shared<Graph>(*this);
  for (Node& node : copy->nodes) {
    for (auto& [name, attribute] : node.attributes) {
      if (auto* one = std::get_if<std::shared_ptr<Graph>>(&attribute.content)) *one = (*one)->clone();
      if (auto* many = std::get_if<std::vector<std::shared_ptr<Graph>>>(&attribute.content)) {
        for (auto& graph : *many) graph = graph->clone();
      }
    }
  }
  return copy;
}

}  // namespace heed
