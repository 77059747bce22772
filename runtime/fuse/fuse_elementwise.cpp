// Groups grow from their last node towards what it reads, as long as nobody else reads that.
#include "fuse/fuse_elementwise.hpp"

#include <algorithm>
#include <unordered_map>

#include "heed/expression.hpp"
#include "passes/body_of_nodes.hpp"
#include "passes/infer_shapes.hpp"

namespace heed {
namespace {

constexpr size_t node_limit = 64;        // of a group
constexpr size_t operation_limit = 128;  // of its expression
constexpr size_t input_limit = 8;        // a GPU kernel binds a buffer for each
constexpr int32_t depth_limit = 64;      // of graphs in graphs

std::string_view view_of(heed_text text) { return {text.data, text.size}; }

bool is_typed(const Value& value) {
  return value.type.kind == Kind::tensor && value.type.element && value.type.dims.has_value();
}

// A group's expression and what it reads.
struct Fusion {
  Expression expression;
  std::vector<ValueId> inputs;
};

class Fusing {
 public:
  Fusing(Graph& graph, const Registry& registry, const OperatorEntry& fused, std::span<const DataType> types)
      : graph_(graph), registry_(registry), fused_(fused), types_(types) {}

  Result<int32_t> run() {
    uses_ = graph_.use_counts();
    expressions_.resize(graph_.nodes.size());
    for (NodeId id = 0; id < graph_.nodes.size(); ++id) expressions_[id] = expression_of(graph_.nodes[id]);
    int32_t made = 0;
    const auto count = static_cast<NodeId>(graph_.nodes.size());
    for (NodeId root = count; root-- > 0;) {
      if (graph_.nodes[root].removed || !expressions_[root] || !is_passed(graph_.nodes[root].outputs[0])) continue;
      for (const Growth growth : {Growth::hopeful, Growth::careful}) {
        const auto group = grow(root, growth);
        const auto fusion = fuse(group);
        if (!fusion) continue;
        HEED_TRY(replace(group, *fusion));
        ++made;
        break;
      }
    }
    if (made) HEED_TRY(graph_.order());
    return made;
  }

 private:
  // Whether a group takes nodes that read what no fused node may read, in the hope to take what makes it as well.
  enum class Growth { hopeful, careful };

  bool is_of_types(const Value& value) const {
    return std::find(types_.begin(), types_.end(), *value.type.element) != types_.end();
  }
  // Whether a fused node may read or give this value.
  bool is_passed(ValueId id) const { return is_typed(graph_.values[id]) && is_of_types(graph_.values[id]); }
  // Whether a group may hold it.
  bool is_held(const Value& value) const {
    return is_typed(value) && (value.type.element == DataType::boolean || is_of_types(value));
  }

  // The expression of a node over its inputs by place; null where it has none that tells all of its meaning.
  std::unique_ptr<Expression> expression_of(const Node& node) const {
    const OperatorEntry* contract = registry_.find_operator(node.domain, node.op_type);
    if (node.removed || contract == nullptr || contract->c->expression.size == 0 || contract == &fused_) return nullptr;
    if (node.outputs.size() != 1 || node.outputs[0] == no_id) return nullptr;
    const std::string_view text = view_of(contract->c->expression);
    for (const auto& [name, attribute] : node.attributes) {
      // One that the expression does not mention may mean anything, unless it says what its absence would say.
      if (text.find("@" + name) == std::string_view::npos && !is_default(attribute, *contract, name)) return nullptr;
    }
    const Value& output = graph_.values[node.outputs[0]];
    // Sizes need no step, as long as their node tells them.
    if (!is_held(output) || output.elements) return nullptr;
    const bool is_variadic = contract->c->input_count == 1 && contract->c->inputs[0].flags & HEED_VARIADIC;
    if (is_variadic) return met_expression_of(node, text);
    if (node.inputs.size() > contract->c->input_count) return nullptr;
    std::vector<ExpressionInput> inputs;
    for (size_t i = 0; i < contract->c->input_count; ++i) {
      if (contract->c->inputs[i].flags & HEED_VARIADIC) return nullptr;
      const bool is_present = i < node.inputs.size() && node.inputs[i] != no_id;
      if (!is_present) {
        inputs.emplace_back();
        continue;
      }
      const Value& value = graph_.values[node.inputs[i]];
      if (!is_held(value)) return nullptr;
      inputs.push_back({view_of(contract->c->inputs[i].name), *value.type.element});
    }
    auto expression =
        parse_expression(text, inputs, [&](std::string_view name) { return attribute_of(node, *contract, name); });
    if (!expression || expression->type() != *output.type.element) return nullptr;
    return std::make_unique<Expression>(std::move(*expression));
  }

