// Tables of cases for operators: rows from numbers. For tests, and for `heed devices --test`: no Catch here.
#include "cases.hpp"

#include <cstring>
#include <stdexcept>

namespace heed::test {

std::vector<Table>& tables() {
  static std::vector<Table> all;
  return all;
}

Case by(Reference reference, std::string what, Tensors inputs, double tolerance, std::string attributes,
        int32_t opset) {
  auto outputs = reference(inputs);
  return {std::move(what), std::move(inputs), std::move(outputs), tolerance, std::move(attributes), opset};
}

namespace {

template <class T>
void put(Tensor& tensor, size_t index, T value) {
  std::memcpy(tensor.writable() + index * sizeof(T), &value, sizeof(T));
}
template <class T>
T get(const Tensor& tensor, size_t index) {
  T value;
  std::memcpy(&value, tensor.data + index * sizeof(T), sizeof(T));
  return value;
}

void set(Tensor& tensor, size_t i, double value) {
  auto* packed = reinterpret_cast<uint8_t*>(tensor.writable());
  switch (tensor.type) {
    case DataType::f32:
      return put(tensor, i, static_cast<float>(value));
    case DataType::f64:
      return put(tensor, i, value);
    case DataType::f16:
      return put(tensor, i, Float16(value));
    case DataType::bf16:
      return put(tensor, i, BFloat16(value));
    case DataType::f8e4m3fn:
      return put(tensor, i, Float8E4M3FN(value));
    case DataType::f8e4m3fnuz:
      return put(tensor, i, Float8E4M3FNUZ(value));
    case DataType::f8e5m2:
      return put(tensor, i, Float8E5M2(value));
    case DataType::f8e5m2fnuz:
      return put(tensor, i, Float8E5M2FNUZ(value));
    case DataType::f8e8m0:
      return put(tensor, i, Float8E8M0(value));
    case DataType::i8:
      return put(tensor, i, static_cast<int8_t>(value));
    case DataType::i16:
      return put(tensor, i, static_cast<int16_t>(value));
    case DataType::i32:
      return put(tensor, i, static_cast<int32_t>(value));
    case DataType::i64:
      return put(tensor, i, truncate_to_int64(value));
    case DataType::u8:
    case DataType::boolean:
      return put(tensor, i, static_cast<uint8_t>(value));
    case DataType::u16:
      return put(tensor, i, static_cast<uint16_t>(value));
    case DataType::u32:
      return put(tensor, i, static_cast<uint32_t>(value));
    case DataType::u64:
      return put(tensor, i, truncate_to_uint64(value));
    case DataType::f4e2m1:
      return set_packed_element(packed, static_cast<int64_t>(i), 4, Float4E2M1(value).bits);
    default:
      return set_packed_element(packed, static_cast<int64_t>(i), bits_of(tensor.type),
                                wrap_to_bits(static_cast<int64_t>(value), bits_of(tensor.type)));
  }
}

double value_at(const Tensor& tensor, size_t i) {
  const auto code = [&] {
    return packed_element(reinterpret_cast<const uint8_t*>(tensor.data), static_cast<int64_t>(i), bits_of(tensor.type));
  };
  switch (tensor.type) {
    case DataType::f32:
      return get<float>(tensor, i);
    case DataType::f64:
      return get<double>(tensor, i);
    case DataType::f16:
      return static_cast<double>(get<Float16>(tensor, i));
    case DataType::bf16:
      return static_cast<double>(get<BFloat16>(tensor, i));
    case DataType::f8e4m3fn:
      return static_cast<double>(get<Float8E4M3FN>(tensor, i));
    case DataType::f8e4m3fnuz:
      return static_cast<double>(get<Float8E4M3FNUZ>(tensor, i));
    case DataType::f8e5m2:
      return static_cast<double>(get<Float8E5M2>(tensor, i));
    case DataType::f8e5m2fnuz:
      return static_cast<double>(get<Float8E5M2FNUZ>(tensor, i));
    case DataType::f8e8m0:
      return static_cast<double>(get<Float8E8M0>(tensor, i));
    case DataType::i8:
      return get<int8_t>(tensor, i);
    case DataType::i16:
      return get<int16_t>(tensor, i);
    case DataType::i32:
      return get<int32_t>(tensor, i);
    case DataType::i64:
      return static_cast<double>(get<int64_t>(tensor, i));
    case DataType::u8:
    case DataType::boolean:
      return get<uint8_t>(tensor, i);
    case DataType::u16:
      return get<uint16_t>(tensor, i);
    case DataType::u32:
      return get<uint32_t>(tensor, i);
    case DataType::u64:
      return static_cast<double>(get<uint64_t>(tensor, i));
    case DataType::f4e2m1:
      return static_cast<double>(Float4E2M1::from_bits(code()));
    case DataType::i4:
    case DataType::i2:
      return sign_extended(code(), bits_of(tensor.type));
    default:
      return code();
  }
}

}  // namespace

Tensor numbers(DataType type, std::vector<int64_t> dims, const std::vector<double>& values) {
  auto tensor = Tensor::allocate(type, std::move(dims));
  // Tables are made before main, where Catch has no say.
  if (!tensor || static_cast<size_t>(tensor->element_count()) != values.size())
    throw std::logic_error("a row of a table gives " + std::to_string(values.size()) + " numbers for another shape");
  for (size_t i = 0; i < values.size(); ++i) set(*tensor, i, values[i]);
  return *tensor;
}

Tensor texts(std::vector<int64_t> dims, std::vector<std::string> values) {
  return Tensor::of_texts(std::move(dims), std::move(values));
}

Tensor absent() {
  Tensor tensor;
  tensor.type = DataType::undefined;
  return tensor;
}

Tensor random(std::vector<int64_t> dims, double low, double high, DataType type) {
  int64_t count = 1;
  for (const auto dim : dims) count *= dim;
  std::vector<double> values(static_cast<size_t>(count));
  uint64_t state = 0x9E3779B97F4A7C15u * (values.size() + 1);  // SplitMix64
  for (auto& value : values) {
    state += 0x9E3779B97F4A7C15u;
    uint64_t bits = state;
    bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9u;
    bits = (bits ^ bits >> 27) * 0x94D049BB133111EBu;
    bits ^= bits >> 31;
    value = low + (high - low) * static_cast<double>(bits >> 11) * 0x1p-53;
  }
  return numbers(type, std::move(dims), values);
}

std::vector<double> values_of(const Tensor& tensor) {
  std::vector<double> values(static_cast<size_t>(tensor.element_count()));
  for (size_t i = 0; i < values.size(); ++i) values[i] = value_at(tensor, i);
  return values;
}

std::vector<int64_t> row_major(std::span<const int64_t> dims) {
  std::vector<int64_t> strides(dims.size());
  int64_t stride = 1;
  for (size_t axis = dims.size(); axis-- > 0; stride *= dims[axis]) strides[axis] = stride;
  return strides;
}

}  // namespace heed::test
