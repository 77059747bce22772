// Strided copies on the GPU: by element size, not by type.
#include "strided_copy.hpp"

#include "rows.hpp"

namespace heed::ops {

Result<Variant> copy_variant(const Planning& node, TypeView type) { return moving_variant(node, type, shaders::copy); }

Result<void> add_copy(Launch& launch, int32_t variant, const TensorView& from, const TensorView& to) {
  if (from.count() == 0) return {};
  const TensorView tensors[] = {from, to};
  HEED_ASSIGN(const auto walk, walk_over<2>(from, tensors));
  launch.dispatches.push_back({variant, bytes_of(walk), {workgroups_for(walk.count, 64), 1, 1}});
  return {};
}

}  // namespace heed::ops
