// A tensor on the host: constants of a model, inputs and outputs of a run.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "heed/data_type.hpp"
#include "heed/plugin.h"
#include "heed/result.hpp"

namespace heed {

// Dense, row-major, immutable once shared. Sub-byte types are packed as ONNX packs them, low bits first. Bytes may lie in
// a mapped file; `owner` keeps them alive. A string tensor's bytes are heed_text elements whose characters `owner` keeps.
struct Tensor {
  DataType type = DataType::f32;
  std::vector<int64_t> dims;
  const std::byte* data = nullptr;  // null only where size_bytes is 0
  size_t size_bytes = 0;
  std::shared_ptr<const void> owner;
  bool mapped = false;                // the bytes lie in a mapped file: their pages may be dropped and come back
  std::vector<int64_t> strides = {};  // in elements; empty: dense. Only the plan looks at constants this way

  // Zeroed memory of the right size, 64-byte aligned; the caller may write through `writable` before sharing it.
  static Result<Tensor> allocate(DataType type, std::vector<int64_t> dims);
  static Tensor of_texts(std::vector<int64_t> dims, std::vector<std::string> texts);
  template <class T>
  static Tensor of(DataType type, std::vector<int64_t> dims, std::span<const T> values);

  int64_t element_count() const;
  std::byte* writable() { return const_cast<std::byte*>(data); }
  template <class T>
  std::span<const T> as() const {
    return {reinterpret_cast<const T*>(data), size_bytes / sizeof(T)};
  }
  std::span<const heed_text> texts() const { return as<heed_text>(); }
  // The elements of an integer tensor (i32, i64, boolean) widened; at most `limit` of them, else an error.
  Result<std::vector<int64_t>> integers(size_t limit = 1 << 16) const;
};

// The bytes of a dense tensor, sub-byte types packed. Fails on a negative or overflowing size.
Result<size_t> dense_size_bytes(DataType type, std::span<const int64_t> dims);

// "f32 [2, 3]"
std::string to_string(const Tensor& tensor);
std::string to_string(std::span<const int64_t> dims);

template <class T>
Tensor Tensor::of(DataType type, std::vector<int64_t> dims, std::span<const T> values) {
  auto copy = std::make_shared<std::vector<T>>(values.begin(), values.end());
  Tensor tensor{type, std::move(dims), reinterpret_cast<const std::byte*>(copy->data()), copy->size() * sizeof(T), nullptr, false, {}};
  tensor.owner = std::move(copy);
  return tensor;
}

}  // namespace heed
