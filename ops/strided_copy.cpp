// Strided copies on the GPU: by element size, not by type.
#include "strided_copy.hpp"

#include "rows.hpp"

namespace heed::ops {

Result<Variant> copy_variant(const Planning& node, TypeView type) { return moving_variant(node, type, shaders::copy); }

Result<void> add_copy(Launch& launch, const Binding& node, int32_t variant, const TensorView& from,
                      const TensorView& to) {
  if (from.count() == 0) return {};
  const TensorView tensors[] = {from, to};
  HEED_ASSIGN(const auto walk, walk_over<2>(from, tensors));
  const int64_t most_bytes = most_binding_bytes(node);
  const bool windowed = !fits_binding(from, most_bytes) || !fits_binding(node.output(0), most_bytes);
  return add_walk(launch, node, variant, walk, tensors, windowed, 64);
}

}  // namespace heed::ops
