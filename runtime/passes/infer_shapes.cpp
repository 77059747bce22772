// infer_shapes: node after node, each contract asked once, each answer checked and joined with what the model declares.
#include "passes/infer_shapes.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "base/dim_bounds.hpp"
#include "passes/check_node.hpp"
#include "passes/inline_functions.hpp"
#include "registry/phases.hpp"

namespace heed {
namespace {

constexpr int32_t depth_limit = 64;  // of graphs in graphs
constexpr int32_t rank_limit = 1024;

std::string_view text_of(heed_text text) { return {text.data, text.size}; }

std::string where_from(const Graph& graph, const Value& value) {
  if (value.is_input) return "graph input '" + value.name + "'";
  if (value.constant) return "a constant";
  if (value.captured != no_id) return "outside of this body";
  if (value.producer < graph.nodes.size()) return graph.nodes[value.producer].name;
  return "this run";
}

// "'x', axis 1" as the name of a size: "x.1".
std::string name_of_axis(const std::string& value, size_t axis) { return value + "." + std::to_string(axis); }

// Inference of one graph and those in it; they share the DimPool and what is known of symbols.
class Pass {
 public:
  Pass(const Registry& registry, DimPool& dims, bool whole_graph)
      : registry_(registry), dims_(dims), whole_graph_(whole_graph) {}

  Result<void> infer_graph(Graph& graph, int32_t depth);
  // A body whose inputs the node around it knows as `given`, which are trusted before what the body declares.
  Result<void> infer_body(Graph& body, const Graph& around, std::span<const ValueType> given, int32_t depth);
  Result<void> infer_node(Graph& graph, NodeId id, int32_t depth);

  // Demands a == b of a graph: checked now, or later as its constraint.
  Result<void> demand(Graph& graph, Dim a, Dim b, const std::string& what);
  // The same, asked by a node.
  Result<void> demand_of(const class InferredNode& node, Dim a, Dim b, const std::string& what);

 private:
  friend class InferredNode;

  Result<void> infer_nodes(Graph& graph, int32_t depth);
  Result<void> ask(class InferredNode& node, const BoundTypes& bound);
  Result<void> infer_by_body(class InferredNode& node);
  void infer_elementwise(class InferredNode& node, const BoundTypes& bound);
  Result<void> accept(Graph& graph, const Node& node, class InferredNode& inferred, const BoundTypes& bound,
                      uint32_t first_fresh);
  Result<void> settle_dims(ValueType& type, const std::string& value, const class InferredNode& node);
  Result<void> join(ValueType& inferred, const ValueType& declared, uint32_t first_fresh,
                    std::vector<std::pair<uint32_t, Dim>>& known);
  void settle_input(Value& value);
  void name_lengths(Graph& graph);
  void introduce(Dim dim);
  void introduce(const Value& value);
  bool is_introduced(Dim symbol) const;
  // What is known of a graph that is emptied, and of those in it.
  void forget(const Graph& graph);
  // The types that the model declares, as they were before the first inference of this pass changed them.
  std::vector<ValueType>& declared_of(const Graph& graph);

  const Registry& registry_;
  DimPool& dims_;
  const bool whole_graph_;
  std::unordered_map<const Graph*, std::vector<ValueType>> declared_;
  std::unordered_set<Dim, DimHash> seen_;    // whose symbols are in introduced_
  std::unordered_set<uint32_t> introduced_;  // symbols that a value before this one holds
  std::set<std::tuple<const Graph*, int64_t, uint64_t, int64_t, uint64_t>> demanded_;
};

// A node in the phase of inference: keeps the answers until they are accepted.
class InferredNode : public heed_node {
 public:
  struct Output {
    std::optional<ValueType> type;
    std::optional<std::vector<Dim>> elements;
  };

  InferredNode(Pass& pass, Graph& graph, const Node& node, const OperatorEntry& contract, int32_t depth)
      : heed_node(graph, node, contract),
        pass(pass),
        changing_graph(graph),
        depth(depth),
        outputs(node.outputs.size()) {}

  int32_t infer_output(int32_t output, const heed_type& type) override;
  int32_t infer_output_elements(int32_t output, const heed_dim* elements, size_t count) override;
  heed_dim infer_symbol(heed_text hint, heed_dim upper) override;
  int32_t infer_equal(heed_dim a, heed_dim b, heed_text what) override;
  int32_t infer_rank(int32_t input, int32_t rank) override;
  int32_t infer_subgraph(int32_t subgraph, const heed_type* inputs, size_t input_count) override;
  int32_t infer_untaken_subgraph(int32_t subgraph, int32_t& fits) override;
  int32_t infer_becomes(int32_t subgraph) override;

