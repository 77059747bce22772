// Strides over Dims.
#include "plan/strides.hpp"

#include "registry/value.hpp"

namespace heed {

std::vector<Dim> dense_strides(std::span<const Dim> dims) {
  std::vector<Dim> strides(dims.size(), Dim{1});
  for (size_t axis = dims.size(); axis-- > 1;) strides[axis - 1] = strides[axis] * dims[axis];
  return strides;
}

bool is_dense(std::span<const Dim> dims, std::span<const Dim> strides) {
  const auto dense = dense_strides(dims);
  for (size_t axis = 0; axis < dims.size(); ++axis)
    if (!dims[axis].is_number(1) && strides[axis] != dense[axis]) return false;
  return true;
}

std::optional<std::vector<Dim>> reshape_strides(std::span<const Dim> dims, std::span<const Dim> strides,
                                                std::span<const Dim> new_dims) {
  // Axes of size 1 carry no order.
  std::vector<Dim> old_dims, old_strides;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis].is_number(1)) continue;
    old_dims.push_back(dims[axis]);
    old_strides.push_back(strides[axis]);
  }
  std::vector<Dim> result(new_dims.size(), Dim{1});
  size_t old_begin = 0, new_begin = 0;
  while (true) {
    while (new_begin < new_dims.size() && new_dims[new_begin].is_number(1)) ++new_begin;
    if (new_begin == new_dims.size()) return old_begin == old_dims.size() ? std::optional(result) : std::nullopt;
    if (old_begin == old_dims.size()) return std::nullopt;
    // The smallest groups of old and new axes that hold the same number of elements.
    size_t old_end = 0, new_end = 0;
    Dim old_count = 1;
    for (size_t old_axis = old_begin; old_axis < old_dims.size() && !old_end; ++old_axis) {
      old_count *= old_dims[old_axis];
      Dim new_count = 1;
      for (size_t new_axis = new_begin; new_axis < new_dims.size() && !old_end; ++new_axis) {
        new_count *= new_dims[new_axis];
        if (old_count == new_count && !old_count.is_unknown()) old_end = old_axis + 1, new_end = new_axis + 1;
      }
    }
    if (!old_end) return std::nullopt;
    // The old group must be dense in itself.
    for (size_t axis = old_begin; axis + 1 < old_end; ++axis)
      if (old_strides[axis] != old_strides[axis + 1] * old_dims[axis + 1]) return std::nullopt;
    Dim stride = old_strides[old_end - 1];
    for (size_t axis = new_end; axis-- > new_begin;) {
      result[axis] = stride;
      stride *= new_dims[axis];
    }
    old_begin = old_end;
    new_begin = new_end;
  }
}

std::optional<Extent> extent_of(std::span<const int64_t> dims, std::span<const int64_t> strides, int64_t first) {
  Extent extent{first, first};
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    int64_t last = 0, &end = strides[axis] < 0 ? extent.low : extent.high;
    if (__builtin_mul_overflow(dims[axis] - 1, strides[axis], &last) || __builtin_add_overflow(end, last, &end))
      return std::nullopt;
  }
  return extent;
}

Result<Tensor> dense_copy(const Tensor& tensor) {
  heed_tensor view{};
  view.data = const_cast<std::byte*>(tensor.data);
  view.dims = tensor.dims.data();
  const auto dense = dense_strides(std::span<const int64_t>(tensor.dims));
  view.strides = tensor.strides.empty() ? dense.data() : tensor.strides.data();
  view.rank = static_cast<int32_t>(tensor.dims.size());
  view.element = static_cast<int32_t>(tensor.type);
  HEED_ASSIGN(Tensor copy, Tensor::allocate(tensor.type, tensor.dims));
  copy_dense(view, copy.writable());
  return copy;
}

}  // namespace heed
