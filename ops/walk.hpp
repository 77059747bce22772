// How the GPU halves walk over tensors of equal dims: the parameters that shaders of strided elements share.
#pragma once

#include "launch.hpp"

namespace heed::ops {

inline constexpr int32_t most_walked_axes = 8;

// Mirrors the head of the parameters in the shaders. Offsets and strides are in elements; a stride of 0 repeats.
template <size_t most_tensors>
struct Walk {
  uint32_t count, rank;
  int32_t offsets[most_tensors];
  uint32_t dims[most_walked_axes];
  int32_t strides[most_tensors][most_walked_axes];
};

// All elements of `shape`'s dims in each tensor, whose own dims broadcast to them. Axes that all tensors cross with one
// stride are one axis. `shape` has no more than most_walked_axes axes.
template <size_t most_tensors>
Result<Walk<most_tensors>> walk_over(const TensorView& shape, std::span<const TensorView> tensors) {
  Walk<most_tensors> walk{};
  walk.count = static_cast<uint32_t>(shape.count());
  for (size_t k = 0; k < tensors.size(); ++k) {
    HEED_TRY(check_addressable(tensors[k], "tensor " + std::to_string(k) + " of the kernel"));
    walk.offsets[k] = offset_of(tensors[k]);
  }
  const auto stride = [&](const TensorView& x, int32_t axis) {
    const int32_t own = axis - (shape.rank() - x.rank());
    return own < 0 || x.dim(own) == 1 ? 0 : stride_of(x, own);
  };
  for (int32_t axis = 0; axis < shape.rank(); ++axis) {
    const auto size = static_cast<uint32_t>(shape.dim(axis));
    if (size == 1) continue;
    bool joins = walk.rank > 0;
    for (size_t k = 0; joins && k < tensors.size(); ++k)
      joins = int64_t{walk.strides[k][walk.rank - 1]} == int64_t{stride(tensors[k], axis)} * size;
    if (!joins) walk.dims[walk.rank++] = 1;
    walk.dims[walk.rank - 1] *= size;
    for (size_t k = 0; k < tensors.size(); ++k) walk.strides[k][walk.rank - 1] = stride(tensors[k], axis);
  }
  return walk;
}

}  // namespace heed::ops