  Pass& pass;
  Graph& changing_graph;
  const int32_t depth;
  std::vector<Output> outputs;
  std::set<int32_t> inferred_subgraphs;
  int32_t becomes = -1;
  bool told_a_rank = false;
};

Result<ValueType> type_from(const heed_type& c) {
  if (c.kind < HEED_TENSOR || c.kind > HEED_MAP || c.element < 0 || c.element >= data_type_count || c.rank < -1 ||
      c.rank > rank_limit || (c.rank > 0 && c.dims == nullptr)) {
    return Error{Code::invalid_argument, "the contract gives a malformed type: kind " + std::to_string(c.kind) +
                                             ", element " + std::to_string(c.element) + ", rank " +
                                             std::to_string(c.rank)};
  }
  ValueType type;
  type.kind = static_cast<Kind>(c.kind);
  type.sequence_of_optional = c.sequence_of_optional != 0;
  if (c.element != 0) type.element = static_cast<DataType>(c.element);
  if (c.rank >= 0) {
    const Dim* dims = reinterpret_cast<const Dim*>(c.dims);
    type.dims.emplace(dims, dims + c.rank);
  }
  return type;
}

int32_t InferredNode::infer_output(int32_t output, const heed_type& c) {
  if (output < 0) return fail(Code::invalid_argument, "the contract types output " + std::to_string(output));
  auto type = type_from(c);
  if (!type) return fail(type.error());
  // Contracts type all their outputs, present or not.
  if (static_cast<size_t>(output) < outputs.size()) outputs[static_cast<size_t>(output)].type = std::move(*type);
  return HEED_OK;
}

int32_t InferredNode::infer_output_elements(int32_t output, const heed_dim* elements, size_t count) {
  if (output < 0)
    return fail(Code::invalid_argument, "the contract gives elements of output " + std::to_string(output));
  if (static_cast<size_t>(output) >= outputs.size() || count > carried_elements_limit) return HEED_OK;
  const Dim* dims = reinterpret_cast<const Dim*>(elements);
  outputs[static_cast<size_t>(output)].elements.emplace(dims, dims + count);
  return HEED_OK;
}

heed_dim InferredNode::infer_symbol(heed_text hint, heed_dim upper) {
  const std::string_view name = hint.size > 0 ? text_of(hint) : std::string_view(node.name);
  const Dim bound(upper);
  const Dim symbol = changing_graph.dims().fresh_symbol(name, 0, std::max<int64_t>(bound.upper_bound(), 0));
  if (bound.is_expression()) changing_graph.bounds.emplace(as_symbol(symbol)->index, bound);
  return symbol.c_dim();
}

int32_t InferredNode::infer_equal(heed_dim a, heed_dim b, heed_text what) {
  auto demanded = pass.demand_of(*this, Dim(a), Dim(b), std::string(text_of(what)));
  return demanded ? HEED_OK : fail(demanded.error());
}

// As if the model declared it. What comes from outside of a body may have another rank where the body is not run.
int32_t InferredNode::infer_rank(int32_t input, int32_t rank) {
  if (rank < 0 || rank > rank_limit)
    return fail(Code::invalid_argument, "the contract demands rank " + std::to_string(rank));
  if (input < 0 || static_cast<size_t>(input) >= node.inputs.size() || node.inputs[input] == no_id) return HEED_OK;
  const ValueId id = node.inputs[input];
  Value& value = changing_graph.values[id];
  if (value.producer == no_id || value.type.kind != Kind::tensor || value.type.dims) return HEED_OK;
  auto& dims = value.type.dims.emplace();
  for (int32_t axis = 0; axis < rank; ++axis)
    dims.push_back(changing_graph.dims().fresh_symbol(name_of_axis(value.name, static_cast<size_t>(axis))));
  value.sizes_declared = told_a_rank = true;
  pass.declared_of(changing_graph)[id].dims = dims;
  pass.introduce(value);
  return HEED_OK;
}

int32_t InferredNode::infer_subgraph(int32_t subgraph, const heed_type* inputs, size_t input_count) {
  const auto graphs = subgraphs_of(node);
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= graphs.size()) {
    return fail(Code::invalid_argument,
                "the contract infers subgraph " + std::to_string(subgraph) + " of " + std::to_string(graphs.size()));
  }
  std::vector<ValueType> given;
  for (size_t i = 0; i < input_count; ++i) {
    auto type = type_from(inputs[i]);
    if (!type) return fail(type.error());
    given.push_back(std::move(*type));
  }
  inferred_subgraphs.insert(subgraph);
  auto inferred = pass.infer_body(*graphs[static_cast<size_t>(subgraph)], graph, given, depth + 1);
  if (!inferred) return fail(inferred.error());
  return HEED_OK;
}

// A contradiction is known once and for all: the body is emptied.
int32_t InferredNode::infer_untaken_subgraph(int32_t subgraph, int32_t& fits) {
  const auto graphs = subgraphs_of(node);
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= graphs.size() || !graphs[static_cast<size_t>(subgraph)]->inputs.empty())
    return fail(Code::invalid_argument, "the contract infers subgraph " + std::to_string(subgraph) + " without inputs");
  Graph& body = *graphs[static_cast<size_t>(subgraph)];
  inferred_subgraphs.insert(subgraph);
  if (!body.contradiction) {
    auto inferred = pass.infer_body(body, graph, {}, depth + 1);
    if (!inferred && inferred.error().code != Code::shape_mismatch) return fail(inferred.error());
    if (!inferred) {
      pass.forget(body);
      Graph empty(body.shared_dims());
      empty.name = body.name;
      empty.contradiction = std::move(inferred).error();
      body = std::move(empty);
    }
  }
  fits = !body.contradiction;
  return HEED_OK;
}

