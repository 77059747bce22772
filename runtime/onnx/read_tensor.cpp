// Reading of tensors: onnx.proto, TensorProto and SparseTensorProto.
#include "onnx/read_tensor.hpp"

#include <onnx/onnx_pb.h>

#include <charconv>
#include <cstring>
#include <vector>

namespace heed::onnx_file {
namespace {

using Proto = onnx::TensorProto;

// What a TensorProto says about itself; its elements still lie where they lay.
struct Header {
  std::string name;
  int64_t data_type = 0;
  std::vector<int64_t> dims;
  std::optional<Bytes> raw_data;
  bool is_external = false, has_segment = false;
  std::vector<std::pair<std::string, std::string>> external;
};

Error invalid(std::string message) { return Error{Code::invalid_model, std::move(message)}; }

std::string title(const Header& header) { return header.name.empty() ? "a tensor" : "tensor '" + header.name + "'"; }

Result<std::pair<std::string, std::string>> read_entry(Bytes message) {
  std::pair<std::string, std::string> entry;
  Fields field(message);
  while (field.next()) {
    if (field.is(onnx::StringStringEntryProto::kKeyFieldNumber, Wire::bytes)) entry.first = field.string();
    if (field.is(onnx::StringStringEntryProto::kValueFieldNumber, Wire::bytes)) entry.second = field.string();
  }
  HEED_TRY(field.finish());
  return entry;
}

Result<Header> read_header(Bytes message) {
  Header header;
  Fields field(message);
  bool is_whole = true;
  while (field.next()) {
    switch (field.number()) {
      case Proto::kDimsFieldNumber:
        is_whole = is_whole && for_each_number(field, Wire::varint,
                                               [&](uint64_t dim) { header.dims.push_back(static_cast<int64_t>(dim)); });
        break;
      case Proto::kDataTypeFieldNumber:
        if (field.wire() == Wire::varint) header.data_type = field.integer();
        break;
      case Proto::kNameFieldNumber:
        if (field.wire() == Wire::bytes) header.name = field.string();
        break;
      case Proto::kRawDataFieldNumber:
        if (field.wire() == Wire::bytes) header.raw_data = field.bytes();
        break;
      case Proto::kSegmentFieldNumber:
        header.has_segment = true;
        break;
      case Proto::kDataLocationFieldNumber:
        header.is_external = field.bits() == Proto::EXTERNAL;
        break;
      case Proto::kExternalDataFieldNumber:
        if (field.wire() == Wire::bytes) {
          HEED_ASSIGN(auto entry, read_entry(field.bytes()));
          header.external.push_back(std::move(entry));
        }
        break;
      default:
        break;
    }
  }
  HEED_TRY(field.finish());
  if (!is_whole) return invalid("cut short or damaged: its dims");
  return header;
}

Result<uint64_t> parse_size(const std::string& key, const std::string& text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc() && end == text.data() + text.size()) return value;
  return invalid("its external data has the " + key + " '" + text + "', which is no size");
}

Result<ExternalLocation> read_location(const Header& header) {
  ExternalLocation result;
  for (const auto& [key, value] : header.external) {
    if (key == "location") {
      result.location = value;
    } else if (key == "offset") {
      HEED_ASSIGN(result.offset_bytes, parse_size(key, value));
    } else if (key == "length") {
      HEED_ASSIGN(result.length_bytes, parse_size(key, value));
    } else if (key == "checksum") {
      result.checksum = value;
    }
  }
  if (result.location.empty()) return invalid("it has external data without a location");
  return result;
}

// Where the elements of a type stand when not in raw_data, and how.
struct TypedField {
  int number;
  Wire wire;                  // of one element when not packed
  size_t numbers_per_tensor;  // how many there must be
};

TypedField typed_field_of(const Tensor& claimed) {
  const auto count = static_cast<size_t>(claimed.element_count());
  switch (claimed.type) {
    case DataType::f32:
      return {Proto::kFloatDataFieldNumber, Wire::fixed32, count};
    case DataType::c64:
      return {Proto::kFloatDataFieldNumber, Wire::fixed32, 2 * count};
    case DataType::f64:
      return {Proto::kDoubleDataFieldNumber, Wire::fixed64, count};
    case DataType::c128:
      return {Proto::kDoubleDataFieldNumber, Wire::fixed64, 2 * count};
    case DataType::i64:
      return {Proto::kInt64DataFieldNumber, Wire::varint, count};
    case DataType::u32:
    case DataType::u64:
      return {Proto::kUint64DataFieldNumber, Wire::varint, count};
    case DataType::string:
      return {Proto::kStringDataFieldNumber, Wire::bytes, count};
    default:  // a number holds one element, or one byte of packed ones
      return {Proto::kInt32DataFieldNumber, Wire::varint, bits_of(claimed.type) < 8 ? claimed.size_bytes : count};
  }
}

// How many numbers the typed field holds, and the one packed run of them where there is just one.
struct Stored {
  size_t numbers = 0;
  Bytes run;
  size_t run_count = 0;
};

Result<Stored> count_numbers(Bytes message, const TypedField& typed) {
  Stored stored;
  Fields field(message);
  bool is_whole = true;
  while (field.next()) {
    if (field.number() != typed.number) continue;
    if (typed.wire == Wire::bytes) {
      stored.numbers += field.wire() == Wire::bytes;
    } else if (field.wire() == Wire::bytes && typed.wire != Wire::varint) {
      const size_t width = typed.wire == Wire::fixed64 ? 8 : 4;
      is_whole = is_whole && field.bytes().size() % width == 0;
      stored.numbers += field.bytes().size() / width;
    } else {
      is_whole = is_whole && for_each_number(field, typed.wire, [&](uint64_t) { ++stored.numbers; });
    }
    stored.run = field.bytes();
    ++stored.run_count;
  }
  HEED_TRY(field.finish());
  if (!is_whole) return invalid("cut short or damaged: its elements");
  return stored;
}

struct BorrowedTexts {
  std::vector<heed_text> elements;
  std::shared_ptr<const void> characters;
};

Result<Tensor> read_texts(Bytes message, Tensor claimed, Source& source) {
  HEED_TRY(source.reserve(claimed.size_bytes));
  auto texts = std::make_shared<BorrowedTexts>();
  texts->elements.reserve(claimed.size_bytes / sizeof(heed_text));
  texts->characters = source.owner();
  Fields field(message);
  while (field.next()) {
    if (!field.is(Proto::kStringDataFieldNumber, Wire::bytes)) continue;
    texts->elements.push_back({field.text().data(), field.text().size()});
  }
  claimed.data = claimed.size_bytes ? reinterpret_cast<const std::byte*>(texts->elements.data()) : nullptr;
  claimed.owner = std::move(texts);
  return claimed;
}

Result<Tensor> convert_numbers(Bytes message, const TypedField& typed, Tensor claimed, Source& source) {
  HEED_ASSIGN(Tensor tensor, source.allocate(claimed.type, std::move(claimed.dims)));
  const size_t width = typed.numbers_per_tensor ? tensor.size_bytes / typed.numbers_per_tensor : 0;
  std::byte* to = tensor.writable();
  const std::byte* end = to + tensor.size_bytes;
  Fields field(message);
  while (field.next()) {
    if (field.number() != typed.number) continue;
    for_each_number(field, typed.wire, [&](uint64_t bits) {
      if (to == end) return;
      std::memcpy(to, &bits, width);  // the low bytes: an integer narrowed, a float16's bits
      to += width;
    });
  }
  source.count_converted(message.size());
  return tensor;
}

Result<Tensor> read_elements(Bytes message, const Header& header, Source& source) {
  const auto type = static_cast<DataType>(header.data_type);
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(type, header.dims));
  Tensor claimed{type, header.dims, nullptr, size_bytes, nullptr};
  if (header.is_external) {
    if (type == DataType::string) return invalid("strings cannot lie in external data");
    HEED_ASSIGN(const ExternalLocation location, read_location(header));
    return source.external_tensor(location, type, header.dims);
  }
  if (header.raw_data && type == DataType::string) return invalid("strings cannot lie in raw_data");
  const TypedField typed = typed_field_of(claimed);
  HEED_ASSIGN(const Stored stored, count_numbers(message, typed));
  if (header.raw_data && (!header.raw_data->empty() || size_bytes == 0)) {
    if (stored.numbers > 0)
      return invalid(to_string(claimed) + " lies in raw_data and in field " + std::to_string(typed.number));
    if (header.raw_data->size() != size_bytes) {
      return invalid(to_string(claimed) + " needs " + std::to_string(size_bytes) + " bytes, its raw_data has " +
                     std::to_string(header.raw_data->size()));
    }
    return source.tensor_at(*header.raw_data, type, header.dims);
  }
  if (stored.numbers != typed.numbers_per_tensor) {
    return invalid(to_string(claimed) + " needs " + std::to_string(typed.numbers_per_tensor) + " numbers in field " +
                   std::to_string(typed.number) + ", it has " + std::to_string(stored.numbers));
  }
  if (type == DataType::string) return read_texts(message, std::move(claimed), source);
  const bool is_as_raw = typed.wire != Wire::varint && stored.run_count == 1 && stored.run.size() == size_bytes;
  if (is_as_raw) return source.tensor_at(stored.run, type, header.dims);
  return convert_numbers(message, typed, std::move(claimed), source);
}

