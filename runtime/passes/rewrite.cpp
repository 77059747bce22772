// rewrite: patterns are tried at every node in order; what a replacement makes takes the place of the values it
// replaces.
#include "passes/rewrite.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "base/log.hpp"
#include "graph/parse.hpp"
#include "passes/body_of_nodes.hpp"
#include "passes/infer_shapes.hpp"
#include "registry/phases.hpp"

namespace heed {
namespace {

constexpr int64_t least_firing_limit = 10'000;  // per graph; larger graphs may have as many as four per node
constexpr int32_t depth_limit = 64;             // of graphs in graphs

std::string_view view_of(heed_text text) { return {text.data, text.size}; }

Attribute attribute_from(const heed_attribute& c) {
  switch (c.kind) {
    case HEED_ATTRIBUTE_INT:
      return {c.i};
    case HEED_ATTRIBUTE_FLOAT:
      return {c.f};
    case HEED_ATTRIBUTE_STRING:
      return {std::string(view_of(c.s))};
    case HEED_ATTRIBUTE_INTS:
      return {std::vector<int64_t>(c.ints, c.ints + c.count)};
    default:
      return {std::vector<float>(c.floats, c.floats + c.count)};
  }
}

// What the accept function of a rewrite talks to.
class FoundMatch : public heed_match {
 public:
  FoundMatch(const Graph& graph, const Registry& registry, const Pattern& pattern, const Fit& fit)
      : graph_(graph), pattern_(pattern), fit_(fit) {
    // Before the plugin is asked, which is never told that there was no memory for one.
    for (const NodeId id : fit.nodes) {
      if (id == no_id || views_.count(id) > 0) continue;
      const Node& node = graph.nodes[id];
      views_[id] = std::make_unique<heed_node>(graph, node, *registry.find_operator(node.domain, node.op_type));
    }
  }

  const heed_node* node(heed_text result) const override {
    const uint32_t name = pattern_.find_name(view_of(result));
    const NodeId id = name == no_id ? no_id : pattern_.maker_in(fit_, name);
    return id == no_id ? nullptr : views_.at(id).get();
  }
  int32_t value(heed_text name, heed_type* type) const override {
    const Value* found = find(name);
    if (found == nullptr) return 0;
    *type = heed_node::type_of(*found);
    return 1;
  }
  int32_t constant(heed_text name, heed_tensor* constant) const override {
    const Value* found = find(name);
    if (found == nullptr || !found->constant || found->is_input) return 0;
    *constant = views_.at(fit_.nodes.back())->lend(*found->constant);
    return 1;
  }
  int64_t elements(heed_text name, const heed_dim** elements) const override {
    const Value* found = find(name);
    if (found == nullptr) return -1;
    const std::vector<Dim>* list = found->elements ? &*found->elements : nullptr;
    if (list == nullptr && found->constant && !found->is_input && found->type.element &&
        (*found->type.element == DataType::i64 || *found->type.element == DataType::i32 ||
         *found->type.element == DataType::boolean)) {
      const auto integers = found->constant->integers(carried_elements_limit);
      if (integers) list = &carried_.try_emplace(found, integers->begin(), integers->end()).first->second;
    }
    if (list == nullptr) return -1;
    *elements = reinterpret_cast<const heed_dim*>(list->data());
    return static_cast<int64_t>(list->size());
  }
  void set(heed_text name, Attribute value) override { attributes[std::string(view_of(name))] = std::move(value); }
  void replace(heed_text text) override { replacement = std::string(view_of(text)); }

  std::map<std::string, Attribute, std::less<>> attributes;
  std::optional<std::string> replacement;

 private:
  const Value* find(heed_text name) const {
    const uint32_t index = pattern_.find_name(view_of(name));
    if (index == no_id) return nullptr;
    const ValueId id = fit_.values[index];
    return id == no_id ? nullptr : &graph_.values[id];
  }