int32_t InferredNode::infer_becomes(int32_t subgraph) {
  const auto graphs = subgraphs_of(node);
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= graphs.size() || !graphs[subgraph]->inputs.empty())
    return fail(Code::invalid_argument,
                "the contract puts subgraph " + std::to_string(subgraph) + " in its node's place");
  becomes = subgraph;
  return HEED_OK;
}

std::string list_shapes(const heed_node& node) {
  std::string text;
  for (int32_t i = 0; i < node.input_count(); ++i) {
    const Value* value = node.input_value(i);
    if (value == nullptr || !value->type.dims) continue;
    std::string dims;
    for (const Dim dim : *value->type.dims) dims += (dims.empty() ? "" : ", ") + to_string(dim);
    text += (text.empty() ? "[" : " and [") + dims + "]";
  }
  return text;
}

Result<void> Pass::demand(Graph& graph, Dim a, Dim b, const std::string& what) {
  if (a == b) return {};
  const Dim difference = a - b;
  const bool never_equal = (a.is_number() && b.is_number()) || (difference.is_number() && !difference.is_number(0)) ||
                           a.lower_bound() > b.upper_bound() || b.lower_bound() > a.upper_bound();
  const auto known = [](Dim dim) { return !dim.is_unknown(); };
  for (const Dim side : {a, b}) {
    if (known(side)) continue;
    if (side.why_unknown() == UnknownDim::overflow)
      return Error{Code::shape_mismatch, what + ": a size does not fit 64 bits"};
    if (side.why_unknown() == UnknownDim::division_by_zero)
      return Error{Code::shape_mismatch, what + ": a size is divided by zero"};
  }
  if (known(a) && known(b) && never_equal) {
    return Error{Code::shape_mismatch, what + ": " + to_string(a) + " and " + to_string(b) + " differ"};
  }
  if (!known(a) || !known(b) || difference.is_number(0)) return {};
  const heed_dim x = a.c_dim(), y = b.c_dim();
  if (demanded_.emplace(&graph, x.number, x.expression, y.number, y.expression).second)
    graph.constraints.push_back({a, b, what});
  return {};
}

Result<void> Pass::demand_of(const InferredNode& node, Dim a, Dim b, const std::string& what) {
  auto& constraints = node.changing_graph.constraints;
  const size_t before = constraints.size();
  HEED_TRY(demand(node.changing_graph, a, b, what));
  // Checked when nobody knows any more who asked.
  if (constraints.size() > before)
    constraints.back().what.insert(0, "node '" + node.node.name + "' (" + node.node.op_type + "): ");
  return {};
}

std::vector<ValueType>& Pass::declared_of(const Graph& graph) {
  auto& declared = declared_[&graph];
  for (size_t id = declared.size(); id < graph.values.size(); ++id) declared.push_back(graph.values[id].type);
  return declared;
}

