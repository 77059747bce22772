// Names of data types and sizes of tensors.
#include "base/data_type.hpp"

#include <string>

namespace heed {
namespace {

// ONNX's names, by number (TensorProto.DataType, in small letters as in type strings).
constexpr std::string_view onnx_names[data_type_count] = {
    "undefined", "float",      "uint8",      "int8",         "uint16",         "int16",      "int32",
    "int64",     "string",     "bool",       "float16",      "double",         "uint32",     "uint64",
    "complex64", "complex128", "bfloat16",   "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
    "uint4",     "int4",       "float4e2m1", "float8e8m0",   "uint2",          "int2"};

std::string in_small_letters(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

}  // namespace

Result<DataType> parse_data_type(std::string_view name) {
  std::string wanted = in_small_letters(name);
  constexpr std::string_view prefix = "tensor(";
  if (wanted.starts_with(prefix) && wanted.ends_with(')'))
    wanted = wanted.substr(prefix.size(), wanted.size() - prefix.size() - 1);
  for (int32_t number = 1; number < data_type_count; ++number) {
    const auto type = static_cast<DataType>(number);
    if (wanted == name_of(type) || wanted == onnx_names[number]) return type;
  }
  return Error{Code::invalid_argument, "'" + std::string(name.substr(0, 64)) +
                                           "' is no data type: expected f32, i64, bool ... or ONNX's float, int64 ..."};
}

std::string_view onnx_name_of(DataType type) { return onnx_names[is_known(type) ? static_cast<int32_t>(type) : 0]; }

Result<size_t> size_bytes(DataType type, int64_t count) {
  if (bits_of(type) == 0) {
    return Error{Code::unsupported, "elements of type " + std::string(name_of(type)) + " have no fixed size"};
  }
  const int64_t size = size_bytes_or_negative(type, count);
  if (size < 0) {
    return Error{Code::invalid_argument, std::to_string(count) + " elements of type " + std::string(name_of(type)) +
                                             (count < 0 ? ": a count is at least 0" : " do not fit 63 bits of bytes")};
  }
  return static_cast<size_t>(size);
}

}  // namespace heed
