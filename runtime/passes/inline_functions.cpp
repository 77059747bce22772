// inline_functions: calls become the nodes of what they call, in place, so that the order of the file is kept.
#include "passes/inline_functions.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include "graph/parse.hpp"
#include "passes/infer_shapes.hpp"
#include "passes/substitute_values.hpp"

namespace heed {
namespace {

constexpr size_t node_limit = 1'000'000;
constexpr int32_t depth_limit = 64;  // of calls in calls, and of graphs in graphs

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

// Calls that are being expanded, innermost first.
struct CallChain {
  const CallChain* outer = nullptr;
  std::string name;
};

// Names of sizes mean something only within one call: only numbers are kept.
ValueType without_symbols(ValueType type) {
  if (!type.dims) return type;
  for (Dim& dim : *type.dims) {
    if (!dim.is_number()) dim = Dim::unknown(UnknownDim::outgrown);
  }
  return type;
}

class Call {
 public:
  Call(Graph& graph, const Node& call, const Function& function) : graph_(graph), call_(call), function_(function) {}

  // The nodes of the function, over values of the graph. Outputs that the function passes on from elsewhere are added
  // to `replaced`.
  Result<std::vector<Node>> nodes(Substitution& replaced);

 private:
  ValueId mapped(ValueId id) const { return id == no_id ? no_id : values_[id]; }
  Result<Node> copy(const Node& node);
  std::shared_ptr<Graph> copy(const Graph& body, int32_t depth);
  void copy_attributes(Node& node, int32_t depth);