void Pass::forget(const Graph& graph) {
  for (const Node& node : graph.nodes)
    for (const auto& body : subgraphs_of(node)) forget(*body);
  declared_.erase(&graph);
  std::erase_if(demanded_, [&](const auto& demand) { return std::get<0>(demand) == &graph; });
}

void Pass::introduce(Dim dim) {
  if (!dim.is_expression() || !seen_.insert(dim).second) return;
  for (const uint32_t symbol : symbols_of(dim)) introduced_.insert(symbol);
}

void Pass::introduce(const Value& value) {
  if (value.type.dims) {
    for (const Dim dim : *value.type.dims) introduce(dim);
  }
  if (value.elements) {
    for (const Dim element : *value.elements) introduce(element);
  }
}

bool Pass::is_introduced(Dim symbol) const {
  const DimSymbol* info = as_symbol(symbol);
  return info && introduced_.count(info->index) > 0;
}

// Sizes that nothing names get a name.
void Pass::settle_input(Value& value) {
  if (!value.type.dims) return;
  auto& dims = *value.type.dims;
  if (value.type.kind != Kind::tensor) {
    if (std::any_of(dims.begin(), dims.end(), [](Dim dim) { return dim.is_unknown(); })) value.type.dims.reset();
    return;
  }
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis].is_unknown()) dims[axis] = dims_.fresh_symbol(name_of_axis(value.name, axis));
  }
}

// A number that the caller gives and that tells how long a state becomes is a size like those of the inputs: its one
// element is a symbol.
void Pass::name_lengths(Graph& graph) {
  for (const Node& node : graph.nodes) {
    const OperatorEntry* contract = node.removed ? nullptr : registry_.find_operator(node.domain, node.op_type);
    if (contract == nullptr) continue;
    const std::span outputs(contract->c->outputs, contract->c->output_count);
    if (std::none_of(outputs.begin(), outputs.end(), [](const auto& output) { return output.state_axis >= 0; }))
      continue;
    for (size_t i = 0; i < std::min(node.inputs.size(), contract->c->input_count); ++i) {
      if (node.inputs[i] == no_id || !(contract->c->inputs[i].flags & HEED_SHAPE_DATA)) continue;
      Value& value = graph.values[node.inputs[i]];
      if (!value.is_input || value.constant || value.elements || !value.type.dims) continue;
      if (value.type.element != DataType::i32 && value.type.element != DataType::i64) continue;
      const auto& dims = *value.type.dims;
      if (std::all_of(dims.begin(), dims.end(), [](Dim dim) { return dim.is_number(1); }))
        value.elements = {dims_.fresh_symbol(value.name)};
    }
  }
}

Result<void> Pass::infer_graph(Graph& graph, int32_t depth) {
  graph.constraints.clear();
  declared_of(graph);
  if (whole_graph_ && depth == 0) name_lengths(graph);
  for (const ValueId id : graph.inputs) {
    settle_input(graph.values[id]);
    introduce(graph.values[id]);
  }
  HEED_TRY(infer_nodes(graph, depth));
  // What a node demanded says of values before it, too.
  for (Value& value : graph.values)
    if (!value.is_input && !value.constant) value.type = settled(graph, std::move(value.type));
  return {};
}