void copy_element(const Tensor& from, size_t from_index, Tensor& to, size_t to_index) {
  const auto bits = static_cast<size_t>(from.type == DataType::string ? 8 * sizeof(heed_text) : bits_of(from.type));
  if (bits >= 8) {
    std::memcpy(to.writable() + to_index * (bits / 8), from.data + from_index * (bits / 8), bits / 8);
    return;
  }
  const size_t per_byte = 8 / bits;
  const auto mask = static_cast<uint8_t>((1u << bits) - 1);
  const auto element = static_cast<uint8_t>(
      (static_cast<uint8_t>(from.data[from_index / per_byte]) >> (bits * (from_index % per_byte))) & mask);
  to.writable()[to_index / per_byte] |= static_cast<std::byte>(element << (bits * (to_index % per_byte)));
}

struct SparseParts {
  Bytes values, indices;
  std::vector<int64_t> dims;
};

Result<SparseParts> read_sparse_parts(Bytes message) {
  SparseParts parts;
  Fields field(message);
  bool is_whole = true;
  while (field.next()) {
    if (field.is(onnx::SparseTensorProto::kValuesFieldNumber, Wire::bytes)) parts.values = field.bytes();
    if (field.is(onnx::SparseTensorProto::kIndicesFieldNumber, Wire::bytes)) parts.indices = field.bytes();
    if (field.number() == onnx::SparseTensorProto::kDimsFieldNumber) {
      is_whole = is_whole && for_each_number(field, Wire::varint,
                                             [&](uint64_t dim) { parts.dims.push_back(static_cast<int64_t>(dim)); });
    }
  }
  HEED_TRY(field.finish());
  if (!is_whole) return invalid("cut short or damaged: its dims");
  return parts;
}