  // The expression of a node whose inputs, all of the output's type, meet one after the other, as `text` tells.
  std::unique_ptr<Expression> met_expression_of(const Node& node, std::string_view text) const {
    const DataType type = *graph_.values[node.outputs[0]].type.element;
    const ExpressionInput pair[] = {{"a", type}, {"b", type}};
    const auto meeting = parse_expression(text, pair);
    if (!meeting || meeting->type() != type) return nullptr;
    auto expression = std::make_unique<Expression>();
    uint32_t met = 0;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (node.inputs[i] == no_id || !is_held(graph_.values[node.inputs[i]])) return nullptr;
      const uint32_t next = expression->add_input(static_cast<uint32_t>(i), type);
      const uint32_t both[] = {met, next};
      met = i == 0 ? next : expression->add_expression(*meeting, both);
    }
    expression->set_result(met);
    return expression;
  }

  static std::optional<ExpressionAttribute> attribute_of(const Node& node, const OperatorEntry& contract,
                                                         std::string_view name) {
    const auto found = node.attributes.find(name);
    return found != node.attributes.end() ? given(found->second) : default_of(contract, name);
  }
  static std::optional<ExpressionAttribute> given(const Attribute& attribute) {
    if (const auto* f = std::get_if<float>(&attribute.content)) return *f;
    if (const auto* i = std::get_if<int64_t>(&attribute.content)) return static_cast<double>(*i);
    if (const auto* text = std::get_if<std::string>(&attribute.content)) return std::string_view(*text);
    return std::nullopt;
  }
  static std::optional<ExpressionAttribute> default_of(const OperatorEntry& contract, std::string_view name) {
    for (size_t i = 0; i < contract.c->attribute_count; ++i) {
      const heed_attribute_rule& rule = contract.c->attributes[i];
      if (view_of(rule.name) != name) continue;
      if (rule.default_value.kind == HEED_ATTRIBUTE_FLOAT) return rule.default_value.f;
      if (rule.default_value.kind == HEED_ATTRIBUTE_INT) return static_cast<double>(rule.default_value.i);
      if (rule.default_value.kind == HEED_ATTRIBUTE_STRING) return view_of(rule.default_value.s);
    }
    return std::nullopt;
  }
  static bool is_default(const Attribute& attribute, const OperatorEntry& contract, std::string_view name) {
    const auto here = given(attribute);
    return here && here == default_of(contract, name);
  }

  const std::vector<Dim>& dims_of(ValueId value) const { return *graph_.values[value].type.dims; }

  // The nodes that end in `root`, it first: all that they make but root's result is read by them alone.
  std::vector<NodeId> grow(NodeId root, Growth growth) const {
    std::vector<NodeId> group{root};
    const auto& dims = dims_of(graph_.nodes[root].outputs[0]);
    size_t operation_count = expressions_[root]->operation_count();
    std::unordered_map<ValueId, int32_t> reads;  // by the group
    for (const ValueId input : graph_.nodes[root].inputs) ++reads[input];
    for (bool grown = true; grown;) {
      grown = false;
      for (const auto& [value, count] : reads) {
        if (value == no_id || count != uses_[value]) continue;
        const NodeId producer = graph_.values[value].producer;
        if (producer == no_id || producer >= expressions_.size() || !expressions_[producer] ||
            graph_.nodes[producer].removed)
          continue;
        if (dims_of(value) != dims || std::find(group.begin(), group.end(), producer) != group.end()) continue;
        if (growth == Growth::careful && !reads_passed(graph_.nodes[producer])) continue;
        const size_t more = expressions_[producer]->operation_count();
        if (group.size() == node_limit || operation_count + more > operation_limit) continue;
        std::vector<NodeId> larger = group;
        larger.push_back(producer);
        if (outside_inputs(larger).size() > input_limit) continue;
        operation_count += more;
        group = std::move(larger);
        for (const ValueId input : graph_.nodes[producer].inputs) ++reads[input];
        grown = true;
        break;  // `reads` changed
      }
    }
    return group;
  }