Result<void> Pass::infer_body(Graph& body, const Graph& around, std::span<const ValueType> given, int32_t depth) {
  if (depth > depth_limit) {
    return Error{Code::unsupported, "graphs are nested in graphs more than " + std::to_string(depth_limit) + " deep"};
  }
  const auto place = "body '" + body.name + "'";
  if (!given.empty() && given.size() != body.inputs.size()) {
    return Error{Code::invalid_model, place + " has " + std::to_string(body.inputs.size()) +
                                          " inputs; the operator gives it " + std::to_string(given.size())};
  }
  body.constraints.clear();
  const auto& declared = declared_of(body);
  std::erase_if(demanded_, [&](const auto& demand) { return std::get<0>(demand) == &body; });
  for (ValueId id = 0; id < body.values.size(); ++id) {
    Value& value = body.values[id];
    if (value.captured != no_id) {
      const Value& outer = around.values[value.captured];
      value.type = outer.type;
      value.elements = outer.elements;
      // What a caller may override is no constant.
      value.constant = outer.is_input ? nullptr : outer.constant;
    } else if (!value.constant) {
      value.type = declared[id];
      value.elements.reset();
    }
  }
  for (size_t i = 0; i < body.inputs.size(); ++i) {
    Value& input = body.values[body.inputs[i]];
    if (i < given.size()) {
      // A name that the body gives to a size says nothing about a size of that name outside.
      ValueType type = declared[body.inputs[i]];
      if (type.dims && type.kind == Kind::tensor) {
        for (Dim& dim : *type.dims) {
          if (!dim.is_number()) dim = Dim::unknown(UnknownDim::outgrown);
        }
      }
      const ValueType& from_node = given[i];
      if (from_node.kind != type.kind && (type.element || type.dims || type.kind != Kind::tensor)) {
        return Error{Code::invalid_model, place + ": input '" + input.name + "' is declared as " + to_string(type) +
                                              "; the operator gives " + to_string(from_node)};
      }
      if (type.element && from_node.element && *type.element != *from_node.element) {
        return Error{Code::invalid_model, place + ": input '" + input.name + "' is declared as " + to_string(type) +
                                              "; the operator gives " + to_string(from_node)};
      }
      type.kind = from_node.kind;
      type.sequence_of_optional = type.sequence_of_optional || from_node.sequence_of_optional;
      if (from_node.element) type.element = from_node.element;
      if (from_node.dims) {
        if (!type.dims || type.dims->size() != from_node.dims->size() || type.kind != Kind::tensor) {
          type.dims = from_node.dims;
        } else {
          for (size_t axis = 0; axis < type.dims->size(); ++axis) {
            if (!(*from_node.dims)[axis].is_unknown()) (*type.dims)[axis] = (*from_node.dims)[axis];
          }
        }
      }
      input.type = std::move(type);
    }
    settle_input(input);
    introduce(input);
  }
  if (auto inferred = infer_nodes(body, depth); !inferred) return std::move(inferred).error().within(place);
  return {};
}

Result<void> Pass::infer_nodes(Graph& graph, int32_t depth) {
  for (NodeId id = 0; id < graph.nodes.size(); ++id) {
    if (!graph.nodes[id].removed) HEED_TRY(infer_node(graph, id, depth));
  }
  return {};
}

// What an operator always makes its kernels write, whether or not the model has a name for it.
void name_required_outputs(Graph& graph, NodeId id, const heed_operator& op) {
  for (size_t i = 0; i < op.output_count; ++i) {
    if (parameter_at(op.outputs, op.output_count, i)->flags & (HEED_OPTIONAL_PARAMETER | HEED_VARIADIC)) continue;
    if (i >= graph.nodes[id].outputs.size()) graph.nodes[id].outputs.resize(i + 1, no_id);
    if (graph.nodes[id].outputs[i] != no_id) continue;
    const ValueId value = graph.add_value(graph.unique_name(graph.nodes[id].op_type + "/unread"));
    graph.values[value].producer = id;
    graph.nodes[id].outputs[i] = value;
  }
}

Result<void> Pass::infer_node(Graph& graph, NodeId id, int32_t depth) {
  const OperatorEntry* contract = registry_.find_operator(graph.nodes[id].domain, graph.nodes[id].op_type);
  if (contract == nullptr || !contract->version_at(graph.nodes[id].opset)) return check_operators(graph, registry_);
  name_required_outputs(graph, id, *contract->c);
  auto& inputs = graph.nodes[id].inputs;
  while (!inputs.empty() && inputs.back() == no_id) inputs.pop_back();
  const Node& node = graph.nodes[id];
  auto bound = check_node(graph, node, *contract);
  if (!bound) return explain_at(graph, node, std::move(bound).error());
  const uint32_t first_fresh = dims_.symbol_count();
  std::optional<InferredNode> inferred;
  do {  // again with the ranks that it demanded
    inferred.emplace(*this, graph, node, *contract, depth);
    if (auto asked = ask(*inferred, *bound); !asked) return explain_at(graph, node, std::move(asked).error());
  } while (inferred->told_a_rank);
  if (auto accepted = accept(graph, node, *inferred, *bound, first_fresh); !accepted) {
    return explain_at(graph, node, std::move(accepted).error());
  }
  graph.nodes[id].becomes = inferred->becomes;
  return {};
}

Result<void> Pass::ask(InferredNode& node, const BoundTypes& bound) {
  const heed_operator& op = *node.contract.c;
  if (op.infer != nullptr) {
    HEED_TRY(call_plugin([&] { return op.infer(&node, op.user); }));
  } else if (op.expression.size > 0) {
    infer_elementwise(node, bound);
  } else {
    HEED_TRY(infer_by_body(node));
  }
  if (node.becomes >= 0) return {};  // the other bodies are never run
  // Bodies that the contract has nothing to say about.
  const auto graphs = subgraphs_of(node.node);
  for (size_t i = 0; i < graphs.size(); ++i) {
    if (node.inferred_subgraphs.count(static_cast<int32_t>(i)) == 0) {
      HEED_TRY(infer_body(*graphs[i], node.graph, {}, node.depth + 1));
    }
  }
  return {};
}

