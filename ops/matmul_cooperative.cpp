// Choosing the tiles of products by cooperative matrices.
#include "matmul_cooperative.hpp"

#include "matmul.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

// Along each axis of a subgroup's part of a tile. With products of 16 x 16 tiles are of 128 x 128, 64 x 64 and 32 x 32.
// Untuned.
constexpr uint32_t blocks_of_tiles[cooperative_tile_count] = {4, 2, 1};

// Mirrors shaders/matmul_cooperative.comp.
constexpr uint32_t subgroups_along_an_axis = 2;
uint64_t shared_bytes(const CooperativeTile& tile) {
  const uint64_t outer = tile.sizes().rows + tile.sizes().columns;
  const auto& product = tile.product;
  return 2 * outer * product.tile_inner + 16 * (outer + 2 * product.tile_inner) +
         sizeof(float) * product.subgroups * product.m * product.n;
}

template <class Node>
std::optional<CooperativeTiles> tiles_of(const Node& node) {
  if (node.input(a_input).element() != DataType::f16) return std::nullopt;
  const auto product = cooperative_product(node);
  if (!product) return std::nullopt;
  CooperativeTiles tiles;
  for (size_t i = tiles.size(); i-- > 0;) {
    tiles[i] = {*product, blocks_of_tiles[i]};
    if (shared_bytes(tiles[i]) <= node.capability("max_shared_bytes")) continue;
    if (i + 1 == tiles.size()) return std::nullopt;
    tiles[i] = tiles[i + 1];
  }
  return tiles;
}

}  // namespace

TileSizes CooperativeTile::sizes() const {
  return {subgroups_along_an_axis * blocks * product.m, subgroups_along_an_axis * blocks * product.n};
}

Variant CooperativeTile::variant() const {
  auto constants = product.constants();
  constants.push_back({7, blocks});
  return {.name = "cooperative tiles of " + std::to_string(sizes().rows) + " x " + std::to_string(sizes().columns),
          .shader = shaders::matmul_cooperative,
          .constants = std::move(constants)};
}

std::optional<CooperativeTiles> cooperative_tiles(const Planning& node) { return tiles_of(node); }
std::optional<CooperativeTiles> cooperative_tiles(const Binding& node) { return tiles_of(node); }

}  // namespace heed::ops
