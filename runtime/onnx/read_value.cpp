// Reading of values: onnx.proto's TensorProto, and SequenceProto, OptionalProto and MapProto of onnx-data.proto.
#include "onnx/read_value.hpp"

#include <onnx/onnx-data_pb.h>

#include <climits>

#include "onnx/fields.hpp"
#include "onnx/read_tensor.hpp"
#include "onnx/source.hpp"

namespace heed {
namespace {

using onnx_file::Bytes;
using onnx_file::Fields;
using onnx_file::Source;
using onnx_file::Wire;

constexpr int nesting_limit = 64;

Error invalid(std::string message) { return Error{Code::invalid_model, std::move(message)}; }

// Reads values that hold each other, at most nesting_limit deep.
class ValueReader {
 public:
  explicit ValueReader(Source& source) : source_(source) {}

  Result<HostValue> read(Bytes message, Kind kind) {
    if (depth_ >= nesting_limit) return Error{Code::unsupported, "values stand too deep in each other"};
    ++depth_;
    HEED_ASSIGN(HostValue value, kind == Kind::tensor     ? tensor(message, false)
                                 : kind == Kind::sequence ? sequence(message)
                                 : kind == Kind::optional ? optional(message)
                                                          : map(message));
    --depth_;
    return value;
  }

 private:
  Result<HostValue> tensor(Bytes message, bool is_sparse) {
    HEED_ASSIGN(onnx_file::NamedTensor named,
                is_sparse ? onnx_file::read_sparse_tensor(message, source_) : onnx_file::read_tensor(message, source_));
    HostValue value;
    value.tensor = std::move(named.tensor);
    return value;
  }

  Result<HostValue> sequence(Bytes message) {
    using Proto = onnx::SequenceProto;
    HostValue value;
    value.kind = Kind::sequence;
    Fields field(message);
    while (field.next()) {
      if (field.wire() != Wire::bytes) continue;
      const auto append = [&](Result<HostValue> element) -> Result<void> {
        if (!element) return std::move(element).error();
        value.elements.push_back(std::move(*element));
        return {};
      };
      switch (field.number()) {
        case Proto::kTensorValuesFieldNumber:
          HEED_TRY(append(tensor(field.bytes(), false)));
          break;
        case Proto::kSparseTensorValuesFieldNumber:
          HEED_TRY(append(tensor(field.bytes(), true)));
          break;
        case Proto::kSequenceValuesFieldNumber:
          HEED_TRY(append(read(field.bytes(), Kind::sequence)));
          break;
        case Proto::kMapValuesFieldNumber:
          HEED_TRY(append(read(field.bytes(), Kind::map)));
          break;
        case Proto::kOptionalValuesFieldNumber:
          HEED_TRY(append(read(field.bytes(), Kind::optional)));
          break;
        default:
          break;
      }
    }
    HEED_TRY(field.finish());
    return value;
  }

  Result<HostValue> optional(Bytes message) {
    using Proto = onnx::OptionalProto;
    HostValue value;
    value.kind = Kind::optional;
    Fields field(message);
    while (field.next()) {
      if (field.wire() != Wire::bytes) continue;
      const auto set = [&](Result<HostValue> content) -> Result<void> {
        if (!content) return std::move(content).error();
        value.elements.assign(1, std::move(*content));
        return {};
      };
      switch (field.number()) {
        case Proto::kTensorValueFieldNumber:
          HEED_TRY(set(tensor(field.bytes(), false)));
          break;
        case Proto::kSparseTensorValueFieldNumber:
          HEED_TRY(set(tensor(field.bytes(), true)));
          break;
        case Proto::kSequenceValueFieldNumber:
          HEED_TRY(set(read(field.bytes(), Kind::sequence)));
          break;
        case Proto::kMapValueFieldNumber:
          HEED_TRY(set(read(field.bytes(), Kind::map)));
          break;
        case Proto::kOptionalValueFieldNumber:
          HEED_TRY(set(read(field.bytes(), Kind::optional)));
          break;
        default:
          break;
      }
    }
    HEED_TRY(field.finish());
    value.present = !value.elements.empty();
    return value;
  }

  // Keys as a tensor [count] of i64 (whatever integer type the file names) or strings; values as a sequence.
  Result<HostValue> map(Bytes message) {
    using Proto = onnx::MapProto;
    std::vector<int64_t> keys;
    std::vector<std::string> texts;
    HostValue values;
    values.kind = Kind::sequence;
    Fields field(message);
    bool is_whole = true;
    while (field.next()) {
      if (field.number() == Proto::kKeysFieldNumber) {
        is_whole &= onnx_file::for_each_number(field, Wire::varint,
                                               [&](uint64_t key) { keys.push_back(static_cast<int64_t>(key)); });
      } else if (field.is(Proto::kStringKeysFieldNumber, Wire::bytes)) {
        texts.push_back(field.string());
      } else if (field.is(Proto::kValuesFieldNumber, Wire::bytes)) {
        HEED_ASSIGN(values, read(field.bytes(), Kind::sequence));
      }
    }
    HEED_TRY(field.finish());
    const size_t count = texts.empty() ? keys.size() : texts.size();
    if (!is_whole) return invalid("cut short or damaged: its keys");
    if (count != values.elements.size()) {
      return invalid("it has " + std::to_string(count) + " keys and " + std::to_string(values.elements.size()) +
                     " values");
    }
    HostValue key_tensor;
    const std::vector<int64_t> dims = {static_cast<int64_t>(count)};
    key_tensor.tensor = texts.empty() ? Tensor::of(DataType::i64, dims, std::span<const int64_t>(keys))
                                      : Tensor::of_texts(dims, std::move(texts));
    HostValue value;
    value.kind = Kind::map;
    value.elements.push_back(std::move(key_tensor));
    value.elements.push_back(std::move(values));
    return value;
  }

  Source& source_;
  int depth_ = 0;
};

}  // namespace

Result<HostValue> read_value(const std::filesystem::path& path, const ValueType& expected) {
  HEED_ASSIGN(MappedFile file, MappedFile::open(path.string()));
  if (file.size_bytes() > INT_MAX) {
    return Error{Code::unsupported, path.string() + ": it has " + std::to_string(file.size_bytes()) +
                                        " bytes, and protobuf ends at 2 GiB"};
  }
  Source source(std::move(file), path.string(), FileAccess::map, false, 0);
  Result<HostValue> value = ValueReader(source).read(source.bytes(), expected.kind);
  if (!value) return std::move(value).error().within(path.string());
  return value;
}

}  // namespace heed