// One output whose shape is what the inputs broadcast to (numpy's rule).
void Pass::infer_elementwise(InferredNode& node, const BoundTypes& bound) {
  ValueType type;
  type.element = bound.element(node.contract.c->outputs[0].type);
  type.dims.emplace();
  for (int32_t i = 0; i < node.input_count(); ++i) {
    const Value* value = node.input_value(i);
    if (value == nullptr) continue;
    if (!value->type.dims) {
      type.dims.reset();
      break;
    }
    const auto& dims = *value->type.dims;
    auto& result = *type.dims;
    if (dims.size() > result.size()) result.insert(result.begin(), dims.size() - result.size(), Dim(1));
    const size_t lead = result.size() - dims.size();
    for (size_t axis = 0; axis < dims.size(); ++axis) result[lead + axis] = broadcast(result[lead + axis], dims[axis]);
  }
  if (!node.outputs.empty()) node.outputs[0].type = std::move(type);
}

// An operator that says what it means by its body alone: the body is typed in a graph of its own.
Result<void> Pass::infer_by_body(InferredNode& node) {
  Graph scratch(node.graph.shared_dims());
  Node call = node.node;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    if (call.inputs[i] == no_id) continue;
    Value copy = node.graph.values[call.inputs[i]];
    copy.producer = no_id;
    scratch.values.push_back(std::move(copy));
    call.inputs[i] = static_cast<ValueId>(scratch.values.size() - 1);
    scratch.inputs.push_back(call.inputs[i]);
  }
  for (ValueId& output : call.outputs) {
    if (output == no_id) continue;
    output = scratch.add_value(node.graph.values[output].name);
    scratch.outputs.push_back(output);
  }
  const std::vector<ValueId> outputs = call.outputs;
  scratch.add_node(std::move(call));
  HEED_ASSIGN(const auto body, body_of(node.contract, node.node));
  HEED_TRY(inline_call(scratch, 0, *body));
  HEED_TRY(scratch.order());
  if (node.depth >= depth_limit) return Error{Code::unsupported, "bodies of operators are nested too deep"};
  Pass inner(registry_, dims_, false);
  HEED_TRY(inner.infer_graph(scratch, node.depth + 1));
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (outputs[i] == no_id) continue;
    node.outputs[i].type = scratch.values[outputs[i]].type;
    node.outputs[i].elements = scratch.values[outputs[i]].elements;
  }
  for (const Constraint& constraint : scratch.constraints)
    HEED_TRY(demand(node.changing_graph, constraint.a, constraint.b, constraint.what));
  return {};
}

std::vector<DimBound> bounds_of(const Graph& graph) {
  std::vector<DimBound> bounds;
  for (const Constraint& constraint : graph.constraints)
    if (const auto bound = bound_in_equality(constraint.a, constraint.b)) bounds.push_back(*bound);
  return bounds;
}

// A type as a contract gave it may hold what is no size, and sizes that what the node demands makes simpler.
Result<void> Pass::settle_dims(ValueType& type, const std::string& value, const InferredNode& node) {
  if (!type.dims || type.kind != Kind::tensor) return {};
  for (size_t axis = 0; axis < type.dims->size(); ++axis) {
    Dim& dim = (*type.dims)[axis];
    const auto place = "axis " + std::to_string(axis) + " of output '" + value + "'";
    if (dim.upper_bound() < 0) return Error{Code::shape_mismatch, place + " has the negative size " + to_string(dim)};
    if (const auto equality = equality_in_broadcast(dim)) {
      HEED_TRY(demand_of(node, equality->first, equality->second, place + ": sizes that are broadcast"));
      dim = equality->second;
    }
    if (!dim.is_unknown()) continue;
    switch (dim.why_unknown()) {
      case UnknownDim::outgrown:
        dim = dims_.fresh_symbol(name_of_axis(value, axis));
        break;
      case UnknownDim::overflow:
        return Error{Code::shape_mismatch, place + " has a size that does not fit 64 bits"};
      case UnknownDim::division_by_zero:
        return Error{Code::shape_mismatch, place + " has a size that is divided by zero"};
      case UnknownDim::mismatch:
        return Error{Code::shape_mismatch, list_shapes(node) + " do not broadcast"};
    }
  }
  type = settled(node.changing_graph, std::move(type));
  return {};
}

