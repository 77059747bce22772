// Printing of graphs.
#include "graph/print.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "graph/small_float.hpp"

namespace heed {
namespace {

template <class T>
std::string number_text(T number) {
  char buffer[48];
  const auto [end, error] = std::to_chars(buffer, buffer + sizeof(buffer), number);
  std::string text(buffer, end);
  if constexpr (std::is_floating_point_v<T>) {
    if (text.find_first_of(".en") == text.npos) text += ".0";  // 1 would read as an integer
  }
  return text;
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') result += '\\';
    result += c == '\n' ? "\\n" : c == '\t' ? "\\t" : std::string(1, c);
  }
  return result + "\"";
}

// As the parser reads it back: quoted unless it is an identifier.
std::string name_text(std::string_view name) {
  const auto is_part = [](char c) {
    return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  };
  const bool is_plain =
      !name.empty() && !(name[0] >= '0' && name[0] <= '9') && std::all_of(name.begin(), name.end(), is_part);
  return is_plain ? std::string(name) : quoted(name);
}

template <class T>
T load(const Tensor& tensor, size_t index) {
  T value;
  std::memcpy(&value, tensor.data + index * sizeof(T), sizeof(T));
  return value;
}

std::string element_text(const Tensor& tensor, size_t i) {
  switch (tensor.type) {
    case DataType::f32:
      return number_text(load<float>(tensor, i));
    case DataType::f64:
      return number_text(load<double>(tensor, i));
    case DataType::i8:
      return number_text(load<int8_t>(tensor, i));
    case DataType::i16:
      return number_text(load<int16_t>(tensor, i));
    case DataType::i32:
      return number_text(load<int32_t>(tensor, i));
    case DataType::i64:
      return number_text(load<int64_t>(tensor, i));
    case DataType::boolean:
    case DataType::u8:
      return number_text(load<uint8_t>(tensor, i));
    case DataType::u16:
      return number_text(load<uint16_t>(tensor, i));
    case DataType::u32:
      return number_text(load<uint32_t>(tensor, i));
    case DataType::u64:
      return number_text(load<uint64_t>(tensor, i));
    case DataType::string:
      return quoted({tensor.texts()[i].data, tensor.texts()[i].size});
    case DataType::c64:
      return number_text(load<float>(tensor, 2 * i)) + ", " + number_text(load<float>(tensor, 2 * i + 1));
    case DataType::c128:
      return number_text(load<double>(tensor, 2 * i)) + ", " + number_text(load<double>(tensor, 2 * i + 1));
    default:
      break;
  }
  const int32_t bits = bits_of(tensor.type);
  uint32_t pattern = 0;
  if (bits >= 8) {
    std::memcpy(&pattern, tensor.data + i * (bits / 8), bits / 8);
  } else if (bits > 0) {
    const size_t per_byte = 8 / bits;
    pattern = (static_cast<uint32_t>(tensor.data[i / per_byte]) >> (bits * (i % per_byte))) & ((1u << bits) - 1);
  }
  if (is_float(tensor.type)) return number_text(decode_small_float(tensor.type, pattern));
  const bool is_negative = is_signed_integer(tensor.type) && (pattern >> (bits - 1)) != 0;
  return number_text(static_cast<int64_t>(pattern) - (is_negative ? int64_t{1} << bits : 0));
}

template <class List, class Text>
std::string list_text(const List& list, size_t limit, Text text) {
  std::string result = "[";
  for (size_t i = 0; i < list.size(); ++i) {
    if (i > 0) result += ", ";
    if (i == limit) return result + "...]";
    result += text(list[i]);
  }
  return result + "]";
}

std::string tensor_text(const Tensor& tensor, size_t limit) {
  return to_string(tensor) + " " + print_elements(tensor, limit);
}

std::string indented(std::string text) {
  for (size_t at = text.find('\n'); at != text.npos; at = text.find('\n', at + 3)) text.insert(at + 1, "  ");
  return text;
}

class AttributePrinter {
 public:
  explicit AttributePrinter(const PrintOptions& options) : options_(options) {}

