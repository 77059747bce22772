// Where tensors lie in an arena, given how large they are and when they are needed.
#include "plan/place_tensors.hpp"

#include <algorithm>
#include <numeric>

namespace heed {

Result<Placement> place_tensors(std::span<const Lifetime> lifetimes, size_t limit_bytes) {
  Placement placement;
  placement.offsets.resize(lifetimes.size());
  std::vector<uint32_t> order(lifetimes.size());
  std::iota(order.begin(), order.end(), 0u);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return lifetimes[a].size_bytes > lifetimes[b].size_bytes; });

  std::vector<uint32_t> placed;  // by offset
  for (const uint32_t id : order) {
    const Lifetime& lifetime = lifetimes[id];
    size_t rounded = 0;
    if (__builtin_add_overflow(lifetime.size_bytes, placement_alignment - 1, &rounded))
      return Error{Code::out_of_memory,
                   "a tensor of " + std::to_string(lifetime.size_bytes) + " bytes does not fit any memory"};
    rounded -= rounded % placement_alignment;
    if (rounded == 0) continue;
    size_t offset = 0;
    for (const uint32_t other : placed) {
      const Lifetime& neighbour = lifetimes[other];
      if (neighbour.last_step < lifetime.first_step || lifetime.last_step < neighbour.first_step) continue;
      if (placement.offsets[other] >= offset && placement.offsets[other] - offset >= rounded) break;
      const size_t neighbour_rounded =
          (neighbour.size_bytes + placement_alignment - 1) / placement_alignment * placement_alignment;
      offset = std::max(offset, placement.offsets[other] + neighbour_rounded);
    }
    size_t end = 0;
    if (__builtin_add_overflow(offset, rounded, &end) || end > limit_bytes)
      return Error{Code::out_of_memory, "the tensors of one run need " + std::to_string(end ? end : rounded) +
                                            " bytes; the limit is " + std::to_string(limit_bytes)};
    placement.offsets[id] = offset;
    placement.size_bytes = std::max(placement.size_bytes, end);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [&](size_t value, uint32_t other) { return value < placement.offsets[other]; }),
                  id);
  }
  return placement;
}

}  // namespace heed