// What the model says of a value that inference knows, too. `known` collects fresh symbols that turn out to have a
// number or a name.
Result<void> Pass::join(ValueType& inferred, const ValueType& declared, uint32_t first_fresh,
                        std::vector<std::pair<uint32_t, Dim>>& known) {
  const bool is_declared = declared.element || declared.dims || declared.kind != Kind::tensor;
  const auto contradiction = [&](Code code) {
    return Error{code, "is " + to_string(inferred) + " by inference; the model declares " + to_string(declared)};
  };
  if (!is_declared) return {};
  if (inferred.kind != declared.kind) return contradiction(Code::invalid_model);
  if (inferred.element && declared.element && *inferred.element != *declared.element)
    return contradiction(Code::invalid_model);
  if (!inferred.element) inferred.element = declared.element;
  if (!inferred.dims || !declared.dims || inferred.kind != Kind::tensor) {
    if (!inferred.dims) inferred.dims = declared.dims;
    return {};
  }
  if (inferred.dims->size() != declared.dims->size()) return contradiction(Code::shape_mismatch);
  for (size_t axis = 0; axis < inferred.dims->size(); ++axis) {
    const Dim a = (*inferred.dims)[axis], b = (*declared.dims)[axis];
    if (a == b || b.is_unknown()) continue;
    if (a.is_number() && b.is_number()) return contradiction(Code::shape_mismatch);
    const DimSymbol* symbol = as_symbol(a);
    if (symbol == nullptr || symbol->index < first_fresh || introduced_.count(symbol->index) > 0) continue;
    // Inference knows nothing of this size: what the model calls it is as good, unless that name is another size
    // already.
    if (b.is_number() || (as_symbol(b) && !(whole_graph_ && is_introduced(b)))) known.emplace_back(symbol->index, b);
  }
  return {};
}

Result<void> Pass::accept(Graph& graph, const Node& node, InferredNode& inferred, const BoundTypes& bound,
                          uint32_t first_fresh) {
  const heed_operator& op = *inferred.contract.c;
  const auto& declared = declared_of(graph);
  std::vector<std::pair<uint32_t, Dim>> known;
  std::vector<bool> sizes_declared(node.outputs.size());
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == no_id) continue;
    const Value& value = graph.values[node.outputs[i]];
    auto& output = inferred.outputs[i];
    sizes_declared[i] = !(output.type && output.type->dims) && declared[node.outputs[i]].dims.has_value();
    const auto place = "output " + std::to_string(i) + " ('" + value.name + "')";
    if (!output.type) {
      output.type = declared[node.outputs[i]];
      if (!output.type->element)
        output.type->element = bound.element(parameter_at(op.outputs, op.output_count, i)->type);
    }
    HEED_TRY(settle_dims(*output.type, value.name, inferred));
    if (auto joined = join(*output.type, declared[node.outputs[i]], first_fresh, known); !joined) {
      Error error = std::move(joined).error();
      error.message.insert(0, place + " ");
      return error;
    }
    if (output.type->kind == Kind::tensor && !output.type->element) {
      return Error{Code::unsupported, place + ": neither the operator's contract nor the model tells its data type"};
    }
    // Declared sizes that are nobody's symbol.
    HEED_TRY(settle_dims(*output.type, value.name, inferred));
    if (!output.elements) continue;
    for (size_t k = 0; k < output.elements->size(); ++k) {
      Dim& element = (*output.elements)[k];
      if (element.is_unknown()) element = dims_.fresh_symbol(value.name + "[" + std::to_string(k) + "]", INT64_MIN);
    }
  }
  if (!known.empty()) {
    std::vector<Dim> by_symbol;
    for (uint32_t symbol = 0; symbol < dims_.symbol_count(); ++symbol) by_symbol.push_back(dims_.symbol_dim(symbol));
    for (const auto& [symbol, dim] : known) by_symbol[symbol] = dim;
    for (size_t i = 0; i < inferred.outputs.size(); ++i) {
      auto& output = inferred.outputs[i];
      if (output.type && output.type->dims) {
        for (Dim& dim : *output.type->dims) {
          const Dim told = substitute(dim, by_symbol);
          if (!(told == dim) && i < sizes_declared.size()) sizes_declared[i] = true;
          dim = told;
        }
      }
      if (output.elements) {
        for (Dim& element : *output.elements) element = substitute(element, by_symbol);
      }
    }
  }
  for (size_t i = 0; i < node.outputs.size(); ++i) {
    if (node.outputs[i] == no_id) continue;
    Value& value = graph.values[node.outputs[i]];
    value.sizes_declared = sizes_declared[i];
    value.type = std::move(*inferred.outputs[i].type);
    value.elements = std::move(inferred.outputs[i].elements);
    introduce(value);
  }
  return {};
}