  const Graph& graph_;
  const Pattern& pattern_;
  const Fit& fit_;
  std::map<NodeId, std::unique_ptr<heed_node>> views_;
  mutable std::map<const Value*, std::vector<Dim>> carried_;
};

// What a value's type is after its maker was replaced: the old one, with what it did not know. Null: they differ.
std::optional<ValueType> joined(const ValueType& old, const ValueType& made) {
  if (old.kind != made.kind || old.sequence_of_optional != made.sequence_of_optional) return std::nullopt;
  if (old.element && made.element && *old.element != *made.element) return std::nullopt;
  ValueType type = old;
  if (!type.element) type.element = made.element;
  if (!type.dims || !made.dims) {
    if (!type.dims) type.dims = made.dims;
    return type;
  }
  if (type.dims->size() != made.dims->size()) return std::nullopt;
  for (size_t axis = 0; axis < type.dims->size(); ++axis) {
    const Dim a = (*type.dims)[axis], b = (*made.dims)[axis];
    if (!(a == b) && !(a - b).is_number(0)) return std::nullopt;
  }
  return type;
}

class GraphRewriting {
 public:
  GraphRewriting(Graph& graph, const Registry& registry, std::vector<int32_t>& fired, bool at_last)
      : graph_(graph), registry_(registry), fired_(fired), at_last_(at_last) {}

  Result<int32_t> run() {
    HEED_TRY(graph_.sort());
    const int64_t limit = std::max(least_firing_limit, 4 * static_cast<int64_t>(graph_.nodes.size()));
    int32_t total = 0;
    for (bool again = true; again;) {
      again = false;
      uses_ = graph_.use_counts();
      for (NodeId id = 0; id < graph_.nodes.size(); ++id) {
        if (graph_.nodes[id].removed) continue;
        HEED_ASSIGN(const size_t rule, try_node(id));
        if (rule == no_rule) continue;
        again = true;
        ++fired_[rule];
        if (++total > limit) {
          return Error{Code::invalid_argument, "rewrite '" + registry_.rewrites()[rule].name() +
                                                   "' keeps firing: " + std::to_string(limit) +
                                                   " times in one graph. Does its pattern fit its own replacement?"};
        }
      }
      if (again) HEED_TRY(graph_.sort());
    }
    return total;
  }

 private:
  static constexpr size_t no_rule = SIZE_MAX;

  // Which rule fired at a node.
  Result<size_t> try_node(NodeId root) {
    const auto* candidates = registry_.rewrites_ending_in(graph_.nodes[root].domain, graph_.nodes[root].op_type);
    if (candidates == nullptr) return no_rule;
    for (const auto& [index, which] : *candidates) {
      const RewriteEntry& rule = registry_.rewrites()[index];
      if (rule.waits != at_last_) continue;
      const Pattern& pattern = rule.patterns[which];
      std::optional<Error> error;
      const bool done = pattern.match(graph_, registry_, root, [&](const Fit& fit) {
        auto replaced = try_fit(rule, pattern, fit);
        if (!replaced) error = std::move(replaced).error();
        return error.has_value() || *replaced;
      });
      if (error) return std::move(*error).within("rewrite '" + rule.name() + "' at " + describe(graph_.nodes[root]));
      if (done) return index;
    }
    return no_rule;
  }

  Result<bool> try_fit(const RewriteEntry& rule, const Pattern& pattern, const Fit& fit) {
    FoundMatch match(graph_, registry_, pattern, fit);
    if (rule.c->accept != nullptr) {
      take_failure();
      const int32_t answer = rule.c->accept(&match, rule.c->user);
      if (answer != 0 && answer != 1) return failure_of(answer);
      if (const std::string text = take_failure(); !text.empty()) return Error{Code::invalid_argument, text};
      if (answer == 0) return false;
    }
    const std::string text = match.replacement.value_or(std::string(view_of(rule.c->replacement)));
    const auto statements = parse_statements(text);
    if (!statements)
      return Error{Code::invalid_argument,
                   "the replacement cannot be read: " + statements.error().message + "\n  " + text};
    return Replacement(*this, rule, pattern, fit, match, *statements).apply();
  }

  // One firing: checked, built, inferred, and taken back where it does not hold.
  class Replacement {
   public:
    Replacement(GraphRewriting& rewriting, const RewriteEntry& rule, const Pattern& pattern, const Fit& fit,
                FoundMatch& match, const std::vector<Statement>& statements)
        : r_(rewriting),
          graph_(rewriting.graph_),
          rule_(rule),
          pattern_(pattern),
          fit_(fit),
          match_(match),
          statements_(statements) {}

