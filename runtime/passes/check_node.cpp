// check_node: the rules that every contract states as data.
#include "passes/check_node.hpp"

#include <algorithm>
#include <string>

namespace heed {
namespace {

std::string text_of(heed_text text) { return std::string(text.data, text.size); }
std::string_view view_of(heed_text text) { return {text.data, text.size}; }

Error invalid(std::string what) { return Error{Code::invalid_model, std::move(what)}; }

constexpr std::string_view kind_names[] = {"none",
                                           "a float",
                                           "an int",
                                           "a string",
                                           "a tensor",
                                           "a graph",
                                           "a list of floats",
                                           "a list of ints",
                                           "a list of strings",
                                           "a list of tensors",
                                           "a list of graphs",
                                           "a sparse tensor",
                                           "a list of sparse tensors",
                                           "a type",
                                           "a list of types"};

std::string_view kind_name(int32_t kind) {
  return kind > 0 && static_cast<size_t>(kind) < std::size(kind_names) ? kind_names[kind] : kind_names[0];
}

std::string_view name_of_kind(Kind kind) {
  constexpr std::string_view names[] = {"a tensor", "a sequence", "an optional", "a map"};
  return names[static_cast<int32_t>(kind)];
}

std::string list_elements(uint64_t elements) {
  std::string text;
  for (int32_t type = 1; type < data_type_count; ++type) {
    if (elements >> type & 1) text += (text.empty() ? "" : ", ") + std::string(name_of(static_cast<DataType>(type)));
  }
  return text;
}

std::string list_kinds(uint32_t kinds) {
  std::string text;
  for (int32_t kind = 0; kind < 4; ++kind) {
    if (kinds >> kind & 1) text += (text.empty() ? "" : " or ") + std::string(name_of_kind(static_cast<Kind>(kind)));
  }
  return text;
}

std::string counted(size_t count, const char* what) {
  return std::to_string(count) + " " + what + (count == 1 ? "" : "s");
}

Result<void> check_count(size_t met, const heed_parameter* list, size_t count, bool inputs) {
  const char* what = inputs ? "input" : "output";
  const bool is_variadic = count > 0 && (list[count - 1].flags & HEED_VARIADIC);
  if (met > count && !is_variadic) {
    return invalid("it has " + counted(met, what) + "; the operator has at most " + std::to_string(count));
  }
  return {};
}

std::optional<size_t> row_of(const heed_operator& op, heed_text type) {
  for (size_t row = 0; row < op.type_count; ++row) {
    if (view_of(op.types[row].name) == view_of(type)) return row;
  }
  return std::nullopt;
}

std::optional<DataType> data_type_named(std::string_view name) {
  for (int32_t type = 1; type < data_type_count; ++type) {
    if (name_of(static_cast<DataType>(type)) == name) return static_cast<DataType>(type);
  }
  return std::nullopt;
}

Result<void> check_attributes(const Node& node, const heed_operator& op) {
  for (size_t i = 0; i < op.attribute_count; ++i) {
    const heed_attribute_rule& rule = op.attributes[i];
    const auto found = node.attributes.find(view_of(rule.name));
    if (found == node.attributes.end()) {
      if (rule.required) {
        return invalid("attribute '" + text_of(rule.name) + "' is missing, " + std::string(kind_name(rule.kind)) +
                       " that the operator needs");
      }
      continue;
    }
    const int32_t kind = kind_of(found->second);
    const bool is_taken = std::any_of(op.attributes, op.attributes + op.attribute_count, [&](const auto& other) {
      return other.kind == kind && view_of(other.name) == view_of(rule.name);
    });
    if (!is_taken) {
      return invalid("attribute '" + text_of(rule.name) + "' is " + std::string(kind_name(kind)) + "; expected " +
                     std::string(kind_name(rule.kind)));
    }
  }
  return {};
}

}  // namespace

int32_t kind_of(const Attribute& attribute) {
  constexpr int32_t kinds[] = {HEED_ATTRIBUTE_INT,    HEED_ATTRIBUTE_FLOAT,   HEED_ATTRIBUTE_STRING,
                               HEED_ATTRIBUTE_TENSOR, HEED_ATTRIBUTE_GRAPH,   HEED_ATTRIBUTE_INTS,
                               HEED_ATTRIBUTE_FLOATS, HEED_ATTRIBUTE_STRINGS, 9 /* tensors */,
                               10 /* graphs */,       HEED_ATTRIBUTE_TYPE};
  static_assert(std::variant_size_v<Attribute::Content> == std::size(kinds) + 1);
  if (const auto* reference = std::get_if<Attribute::Reference>(&attribute.content)) return reference->kind;
  return kinds[attribute.content.index()];
}

const heed_parameter* parameter_at(const heed_parameter* list, size_t count, size_t index) {
  if (index < count) return &list[index];
  return count > 0 && (list[count - 1].flags & HEED_VARIADIC) ? &list[count - 1] : nullptr;
}

std::optional<DataType> BoundTypes::element(heed_text type) const {
  if (const auto row = row_of(op_, type)) {
    if (elements_[*row].element) return elements_[*row].element;
    const uint64_t allowed = op_.types[*row].elements;
    const bool is_single = allowed != 0 && (allowed & (allowed - 1)) == 0;
    return is_single ? std::optional(static_cast<DataType>(__builtin_ctzll(allowed))) : std::nullopt;
  }
  return data_type_named(view_of(type));
}

Result<BoundTypes> check_node(const Graph& graph, const Node& node, const OperatorEntry& contract) {
  const heed_operator& op = *contract.c;
  BoundTypes bound(op);
  size_t input_count = node.inputs.size();
  while (input_count > 0 && node.inputs[input_count - 1] == no_id) --input_count;
  HEED_TRY(check_count(input_count, op.inputs, op.input_count, true));
  HEED_TRY(check_count(node.outputs.size(), op.outputs, op.output_count, false));
  for (size_t i = 0; i < op.input_count; ++i) {
    const bool is_present = i < input_count && node.inputs[i] != no_id;
    if (is_present || (op.inputs[i].flags & HEED_OPTIONAL_PARAMETER)) continue;
    return invalid("input " + std::to_string(i) + " ('" + text_of(op.inputs[i].name) + "') is missing");
  }

  for (size_t i = 0; i < input_count; ++i) {
    if (node.inputs[i] == no_id) continue;
    const ValueType& type = graph.values[node.inputs[i]].type;
    const heed_parameter& parameter = *parameter_at(op.inputs, op.input_count, i);
    const std::string place = "input " + std::to_string(i) + " ('" + text_of(parameter.name) + "') is ";
    const auto row = row_of(op, parameter.type);
    const uint32_t kinds = row && op.types[*row].kinds ? op.types[*row].kinds : 1u << HEED_TENSOR;
    if (!(kinds >> static_cast<int32_t>(type.kind) & 1)) {
      return invalid(place + to_string(type) + "; expected " + list_kinds(kinds));
    }
    if (!type.element) continue;
    const DataType element = *type.element;
    if (!row) {
      const auto expected = data_type_named(view_of(parameter.type));
      if (expected && *expected != element)
        return invalid(place + to_string(type) + "; expected " + std::string(name_of(*expected)));
      continue;
    }
    const uint64_t allowed = op.types[*row].elements;
    if (allowed != 0 && !(allowed >> static_cast<int32_t>(element) & 1)) {
      return invalid(place + to_string(type) + "; expected " + list_elements(allowed));
    }
    if (parameter.flags & HEED_HETEROGENEOUS) continue;
    auto& bound_row = bound.elements_[*row];
    if (!bound_row.element) {
      bound_row = {element, i};
    } else if (*bound_row.element != element) {
      return invalid(place + to_string(type) + "; expected " + std::string(name_of(*bound_row.element)) +
                     ", as input " + std::to_string(bound_row.from_input) + ": both are '" + text_of(parameter.type) +
                     "'. A Cast before one of them would make them equal.");
    }
  }
  HEED_TRY(check_attributes(node, op));
  return bound;
}

}  // namespace heed
