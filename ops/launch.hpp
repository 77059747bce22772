// Rules of binding that the GPU halves share: sizes that fit 32 bits, and how many workgroups.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// Shaders count elements in 32 bits with a sign.
inline constexpr int64_t most_addressed = std::numeric_limits<int32_t>::max();

// Every device takes so many workgroups along each axis (Vulkan's least maxComputeWorkGroupCount).
inline constexpr int64_t most_workgroups = 65535;

inline uint32_t ceil_divide(int64_t count, int64_t size) { return static_cast<uint32_t>((count + size - 1) / size); }

// For shaders that walk over `count` items of `size` a workgroup, in turns where there are more.
inline uint32_t workgroups_for(int64_t count, int64_t size) {
  return static_cast<uint32_t>(std::min((count + size - 1) / size, most_workgroups));
}

// Whether each element of a tensor is less than 2^31 elements away from the beginning of its binding, and how many there
// are as well.
inline Result<void> check_addressable(const TensorView& tensor, std::string_view what) {
  __int128 last = tensor.c.offset, count = 1;
  for (int32_t axis = 0; axis < tensor.rank(); ++axis) {
    if (tensor.dim(axis) == 0) return {};
    last += static_cast<__int128>(tensor.dim(axis) - 1) * std::max<int64_t>(tensor.stride(axis), 0);
    count *= tensor.dim(axis);
    if (last > most_addressed || count > most_addressed)
      return Error{Code::unsupported, std::string(what) + " reaches past 2^31 elements, more than a GPU kernel addresses"};
  }
  return {};
}

// Shaders write bytes as whole words; what is behind the last of a dense tensor up to a whole word is padding.
inline Result<uint32_t> word_offset_of(const TensorView& tensor) {
  const int64_t bits = tensor.c.offset * bits_of(tensor.element());
  if (bits % 32 != 0) return Error{Code::unsupported, "the output begins amid a word"};
  return static_cast<uint32_t>(bits / 32);
}

inline int32_t stride_of(const TensorView& tensor, int32_t axis) { return static_cast<int32_t>(tensor.stride(axis)); }
inline int32_t offset_of(const TensorView& tensor) { return static_cast<int32_t>(tensor.c.offset); }

// Declines where the device lacks what a type needs; "" needs nothing.
inline Result<void> check_capability(const Planning& node, std::string_view capability, DataType type) {
  if (capability.empty() || node.capability(capability)) return {};
  return decline("the GPU lacks " + std::string(capability) + ", which " + std::string(name_of(type)) + " needs");
}

// The lanes of the vectors that threads are where the device is a CPU; 0 on a GPU, or where the kernels for lanes lack
// what they need. Node is Planning or Binding.
template <class Node>
uint32_t cpu_lanes(const Node& node) {
  for (const std::string_view needed : {"cpu_threads", "int64", "subgroup_shuffle"})
    if (!node.capability(needed)) return 0;
  return static_cast<uint32_t>(node.capability("subgroup_size"));
}

inline std::string name_in_reason(TypeView type) { return type.has_element() ? std::string(name_of(type.element())) : "an unknown type"; }

}  // namespace heed::ops