    Result<bool> apply() {
      collect_matched();
      HEED_TRY(read_names());
      if (!everything_used_is_made()) return false;
      keep_statements();
      const size_t first_node = graph_.nodes.size();
      const size_t constraint_count = graph_.constraints.size();
      build();
      const bool is_circle = reads_itself(first_node);
      auto inferred = is_circle ? Result<void>{} : infer(first_node);
      if (inferred && !is_circle) {
        finish(first_node);
        return true;
      }
      if (!is_circle)
        log(Level::warning, "rewrite '" + rule_.name() + "' at " + describe(graph_.nodes[fit_.nodes.back()]) +
                                " was taken back: " + inferred.error().message);
      graph_.nodes.resize(first_node);  // values that only they read or made stay behind, unread
      for (const auto& [name, id] : own_) graph_.values[id].producer = no_id;
      graph_.constraints.resize(constraint_count);
      for (const auto& [id, value] : old_values_) graph_.values[id] = value;
      return false;
    }

   private:
    void collect_matched() {
      std::copy_if(fit_.nodes.begin(), fit_.nodes.end(), std::back_inserter(in_order_),
                   [](NodeId id) { return id != no_id; });
      matched_ = in_order_;
      std::sort(matched_.begin(), matched_.end());
      matched_.erase(std::unique(matched_.begin(), matched_.end()), matched_.end());
    }

    // Each name of the replacement: a variable, a value that takes the place of the pattern's, or one of its own.
    Result<void> read_names() {
      for (size_t i = 0; i < statements_.size(); ++i) {
        for (const auto& name : statements_[i].inputs) {
          if (name.empty() || makers_.count(name)) continue;
          const uint32_t index = pattern_.find_name(name);
          if (index == no_id)
            return Error{Code::invalid_argument,
                         "the replacement reads '" + name + "', which neither it nor the pattern makes"};
          if (pattern_.makes(index)) {
            return Error{Code::invalid_argument, "the replacement reads '" + name + "', which it replaces"};
          }
        }
        for (const auto& name : statements_[i].outputs) {
          if (name.empty()) continue;
          const uint32_t index = pattern_.find_name(name);
          if (index != no_id && !pattern_.makes(index)) {
            return Error{Code::invalid_argument, "the replacement makes '" + name + "', a variable of the pattern"};
          }
          if (!makers_.emplace(name, i).second)
            return Error{Code::invalid_argument, "the replacement makes '" + name + "' twice"};
        }
      }
      return {};
    }

    // How often each value is read by nodes that go.
    bool everything_used_is_made() {
      std::unordered_map<ValueId, int32_t> inner;
      for (const NodeId id : matched_) {
        for (const ValueId value : reads_of(graph_.nodes[id])) ++inner[value];
      }
      for (const NodeId id : matched_) {
        for (const ValueId value : graph_.nodes[id].outputs) {
          if (value == no_id) continue;
          const auto found = inner.find(value);
          if (r_.uses_[value] > (found == inner.end() ? 0 : found->second)) used_outside_.insert(value);
        }
      }
      // A variable may stand for what a node that goes makes: the replacement's own reads are from outside, too.
      for (const Statement& statement : statements_) {
        for (const auto& name : statement.inputs) {
          const uint32_t index = name.empty() || makers_.count(name) ? no_id : pattern_.find_name(name);
          const ValueId value = index == no_id ? no_id : fit_.values[index];
          const NodeId producer = value == no_id ? no_id : graph_.values[value].producer;
          if (producer != no_id && std::binary_search(matched_.begin(), matched_.end(), producer))
            used_outside_.insert(value);
        }
      }
      std::unordered_set<ValueId> made;
      for (const auto& [name, statement] : makers_) {
        const uint32_t index = pattern_.find_name(name);
        if (index != no_id) made.insert(fit_.values[index]);
      }
      return std::all_of(used_outside_.begin(), used_outside_.end(),
                         [&](ValueId value) { return made.count(value) > 0; });
    }

    // Whether a statement's result takes the place of a value that is read outside. Where two names of the pattern
    // stand for one value, the first statement makes it.
    bool makes_outside(const std::string& name, size_t statement) const {
      const uint32_t index = pattern_.find_name(name);
      const auto maker = index == no_id ? outside_makers_.end() : outside_makers_.find(fit_.values[index]);
      return maker != outside_makers_.end() && maker->second == std::pair(statement, name);
    }