  bool reads_passed(const Node& node) const {
    return std::all_of(node.inputs.begin(), node.inputs.end(),
                       [&](ValueId input) { return input == no_id || is_passed(input) || scalar(input); });
  }

  std::vector<ValueId> outside_inputs(const std::vector<NodeId>& group) const {
    std::vector<ValueId> inputs;
    for (const NodeId id : group) {
      for (const ValueId input : graph_.nodes[id].inputs) {
        if (input == no_id || std::find(inputs.begin(), inputs.end(), input) != inputs.end()) continue;
        const NodeId producer = graph_.values[input].producer;
        if (std::find(group.begin(), group.end(), producer) == group.end() && !scalar(input)) inputs.push_back(input);
      }
    }
    return inputs;
  }

  // A constant of one element, which the expression can hold.
  const Tensor* scalar(ValueId id) const {
    const Value& value = graph_.values[id];
    const bool is_one = value.constant && !value.is_input && value.constant->element_count() == 1;
    return is_one && is_expression_type(value.constant->type) ? value.constant.get() : nullptr;
  }

  static uint32_t add_constant(Expression& expression, const Tensor& number) {
    const auto integer = [&]<class T>(T) {
      return expression.add_constant(number.type, static_cast<int64_t>(number.as<T>()[0]));
    };
    const auto real = [&]<class T>(T) {
      return expression.add_float(number.type, static_cast<double>(number.as<T>()[0]));
    };
    switch (number.type) {
      case DataType::f16:
        return real(Float16());
      case DataType::bf16:
        return real(BFloat16());
      case DataType::f64:
        return real(double());
      case DataType::i8:
        return integer(int8_t());
      case DataType::i16:
        return integer(int16_t());
      case DataType::i32:
        return integer(int32_t());
      case DataType::i64:
        return integer(int64_t());
      case DataType::u8:
        return integer(uint8_t());
      case DataType::u16:
        return integer(uint16_t());
      case DataType::u32:
        return integer(uint32_t());
      case DataType::u64:
        return integer(uint64_t());
      case DataType::boolean:
        return expression.add_constant(DataType::boolean, number.as<uint8_t>()[0] != 0);
      default:
        return real(float());
    }
  }

  // Null where the group cannot be one node: it reads a type that is not passed, or nothing but constants tells its
  // dims.
  std::optional<Fusion> fuse(const std::vector<NodeId>& group) const {
    const ValueId result = graph_.nodes[group[0]].outputs[0];
    for (const bool keep_scalars : {false, true}) {
      Fusion fusion;
      std::vector<NodeId> in_order(group);
      std::sort(in_order.begin(), in_order.end());
      std::unordered_map<ValueId, uint32_t> steps;
      for (const NodeId id : in_order) {
        std::vector<uint32_t> arguments;
        for (const ValueId input : graph_.nodes[id].inputs) {
          if (input == no_id) {
            arguments.push_back(0);
            continue;
          }
          const auto [place, is_new] = steps.emplace(input, 0);
          if (is_new) {
            const Tensor* number = keep_scalars ? nullptr : scalar(input);
            if (!number && !is_passed(input)) return std::nullopt;
            place->second = number ? add_constant(fusion.expression, *number)
                                   : fusion.expression.add_input(static_cast<uint32_t>(fusion.inputs.size()),
                                                                 *graph_.values[input].type.element);
            if (!number) fusion.inputs.push_back(input);
          }
          arguments.push_back(place->second);
        }
        steps[graph_.nodes[id].outputs[0]] = fusion.expression.add_expression(*expressions_[id], arguments);
      }
      fusion.expression.set_result(steps.at(result));
      drop_unread(fusion, dims_of(result));
      if (fusion.inputs.size() > input_limit) return std::nullopt;
      if (!fusion.inputs.empty() && broadcast_of(fusion.inputs) == dims_of(result)) return fusion;
    }
    return std::nullopt;
  }

