// Tensors that are longer than a binding may be, walked in pieces: each dispatch sees a window of every tensor
// (heed_binding.windowed) that holds what its piece of the walk touches there.
#pragma once

#include <array>
#include <vector>

#include "heed/plugin.hpp"

namespace heed::ops {

inline constexpr size_t most_box_axes = 9, most_box_tensors = 9;

// The indices that a kernel walks over, and where it finds each tensor's element of an index. Strides and offsets count
// elements, the offset from the start of the binding.
struct Box {
  struct Tensor {
    int32_t binding = 0;  // its place among the variant's bindings
    int64_t element_bytes = 0;
    int64_t offset = 0;
    std::array<int64_t, most_box_axes> strides = {};
  };
  size_t rank = 0, tensor_count = 0;
  std::array<int64_t, most_box_axes> dims = {};
  std::array<int64_t, most_box_axes> grains = {};  // a cut axis' pieces are multiples of it long, but for the last
  std::array<Tensor, most_box_tensors> tensors = {};

  void add_axis(int64_t size, int64_t grain = 1) { dims[rank] = size, grains[rank++] = grain; }
  Tensor& add(int32_t binding, DataType element, int64_t offset) {
    Tensor& tensor = tensors[tensor_count++];
    tensor = {.binding = binding, .element_bytes = bits_of(element) / 8, .offset = offset};
    return tensor;
  }
};

struct Piece {
  std::array<int64_t, most_box_axes> begin = {}, dims = {};
  std::array<int64_t, most_box_tensors> offsets = {};  // of each tensor's first element, counted from its window
  std::vector<heed_window> windows = {};               // one a tensor
};

// What a binding of the device holds.
int64_t most_binding_bytes(const Binding& node);

// Whether a tensor is known when a kernel is planned to be longer than a binding.
bool is_known_longer(const Planning& node, TypeView tensor);

// Whether a tensor ends within the first most_bytes of its binding.
bool fits_binding(const TensorView& tensor, int64_t most_bytes);

// A grid of pieces of a box without empty axes, the last axis' first. No tensor's window is longer than most_bytes.
Result<std::vector<Piece>> pieces_of(const Box& box, int64_t most_bytes);

}  // namespace heed::ops
