// The tiles of a product of f16 matrices where subgroups multiply small matrices as a whole: shaders/matmul_cooperative.comp.
#pragma once

#include <array>

#include "cooperative.hpp"

namespace heed::ops {

struct TileSizes {
  uint32_t rows, columns;
};

struct CooperativeTile {
  CooperativeProduct product;
  uint32_t blocks = 0;  // of products, along each axis of a subgroup's part of the tile

  TileSizes sizes() const;
  Variant variant() const;
};

inline constexpr size_t cooperative_tile_count = 3;
using CooperativeTiles = std::array<CooperativeTile, cooperative_tile_count>;

// Larger ones first; none where the type or the device does not serve. The same when planning and when binding.
std::optional<CooperativeTiles> cooperative_tiles(const Planning& node);
std::optional<CooperativeTiles> cooperative_tiles(const Binding& node);

}  // namespace heed::ops
