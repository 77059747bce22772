// A state of a session.
#include "session/states.hpp"

#include <algorithm>
#include <cstring>

#include "session/gpu.hpp"

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
  auto block = gpu_ ? gpu_->new_tensor(element_, block_dims) : new_host_tensor(element_, block_dims);
  if (!block) return std::move(block).error().within("a state of " + std::to_string(size_bytes) + " bytes");
  if (spoils_memory_) HEED_TRY(spoil(*block->get(), gpu_));
  if (length_ > 0) HEED_TRY(copy_entries(*block->get(), block_dims[axis]));
  dims_ = std::move(block_dims);
  capacity_ = dims_[axis];
  block_ = std::move(*block);
  size_bytes_ = size_bytes;
  return {};
}

// The entries, at their places in a larger block: rows of the inner axes, one outer index after another.
Result<void> GrowingState::copy_entries(heed_value& to, int64_t to_capacity) const {
  int64_t outer = 1, inner = 1;  // elements
  for (size_t i = 0; i < dims_.size(); ++i)
    if (i != static_cast<size_t>(axis_)) (i < static_cast<size_t>(axis_) ? outer : inner) *= dims_[i];
  const size_t element_bytes = static_cast<size_t>(bits_of(element_)) / 8;
  const size_t row_bytes = static_cast<size_t>(inner * length_) * element_bytes;
  for (int64_t i = 0; i < outer; ++i) {
    const int64_t from_elements = i * inner * capacity_, to_elements = i * inner * to_capacity;
    if (gpu_) {
      HEED_TRY(gpu_->copy(block_.get(), from_elements, &to, to_elements, row_bytes));
    } else if (row_bytes) {
      std::memcpy(static_cast<std::byte*>(to.data) + static_cast<size_t>(to_elements) * element_bytes,
                  static_cast<const std::byte*>(block_->data) + static_cast<size_t>(from_elements) * element_bytes,
                  row_bytes);
    }
  }
  return {};
}

SharedValue GrowingState::look(int64_t length) const {
  auto value = SharedValue::own(new heed_value);
  value->element = element_;
  value->strides = dense_strides(std::span<const int64_t>(dims_));
  value->dims = dims_;
  value->dims[static_cast<size_t>(axis_)] = length;
  value->data = block_->data;
  value->on_device = block_->on_device;
  value->storage = block_->storage;
  return value;
}

}  // namespace heed
