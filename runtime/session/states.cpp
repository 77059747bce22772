// A state of a session.
#include "session/states.hpp"

#include <algorithm>

namespace heed {

int64_t GrowingState::capacity_for(int64_t wanted) {
  constexpr int64_t smallest = 64;  // entries; below, doubling would only add copies
  int64_t capacity = smallest;
  while (capacity < wanted && capacity < INT64_MAX / 2) capacity *= 2;
  return std::max(capacity, wanted);
}

Result<void> GrowingState::reserve(std::span<const int64_t> dims, int64_t wanted) {
  std::vector<int64_t> block_dims(dims.begin(), dims.end());
  const size_t axis = static_cast<size_t>(axis_);
  bool same = dims_.size() == block_dims.size();
  for (size_t i = 0; same && i < block_dims.size(); ++i) same = i == axis || dims_[i] == block_dims[i];
  if (same && wanted <= capacity_) return {};
  if (!same && length_ > 0)
    return Error{Code::shape_mismatch, "the state is " + to_string(dims_) + " and this run asks for " +
                                           to_string(block_dims) + "; reset the states before another batch"};
  block_dims[axis] = capacity_for(wanted);
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(element_, block_dims));
  auto block = allocate_host_memory(size_bytes);
  if (!block) return Error{Code::out_of_memory, "no memory for a state of " + std::to_string(size_bytes) + " bytes"};
  const auto old = length_ > 0 ? look(length_) : SharedValue();
  dims_ = std::move(block_dims);
  capacity_ = dims_[axis];
  block_ = std::move(block);
  size_bytes_ = size_bytes;
  if (!old) return {};
  // The old entries, at their places in the new block: rows of the inner axes, one outer index after another.
  const auto grown = look(length_);
  size_t outer = 1, inner_bytes = static_cast<size_t>(bits_of(element_)) / 8;
  for (size_t i = 0; i < axis; ++i) outer *= static_cast<size_t>(dims_[i]);
  for (size_t i = axis + 1; i < dims_.size(); ++i) inner_bytes *= static_cast<size_t>(dims_[i]);
  const size_t old_pitch =
      inner_bytes *
      static_cast<size_t>(axis == 0 ? 0 : old->strides[axis - 1] / std::max<int64_t>(old->strides[axis], 1));
  const size_t new_pitch = inner_bytes * static_cast<size_t>(capacity_);
  for (size_t i = 0; i < outer; ++i)
    std::copy_n(static_cast<const std::byte*>(old->data) + i * old_pitch, inner_bytes * static_cast<size_t>(length_),
                static_cast<std::byte*>(grown->data) + i * new_pitch);
  return {};
}

SharedValue GrowingState::look(int64_t length) const {
  auto value = SharedValue::own(new heed_value);
  value->element = element_;
  value->strides = dense_strides(std::span<const int64_t>(dims_));
  value->dims = dims_;
  value->dims[static_cast<size_t>(axis_)] = length;
  value->data = block_.get();
  value->storage = block_;
  return value;
}

}  // namespace heed
