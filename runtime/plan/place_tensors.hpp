// Where tensors lie in an arena, given how large they are and when they are needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "heed/result.hpp"

namespace heed {

// Memory that is in use from the first step to the last, both included.
struct Lifetime {
  uint32_t first_step = 0, last_step = 0;
  size_t size_bytes = 0;
};

struct Placement {
  std::vector<size_t> offsets;  // one per lifetime; multiples of placement_alignment
  size_t size_bytes = 0;        // of the whole arena
};

// Vulkan asks for up to 256 bytes; cache lines for 64.
inline constexpr size_t placement_alignment = 256;

// Largest first, each at the lowest place that is free for as long as it lives. Fails with out_of_memory past
// limit_bytes or when the sizes overflow.
Result<Placement> place_tensors(std::span<const Lifetime> lifetimes, size_t limit_bytes = SIZE_MAX);

}  // namespace heed
