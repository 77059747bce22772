// heed_value: what flows at a run. Counted, so that elements of sequences and results of subgraphs are handed on without
// copies.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "graph/graph.hpp"
#include "graph/tensor.hpp"
#include "heed/plugin.h"

namespace heed {

// Memory that a tensor lies in: host memory or a range of device memory. Freed by its destructor.
struct Storage {
  virtual ~Storage() = default;
};

// Where the characters of a string tensor lie: they stay where they are until it goes. For one thread at a time.
class TextArena {
 public:
  heed_text store(heed_text bytes);  // throws std::bad_alloc

 private:
  std::vector<std::shared_ptr<void>> chunks_;
  char* next_ = nullptr;
  size_t left_ = 0;
};

}  // namespace heed

// A tensor, a sequence or an optional. Immutable once it is shared. The count is atomic; the content is not guarded.
struct heed_value {
  std::atomic<int32_t> references{1};
  heed::Kind kind = heed::Kind::tensor;
  heed::DataType element = heed::DataType::f32;

  // A tensor. On the host `data` is the element at index zero; on a device it is null, and `device` holds it.
  std::vector<int64_t> dims;
  std::vector<int64_t> strides;  // in elements
  void* data = nullptr;
  int64_t offset = 0;            // on a device: of the element at index zero, in elements from the storage's start
  bool on_device = false;
  bool lent = false;             // lies in an arena: good for the step that it was made for; copy it to keep it
  std::shared_ptr<void> storage;             // host memory, or a vulkan buffer range, kept alive
  std::vector<std::shared_ptr<const void>> texts;  // what a string tensor's characters lie in

  // A sequence's elements; an optional's content, if any. References are held.
  std::vector<heed_value*> elements;

  heed_value() = default;
  heed_value(const heed_value&) = delete;
  ~heed_value();

  void retain() { references.fetch_add(1, std::memory_order_relaxed); }
  void release() {
    if (references.fetch_sub(1, std::memory_order_acq_rel) == 1) delete this;
  }
  bool shared() const { return references.load(std::memory_order_acquire) > 1; }

  // The characters of a string element, copied to where they live as long as this tensor. Throws std::bad_alloc.
  heed_text store_text(heed_text bytes);

 private:
  std::shared_ptr<heed::TextArena> arena_;  // the last of `texts`, where it was made by store_text
};

namespace heed {

// A counted reference that gives itself back.
class SharedValue {
 public:
  SharedValue() = default;
  static SharedValue own(heed_value* value) { return SharedValue(value); }
  static SharedValue borrow(heed_value* value) {
    if (value) value->retain();
    return SharedValue(value);
  }
  SharedValue(SharedValue&& other) noexcept : value_(std::exchange(other.value_, nullptr)) {}
  SharedValue(const SharedValue& other) : SharedValue(borrow(other.value_)) {}
  SharedValue& operator=(SharedValue other) noexcept { return std::swap(value_, other.value_), *this; }
  ~SharedValue() {
    if (value_) value_->release();
  }
  explicit operator bool() const { return value_ != nullptr; }
  heed_value* get() const { return value_; }
  heed_value* operator->() const { return value_; }
  heed_value* release() { return std::exchange(value_, nullptr); }

 private:
  explicit SharedValue(heed_value* value) : value_(value) {}
  heed_value* value_ = nullptr;
};

// 64-byte aligned, not zeroed; null where memory is out.
std::shared_ptr<void> allocate_host_memory(size_t size_bytes);

// In elements, row-major.
void fill_dense_strides(std::span<const int64_t> dims, std::span<int64_t> strides);
std::vector<int64_t> dense_strides(std::span<const int64_t> dims);
// Sizes 1 and empty tensors are dense whatever their strides say.
bool is_dense(std::span<const int64_t> dims, std::span<const int64_t> strides);

// A dense tensor of its own on the host; strings are empty, other elements not set. Fails on sizes that are negative,
// overflow, or do not fit memory.
Result<SharedValue> new_host_tensor(DataType element, std::span<const int64_t> dims);
// Whether a tensor that was made before is nobody else's any more, and has room for one like this.
bool may_write_again(const SharedValue& made, DataType element, std::span<const int64_t> dims);
// The same bytes, kept alive by the value.
SharedValue value_of(const Tensor& tensor);
// The same bytes, kept alive by the tensor; a strided one is copied. Fails on a tensor that lies on a device, and on what
// is no tensor.
Result<Tensor> tensor_of(const heed_value& value);
// A copy that owns its memory and is dense. `tensor` lies on the host.
Result<SharedValue> copy_to_host_tensor(const heed_tensor& tensor);
// Writes the elements of a tensor on the host densely, in order, to where there is room for them. Packed types are dense.
void copy_dense(const heed_tensor& tensor, void* target);

// As a plugin sees it; borrows from the value.
heed_tensor view_of(const heed_value& value);

}  // namespace heed