    // The statements whose results are read: others would be nodes without use.
    void keep_statements() {
      for (size_t i = 0; i < statements_.size(); ++i) {
        for (const auto& name : statements_[i].outputs) {
          const uint32_t index = name.empty() ? no_id : pattern_.find_name(name);
          if (index != no_id && used_outside_.count(fit_.values[index]))
            outside_makers_.try_emplace(fit_.values[index], i, name);
        }
      }
      keep_.assign(statements_.size(), false);
      for (size_t i = statements_.size(); i-- > 0;) {
        for (const auto& name : statements_[i].outputs) {
          if (name.empty()) continue;
          keep_[i] = keep_[i] || makes_outside(name, i) || read_.count(name);
        }
        if (keep_[i]) read_.insert(statements_[i].inputs.begin(), statements_[i].inputs.end());
      }
    }

    ValueId value_of(const std::string& name) const {
      if (name.empty()) return no_id;
      if (const auto own = own_.find(name); own != own_.end()) return own->second;
      return fit_.values[pattern_.find_name(name)];
    }

    void build() {
      const Node root = graph_.nodes[fit_.nodes.back()];
      const auto kept_count = std::count(keep_.begin(), keep_.end(), true);
      const size_t named = statement_to_name();
      for (size_t i = 0; i < statements_.size(); ++i) {
        if (!keep_[i]) continue;
        const Statement& statement = statements_[i];
        const bool takes_name = i == named;
        Node node;
        const Node* again = made_again(i);
        node.name = again        ? again->name
                    : takes_name ? root.name
                                 : r_.unique_node_name(root.name + "/" + statement.op_type);
        node.domain = statement.domain;
        node.op_type = statement.op_type;
        node.overload = statement.overload;
        node.opset = statement.domain.empty() ? newest_opset : r_.opset_of(statement.domain, root);
        node.origin = again ? again->origin : origin();
        for (const auto& [name, attribute] : statement.attributes) set_attribute(node, name, attribute);
        for (const auto& name : statement.inputs) node.inputs.push_back(value_of(name));
        while (!node.inputs.empty() && node.inputs.back() == no_id) node.inputs.pop_back();
        for (const auto& name : statement.outputs) node.outputs.push_back(output_for(name, i, root));
        while (!node.outputs.empty() && node.outputs.back() == no_id) node.outputs.pop_back();
        if (kept_count == 1) node.replaced = body_of_nodes(graph_, in_order_, node);
        graph_.add_node(std::move(node));
      }
    }

    // The last node that computes something: views around it are not what people look for.
    size_t statement_to_name() const {
      size_t last = 0, last_computing = SIZE_MAX;
      for (size_t i = 0; i < statements_.size(); ++i) {
        if (!keep_[i]) continue;
        last = i;
        const OperatorEntry* contract = r_.registry_.find_operator(statements_[i].domain, statements_[i].op_type);
        if (contract != nullptr && !contract->is_view() && !statements_[i].inputs.empty()) last_computing = i;
      }
      return last_computing == SIZE_MAX ? last : last_computing;
    }

    ValueId output_for(const std::string& name, size_t statement, const Node& root) {
      if (name.empty()) return no_id;
      if (makes_outside(name, statement)) {
        const ValueId replaced = fit_.values[pattern_.find_name(name)];
        old_values_.emplace_back(replaced, graph_.values[replaced]);
        own_[name] = replaced;
        return replaced;
      }
      if (!read_.count(name)) return no_id;
      const ValueId id = graph_.add_value(graph_.unique_name(root.name + "/" + (name[0] == '#' ? "value" : name)));
      own_[name] = id;
      return id;
    }

    void set_attribute(Node& node, const std::string& name, const Attribute& attribute) {
      const auto* reference = std::get_if<Attribute::Reference>(&attribute.content);
      if (reference == nullptr) {
        node.attributes[name] = attribute;
        return;
      }
      if (const auto set = match_.attributes.find(reference->name); set != match_.attributes.end()) {
        node.attributes[name] = set->second;
        return;
      }
      const Node& root = graph_.nodes[fit_.nodes.back()];
      if (const auto found = root.attributes.find(reference->name); found != root.attributes.end()) {
        node.attributes[name] = found->second;
        return;
      }
      const OperatorEntry* contract = r_.registry_.find_operator(root.domain, root.op_type);
      for (size_t i = 0; contract && i < contract->c->attribute_count; ++i) {
        const heed_attribute_rule& rule = contract->c->attributes[i];
        const int32_t kind = rule.default_value.kind;
        const bool is_plain = kind == HEED_ATTRIBUTE_INT || kind == HEED_ATTRIBUTE_FLOAT ||
                              kind == HEED_ATTRIBUTE_STRING || kind == HEED_ATTRIBUTE_INTS ||
                              kind == HEED_ATTRIBUTE_FLOATS;
        if (view_of(rule.name) == reference->name && is_plain)
          node.attributes[name] = attribute_from(rule.default_value);
      }
    }