  Graph& graph_;
  const Node& call_;
  const Function& function_;
  std::vector<ValueId> values_;  // by the body's value: the graph's
  bool has_deep_graph_reference_ = false;
};

// A value that is not there: what reads it, reads nothing.
void forget(Graph& graph, ValueId value) {
  for (Node& node : graph.nodes) {
    std::replace(node.inputs.begin(), node.inputs.end(), value, no_id);
    for (const auto& body : subgraphs_of(node)) {
      for (ValueId id = 0; id < body->values.size(); ++id) {
        if (body->values[id].captured != value) continue;
        body->values[id].captured = no_id;
        forget(*body, id);
      }
    }
  }
}

void Call::copy_attributes(Node& node, int32_t depth) {
  for (auto place = node.attributes.begin(); place != node.attributes.end();) {
    auto& content = place->second.content;
    if (const auto* reference = std::get_if<Attribute::Reference>(&content)) {
      const auto given = call_.attributes.find(reference->name);
      const auto otherwise = function_.defaults.find(reference->name);
      const Attribute* found = given != call_.attributes.end()         ? &given->second
                               : otherwise != function_.defaults.end() ? &otherwise->second
                                                                       : nullptr;
      if (found == nullptr) {
        place = node.attributes.erase(place);
        continue;
      }
      // A copy first: the reference lies in what is assigned to.
      Attribute::Content copy = found->content;
      // What such a graph captures would have to be captured through every body in between.
      has_deep_graph_reference_ = has_deep_graph_reference_ || (depth > 0 && reference->kind == HEED_ATTRIBUTE_GRAPH);
      if (auto* body = std::get_if<std::shared_ptr<Graph>>(&copy)) *body = (*body)->clone();
      content = std::move(copy);
    } else if (auto* body = std::get_if<std::shared_ptr<Graph>>(&content)) {
      *body = copy(**body, depth + 1);
    } else if (auto* bodies = std::get_if<std::vector<std::shared_ptr<Graph>>>(&content)) {
      for (auto& each : *bodies) each = copy(*each, depth + 1);
    }
    ++place;
  }
}

// Value ids in it stay; only captures of the graph around it change, which Call::copy(Node) sees to.
std::shared_ptr<Graph> Call::copy(const Graph& body, int32_t depth) {
  auto result = std::make_shared<Graph>(graph_.shared_dims());
  result->name = body.name;
  result->nodes = body.nodes;
  result->values = body.values;
  result->inputs = body.inputs;
  result->outputs = body.outputs;
  result->output_names = body.output_names;
  for (Value& value : result->values) value.type = without_symbols(std::move(value.type));
  for (Node& node : result->nodes) copy_attributes(node, depth);
  return result;
}

Result<Node> Call::copy(const Node& node) {
  Node result = node;
  result.name = call_.name + "/" + node.name;
  for (ValueId& input : result.inputs) input = mapped(input);
  for (ValueId& output : result.outputs) output = mapped(output);
  if (!call_.origin.empty() && result.origin.empty()) result.origin = call_.origin;
  // A graph that the caller gave as an attribute captures from the caller already.
  std::vector<std::string> own;
  for (const auto& [name, attribute] : result.attributes) {
    if (!std::holds_alternative<Attribute::Reference>(attribute.content)) own.push_back(name);
  }
  copy_attributes(result, 0);
  const auto recapture = [&](Graph& body) {
    for (ValueId id = 0; id < body.values.size(); ++id) {
      Value& value = body.values[id];
      if (value.captured == no_id) continue;
      value.captured = mapped(value.captured);
      if (value.captured == no_id) forget(body, id);
    }
  };
  for (const std::string& name : own) {
    const auto found = result.attributes.find(name);
    if (found == result.attributes.end()) continue;
    if (auto* body = std::get_if<std::shared_ptr<Graph>>(&found->second.content)) recapture(**body);
    if (auto* bodies = std::get_if<std::vector<std::shared_ptr<Graph>>>(&found->second.content)) {
      for (auto& body : *bodies) recapture(*body);
    }
  }
  return result;
}

Result<std::vector<Node>> Call::nodes(Substitution& replaced) {
  const Graph& body = *function_.body;
  const auto counts = [&](size_t met, size_t had, const char* what) {
    return Error{Code::invalid_model, describe(call_) + " has " + std::to_string(met) + " " + what + "; the function " +
                                          function_.name + " has " + std::to_string(had)};
  };
  size_t input_count = call_.inputs.size();
  while (input_count > 0 && call_.inputs[input_count - 1] == no_id) --input_count;
  if (input_count > body.inputs.size()) return counts(input_count, body.inputs.size(), "inputs");
  if (call_.outputs.size() > body.outputs.size()) return counts(call_.outputs.size(), body.outputs.size(), "outputs");

  constexpr ValueId not_mapped = no_id - 1;
  values_.assign(body.values.size(), not_mapped);
  for (size_t i = 0; i < body.inputs.size(); ++i)
    values_[body.inputs[i]] = i < call_.inputs.size() ? call_.inputs[i] : no_id;
  std::vector<std::pair<size_t, ValueId>> passed_on;
  for (size_t i = 0; i < call_.outputs.size(); ++i) {
    if (call_.outputs[i] == no_id) continue;
    ValueId& place = values_[body.outputs[i]];
    if (place != not_mapped || body.values[body.outputs[i]].producer == no_id) {
      passed_on.emplace_back(i, body.outputs[i]);
    } else {
      place = call_.outputs[i];
      // What the body says of a result is worth as much as what the caller says.
      ValueType& type = graph_.values[place].type;
      if (!type.element && !type.dims) type = without_symbols(body.values[body.outputs[i]].type);
    }
  }
  for (ValueId id = 0; id < body.values.size(); ++id) {
    if (values_[id] != not_mapped) continue;
    const Value& value = body.values[id];
    values_[id] = graph_.add_value(graph_.unique_name(call_.name + "/" + value.name), without_symbols(value.type));
    graph_.values[values_[id]].constant = value.constant;
  }
  for (const auto& [output, value] : passed_on) {
    if (mapped(value) == no_id) {
      return Error{Code::invalid_model, describe(call_) + ": output " + std::to_string(output) + " of the function " +
                                            function_.name + " is an input that is absent here"};
    }
    replaced[call_.outputs[output]] = mapped(value);
  }
  std::vector<Node> nodes;
  nodes.reserve(body.nodes.size());
  for (const Node& node : body.nodes) {
    if (node.removed) continue;
    HEED_ASSIGN(Node copied, copy(node));
    nodes.push_back(std::move(copied));
  }
  if (has_deep_graph_reference_) {
    return Error{Code::unsupported, describe(call_) + ": the function " + function_.name +
                                        " hands a graph that it was given to a node inside of another graph"};
  }
  return nodes;
}

class Inliner {
 public:
  Inliner(const ModelFile& model, const Registry& registry) : model_(model), registry_(registry) {}

  Result<void> expand(Graph& graph, const CallChain* chain, int32_t depth);

 private:
  Result<void> expand(Graph& graph, Node node, const CallChain* chain, int32_t depth, std::vector<Node>& nodes,
                      Substitution& replaced);
  // What a node calls; null where it is carried out as it stands.
  Result<std::shared_ptr<const Function>> called_by(const Node& node);