  // Inputs that the expression does not read stay only where they tell the dims of its result.
  void drop_unread(Fusion& fusion, const std::vector<Dim>& dims) const {
    std::vector<bool> read(fusion.inputs.size(), false);
    for (const auto& step : fusion.expression.steps()) {
      if (step.op == ExpressionOp::input) read[step.arguments[0]] = true;
    }
    if (std::all_of(read.begin(), read.end(), [](bool is_read) { return is_read; })) return;
    Fusion smaller;
    std::vector<uint32_t> arguments(fusion.inputs.size(), 0);
    for (size_t i = 0; i < read.size(); ++i) {
      if (!read[i]) continue;
      arguments[i] = smaller.expression.add_input(static_cast<uint32_t>(smaller.inputs.size()),
                                                  *graph_.values[fusion.inputs[i]].type.element);
      smaller.inputs.push_back(fusion.inputs[i]);
    }
    if (smaller.inputs.empty() || broadcast_of(smaller.inputs) != dims) return;
    smaller.expression.set_result(smaller.expression.add_expression(fusion.expression, arguments));
    fusion = std::move(smaller);
  }

  std::vector<Dim> broadcast_of(const std::vector<ValueId>& values) const {
    std::vector<Dim> result;
    for (const ValueId value : values) {
      const auto& dims = dims_of(value);
      if (dims.size() > result.size()) result.insert(result.begin(), dims.size() - result.size(), Dim(1));
      const size_t lead = result.size() - dims.size();
      for (size_t axis = 0; axis < dims.size(); ++axis)
        result[lead + axis] = broadcast(result[lead + axis], dims[axis]);
    }
    return result;
  }

  std::string origin_of(const std::vector<NodeId>& group) const {
    constexpr size_t named_limit = 6;
    std::vector<NodeId> in_order(group);
    std::sort(in_order.begin(), in_order.end());
    std::string text = std::to_string(group.size()) + (group.size() == 1 ? " node (" : " nodes (");
    for (size_t i = 0; i < std::min(in_order.size(), named_limit); ++i)
      text += (i ? ", " : "") + graph_.nodes[in_order[i]].op_type;
    return text + (in_order.size() > named_limit ? ", ...)" : ")");
  }

  Result<void> replace(const std::vector<NodeId>& group, const Fusion& fusion) {
    const Node& root = graph_.nodes[group[0]];
    Node node;
    node.name = root.name;
    node.domain = fused_.domain();
    node.op_type = fused_.op_type();
    node.opset = fused_.c->versions[0];
    node.inputs = fusion.inputs;
    node.outputs = root.outputs;
    node.origin = origin_of(group);
    node.attributes.emplace("expression", Attribute{to_text(fusion.expression)});
    std::vector<NodeId> in_order(group);
    std::sort(in_order.begin(), in_order.end());
    node.replaced = body_of_nodes(graph_, in_order, node);
    for (const NodeId id : group) {
      graph_.nodes[id].removed = true;
      for (const ValueId input : graph_.nodes[id].inputs) {
        if (input != no_id) --uses_[input];
      }
    }
    for (const ValueId input : node.inputs) ++uses_[input];
    return infer_node(graph_, graph_.add_node(std::move(node)), registry_);
  }

  Graph& graph_;
  const Registry& registry_;
  const OperatorEntry& fused_;
  std::span<const DataType> types_;
  std::vector<std::unique_ptr<Expression>> expressions_;  // by node, of those that the graph had
  std::vector<int32_t> uses_;
};

Result<int32_t> fuse_graph(Graph& graph, const Registry& registry, const OperatorEntry& fused,
                           std::span<const DataType> types, int32_t depth) {
  if (depth > depth_limit)
    return Error{Code::unsupported, "graphs are nested in graphs more than " + std::to_string(depth_limit) + " deep"};
  int32_t made = 0;
  for (const Node& node : graph.nodes) {
    if (node.removed) continue;
    for (const auto& body : subgraphs_of(node)) {
      HEED_ASSIGN(const int32_t inner, fuse_graph(*body, registry, fused, types, depth + 1));
      made += inner;
    }
  }
  HEED_ASSIGN(const int32_t own, Fusing(graph, registry, fused, types).run());
  return made + own;
}

}  // namespace

Result<int32_t> fuse_elementwise(Graph& graph, const Registry& registry, std::span<const DataType> types) {
  const OperatorEntry* fused = registry.find_role("fused_elementwise");
  return fused ? fuse_graph(graph, registry, *fused, types, 0) : Result<int32_t>(0);
}

}  // namespace heed