using Unknown = std::map<std::tuple<std::string, std::string, int32_t>, size_t>;  // domain, op_type, opset: how many

void collect_unknown(const Graph& graph, const Registry& registry, Unknown& unknown, int32_t depth) {
  if (depth > depth_limit) return;
  for (const Node& node : graph.nodes) {
    if (node.removed) continue;
    const OperatorEntry* contract = registry.find_operator(node.domain, node.op_type);
    if (contract == nullptr || !contract->version_at(node.opset)) ++unknown[{node.domain, node.op_type, node.opset}];
    for (const auto& body : subgraphs_of(node)) collect_unknown(*body, registry, unknown, depth + 1);
  }
}

}  // namespace

Result<void> check_operators(const Graph& graph, const Registry& registry) {
  Unknown unknown;
  collect_unknown(graph, registry, unknown, 0);
  if (unknown.empty()) return {};
  std::string text = unknown.size() == 1 ? "an operator that nobody here knows:"
                                         : std::to_string(unknown.size()) + " operators that nobody here knows:";
  size_t name_width = 0, opset_width = 0;
  const auto name_of_key = [](const auto& key) {
    const auto& [domain, op_type, opset] = key;
    return (domain.empty() ? "ai.onnx" : domain) + "." + op_type;
  };
  for (const auto& [key, count] : unknown) {
    name_width = std::max(name_width, name_of_key(key).size());
    opset_width = std::max(opset_width, std::to_string(std::get<2>(key)).size());
  }
  for (const auto& [key, count] : unknown) {
    std::string name = name_of_key(key), opset = std::to_string(std::get<2>(key));
    name.resize(name_width, ' ');
    opset.resize(opset_width, ' ');
    text += "\n  " + name + "  opset " + opset + "  " + std::to_string(count) + (count == 1 ? " node" : " nodes");
    const OperatorEntry* contract = registry.find_operator(std::get<0>(key), std::get<1>(key));
    if (contract)
      text += "  (known from version " + std::to_string(contract->c->versions[contract->c->version_count - 1]) + " on)";
  }
  text += "\n  A plugin could bring " + std::string(unknown.size() == 1 ? "it" : "them") + ": --plugin LIBRARY";
  return Error{Code::unsupported, std::move(text)};
}

ValueType settled(const Graph& graph, ValueType type) {
  if (!type.dims || graph.constraints.empty()) return type;
  const auto bounds = bounds_of(graph);
  for (Dim& dim : *type.dims) dim = within(dim, bounds);
  return type;
}

Result<void> infer_shapes(Graph& graph, const Registry& registry) {
  HEED_TRY(check_operators(graph, registry));
  return Pass(registry, graph.dims(), true).infer_graph(graph, 0);
}

Result<void> infer_node(Graph& graph, NodeId node, const Registry& registry) {
  return Pass(registry, graph.dims(), false).infer_node(graph, node, 0);
}

Error explain_at(const Graph& graph, const Node& node, Error error) {
  // What happened inside of a body tells its own inputs.
  const bool is_told = error.message.find('\n') != std::string::npos;
  std::string lines;
  std::vector<std::array<std::string, 3>> rows;
  std::array<size_t, 2> widths{};
  for (size_t i = 0; i < node.inputs.size() && !is_told; ++i) {
    if (node.inputs[i] == no_id) continue;
    const Value& value = graph.values[node.inputs[i]];
    rows.push_back({std::to_string(i) + "  '" + value.name + "'", to_string(value.type), where_from(graph, value)});
    for (size_t column = 0; column < widths.size(); ++column)
      widths[column] = std::max(widths[column], rows.back()[column].size());
  }
  for (auto& row : rows) {
    for (size_t column = 0; column < widths.size(); ++column) row[column].resize(widths[column], ' ');
    lines += "\n  input " + row[0] + "  " + row[1] + "  from " + row[2];
  }
  error.message =
      describe(node) + ": " + (error.message.empty() ? "the operator's contract refuses it" : error.message) + lines;
  return error;
}

}  // namespace heed