// The place in the dense tensor of each value: from indices [count], or [count, rank]. They must ascend.
Result<std::vector<int64_t>> dense_positions(const Tensor& indices, size_t count, const Tensor& dense) {
  const size_t rank = dense.dims.size();
  const bool is_flat = indices.dims == std::vector<int64_t>{static_cast<int64_t>(count)};
  const bool is_by_axis = indices.dims == std::vector<int64_t>{static_cast<int64_t>(count), static_cast<int64_t>(rank)};
  if (indices.type != DataType::i64 || (!is_flat && !is_by_axis)) {
    return invalid("its indices are " + to_string(indices) + ", expected i64 [" + std::to_string(count) + "] or [" +
                   std::to_string(count) + ", " + std::to_string(rank) + "]");
  }
  const auto read = [&](size_t at) {
    int64_t index = 0;
    std::memcpy(&index, indices.data + at * sizeof(index), sizeof(index));
    return index;
  };
  std::vector<int64_t> positions(count);
  for (size_t i = 0; i < count; ++i) {
    int64_t position = 0;
    for (size_t axis = 0; axis < (is_by_axis ? rank : 1); ++axis) {
      const int64_t index = is_by_axis ? read(i * rank + axis) : read(i);
      const int64_t size = is_by_axis ? dense.dims[axis] : dense.element_count();
      if (index < 0 || index >= size) {
        return invalid("its index " + std::to_string(index) + " (of value " + std::to_string(i) + ") is not in [0, " +
                       std::to_string(size) + ")");
      }
      position = is_by_axis ? position * size + index : index;
    }
    if (i > 0 && position <= positions[i - 1]) {
      return invalid("its indices do not ascend: value " + std::to_string(i) + " comes before or on the one before it");
    }
    positions[i] = position;
  }
  return positions;
}

Result<Tensor> densify(const SparseParts& parts, const NamedTensor& values, Source& source) {
  const Tensor& from = values.tensor;
  if (from.dims.size() != 1) return invalid("its values are " + to_string(from) + ", expected one axis");
  HEED_ASSIGN(const NamedTensor indices, read_tensor(parts.indices, source));
  HEED_ASSIGN(Tensor dense, source.allocate(from.type, parts.dims));
  HEED_ASSIGN(const std::vector<int64_t> positions,
              dense_positions(indices.tensor, static_cast<size_t>(from.dims[0]), dense));
  for (size_t i = 0; i < positions.size(); ++i) copy_element(from, i, dense, static_cast<size_t>(positions[i]));
  if (from.type == DataType::string) {  // zeroed texts are empty; the others' characters lie with `from`
    dense.owner =
        std::make_shared<std::pair<std::shared_ptr<const void>, std::shared_ptr<const void>>>(dense.owner, from.owner);
  }
  return dense;
}

}  // namespace

Result<NamedTensor> read_tensor(Bytes message, Source& source) {
  Result<Header> read = read_header(message);
  if (!read) return std::move(read).error().within("a tensor");
  Header& header = *read;
  if (header.data_type < 1 || header.data_type >= data_type_count) {
    return invalid(title(header) + " has the data type " + std::to_string(header.data_type) + ", expected 1 to " +
                   std::to_string(data_type_count - 1));
  }
  if (header.has_segment) {
    return Error{Code::unsupported,
                 title(header) +
                     " is one segment of a larger tensor: ONNX gave that form up. Save the model with whole tensors."};
  }
  Result<Tensor> tensor = read_elements(message, header, source);
  if (!tensor) return std::move(tensor).error().within(title(header));
  return NamedTensor{std::move(header.name), std::move(*tensor)};
}

Result<NamedTensor> read_sparse_tensor(Bytes message, Source& source) {
  Result<SparseParts> parts = read_sparse_parts(message);
  if (!parts) return std::move(parts).error().within("a sparse tensor");
  HEED_ASSIGN(NamedTensor values, read_tensor(parts->values, source));
  Result<Tensor> dense = densify(*parts, values, source);
  if (!dense) return std::move(dense).error().within("sparse tensor '" + values.name + "'");
  return NamedTensor{std::move(values.name), std::move(*dense)};
}

}  // namespace heed::onnx_file
