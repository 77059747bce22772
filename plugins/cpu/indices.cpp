// Indices into axes, as tensors hold them.
#include "indices.hpp"

namespace heed::cpu {

Result<std::vector<int64_t>> places_of(const TensorView& indices, std::span<const int64_t> sizes) {
  auto places = indices.integers();
  for (size_t i = 0; i < places.size(); ++i) {
    const int64_t size = sizes[i % sizes.size()];
    if (places[i] < -size || places[i] >= size)
      return Error{Code::invalid_argument, "index " + std::to_string(places[i]) + " at position " + std::to_string(i) +
                                               " is outside of [" + std::to_string(-size) + ", " +
                                               std::to_string(size - 1) + "], the positions on the axis"};
    if (places[i] < 0) places[i] += size;
  }
  return places;
}

}  // namespace heed::cpu
