// Choosing the tiles of attention by cooperative matrices.
#include "attention_cooperative.hpp"

#include <algorithm>

#include "launch.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

// Mirrors shaders/attention_cooperative.comp, where a tile has as many keys as tiles of products have along their sums.
uint64_t shared_bytes(const CooperativeAttention& tile) {
  const auto& product = tile.product;
  const uint64_t rows = static_cast<uint64_t>(tile.rows()), keys = product.tile_inner;
  const uint64_t key_bytes = 2 * tile.key_steps * product.k, value_bytes = 2 * tile.value_blocks * product.n, pad = 16;
  const uint64_t of_a_row = (key_bytes + pad) + (4 * keys + pad) + (2 * keys + pad) + 16;
  return rows * of_a_row + keys * (std::max(key_bytes, value_bytes) + pad) + sizeof(float) * product.threads();
}

template <class Node>
std::optional<CooperativeAttention> tile_of(const Node& node, int64_t channels, int64_t value_channels) {
  constexpr uint32_t most_value_blocks = 16;  // sums in a subgroup's registers; untuned
  for (const int32_t input : {0, 1, 2})
    if (node.input(input).element() != DataType::f16) return std::nullopt;
  const auto product = cooperative_product(node);
  if (!product) return std::nullopt;
  // Each lane has eight or more scores of one row.
  const uint32_t lanes_per_row = product->subgroup_size / product->m;
  const bool has_lanes = product->subgroup_size % product->m == 0 && product->tile_inner % (8 * std::max(lanes_per_row, 1u)) == 0;
  const CooperativeAttention tile{*product, ceil_divide(channels, product->k), ceil_divide(value_channels, product->n)};
  if (!has_lanes || product->tile_inner % product->n != 0 || channels == 0 || value_channels == 0 ||
      tile.value_blocks > most_value_blocks || shared_bytes(tile) > node.capability("max_shared_bytes"))
    return std::nullopt;
  return tile;
}

}  // namespace

Variant CooperativeAttention::variant() const {
  auto constants = product.constants();
  constants.push_back({7, key_steps});
  constants.push_back({8, value_blocks});
  return {.name = "cooperative tiles of rows and keys",
          .shader = shaders::attention_cooperative,
          .constants = std::move(constants)};
}

std::optional<CooperativeAttention> cooperative_attention(const Planning& node, int64_t channels, int64_t value_channels) {
  return tile_of(node, channels, value_channels);
}
std::optional<CooperativeAttention> cooperative_attention(const Binding& node, int64_t channels, int64_t value_channels) {
  return tile_of(node, channels, value_channels);
}

}  // namespace heed::ops