  std::string operator()(int64_t value) const { return number_text(value); }
  std::string operator()(float value) const { return number_text(value); }
  std::string operator()(const std::string& value) const { return quoted(value); }
  std::string operator()(const Tensor& value) const { return tensor_text(value, options_.element_limit); }
  std::string operator()(const std::shared_ptr<Graph>& value) const { return print(*value, options_); }
  std::string operator()(const ValueType& value) const { return to_string(value); }
  std::string operator()(const Attribute::Reference& value) const { return "@" + value.name; }
  template <class T>
  std::string operator()(const std::vector<T>& value) const {
    return list_text(value, options_.element_limit, *this);
  }

 private:
  const PrintOptions& options_;
};

std::string attributes_text(const std::map<std::string, Attribute, std::less<>>& attributes,
                            const PrintOptions& options) {
  if (attributes.empty()) return "";
  std::string text = "<";
  for (const auto& [name, attribute] : attributes) {
    text += (text.size() > 1 ? ", " : "") + name + " = " + print(attribute, options);
  }
  return text + ">";
}

std::string value_text(const Graph& graph, ValueId id) { return id == no_id ? "" : name_text(graph.values[id].name); }

std::string typed_text(const Value& value) {
  return (value.type == ValueType{} ? std::string() : to_string(value.type) + " ") + name_text(value.name);
}

std::string body_text(const Graph& graph, const PrintOptions& options) {
  std::string text = "{\n";
  for (const Node& node : graph.nodes) {
    if (!node.removed) text += "  " + indented(print(graph, node, options)) + "\n";
  }
  return text + "}";
}

std::string constants_text(const Graph& graph, const PrintOptions& options) {
  std::string text;
  for (const Value& value : graph.values) {
    if (!value.constant || value.is_input) continue;
    text += (text.empty() ? "<" : ", ") + to_string(*value.constant) + " " + name_text(value.name) + " = " +
            print_elements(*value.constant, options.element_limit);
  }
  return text.empty() ? text : text + "> ";
}

}  // namespace

std::string print_elements(const Tensor& tensor, size_t element_limit) {
  std::string text = "{";
  const auto count = static_cast<size_t>(tensor.element_count());
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) text += ", ";
    if (i == element_limit) return text + "...}";
    text += element_text(tensor, i);
  }
  return text + "}";
}

std::string print(const Attribute& attribute, const PrintOptions& options) {
  return std::visit(AttributePrinter(options), attribute.content);
}

std::string print(const Graph& graph, const Node& node, const PrintOptions& options) {
  std::string text;
  for (size_t i = 0; i < node.outputs.size(); ++i) text += (i ? ", " : "") + value_text(graph, node.outputs[i]);
  text += " = " + (node.domain.empty() ? "" : node.domain + ".") + node.op_type;
  if (!node.overload.empty()) text += ":" + name_text(node.overload);
  text += attributes_text(node.attributes, options) + "(";
  for (size_t i = 0; i < node.inputs.size(); ++i) text += (i ? ", " : "") + value_text(graph, node.inputs[i]);
  return text + ")";
}

std::string print(const Graph& graph, const PrintOptions& options) {
  std::string text = name_text(graph.name.empty() ? "graph" : graph.name) + " (";
  for (size_t i = 0; i < graph.inputs.size(); ++i) {
    const Value& input = graph.values[graph.inputs[i]];
    text += (i ? ", " : "") + typed_text(input);
    if (input.constant) text += " = " + print_elements(*input.constant, options.element_limit);
  }
  text += ") => (";
  for (size_t i = 0; i < graph.outputs.size(); ++i)
    text += (i ? ", " : "") + typed_text(graph.values[graph.outputs[i]]);
  return text + ") " + constants_text(graph, options) + body_text(graph, options);
}

std::string print(const Function& function, const PrintOptions& options) {
  std::string text = (function.domain.empty() ? "" : function.domain + ".") + function.name;
  if (!function.overload.empty()) text += ":" + name_text(function.overload);
  std::string attributes;
  for (const std::string& name : function.attributes) attributes += (attributes.empty() ? "" : ", ") + name;
  for (const auto& [name, value] : function.defaults) {
    attributes += (attributes.empty() ? "" : ", ") + name + " = " + print(value, options);
  }
  if (!attributes.empty()) text += "<" + attributes + ">";
  const auto names = [](const std::vector<std::string>& list) {
    std::string joined;
    for (const std::string& name : list) joined += (joined.empty() ? "" : ", ") + name_text(name);
    return "(" + joined + ")";
  };
  return text + " " + names(function.inputs) + " => " + names(function.outputs) + " " +
         body_text(*function.body, options);
}

}  // namespace heed
