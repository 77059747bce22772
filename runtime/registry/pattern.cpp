// Matching is a search with a list of open questions (does this name fit that value?); commutative operators fork it.
#include "registry/pattern.hpp"

#include <algorithm>

#include "graph/parse.hpp"
#include "registry/registry.hpp"

namespace heed {
namespace {

constexpr size_t node_limit = 64;
constexpr int32_t attempt_limit = 4096;  // of one pattern at one root

std::string_view view_of(heed_text text) { return {text.data, text.size}; }

bool equals_default(const Attribute& wanted, const heed_attribute& given) {
  const auto& content = wanted.content;
  switch (given.kind) {
    case HEED_ATTRIBUTE_INT: {
      const auto* i = std::get_if<int64_t>(&content);
      return i && *i == given.i;
    }
    case HEED_ATTRIBUTE_FLOAT: {
      const auto* f = std::get_if<float>(&content);
      const auto* i = std::get_if<int64_t>(&content);
      return (f && *f == given.f) || (i && static_cast<float>(*i) == given.f);
    }
    case HEED_ATTRIBUTE_STRING: {
      const auto* s = std::get_if<std::string>(&content);
      return s && *s == view_of(given.s);
    }
    case HEED_ATTRIBUTE_INTS: {
      const auto* ints = std::get_if<std::vector<int64_t>>(&content);
      return ints && std::equal(ints->begin(), ints->end(), given.ints, given.ints + given.count);
    }
    default:
      return false;
  }
}

bool equals(const Attribute& wanted, const Attribute& given) {
  if (const auto* i = std::get_if<int64_t>(&wanted.content)) {
    if (const auto* f = std::get_if<float>(&given.content)) return *f == static_cast<float>(*i);
    const auto* other = std::get_if<int64_t>(&given.content);
    return other && *other == *i;
  }
  const auto same = [&]<class T>(const T* a) {
    const auto* b = std::get_if<T>(&given.content);
    return b && *a == *b;
  };
  if (const auto* f = std::get_if<float>(&wanted.content)) return same(f);
  if (const auto* s = std::get_if<std::string>(&wanted.content)) return same(s);
  if (const auto* ints = std::get_if<std::vector<int64_t>>(&wanted.content)) return same(ints);
  if (const auto* floats = std::get_if<std::vector<float>>(&wanted.content)) return same(floats);
  if (const auto* texts = std::get_if<std::vector<std::string>>(&wanted.content)) return same(texts);
  return false;
}

bool is_comparable(const Attribute& attribute) { return equals(attribute, attribute); }

// Whether the node's attribute, or the contract's default for it, is what the pattern asks for.
bool has_attribute(const Node& node, const OperatorEntry& contract, std::string_view name, const Attribute& wanted) {
  if (const auto found = node.attributes.find(name); found != node.attributes.end())
    return equals(wanted, found->second);
  for (size_t i = 0; i < contract.c->attribute_count; ++i) {
    const heed_attribute_rule& rule = contract.c->attributes[i];
    if (view_of(rule.name) == name) return equals_default(wanted, rule.default_value);
  }
  return false;
}

}  // namespace

class Pattern::Search {
 public:
  Search(const Pattern& pattern, const Graph& graph, const Registry& registry,
         const std::function<bool(const Fit&)>& accept)
      : pattern_(pattern), graph_(graph), registry_(registry), accept_(accept) {}

  struct Question {
    uint32_t name;
    ValueId value;
  };

  // `open` and `fit` are this branch's own.
  bool answer(Fit fit, std::vector<Question> open) {
    while (!open.empty()) {
      const Question question = open.back();
      open.pop_back();
      const ValueId bound = fit.values[question.name];
      if (bound != Fit::unbound) {
        if (bound != question.value) return false;
        continue;
      }
      const auto& makers = pattern_.makers_[question.name];
      if (makers.empty()) {
        fit.values[question.name] = question.value;
        continue;
      }
      for (size_t i = 0; i + 1 < makers.size(); ++i)
        if (made_by(makers[i], question, fit, open)) return true;
      return made_by(makers.back(), question, std::move(fit), std::move(open));
    }
    for (ValueId& value : fit.values)
      if (value == Fit::unbound) value = no_id;
    return accept_(fit);
  }

  bool made_by(Maker maker, Question question, Fit fit, std::vector<Question> open) {
    const PatternNode& wanted = pattern_.nodes_[maker.node];
    if (wanted.op_type.empty()) {
      fit.values[question.name] = question.value;
      open.push_back({wanted.inputs[0], question.value});
      return answer(std::move(fit), std::move(open));
    }
    if (question.value == no_id) return false;
    const NodeId producer = graph_.values[question.value].producer;
    if (producer == no_id) return false;
    const auto& outputs = graph_.nodes[producer].outputs;
    if (maker.output >= outputs.size() || outputs[maker.output] != question.value) return false;
    return at_node(maker.node, producer, std::move(fit), std::move(open));
  }