    // The node that a statement merely repeats for those outside who read it; null where it is new.
    const Node* made_again(size_t statement) const {
      for (const auto& name : statements_[statement].outputs) {
        if (name.empty() || !makes_outside(name, statement)) continue;
        const NodeId id = pattern_.maker_in(fit_, pattern_.find_name(name));
        if (id == no_id) continue;
        const Node& node = graph_.nodes[id];
        const bool is_same =
            node.op_type == statements_[statement].op_type && node.domain == statements_[statement].domain;
        return is_same && id != fit_.nodes.back() ? &node : nullptr;
      }
      return nullptr;
    }

    // "9 nodes (layer_norm)": nodes of the model, also where some of them were replaced before; the name is that of the
    // first rewrite that replaced the last one.
    std::string origin() const {
      std::unordered_set<NodeId> repeated;
      for (size_t i = 0; i < statements_.size(); ++i) {
        if (const Node* node = keep_[i] ? made_again(i) : nullptr)
          repeated.insert(static_cast<NodeId>(node - graph_.nodes.data()));
      }
      int64_t count = 0;
      for (const NodeId id : matched_) {
        int64_t earlier = 1;
        const std::string& text = graph_.nodes[id].origin;
        std::from_chars(text.data(), text.data() + text.size(), earlier);
        if (!repeated.count(id)) count += earlier;
      }
      const std::string& before = graph_.nodes[fit_.nodes.back()].origin;
      const size_t open = before.find('(');
      return std::to_string(count) + (count == 1 ? " node " : " nodes ") +
             (open == std::string::npos ? "(" + rule_.name() + ")" : before.substr(open));
    }

    // Whether a new node would read what comes of its own results: a variable of the pattern may depend on values that
    // the replacement makes, but on the last node's, which stands behind all.
    bool reads_itself(size_t first_node) const {
      if (old_values_.size() < 2) return false;
      for (size_t id = first_node; id < graph_.nodes.size(); ++id) {
        std::vector<bool> seen(graph_.nodes.size(), false);
        std::vector<NodeId> to_visit{static_cast<NodeId>(id)};
        while (!to_visit.empty()) {
          const NodeId at = to_visit.back();
          to_visit.pop_back();
          for (const ValueId value : reads_of(graph_.nodes[at])) {
            const NodeId producer = graph_.values[value].producer;
            if (producer == id) return true;
            if (producer == no_id || seen[producer]) continue;
            seen[producer] = true;
            to_visit.push_back(producer);
          }
        }
      }
      return false;
    }

    Result<void> infer(size_t first_node) {
      for (size_t id = first_node; id < graph_.nodes.size(); ++id) {
        HEED_TRY(infer_node(graph_, static_cast<NodeId>(id), r_.registry_));
      }
      for (const auto& [id, old] : old_values_) {
        const Value& made = graph_.values[id];
        auto type = joined(settled(graph_, old.type), made.type);
        if (!type) {
          return Error{Code::shape_mismatch,
                       "'" + old.name + "' was " + to_string(old.type) + " and would be " + to_string(made.type)};
        }
      }
      return {};
    }

    void finish(size_t first_node) {
      for (const auto& [id, old] : old_values_) {
        Value& value = graph_.values[id];
        value.type = *joined(settled(graph_, old.type), value.type);
        if (old.elements) value.elements = old.elements;
      }
      r_.uses_.resize(graph_.values.size(), 0);
      for (size_t id = first_node; id < graph_.nodes.size(); ++id) {
        for (const ValueId value : reads_of(graph_.nodes[id])) ++r_.uses_[value];
      }
      for (const NodeId id : matched_) r_.remove(id);
    }

