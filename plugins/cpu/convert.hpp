// Elements of any type as numbers of one of four wide types, and back: kernels compute in the wide type of their
// elements and are written (and compiled) once for each of the four, not once for each of ONNX's types.
#pragma once

#include <type_traits>
#include <vector>

#include "heed/plugin.hpp"

namespace heed::cpu {

// f32 for the narrow floats, f64, i64 for booleans and integers, u64 for u64.
enum class Wide { f32, f64, i64, u64 };
Wide wide_of(DataType type);

template <class T>
constexpr DataType data_type_of() {
  if constexpr (std::is_same_v<T, float>) return DataType::f32;
  if constexpr (std::is_same_v<T, double>) return DataType::f64;
  if constexpr (std::is_same_v<T, int64_t>) return DataType::i64;
  if constexpr (std::is_same_v<T, uint64_t>) return DataType::u64;
  if constexpr (std::is_same_v<T, uint8_t>) return DataType::boolean;
  return DataType::undefined;
}

// Calls body with a value of the wide C++ type of `type`: dispatch(type, [&]<class T>(T) { ... }).
template <class Body>
auto dispatch(DataType type, Body&& body) {
  switch (wide_of(type)) {
    case Wide::f32:
      return body(float{});
    case Wide::f64:
      return body(double{});
    case Wide::i64:
      return body(int64_t{});
    case Wide::u64:
      return body(uint64_t{});
  }
  __builtin_unreachable();
}
template <class Body>
auto dispatch_float(DataType type, Body&& body) {
  return type == DataType::f64 ? body(double{}) : body(float{});
}

// What becomes of a number that a small float cannot hold, and how f8e8m0 rounds. Integers wrap.
struct Narrowing {
  Overflow overflow = Overflow::saturate;
  ScaleRounding scale = ScaleRounding::up;
};

// n elements, `step` apart from element `first` on. T is one of the four wide types; any element type but strings and
// complex numbers. Floats go to integers towards zero.
template <class T>
void read_elements(DataType type, const void* data, int64_t first, int64_t step, int64_t n, T* to);
template <class T>
void write_elements(DataType type, const T* from, int64_t n, void* data, int64_t first, int64_t step = 1,
                    Narrowing narrowing = {});

// One element, widened.
template <class T>
T read_element(const TensorView& tensor, int64_t index = 0) {
  T value{};
  read_elements(tensor.element(), tensor.c.data, index, 1, 1, &value);
  return value;
}

// Rows of a tensor as numbers of type T: where they lie if they can be used as they are, else converted.
template <class T>
class RowReader {
 public:
  explicit RowReader(const TensorView& tensor) : type_(tensor.element()), data_(tensor.c.data) {}
  const T* row(int64_t first, int64_t n, int64_t step = 1) {
    if (type_ == data_type_of<T>() && step == 1) return static_cast<const T*>(data_) + first;
    buffer_.resize(static_cast<size_t>(n));
    read_elements(type_, data_, first, step, n, buffer_.data());
    return buffer_.data();
  }

 private:
  DataType type_;
  const void* data_;
  std::vector<T> buffer_;
};

template <class T>
class RowWriter {
 public:
  explicit RowWriter(const TensorView& tensor) : type_(tensor.element()), data_(tensor.c.data) {}
  // Where to write n numbers that finish() brings to their place.
  T* row(int64_t first, int64_t n, int64_t step = 1) {
    first_ = first, n_ = n, step_ = step;
    if (is_direct()) return static_cast<T*>(data_) + first;
    buffer_.resize(static_cast<size_t>(n));
    return buffer_.data();
  }
  void finish() {
    if (!is_direct()) write_elements(type_, buffer_.data(), n_, data_, first_, step_);
  }

 private:
  bool is_direct() const { return type_ == data_type_of<T>() && step_ == 1; }
  DataType type_;
  void* data_;
  std::vector<T> buffer_;
  int64_t first_ = 0, n_ = 0, step_ = 1;
};

}  // namespace heed::cpu