  const ModelFile& model_;
  const Registry& registry_;
  std::map<const OperatorEntry*, std::shared_ptr<const Function>> bodies_;
  size_t node_count_ = 0;
};

Result<std::shared_ptr<const Function>> Inliner::called_by(const Node& node) {
  const OperatorEntry* contract = registry_.find_operator(node.domain, node.op_type);
  const auto version = contract ? contract->version_at(node.opset) : std::nullopt;
  const auto function = model_.functions.find(FunctionKey{node.domain, node.op_type, node.overload});
  const bool is_preferred = version && (contract->given || node.domain.empty());
  if (function != model_.functions.end() && !is_preferred) return function->second;
  if (!version || !contract->has_body() || registry_.has_kernel(node.domain, node.op_type, *version)) {
    return std::shared_ptr<const Function>();
  }
  auto& body = bodies_[contract];
  if (!body) {
    HEED_ASSIGN(body, body_of(*contract, node));
  }
  return body;
}

Result<void> Inliner::expand(Graph& graph, Node node, const CallChain* chain, int32_t depth, std::vector<Node>& nodes,
                             Substitution& replaced) {
  HEED_ASSIGN(const auto function, called_by(node));
  if (!function) {
    if (++node_count_ > node_limit) {
      return Error{Code::unsupported,
                   "the model's functions expand to more than " + std::to_string(node_limit) + " nodes"};
    }
    for (const auto& body : subgraphs_of(node)) {
      if (auto expanded = expand(*body, chain, depth + 1); !expanded)
        return std::move(expanded).error().within(describe(node));
    }
    nodes.push_back(std::move(node));
    return {};
  }
  const CallChain here{chain, (node.domain.empty() ? "" : node.domain + ".") + node.op_type +
                                  (node.overload.empty() ? "" : ":" + node.overload)};
  std::string circle = here.name;
  for (const CallChain* outer = chain; outer; outer = outer->outer) {
    circle = outer->name + " -> " + circle;
    if (outer->name == here.name) return Error{Code::invalid_model, "functions call each other in a circle: " + circle};
  }
  if (depth > depth_limit) {
    return Error{Code::unsupported,
                 describe(node) + ": functions are nested more than " + std::to_string(depth_limit) + " deep"};
  }
  HEED_ASSIGN(auto body, Call(graph, node, *function).nodes(replaced));
  for (Node& each : body) HEED_TRY(expand(graph, std::move(each), &here, depth + 1, nodes, replaced));
  return {};
}

Result<void> Inliner::expand(Graph& graph, const CallChain* chain, int32_t depth) {
  if (depth > depth_limit) {
    return Error{Code::unsupported, "graphs are nested in graphs more than " + std::to_string(depth_limit) + " deep"};
  }
  std::vector<Node> nodes;
  nodes.reserve(graph.nodes.size());
  Substitution replaced;
  for (Node& node : graph.nodes) {
    if (!node.removed) HEED_TRY(expand(graph, std::move(node), chain, depth, nodes, replaced));
  }
  graph.nodes = std::move(nodes);
  substitute_values(graph, replaced);
  return graph.order();
}

Attribute attribute_from(const heed_attribute& c) {
  switch (c.kind) {
    case HEED_ATTRIBUTE_INT:
      return {c.i};
    case HEED_ATTRIBUTE_FLOAT:
      return {c.f};
    case HEED_ATTRIBUTE_STRING:
      return {std::string(text_of(c.s))};
    case HEED_ATTRIBUTE_INTS:
      return {std::vector<int64_t>(c.ints, c.ints + c.count)};
    case HEED_ATTRIBUTE_FLOATS:
      return {std::vector<float>(c.floats, c.floats + c.count)};
    default: {
      std::vector<std::string> texts;
      for (size_t i = 0; i < c.count; ++i) texts.emplace_back(text_of(c.strings[i]));
      return {std::move(texts)};
    }
  }
}

}  // namespace

Result<std::shared_ptr<const Function>> body_of(const OperatorEntry& contract, const Node& node) {
  const heed_operator& op = *contract.c;
  std::vector<std::string> inputs, outputs;
  for (size_t i = 0; i < op.input_count; ++i) inputs.emplace_back(text_of(op.inputs[i].name));
  for (size_t i = 0; i < op.output_count; ++i) outputs.emplace_back(text_of(op.outputs[i].name));
  const auto failed = [&](Error error) {
    return std::move(error).within(describe(node) + ": the body of this operator, by plugin '" + contract.plugin + "'");
  };
  auto parsed = parse_body(inputs, outputs, text_of(op.body));
  if (!parsed) return failed(std::move(parsed).error());
  auto function = std::make_shared<Function>(**parsed);
  function->domain = node.domain;
  function->name = node.op_type;
  for (size_t i = 0; i < op.attribute_count; ++i) {
    const heed_attribute& value = op.attributes[i].default_value;
    if (value.kind == HEED_ATTRIBUTE_NONE || value.kind == HEED_ATTRIBUTE_TENSOR) continue;
    function->defaults.emplace(text_of(op.attributes[i].name), attribute_from(value));
  }
  return std::shared_ptr<const Function>(std::move(function));
}

Result<void> inline_call(Graph& graph, NodeId call, const Function& function) {
  Substitution replaced;
  const Node node = graph.nodes[call];
  HEED_ASSIGN(auto nodes, Call(graph, node, function).nodes(replaced));
  const auto place = graph.nodes.begin() + call;
  graph.nodes.insert(graph.nodes.erase(place), std::make_move_iterator(nodes.begin()),
                     std::make_move_iterator(nodes.end()));
  substitute_values(graph, replaced);
  return {};
}

Result<void> inline_functions(ModelFile& model, const Registry& registry) {
  return Inliner(model, registry).expand(*model.graph, nullptr, 0);
}

Result<void> type_graph(ModelFile& model, const Registry& registry) {
  HEED_TRY(inline_functions(model, registry));
  return infer_shapes(*model.graph, registry);
}

}  // namespace heed
