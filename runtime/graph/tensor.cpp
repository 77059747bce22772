// Tensors on the host: their memory, and how they are shown.
#include "graph/tensor.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

#include "base/memory_budget.hpp"

namespace heed {
namespace {

constexpr size_t alignment_bytes = 64;

struct Texts {
  std::vector<std::string> strings;
  std::vector<heed_text> elements;
};

}  // namespace

Result<size_t> dense_size_bytes(DataType type, std::span<const int64_t> dims) {
  uint64_t count = 1;
  bool empty = false;
  for (int64_t dim : dims) {
    if (dim < 0) return Error{Code::invalid_model, "shape " + to_string(dims) + " has a negative size"};
    empty = empty || dim == 0;
  }
  if (empty) return size_t{0};
  for (int64_t dim : dims) {
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(dim), &count)) {
      return Error{Code::invalid_model, "shape " + to_string(dims) + " has more elements than fit 64 bits"};
    }
  }
  // 2^40 bits below the edge of size_t is as large as any address space.
  uint64_t bits = 0;
  const uint64_t element_bits = type == DataType::string ? 8 * sizeof(heed_text) : bits_of(type);
  if (__builtin_mul_overflow(count, element_bits, &bits) || bits > UINT64_MAX - 7) {
    return Error{Code::invalid_model, "shape " + to_string(dims) + " has more bytes than can be addressed"};
  }
  return static_cast<size_t>((bits + 7) / 8);
}

Result<Tensor> Tensor::allocate(DataType type, std::vector<int64_t> dims) {
  Result<size_t> size = dense_size_bytes(type, dims);
  if (!size) return std::move(size).error();
  Tensor tensor{type, std::move(dims), nullptr, *size, nullptr};
  if (*size == 0) return tensor;
  // calloc leaves large memory untouched until it is written.
  const auto calloc_bytes = [](size_t size_bytes) { return std::calloc(size_bytes, 1); };
  const auto memory =
      *size <= SIZE_MAX - alignment_bytes ? allocate_counted(*size + alignment_bytes, calloc_bytes) : nullptr;
  if (memory == nullptr) {
    return Error{Code::out_of_memory, "no memory for a tensor " + to_string(tensor) + " of " + std::to_string(*size) +
                                          " bytes" + memory_limit_note()};
  }
  const auto address = reinterpret_cast<uintptr_t>(memory.get());
  tensor.data = static_cast<std::byte*>(memory.get()) + (alignment_bytes - address % alignment_bytes);
  tensor.owner = memory;
  return tensor;
}

Tensor Tensor::of_texts(std::vector<int64_t> dims, std::vector<std::string> texts) {
  auto owner = std::make_shared<Texts>();
  owner->strings = std::move(texts);
  owner->elements.reserve(owner->strings.size());
  for (const std::string& text : owner->strings) owner->elements.push_back({text.data(), text.size()});
  const auto* data = reinterpret_cast<const std::byte*>(owner->elements.data());
  const size_t size_bytes = owner->elements.size() * sizeof(heed_text);
  return Tensor{DataType::string, std::move(dims), size_bytes ? data : nullptr, size_bytes, std::move(owner)};
}

int64_t Tensor::element_count() const {
  int64_t count = 1;
  for (int64_t dim : dims) count *= dim;
  return count;
}

Result<std::vector<int64_t>> Tensor::integers(size_t limit) const {
  const size_t count = static_cast<size_t>(element_count());
  if (count > limit) {
    return Error{Code::unsupported, to_string(*this) + " has more than the " + std::to_string(limit) +
                                        " elements that are read as sizes or indices"};
  }
  std::vector<int64_t> result(count);
  const auto widen = [&](auto values) { std::copy_n(values.begin(), count, result.begin()); };
  if (type == DataType::i64) {
    widen(as<int64_t>());
  } else if (type == DataType::i32) {
    widen(as<int32_t>());
  } else if (type == DataType::boolean) {
    widen(as<uint8_t>());
  } else {
    return Error{Code::invalid_argument, "expected integers (i64, i32 or bool), met " + to_string(*this)};
  }
  return result;
}

std::string to_string(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t axis = 0; axis < dims.size(); ++axis) text += (axis ? ", " : "") + std::to_string(dims[axis]);
  return text + "]";
}

std::string to_string(const Tensor& tensor) { return std::string(name_of(tensor.type)) + " " + to_string(tensor.dims); }

}  // namespace heed
