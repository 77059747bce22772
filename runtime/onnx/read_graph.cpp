// Reading of graphs: onnx.proto, GraphProto and what stands in it. Walked by hand, so that tensors in attributes are
// borrowed like initializers, and because Debian's generated classes lack the newest fields.
#include "onnx/read_graph.hpp"

#include <onnx/onnx_pb.h>

#include <cstring>

#include "onnx/read_tensor.hpp"
#include "onnx/read_type.hpp"

namespace heed::onnx_file {
namespace {

constexpr int nesting_limit = 64;

// Fields that are newer than the generated classes.
constexpr int node_overload = 8;
constexpr int function_attribute_proto = 11;
constexpr int function_value_info = 12;
constexpr int function_overload = 13;

Error invalid(std::string message) { return Error{Code::invalid_model, std::move(message)}; }

float float_of(uint64_t bits) {
  float value;
  const auto low = static_cast<uint32_t>(bits);
  std::memcpy(&value, &low, sizeof(value));
  return value;
}

struct NamedAttribute {
  std::string name;
  Attribute attribute;
};

// Everything that an AttributeProto may hold, before its kind is decided.
struct AttributeParts {
  std::string name, reference;
  int64_t kind = 0;
  int first_field = 0;  // the first field with content: decides where the kind is not given (IR 1)
  float f = 0;
  int64_t i = 0;
  std::string s;
  std::vector<float> floats;
  std::vector<int64_t> ints;
  std::vector<std::string> strings;
  std::vector<Bytes> tensors, graphs, sparse_tensors, types;
};

using Proto = onnx::AttributeProto;

Result<AttributeParts> read_attribute_parts(Bytes message) {
  AttributeParts parts;
  Fields field(message);
  bool is_whole = true;
  while (field.next()) {
    const bool is_bytes = field.wire() == Wire::bytes;
    bool is_content = true;
    switch (field.number()) {
      case Proto::kNameFieldNumber:
        if (is_bytes) parts.name = field.string();
        is_content = false;
        break;
      case Proto::kRefAttrNameFieldNumber:
        if (is_bytes) parts.reference = field.string();
        is_content = false;
        break;
      case Proto::kTypeFieldNumber:
        if (field.wire() == Wire::varint) parts.kind = field.integer();
        is_content = false;
        break;
      case Proto::kFFieldNumber:
        if (field.wire() == Wire::fixed32) parts.f = float_of(field.bits());
        break;
      case Proto::kIFieldNumber:
        if (field.wire() == Wire::varint) parts.i = field.integer();
        break;
      case Proto::kSFieldNumber:
        if (is_bytes) parts.s = field.string();
        break;
      case Proto::kFloatsFieldNumber:
        is_whole &=
            for_each_number(field, Wire::fixed32, [&](uint64_t bits) { parts.floats.push_back(float_of(bits)); });
        break;
      case Proto::kIntsFieldNumber:
        is_whole &= for_each_number(field, Wire::varint,
                                    [&](uint64_t bits) { parts.ints.push_back(static_cast<int64_t>(bits)); });
        break;
      case Proto::kStringsFieldNumber:
        if (is_bytes) parts.strings.push_back(field.string());
        break;
      case Proto::kTFieldNumber:
      case Proto::kTensorsFieldNumber:
        if (is_bytes) parts.tensors.push_back(field.bytes());
        break;
      case Proto::kGFieldNumber:
      case Proto::kGraphsFieldNumber:
        if (is_bytes) parts.graphs.push_back(field.bytes());
        break;
      case Proto::kSparseTensorFieldNumber:
      case Proto::kSparseTensorsFieldNumber:
        if (is_bytes) parts.sparse_tensors.push_back(field.bytes());
        break;
      case Proto::kTpFieldNumber:
      case Proto::kTypeProtosFieldNumber:
        if (is_bytes) parts.types.push_back(field.bytes());
        break;
      default:
        is_content = false;
        break;
    }
    if (is_content && parts.first_field == 0) parts.first_field = field.number();
  }
  HEED_TRY(field.finish());
  if (!is_whole) return invalid("cut short or damaged: its numbers");
  return parts;
}

int64_t kind_of_field(int number) {
  switch (number) {
    case Proto::kFFieldNumber:
      return Proto::FLOAT;
    case Proto::kIFieldNumber:
      return Proto::INT;
    case Proto::kSFieldNumber:
      return Proto::STRING;
    case Proto::kTFieldNumber:
      return Proto::TENSOR;
    case Proto::kGFieldNumber:
      return Proto::GRAPH;
    case Proto::kFloatsFieldNumber:
      return Proto::FLOATS;
    case Proto::kIntsFieldNumber:
      return Proto::INTS;
    case Proto::kStringsFieldNumber:
      return Proto::STRINGS;
    case Proto::kTensorsFieldNumber:
      return Proto::TENSORS;
    case Proto::kGraphsFieldNumber:
      return Proto::GRAPHS;
    case Proto::kSparseTensorFieldNumber:
      return Proto::SPARSE_TENSOR;
    case Proto::kSparseTensorsFieldNumber:
      return Proto::SPARSE_TENSORS;
    case Proto::kTpFieldNumber:
      return Proto::TYPE_PROTO;
    case Proto::kTypeProtosFieldNumber:
      return Proto::TYPE_PROTOS;
    default:
      return Proto::UNDEFINED;
  }
}

// Reads the graphs of one model or function: what they share is here.
class GraphReader {
 public:
  GraphReader(Source& source, std::shared_ptr<DimPool> dims, const Opsets& opsets, bool is_function)
      : source_(source), dims_(std::move(dims)), opsets_(opsets), is_function_(is_function) {}

