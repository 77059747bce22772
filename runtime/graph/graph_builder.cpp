// GraphBuilder: from names to values.
#include "graph/graph_builder.hpp"

#include <algorithm>

namespace heed {
namespace {

Error invalid(std::string message) { return Error{Code::invalid_model, std::move(message)}; }

// Keeps what is known on either side; `more` fills gaps.
void complete_type(ValueType& type, const ValueType& more) {
  if (!type.element && !type.dims && type.kind == Kind::tensor) {
    type = more;
    return;
  }
  if (type.kind != more.kind) return;
  if (!type.element) type.element = more.element;
  if (!type.dims) type.dims = more.dims;
}

}  // namespace

std::string describe(const Statement& statement, size_t position) {
  return statement.name.empty() ? "node " + std::to_string(position) + " (" + statement.op_type + ")"
                                : "node '" + statement.name + "' (" + statement.op_type + ")";
}

std::string_view canonical_domain(std::string_view domain) { return domain == "ai.onnx" ? std::string_view() : domain; }

Result<void> GraphBuilder::define(const std::string& name, size_t statement, ValueId& value) {
  const auto [place, is_new] = definitions_.try_emplace(name, Definition{no_id, statement});
  if (!is_new) {
    const auto maker = [&](size_t position) {
      if (position == no_statement) return std::string("an input or initializer");
      return describe(position < statements_.size() ? statements_[position] : statements_.back(), position);
    };
    return invalid("value '" + name + "' is defined twice: by " + maker(place->second.statement) + " and by " +
                   maker(statement) + ". Each name may be defined once in a graph.");
  }
  value = place->second.value = graph_->add_value(name);
  return {};
}

Result<void> GraphBuilder::add_input(std::string name, ValueType type) {
  if (name.empty()) return invalid("input " + std::to_string(graph_->inputs.size()) + " of the graph has no name");
  ValueId id = no_id;
  HEED_TRY(define(name, no_statement, id));
  graph_->values[id].type = std::move(type);
  graph_->values[id].is_input = true;
  graph_->inputs.push_back(id);
  return {};
}

Result<void> GraphBuilder::add_constant(std::string name, Tensor tensor) {
  if (name.empty()) return invalid("an initializer " + to_string(tensor) + " has no name");
  const auto found = definitions_.find(name);
  ValueId id = no_id;
  if (found != definitions_.end() && found->second.statement == no_statement &&
      !graph_->values[found->second.value].constant) {
    id = found->second.value;
    if (graph_->values[id].type.kind != Kind::tensor) {
      return invalid("initializer '" + name + "' is " + to_string(tensor) + ", the input of that name is " +
                     to_string(graph_->values[id].type));
    }
  } else {
    HEED_TRY(define(name, no_statement, id));
  }
  Value& value = graph_->values[id];
  value.constant = std::make_shared<const Tensor>(std::move(tensor));
  return {};
}

Result<void> GraphBuilder::add_statement(Statement statement) {
  statement.domain = canonical_domain(statement.domain);
  if (statement.op_type.empty()) return invalid(describe(statement, statements_.size()) + " has no op_type");
  const size_t position = statements_.size();
  statements_.push_back(std::move(statement));
  Node node;
  for (const std::string& output : statements_.back().outputs) {
    ValueId id = no_id;
    if (!output.empty()) HEED_TRY(define(output, position, id));
    node.outputs.push_back(id);
  }
  graph_->add_node(std::move(node));
  return {};
}

void GraphBuilder::add_output(std::string name, ValueType type) {
  outputs_.push_back(name);
  declare_type(std::move(name), std::move(type));
}

void GraphBuilder::declare_type(std::string name, ValueType type) {
  declared_types_.emplace_back(std::move(name), std::move(type));
}

bool GraphBuilder::has_input(std::string_view name) const {
  const auto found = definitions_.find(std::string(name));
  return found != definitions_.end() && graph_->values[found->second.value].is_input;
}

ValueId GraphBuilder::resolve(const std::string& name) {
  const auto found = definitions_.find(name);
  if (found != definitions_.end()) return found->second.value;
  if (scope_ == Scope::complete) return no_id;
  const ValueId id = graph_->add_value(name);
  graph_->values[id].captured = unresolved_capture;
  definitions_.emplace(name, Definition{id, no_statement});
  return id;
}

void GraphBuilder::name_nodes() {
  std::unordered_map<std::string, size_t> taken;  // and the number that was last appended to the name
  const auto claim = [&](const std::string& wish) {
    std::string name = wish;
    while (!taken.emplace(name, 1).second) name = wish + "_" + std::to_string(++taken[wish]);
    return name;
  };
  for (Statement& statement : statements_) {
    if (!statement.name.empty()) statement.name = claim(statement.name);
  }
  for (size_t position = 0; position < statements_.size(); ++position) {
    Statement& statement = statements_[position];
    if (statement.name.empty()) statement.name = claim(statement.op_type + "_" + std::to_string(position));
  }
}

void GraphBuilder::settle_defaults(std::span<const std::string> overridable, std::vector<std::string>* defaulted) {
  std::erase_if(graph_->inputs, [&](ValueId id) {
    Value& input = graph_->values[id];
    if (!input.constant || std::find(overridable.begin(), overridable.end(), input.name) != overridable.end())
      return false;
    input.is_input = false;
    if (defaulted) defaulted->push_back(input.name);
    return true;
  });
}

void GraphBuilder::apply_types() {
  for (auto& [name, type] : declared_types_) {
    const auto found = definitions_.find(name);
    if (found != definitions_.end()) complete_type(graph_->values[found->second.value].type, type);
  }
  for (Value& value : graph_->values) {
    if (!value.constant || value.is_input) continue;  // an overridable input keeps its declared, perhaps wider, type
    value.type = ValueType{};
    value.type.element = value.constant->type;
    value.type.dims.emplace(value.constant->dims.begin(), value.constant->dims.end());
  }
}

Result<std::shared_ptr<Graph>> GraphBuilder::build(const Opsets& opsets, std::span<const std::string> overridable,
                                                   std::vector<std::string>* defaulted) && {
  name_nodes();
  settle_defaults(overridable, defaulted);
  for (size_t position = 0; position < statements_.size(); ++position) {
    Statement& statement = statements_[position];
    const auto dangling = [&](const std::string& name, std::string_view reader) {
      return invalid(std::string(reader) + " '" + name + "', which no node makes and which is no input or initializer");
    };
    std::vector<ValueId> inputs;
    for (size_t input = 0; input < statement.inputs.size(); ++input) {
      const std::string& name = statement.inputs[input];
      inputs.push_back(name.empty() ? no_id : resolve(name));
      if (!name.empty() && inputs.back() == no_id) {
        return dangling(name, describe(statement, position) + " reads, as input " + std::to_string(input) + ",");
      }
    }
    Node& node = graph_->nodes[position];
    node.inputs = std::move(inputs);
    node.attributes = std::move(statement.attributes);
    for (const auto& subgraph : subgraphs_of(node)) {
      for (Value& inner : subgraph->values) {
        if (inner.captured != unresolved_capture) continue;
        inner.captured = resolve(inner.name);
        if (inner.captured == no_id) {
          return dangling(inner.name, "a subgraph of " + describe(statement, position) + " reads");
        }
      }
    }
    const auto opset = opsets.find(statement.domain);
    node.opset = opset == opsets.end() ? 1 : opset->second;
    node.name = std::move(statement.name);
    node.domain = std::move(statement.domain);
    node.op_type = statement.op_type;
    node.overload = std::move(statement.overload);
  }
  for (const std::string& name : outputs_) {
    const ValueId id = name.empty() ? no_id : resolve(name);
    if (id == no_id) {
      return invalid("output '" + name + "' of the graph: no node makes it and it is no input or initializer");
    }
    graph_->outputs.push_back(id);
  }
  graph_->output_names = std::move(outputs_);
  apply_types();
  HEED_TRY(graph_->order());
  return std::move(graph_);
}

}  // namespace heed
