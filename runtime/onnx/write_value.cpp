// Writing of values, through ONNX's generated classes.
#include <onnx/onnx-data_pb.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <fstream>
#include <system_error>

#include "onnx/read_value.hpp"

namespace heed {
namespace {

void fill(onnx::TensorProto& proto, const Tensor& tensor, const std::string& name) {
  if (!name.empty()) proto.set_name(name);
  for (const int64_t dim : tensor.dims) proto.add_dims(dim);
  proto.set_data_type(static_cast<int32_t>(tensor.type));
  if (tensor.type == DataType::string) {
    for (const heed_text& text : tensor.texts()) proto.add_string_data(text.data, text.size);
  } else {
    proto.set_raw_data(tensor.data, tensor.size_bytes);
  }
}

void fill(onnx::OptionalProto& proto, const HostValue& value);
void fill(onnx::MapProto& proto, const HostValue& value);

void fill(onnx::SequenceProto& proto, const HostValue& value) {
  using Proto = onnx::SequenceProto;
  const Kind kind = value.elements.empty() ? Kind::tensor : value.elements.front().kind;
  constexpr Proto::DataType types[] = {Proto::TENSOR, Proto::SEQUENCE, Proto::OPTIONAL, Proto::MAP};
  proto.set_elem_type(types[static_cast<int32_t>(kind)]);
  for (const HostValue& element : value.elements) {
    if (element.kind == Kind::tensor) fill(*proto.add_tensor_values(), element.tensor, "");
    if (element.kind == Kind::sequence) fill(*proto.add_sequence_values(), element);
    if (element.kind == Kind::optional) fill(*proto.add_optional_values(), element);
    if (element.kind == Kind::map) fill(*proto.add_map_values(), element);
  }
}

void fill(onnx::OptionalProto& proto, const HostValue& value) {
  using Proto = onnx::OptionalProto;
  proto.set_elem_type(Proto::UNDEFINED);
  if (!value.present || value.elements.empty()) return;
  const HostValue& content = value.elements.front();
  constexpr Proto::DataType types[] = {Proto::TENSOR, Proto::SEQUENCE, Proto::OPTIONAL, Proto::MAP};
  proto.set_elem_type(types[static_cast<int32_t>(content.kind)]);
  if (content.kind == Kind::tensor) fill(*proto.mutable_tensor_value(), content.tensor, "");
  if (content.kind == Kind::sequence) fill(*proto.mutable_sequence_value(), content);
  if (content.kind == Kind::optional) fill(*proto.mutable_optional_value(), content);
  if (content.kind == Kind::map) fill(*proto.mutable_map_value(), content);
}

void fill(onnx::MapProto& proto, const HostValue& value) {
  const Tensor& keys = value.elements[0].tensor;
  proto.set_key_type(static_cast<int32_t>(keys.type));
  if (keys.type == DataType::string) {
    for (const heed_text& text : keys.texts()) proto.add_string_keys(text.data, text.size);
  } else {
    for (const int64_t key : keys.as<int64_t>()) proto.add_keys(key);
  }
  fill(*proto.mutable_values(), value.elements[1]);
}

Error failed(const std::filesystem::path& path, const std::string& why) {
  return Error{Code::io, path.string() + ": " + why};
}

Result<void> write_message(const std::filesystem::path& path, const google::protobuf::MessageLite& message) {
  if (message.ByteSizeLong() > INT_MAX) {
    return Error{Code::unsupported, path.string() + ": the value has " + std::to_string(message.ByteSizeLong()) +
                                        " bytes, and protobuf ends at 2 GiB: write it as .npy"};
  }
  const std::filesystem::path part = path.string() + ".part" + std::to_string(getpid());
  std::ofstream stream(part, std::ios::binary);
  const bool is_written = stream && message.SerializeToOstream(&stream) && (stream.close(), stream.good());
  std::error_code error;
  if (is_written) std::filesystem::rename(part, path, error);
  if (is_written && !error) return {};
  const std::string why = error ? error.message() : std::strerror(errno);
  std::filesystem::remove(part, error);
  return failed(path, "cannot be written: " + why);
}

}  // namespace

Result<void> write_value(const std::filesystem::path& path, const HostValue& value, const std::string& name) {
  switch (value.kind) {
    case Kind::tensor: {
      onnx::TensorProto proto;
      fill(proto, value.tensor, name);
      return write_message(path, proto);
    }
    case Kind::sequence: {
      onnx::SequenceProto proto;
      if (!name.empty()) proto.set_name(name);
      fill(proto, value);
      return write_message(path, proto);
    }
    case Kind::optional: {
      onnx::OptionalProto proto;
      if (!name.empty()) proto.set_name(name);
      fill(proto, value);
      return write_message(path, proto);
    }
    case Kind::map: {
      if (value.elements.size() != 2) return Error{Code::invalid_argument, "a map holds its keys and its values"};
      onnx::MapProto proto;
      if (!name.empty()) proto.set_name(name);
      fill(proto, value);
      return write_message(path, proto);
    }
  }
  return Error{Code::invalid_argument, "a value of no known kind"};
}

}  // namespace heed