  Result<void> read_graph(Bytes message, GraphBuilder& builder);
  Result<Statement> read_node(Bytes message, size_t position);
  Result<NamedAttribute> read_attribute(Bytes message);
  Result<void> declare(Bytes value_info, GraphBuilder& builder);

 private:
  Symbols symbols(Symbols outside_functions) const { return is_function_ ? Symbols::none : outside_functions; }
  Result<Attribute::Content> content_of(AttributeParts& parts);
  Result<std::shared_ptr<Graph>> read_subgraph(Bytes message);
  template <class T, class Read>
  Result<std::vector<T>> each(const std::vector<Bytes>& messages, Read read);

  Source& source_;
  std::shared_ptr<DimPool> dims_;
  const Opsets& opsets_;
  bool is_function_;
  int depth_ = 0;
};

template <class T, class Read>
Result<std::vector<T>> GraphReader::each(const std::vector<Bytes>& messages, Read read) {
  std::vector<T> list;
  for (const Bytes message : messages) {
    HEED_ASSIGN(T element, read(message));
    list.push_back(std::move(element));
  }
  return list;
}

Result<std::shared_ptr<Graph>> GraphReader::read_subgraph(Bytes message) {
  if (depth_ >= nesting_limit) {
    return Error{Code::unsupported,
                 "subgraphs stand more than " + std::to_string(nesting_limit) + " deep in each other"};
  }
  ++depth_;
  GraphBuilder builder(dims_, GraphBuilder::Scope::nested);
  HEED_TRY(read_graph(message, builder));
  --depth_;
  return std::move(builder).build(opsets_);
}

Result<Attribute::Content> GraphReader::content_of(AttributeParts& parts) {
  const auto read_dense = [&](Bytes message) -> Result<Tensor> {
    HEED_ASSIGN(NamedTensor named, read_tensor(message, source_));
    return std::move(named.tensor);
  };
  const auto densify = [&](Bytes message) -> Result<Tensor> {
    HEED_ASSIGN(NamedTensor named, read_sparse_tensor(message, source_));
    return std::move(named.tensor);
  };
  const auto one = [&](const std::vector<Bytes>& messages, const char* what) -> Result<Bytes> {
    if (messages.size() == 1) return messages[0];
    return invalid(std::string(messages.empty() ? "it holds no " : "it holds more than one ") + what);
  };
  using Content = Attribute::Content;
  switch (parts.kind) {
    case Proto::FLOAT:
      return Content(parts.f);
    case Proto::INT:
      return Content(parts.i);
    case Proto::STRING:
      return Content(std::move(parts.s));
    case Proto::FLOATS:
      return Content(std::move(parts.floats));
    case Proto::INTS:
      return Content(std::move(parts.ints));
    case Proto::STRINGS:
      return Content(std::move(parts.strings));
    case Proto::TENSOR: {
      HEED_ASSIGN(const Bytes message, one(parts.tensors, "tensor"));
      HEED_ASSIGN(Tensor tensor, read_dense(message));
      return Content(std::move(tensor));
    }
    case Proto::SPARSE_TENSOR: {
      HEED_ASSIGN(const Bytes message, one(parts.sparse_tensors, "sparse tensor"));
      HEED_ASSIGN(Tensor tensor, densify(message));
      return Content(std::move(tensor));
    }
    case Proto::GRAPH: {
      HEED_ASSIGN(const Bytes message, one(parts.graphs, "graph"));
      HEED_ASSIGN(std::shared_ptr<Graph> graph, read_subgraph(message));
      return Content(std::move(graph));
    }
    case Proto::TYPE_PROTO: {
      HEED_ASSIGN(const Bytes message, one(parts.types, "type"));
      HEED_ASSIGN(ValueType type, read_type(message, *dims_, symbols(Symbols::of_value)));
      return Content(std::move(type));
    }
    case Proto::TENSORS: {
      HEED_ASSIGN(std::vector<Tensor> tensors, each<Tensor>(parts.tensors, read_dense));
      return Content(std::move(tensors));
    }
    case Proto::SPARSE_TENSORS: {
      HEED_ASSIGN(std::vector<Tensor> tensors, each<Tensor>(parts.sparse_tensors, densify));
      return Content(std::move(tensors));
    }
    case Proto::GRAPHS: {
      using GraphPointer = std::shared_ptr<Graph>;
      HEED_ASSIGN(std::vector<GraphPointer> graphs,
                  each<GraphPointer>(parts.graphs, [&](Bytes message) { return read_subgraph(message); }));
      return Content(std::move(graphs));
    }
    case Proto::TYPE_PROTOS:
      return Error{Code::unsupported, "it is a list of types: no operator of ONNX has such an attribute"};
    case Proto::UNDEFINED:
      return invalid("it has neither a kind nor content");
    default:
      return invalid("its kind is " + std::to_string(parts.kind) + ", expected 1 to 14");
  }
}

Result<NamedAttribute> GraphReader::read_attribute(Bytes message) {
  Result<AttributeParts> read = read_attribute_parts(message);
  if (!read) return std::move(read).error().within("an attribute");
  AttributeParts& parts = *read;
  const std::string place = "attribute '" + parts.name + "'";
  if (parts.name.empty()) return invalid("an attribute has no name");
  if (parts.kind == Proto::UNDEFINED) parts.kind = kind_of_field(parts.first_field);
  if (!parts.reference.empty()) {
    if (!is_function_) {
      return invalid(place + " refers to the attribute '" + parts.reference +
                     "' of a function, but stands in no function");
    }
    return NamedAttribute{std::move(parts.name),
                          {Attribute::Reference{std::move(parts.reference), static_cast<int32_t>(parts.kind)}}};
  }
  Result<Attribute::Content> content = content_of(parts);
  if (!content) return std::move(content).error().within(place);
  return NamedAttribute{std::move(parts.name), {std::move(*content)}};
}

Result<Statement> GraphReader::read_node(Bytes message, size_t position) {
  Statement node;
  std::vector<Bytes> attributes;
  Fields field(message);
  while (field.next()) {
    if (field.wire() != Wire::bytes) continue;
    switch (field.number()) {
      case onnx::NodeProto::kInputFieldNumber:
        node.inputs.push_back(field.string());
        break;
      case onnx::NodeProto::kOutputFieldNumber:
        node.outputs.push_back(field.string());
        break;
      case onnx::NodeProto::kNameFieldNumber:
        node.name = field.string();
        break;
      case onnx::NodeProto::kOpTypeFieldNumber:
        node.op_type = field.string();
        break;
      case onnx::NodeProto::kDomainFieldNumber:
        node.domain = field.string();
        break;
      case onnx::NodeProto::kAttributeFieldNumber:
        attributes.push_back(field.bytes());
        break;
      case node_overload:
        node.overload = field.string();
        break;
      default:
        break;
    }
  }
  const auto place = [&] { return describe(node, position); };
  if (Result<void> whole = field.finish(); !whole) return std::move(whole).error().within(place());
  for (const Bytes attribute_message : attributes) {
    Result<NamedAttribute> read = read_attribute(attribute_message);
    if (!read) return std::move(read).error().within(place());
    const auto [at, is_new] = node.attributes.emplace(std::move(read->name), std::move(read->attribute));
    if (!is_new) return invalid("attribute '" + at->first + "' is given twice").within(place());
  }
  return node;
}

Result<void> GraphReader::declare(Bytes value_info, GraphBuilder& builder) {
  HEED_ASSIGN(NamedType value, read_value_info(value_info, *dims_, symbols(Symbols::of_value)));
  builder.declare_type(std::move(value.name), std::move(value.type));
  return {};
}

Result<void> GraphReader::read_graph(Bytes message, GraphBuilder& builder) {
  std::vector<Bytes> nodes, initializers, sparse_initializers, inputs, outputs, value_infos;
  Fields field(message);
  while (field.next()) {
    if (field.wire() != Wire::bytes) continue;
    switch (field.number()) {
      case onnx::GraphProto::kNodeFieldNumber:
        nodes.push_back(field.bytes());
        break;
      case onnx::GraphProto::kNameFieldNumber:
        builder.set_name(field.string());
        break;
      case onnx::GraphProto::kInitializerFieldNumber:
        initializers.push_back(field.bytes());
        break;
      case onnx::GraphProto::kSparseInitializerFieldNumber:
        sparse_initializers.push_back(field.bytes());
        break;
      case onnx::GraphProto::kInputFieldNumber:
        inputs.push_back(field.bytes());
        break;
      case onnx::GraphProto::kOutputFieldNumber:
        outputs.push_back(field.bytes());
        break;
      case onnx::GraphProto::kValueInfoFieldNumber:
        value_infos.push_back(field.bytes());
        break;
      default:
        break;  // among them quantization_annotation, which tells nothing that is needed to run
    }
  }
  HEED_TRY(field.finish());
  for (const Bytes input : inputs) {
    HEED_ASSIGN(NamedType value, read_value_info(input, *dims_, symbols(Symbols::of_input)));
    HEED_TRY(builder.add_input(std::move(value.name), std::move(value.type)));
  }
  for (const Bytes initializer : initializers) {
    HEED_ASSIGN(NamedTensor constant, read_tensor(initializer, source_));
    HEED_TRY(builder.add_constant(std::move(constant.name), std::move(constant.tensor)));
  }
  for (const Bytes initializer : sparse_initializers) {
    HEED_ASSIGN(NamedTensor constant, read_sparse_tensor(initializer, source_));
    HEED_TRY(builder.add_constant(std::move(constant.name), std::move(constant.tensor)));
  }
  for (size_t position = 0; position < nodes.size(); ++position) {
    HEED_ASSIGN(Statement statement, read_node(nodes[position], position));
    HEED_TRY(builder.add_statement(std::move(statement)));
  }
  for (const Bytes output : outputs) {
    HEED_ASSIGN(NamedType value, read_value_info(output, *dims_, symbols(Symbols::of_value)));
    builder.add_output(std::move(value.name), std::move(value.type));
  }
  for (const Bytes value_info : value_infos) HEED_TRY(declare(value_info, builder));
  return {};
}

}  // namespace

Result<std::pair<std::string, std::string>> read_string_entry(Bytes message) {
  onnx::StringStringEntryProto entry;
  if (!entry.ParseFromArray(message.data(), static_cast<int>(message.size())))
    return invalid("cut short or damaged: metadata");
  return std::pair(entry.key(), entry.value());
}

Result<void> read_opset(Bytes message, Opsets& opsets) {
  onnx::OperatorSetIdProto proto;
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return invalid("cut short or damaged: an opset_import");
  }
  if (proto.version() < 0 || proto.version() > INT32_MAX) {
    return invalid("opset_import '" + proto.domain() + "' has the version " + std::to_string(proto.version()));
  }
  const auto version = static_cast<int32_t>(proto.version());
  const auto [known, is_new] = opsets.emplace(canonical_domain(proto.domain()), version);
  if (!is_new && known->second != version)
    return invalid("opset_import '" + proto.domain() + "' is there twice: version " + std::to_string(known->second) +
                   " and version " + std::to_string(version));
  return {};
}

