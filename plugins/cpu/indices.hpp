// Indices into axes, as tensors hold them.
#pragma once

#include "heed/plugin.hpp"

namespace heed::cpu {

// The elements of an i32 or i64 tensor as places: element i, which chooses among sizes[i % sizes.size()], counted from
// the front. Fails on the first that is outside.
Result<std::vector<int64_t>> places_of(const TensorView& indices, std::span<const int64_t> sizes);

}  // namespace heed::cpu
