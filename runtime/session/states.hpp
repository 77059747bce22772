// A state of a session: a tensor that lives across runs, with room to grow along one axis.
#pragma once

#include <cstdint>
#include <vector>

#include "heed/result.hpp"
#include "plan/plan.hpp"
#include "registry/value.hpp"

namespace heed {

class GpuStream;

// Holds [.., length, ..] of a block [.., capacity, ..]; the strides are those of the block, so that a run appends where
// the past lies. Growing doubles the capacity and copies once.
class GrowingState {
 public:
  // On the device of `gpu`, which must outlive it; null: on the host. spoils_memory: what no entry fills is NaN.
  GrowingState(DataType element, int32_t axis, GpuStream* gpu, bool spoils_memory)
      : element_(element), axis_(axis), gpu_(gpu), spoils_memory_(spoils_memory) {}

  int64_t length() const { return length_; }
  int64_t capacity() const { return capacity_; }
  size_t size_bytes() const { return size_bytes_; }
  void reset() { length_ = 0; }
  void truncate(int64_t length) { length_ = length; }

  // Makes room for `wanted` entries. dims: of the whole tensor; the growing axis is ignored. A change of other sizes
  // while entries are held is an error.
  Result<void> reserve(std::span<const int64_t> dims, int64_t wanted);
  // The first `length` entries, strided; shares the block.
  SharedValue look(int64_t length) const;
  void set_length(int64_t length) { length_ = length; }

  // What it would grow to, to hold `wanted`: what memory is placed for.
  static int64_t capacity_for(int64_t wanted);

 private:
  Result<void> copy_entries(heed_value& to, int64_t to_capacity) const;

  DataType element_;
  int32_t axis_;
  GpuStream* gpu_;
  bool spoils_memory_;
  int64_t length_ = 0, capacity_ = 0;
  std::vector<int64_t> dims_;  // of the block
  SharedValue block_;
  size_t size_bytes_ = 0;
};

}  // namespace heed