    GraphRewriting& r_;
    Graph& graph_;
    const RewriteEntry& rule_;
    const Pattern& pattern_;
    const Fit& fit_;
    FoundMatch& match_;
    const std::vector<Statement>& statements_;
    std::vector<NodeId> in_order_;                    // the nodes that go, as in the pattern: makers first
    std::vector<NodeId> matched_;                     // and sorted, each once
    std::unordered_map<std::string, size_t> makers_;  // the replacement's names: which statement makes each
    std::unordered_set<ValueId> used_outside_;
    std::unordered_map<ValueId, std::pair<size_t, std::string>>
        outside_makers_;                                 // which statement makes it, by which name
    std::vector<bool> keep_;                             // by statement
    std::unordered_set<std::string> read_;               // names that kept statements read
    std::unordered_map<std::string, ValueId> own_;       // values of the replacement's names
    std::vector<std::pair<ValueId, Value>> old_values_;  // as they were before
  };

  // A node goes, and with it those that only it read.
  void remove(NodeId first) {
    std::vector<NodeId> to_remove{first};
    while (!to_remove.empty()) {
      const NodeId id = to_remove.back();
      to_remove.pop_back();
      Node& node = graph_.nodes[id];
      if (node.removed) continue;
      node.removed = true;
      for (const ValueId value : reads_of(node)) {
        if (--uses_[value] > 0) continue;
        const NodeId producer = graph_.values[value].producer;
        if (producer == no_id || graph_.nodes[producer].removed) continue;
        const auto& outputs = graph_.nodes[producer].outputs;
        const bool is_read = std::any_of(outputs.begin(), outputs.end(),
                                         [&](ValueId output) { return output != no_id && uses_[output] > 0; });
        if (!is_read) to_remove.push_back(producer);
      }
    }
  }

  std::string unique_node_name(const std::string& wish) {
    if (node_names_.empty()) {
      for (const Node& node : graph_.nodes) node_names_.insert(node.name);
    }
    std::string name = wish;
    for (int32_t suffix = 2; !node_names_.insert(name).second; ++suffix) name = wish + "_" + std::to_string(suffix);
    return name;
  }

  // Of a domain other than ONNX's: the newest version that its operators have here, unless the root is of that domain.
  static int32_t opset_of(const std::string& domain, const Node& root) {
    return root.domain == domain ? root.opset : 1;
  }

  Graph& graph_;
  const Registry& registry_;
  std::vector<int32_t>& fired_;  // by rule
  const bool at_last_;           // the turn of those that wait
  std::vector<int32_t> uses_;    // by value: how often nodes that are left, and the graph's outputs, read it
  std::unordered_set<std::string> node_names_;
};

Result<int32_t> rewrite_graph(Graph& graph, const Registry& registry, std::vector<int32_t>& fired, bool at_last,
                              int32_t depth) {
  if (depth > depth_limit)
    return Error{Code::unsupported, "graphs are nested in graphs more than " + std::to_string(depth_limit) + " deep"};
  int32_t total = 0;
  for (const Node& node : graph.nodes) {
    if (node.removed) continue;
    for (const auto& body : subgraphs_of(node)) {
      auto inner = rewrite_graph(*body, registry, fired, at_last, depth + 1);
      if (!inner) return std::move(inner).error().within(describe(node));
      total += *inner;
    }
  }
  HEED_ASSIGN(const int32_t own, GraphRewriting(graph, registry, fired, at_last).run());
  return total + own;
}

}  // namespace

Result<int32_t> rewrite(Graph& graph, const Registry& registry, std::vector<RewriteCount>& fired) {
  const auto rules = registry.rewrites();
  if (rules.empty()) return 0;
  std::vector<int32_t> counts(rules.size(), 0);
  HEED_ASSIGN(int32_t total, rewrite_graph(graph, registry, counts, false, 0));
  if (total == 0) {
    HEED_ASSIGN(total, rewrite_graph(graph, registry, counts, true, 0));
  }
  for (size_t rule = 0; rule < rules.size(); ++rule) {
    if (counts[rule] == 0) continue;
    const auto same = std::find_if(fired.begin(), fired.end(),
                                   [&](const RewriteCount& count) { return count.name == rules[rule].name(); });
    if (same != fired.end()) {
      same->count += counts[rule];
    } else {
      fired.push_back({rules[rule].name(), counts[rule]});
    }
  }
  return total;
}

}  // namespace heed