Result<std::shared_ptr<Graph>> read_graph(Bytes message, Source& source, std::shared_ptr<DimPool> dims,
                                          const Opsets& opsets, std::span<const std::string> overridable,
                                          std::vector<std::string>& defaulted) {
  GraphReader reader(source, dims, opsets, false);
  GraphBuilder builder(dims, GraphBuilder::Scope::complete);
  HEED_TRY(reader.read_graph(message, builder));
  return std::move(builder).build(opsets, overridable, &defaulted);
}

Result<std::shared_ptr<const Function>> read_function(Bytes message, Source& source, std::shared_ptr<DimPool> dims,
                                                      const Opsets& model_opsets) {
  auto function = std::make_shared<Function>();
  std::vector<Bytes> nodes, defaults, value_infos;
  Fields field(message);
  while (field.next()) {
    if (field.wire() != Wire::bytes) continue;
    switch (field.number()) {
      case onnx::FunctionProto::kNameFieldNumber:
        function->name = field.string();
        break;
      case onnx::FunctionProto::kDomainFieldNumber:
        function->domain = canonical_domain(field.text());
        break;
      case onnx::FunctionProto::kInputFieldNumber:
        function->inputs.push_back(field.string());
        break;
      case onnx::FunctionProto::kOutputFieldNumber:
        function->outputs.push_back(field.string());
        break;
      case onnx::FunctionProto::kAttributeFieldNumber:
        function->attributes.push_back(field.string());
        break;
      case onnx::FunctionProto::kNodeFieldNumber:
        nodes.push_back(field.bytes());
        break;
      case onnx::FunctionProto::kOpsetImportFieldNumber:
        HEED_TRY(read_opset(field.bytes(), function->opsets));
        break;
      case function_attribute_proto:
        defaults.push_back(field.bytes());
        break;
      case function_value_info:
        value_infos.push_back(field.bytes());
        break;
      case function_overload:
        function->overload = field.string();
        break;
      default:
        break;
    }
  }
  const auto build = [&]() -> Result<void> {
    HEED_TRY(field.finish());
    function->opsets.insert(model_opsets.begin(), model_opsets.end());
    GraphReader reader(source, dims, function->opsets, true);
    for (const Bytes attribute : defaults) {
      HEED_ASSIGN(NamedAttribute read, reader.read_attribute(attribute));
      function->defaults.emplace(std::move(read.name), std::move(read.attribute));
    }
    GraphBuilder builder(dims, GraphBuilder::Scope::complete);
    builder.set_name(function->name);
    for (const std::string& input : function->inputs) HEED_TRY(builder.add_input(input, {}));
    for (size_t position = 0; position < nodes.size(); ++position) {
      HEED_ASSIGN(Statement statement, reader.read_node(nodes[position], position));
      HEED_TRY(builder.add_statement(std::move(statement)));
    }
    for (const std::string& output : function->outputs) builder.add_output(output, {});
    for (const Bytes value_info : value_infos) HEED_TRY(reader.declare(value_info, builder));
    HEED_ASSIGN(function->body, std::move(builder).build(function->opsets));
    return {};
  };
  if (Result<void> built = build(); !built) return std::move(built).error().within("function '" + function->name + "'");
  return std::shared_ptr<const Function>(std::move(function));
}

}  // namespace heed::onnx_file
