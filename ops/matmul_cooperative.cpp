// Choosing the tiles of products by cooperative matrices.
#include "matmul_cooperative.hpp"

#include "matmul.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

// Mirrors shaders/matmul_cooperative.comp.
constexpr uint32_t subgroups_along_an_axis = 2, subgroup_count = subgroups_along_an_axis * subgroups_along_an_axis;
constexpr uint32_t tile_inner = 32;

// Along each axis of a subgroup's part of a tile. With products of 16 x 16 tiles are of 128 x 128, 64 x 64 and 32 x 32.
// Untuned.
constexpr uint32_t blocks_of_tiles[cooperative_tile_count] = {4, 2, 1};

uint64_t shared_bytes(const CooperativeTile& tile) {
  const uint64_t outer = tile.sizes().rows + tile.sizes().columns;
  return 2 * outer * tile_inner + 16 * (outer + 2 * tile_inner) + sizeof(float) * subgroup_count * tile.m * tile.n;
}

template <class Node>
std::optional<CooperativeTiles> tiles_of(const Node& node) {
  if (node.input(a_input).element() != DataType::f16) return std::nullopt;
  for (const char* needed : {"cooperative_matrix", "float16", "storage_16bit"})
    if (!node.capability(needed)) return std::nullopt;
  const auto size = [&](std::string_view name) { return static_cast<uint32_t>(node.capability(name)); };
  CooperativeTile tile{size("cooperative_m"), size("cooperative_n"), size("cooperative_k"), size("subgroup_size")};
  // The shader counts in eights, and its tiles hold whole products.
  if (tile.m % 8 != 0 || tile.n % 8 != 0 || tile.k % 8 != 0 || tile_inner % tile.k != 0) return std::nullopt;
  if (subgroup_count * tile.subgroup_size > node.capability("max_workgroup_size")) return std::nullopt;
  CooperativeTiles tiles;
  for (size_t i = tiles.size(); i-- > 0;) {
    tile.blocks = blocks_of_tiles[i];
    const bool has_room = shared_bytes(tile) <= node.capability("max_shared_bytes");
    if (!has_room && i + 1 == tiles.size()) return std::nullopt;
    tiles[i] = has_room ? tile : tiles[i + 1];
  }
  return tiles;
}

}  // namespace

TileSizes CooperativeTile::sizes() const {
  return {subgroups_along_an_axis * blocks * m, subgroups_along_an_axis * blocks * n};
}

Variant CooperativeTile::variant() const {
  return {.name = "cooperative tiles of " + std::to_string(sizes().rows) + " x " + std::to_string(sizes().columns),
          .shader = shaders::matmul_cooperative,
          .constants = {{0, subgroup_count * subgroup_size}, {1, m}, {2, k}, {3, k}, {4, n}, {5, m}, {6, n}, {7, blocks}}};
}

std::optional<CooperativeTiles> cooperative_tiles(const Planning& node) { return tiles_of(node); }
std::optional<CooperativeTiles> cooperative_tiles(const Binding& node) { return tiles_of(node); }

}  // namespace heed::ops
