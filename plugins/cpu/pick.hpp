// Elements chosen along each axis by itself: what Pad, Tile, CenterCropPad, Compress and Unique move.
#pragma once

#include "heed/plugin.hpp"

namespace heed::cpu {

// For each axis of the output the places of the input along it; `nothing` stands for the fill.
using Places = std::vector<std::vector<int64_t>>;
inline constexpr int64_t nothing = -1;

// y[i, j, ...] = x[places[0][i], places[1][j], ...], into output 0 of the run; all dense. Fill: an element of x's type,
// or absent for zeros and empty texts.
Result<void> pick_elements(const Running& run, const TensorView& x, const Places& places, const TensorView& fill = {});

// The same with these places along one axis, and all along the others.
Result<void> pick_along(const Running& run, const TensorView& x, int32_t axis, std::vector<int64_t> places);

}  // namespace heed::cpu