  bool at_node(uint32_t index, NodeId id, Fit fit, std::vector<Question> open) {
    if (++attempts_ > attempt_limit) return false;
    const PatternNode& wanted = pattern_.nodes_[index];
    const Node& node = graph_.nodes[id];
    if (node.removed || node.op_type != wanted.op_type || node.domain != wanted.domain || !node.overload.empty())
      return false;
    const OperatorEntry* contract = registry_.find_operator(node.domain, node.op_type);
    if (contract == nullptr) return false;
    for (const auto& [name, attribute] : wanted.attributes) {
      if (!has_attribute(node, *contract, name, attribute)) return false;
    }
    fit.nodes[index] = id;
    for (size_t i = 0; i < wanted.outputs.size(); ++i) {
      if (wanted.outputs[i] == no_id) continue;
      const ValueId value = i < node.outputs.size() ? node.outputs[i] : no_id;
      ValueId& bound = fit.values[wanted.outputs[i]];
      if (bound != Fit::unbound && bound != value) return false;
      bound = value;
    }
    const auto ask_inputs = [&](bool swapped, std::vector<Question>& questions) {
      const Node& node = graph_.nodes[id];  // again: a fit that was refused may have moved the nodes
      const size_t count = std::max(wanted.inputs.size(), node.inputs.size());
      for (size_t i = count; i-- > 0;) {
        const size_t from = swapped && i < 2 ? 1 - i : i;
        const ValueId value = from < node.inputs.size() ? node.inputs[from] : no_id;
        const uint32_t name = i < wanted.inputs.size() ? wanted.inputs[i] : no_id;
        if (name != no_id) {
          questions.push_back({name, value});
        } else if (value != no_id) {
          return false;
        }
      }
      return true;
    };
    if (contract->is(HEED_COMMUTATIVE) && node.inputs.size() == 2 && wanted.inputs.size() == 2) {
      auto questions = open;
      if (ask_inputs(false, questions) && answer(fit, std::move(questions))) return true;
      return ask_inputs(true, open) && answer(std::move(fit), std::move(open));
    }
    return ask_inputs(false, open) && answer(std::move(fit), std::move(open));
  }

 private:
  const Pattern& pattern_;
  const Graph& graph_;
  const Registry& registry_;
  const std::function<bool(const Fit&)>& accept_;
  int32_t attempts_ = 0;
};

uint32_t Pattern::name_index(const std::string& name) {
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<uint32_t>(found - names_.begin());
  names_.push_back(name);
  makers_.emplace_back();
  return static_cast<uint32_t>(names_.size() - 1);
}

uint32_t Pattern::find_name(std::string_view name) const {
  const auto found = std::find(names_.begin(), names_.end(), name);
  return found == names_.end() ? no_id : static_cast<uint32_t>(found - names_.begin());
}

NodeId Pattern::maker_in(const Fit& fit, uint32_t name) const {
  for (const Maker& maker : makers_[name])
    if (fit.nodes[maker.node] != no_id) return fit.nodes[maker.node];
  return no_id;
}

Result<Pattern> Pattern::parse(std::string_view text) {
  auto parsed = parse_pattern(text);
  if (!parsed) return Error{Code::invalid_argument, "the pattern cannot be read: " + parsed.error().message};
  if (parsed->empty()) return Error{Code::invalid_argument, "the pattern has no nodes"};
  if (parsed->size() > node_limit) {
    return Error{Code::invalid_argument, "the pattern has more than " + std::to_string(node_limit) + " nodes"};
  }
  Pattern pattern;
  for (Statement& statement : *parsed) {
    PatternNode node{
        std::move(statement.domain), std::move(statement.op_type), std::move(statement.attributes), {}, {}};
    for (const auto& [name, attribute] : node.attributes) {
      if (!is_comparable(attribute)) {
        return Error{Code::invalid_argument,
                     "attribute '" + name + "' of " + node.op_type + " is of a kind that no pattern compares"};
      }
    }
    const auto index = static_cast<uint32_t>(pattern.nodes_.size());
    for (const auto& name : statement.inputs) node.inputs.push_back(name.empty() ? no_id : pattern.name_index(name));
    for (size_t i = 0; i < statement.outputs.size(); ++i) {
      const auto& name = statement.outputs[i];
      const uint32_t output = name.empty() ? no_id : pattern.name_index(name);
      node.outputs.push_back(output);
      if (output == no_id) continue;
      if (!pattern.makers_[output].empty() && !statement.is_alternative)
        return Error{Code::invalid_argument, "the pattern makes '" + name + "' twice"};
      pattern.makers_[output].push_back({index, static_cast<uint32_t>(i)});
    }
    pattern.nodes_.push_back(std::move(node));
  }
  if (parsed->back().is_alternative)
    return Error{Code::invalid_argument, "the pattern's last node has alternatives; write a pattern for each"};
  std::vector<bool> reached(pattern.nodes_.size(), false);
  std::vector<uint32_t> to_visit{static_cast<uint32_t>(pattern.nodes_.size() - 1)};
  reached.back() = true;
  while (!to_visit.empty()) {
    const uint32_t index = to_visit.back();
    to_visit.pop_back();
    for (const uint32_t name : pattern.nodes_[index].inputs) {
      if (name == no_id) continue;
      for (const Maker& maker : pattern.makers_[name]) {
        if (maker.node >= index)
          return Error{Code::invalid_argument, "the pattern reads '" + pattern.names_[name] + "' before it makes it"};
        if (reached[maker.node]) continue;
        reached[maker.node] = true;
        to_visit.push_back(maker.node);
      }
    }
  }
  for (size_t i = 0; i < reached.size(); ++i) {
    if (!reached[i])
      return Error{Code::invalid_argument,
                   "the pattern's last node does not depend on its " + pattern.nodes_[i].op_type};
  }
  return pattern;
}

bool Pattern::match(const Graph& graph, const Registry& registry, NodeId root,
                    const std::function<bool(const Fit&)>& accept) const {
  Fit fit{std::vector<ValueId>(names_.size(), Fit::unbound), std::vector<NodeId>(nodes_.size(), no_id)};
  Search search(*this, graph, registry, accept);
  return search.at_node(static_cast<uint32_t>(nodes_.size() - 1), root, std::move(fit), {});
}

}  // namespace heed
