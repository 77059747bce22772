// heed_value: what flows at a run. Counted, so that elements of sequences and results of subgraphs are handed on without
// copies.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "graph/graph.hpp"
#include "graph/tensor.hpp"
#include "heed/plugin.h"

namespace heed {

// Memory that a tensor lies in: host memory or a range of device memory. Freed by its destructor.
struct Storage {
  virtual ~Storage() = default;
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
};
