// Products of small f16 matrices with f32 sums that a subgroup makes as a whole, for shaders named *_cooperative.
#pragma once

#include <bit>
#include <optional>
#include <vector>

#include "heed/plugin.hpp"

namespace heed::ops {

// [m, k] by [k, n]: powers of two, of eight or more.
struct CooperativeProduct {
  uint32_t m = 0, n = 0, k = 0;
  uint32_t subgroup_size = 0;

  uint32_t threads() const { return subgroups * subgroup_size; }
  // The shaders' constants 0 to 6: threads, the axes of the factors and of the sum.
  std::vector<heed_constant> constants() const {
    return {{0, threads()}, {1, m}, {2, k}, {3, k}, {4, n}, {5, m}, {6, n}};
  }

  // Of a workgroup. The shaders count elements in eights, and in tiles of 32 along the axis that is summed.
  static constexpr uint32_t subgroups = 4, tile_inner = 32;
};

// What the device of a Planning or a Binding makes; none where it lacks something, or has sizes that do not serve.
template <class Node>
std::optional<CooperativeProduct> cooperative_product(const Node& node) {
  for (const char* needed : {"cooperative_matrix", "float16", "storage_16bit"})
    if (!node.capability(needed)) return std::nullopt;
  const auto size = [&](const char* name) { return static_cast<uint32_t>(node.capability(name)); };
  const CooperativeProduct product{size("cooperative_m"), size("cooperative_n"), size("cooperative_k"), size("subgroup_size")};
  const auto in_eights = [](uint32_t axis) { return axis >= 8 && std::has_single_bit(axis); };
  const bool has_threads = product.threads() <= node.capability("max_workgroup_size");
  const bool is_served = in_eights(product.m) && in_eights(product.n) && in_eights(product.k) &&
                         product.k <= product.tile_inner && has_threads;
  return is_served ? std::optional(product) : std::nullopt;
}

}  // namespace heed::ops
