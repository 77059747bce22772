// How the GPU halves walk over tensors that broadcast to the same dims: the parameters that shaders of strided elements
// share.
#pragma once

#include "launch.hpp"
#include "pieces.hpp"

namespace heed::ops {

inline constexpr int32_t most_axes = 8;

// The axes of a walk; shaders mirror it. Neighbours that all tensors cross with one stride are one axis. Offsets and
// strides are in elements; a stride of 0 repeats.
template <size_t most_tensors>
struct Axes {
  uint32_t rank = 0;
  uint32_t dims[most_axes] = {};
  int32_t offsets[most_tensors] = {};
  int32_t strides[most_axes][most_tensors] = {};

  // Adds axis `axis` of dims, to which the tensors broadcast by ONNX's rule; it joins no axis before `first`. An absent
  // tensor stands still. All are addressable, and dims have no more than most_axes axes.
  void add(std::span<const int64_t> of_dims, int32_t axis, std::span<const TensorView> tensors, uint32_t first = 0) {
    const auto size = static_cast<uint32_t>(of_dims[static_cast<size_t>(axis)]);
    if (size == 1) return;
    int32_t crossed[most_tensors] = {};
    for (size_t t = 0; t < tensors.size(); ++t) {
      const int32_t own = axis - static_cast<int32_t>(of_dims.size()) + tensors[t].rank();
      if (tensors[t].present() && own >= 0 && tensors[t].dim(own) != 1) crossed[t] = stride_of(tensors[t], own);
    }
    bool joins = rank > first;
    for (size_t t = 0; joins && t < most_tensors; ++t)
      joins = strides[rank - 1][t] == static_cast<int64_t>(crossed[t]) * size;
    if (!joins) dims[rank++] = 1;
    dims[rank - 1] *= size;
    std::copy(std::begin(crossed), std::end(crossed), strides[rank - 1]);
  }
};

template <size_t most_tensors>
struct Walk {
  uint32_t count;
  Axes<most_tensors> axes;
};

// All elements of `shape`'s dims in each tensor.
template <size_t most_tensors>
Result<Walk<most_tensors>> walk_over(const TensorView& shape, std::span<const TensorView> tensors) {
  Walk<most_tensors> walk{static_cast<uint32_t>(shape.count()), {}};
  for (size_t t = 0; t < tensors.size(); ++t) {
    HEED_TRY(check_addressable(tensors[t], "tensor " + std::to_string(t) + " of the kernel"));
    walk.axes.offsets[t] = offset_of(tensors[t]);
  }
  for (int32_t axis = 0; axis < shape.rank(); ++axis) walk.axes.add(shape.dims(), axis, tensors);
  return walk;
}

// Adds the walk with a variant that binds the tensors in their order; in pieces, where `windowed` tells that one of their
// bindings may be longer than the device takes.
template <size_t most_tensors>
Result<void> add_walk(Launch& launch, const Binding& node, int32_t variant, const Walk<most_tensors>& walk,
                      std::span<const TensorView> tensors, bool windowed, int64_t workgroup_size) {
  if (!windowed) {
    launch.dispatches.push_back({variant, bytes_of(walk), {workgroups_for(walk.count, workgroup_size), 1, 1}});
    return {};
  }
  Box box;
  for (uint32_t axis = 0; axis < walk.axes.rank; ++axis) box.add_axis(walk.axes.dims[axis]);
  for (size_t t = 0; t < tensors.size(); ++t) {
    auto& tensor = box.add(static_cast<int32_t>(t), tensors[t].element(), walk.axes.offsets[t]);
    for (uint32_t axis = 0; axis < walk.axes.rank; ++axis) tensor.strides[axis] = walk.axes.strides[axis][t];
  }
  HEED_ASSIGN(auto pieces, pieces_of(box, most_binding_bytes(node)));
  for (Piece& piece : pieces) {
    Walk<most_tensors> part = walk;
    part.count = 1;
    for (uint32_t axis = 0; axis < walk.axes.rank; ++axis) {
      part.axes.dims[axis] = static_cast<uint32_t>(piece.dims[axis]);
      part.count *= part.axes.dims[axis];
    }
    for (size_t t = 0; t < tensors.size(); ++t) part.axes.offsets[t] = static_cast<int32_t>(piece.offsets[t]);
    launch.dispatches.push_back({variant,
                                 bytes_of(part),
                                 {workgroups_for(part.count, workgroup_size), 1, 1},
                                 std::move(piece.windows)});
  }
  return {};
}

}  // namespace heed::ops
