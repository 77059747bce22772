// Reading of types: onnx.proto, ValueInfoProto and TypeProto.
#include "onnx/read_type.hpp"

#include <google/protobuf/arena.h>
#include <onnx/onnx_pb.h>

namespace heed::onnx_file {
namespace {

Error invalid(std::string message) { return Error{Code::invalid_model, std::move(message)}; }

// 0 means that nothing is said.
Result<std::optional<DataType>> element_of(int32_t number) {
  if (number == 0) return std::optional<DataType>();
  if (number > 0 && number < data_type_count) return std::optional(static_cast<DataType>(number));
  return invalid("its data type is " + std::to_string(number) + ", expected 1 to " +
                 std::to_string(data_type_count - 1));
}

// PaddlePaddle calls every size that it leaves open "?".
bool is_name(const std::string& param) { return !param.empty() && param != "?"; }

// What a type is read with; sizes about which nothing is said are named after the value and their axis.
struct Context {
  DimPool& pool;
  Symbols symbols;
  const std::string& value_name;
};

std::optional<std::vector<Dim>> dims_of(const onnx::TensorShapeProto& shape, const Context& context) {
  const auto& [pool, symbols, value_name] = context;
  std::vector<Dim> dims;
  for (const auto& dim : shape.dim()) {
    if (dim.has_dim_value() && dim.dim_value() >= 0) {
      dims.push_back(dim.dim_value());
    } else if (symbols != Symbols::none && is_name(dim.dim_param())) {
      dims.push_back(dim_of_param(pool, dim.dim_param()));
    } else if (symbols == Symbols::of_input) {  // -1 as a size is how some exporters say that they do not know it
      dims.push_back(pool.fresh_symbol(value_name + "_" + std::to_string(dims.size())));
    } else {
      return std::nullopt;
    }
  }
  return dims;
}

// onnx::TypeProto::Tensor or SparseTensor.
template <class Tensor>
Result<ValueType> tensor_type(const Tensor& tensor, const Context& context) {
  ValueType type;
  HEED_ASSIGN(type.element, element_of(tensor.elem_type()));
  if (tensor.has_shape()) type.dims = dims_of(tensor.shape(), context);
  return type;
}

Result<ValueType> convert(const onnx::TypeProto& proto, const Context& context) {
  ValueType type;
  switch (proto.value_case()) {
    case onnx::TypeProto::kTensorType:
      return tensor_type(proto.tensor_type(), context);
    case onnx::TypeProto::kSparseTensorType:
      return tensor_type(proto.sparse_tensor_type(), context);
    case onnx::TypeProto::kSequenceType: {
      HEED_ASSIGN(const ValueType inner, convert(proto.sequence_type().elem_type(), context));
      if (inner.kind == Kind::tensor) type = inner;  // what is in a sequence of sequences or maps is not told
      type.kind = Kind::sequence;
      return type;
    }
    case onnx::TypeProto::kOptionalType: {
      HEED_ASSIGN(type, convert(proto.optional_type().elem_type(), context));
      type.sequence_of_optional = type.kind == Kind::sequence;
      type.kind = Kind::optional;
      return type;
    }
    case onnx::TypeProto::kMapType: {
      HEED_ASSIGN(type, convert(proto.map_type().value_type(), context));
      type.kind = Kind::map;
      return type;
    }
    default:
      return type;
  }
}

}  // namespace

Result<NamedType> read_value_info(Bytes message, DimPool& dims, Symbols symbols) {
  google::protobuf::Arena arena;  // a message by itself loses its parts where memory is out
  auto& proto = *google::protobuf::Arena::CreateMessage<onnx::ValueInfoProto>(&arena);
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return invalid("cut short or damaged, or types in types too deep: a ValueInfoProto");
  }
  Result<ValueType> type = convert(proto.type(), {dims, symbols, proto.name()});
  if (!type) return std::move(type).error().within("value '" + proto.name() + "'");
  return NamedType{proto.name(), std::move(*type)};
}

Result<ValueType> read_type(Bytes message, DimPool& dims, Symbols symbols) {
  google::protobuf::Arena arena;
  auto& proto = *google::protobuf::Arena::CreateMessage<onnx::TypeProto>(&arena);
  if (!proto.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return invalid("cut short or damaged, or types in types too deep: a TypeProto");
  }
  const std::string no_name = "size";
  return convert(proto, {dims, symbols, no_name});
}

}  // namespace heed::onnx_file
