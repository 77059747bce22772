// Strided copies on the GPU: by element size, not by type.
#include "strided_copy.hpp"

#include "shaders.hpp"
#include "walk.hpp"

namespace heed::ops {

Result<Variant> copy_variant(const Planning& node, TypeView type) {
  if (!type.has_element() || !type.has_rank()) return decline("its type is not known");
  if (type.rank() > most_axes) return decline("more than " + std::to_string(most_axes) + " axes");
  switch (type.element() == DataType::string ? 0 : bits_of(type.element())) {
    case 8:
      if (!node.capability("storage_8bit")) return decline("the device does not address single bytes");
      return Variant{.name = "1 byte", .shader = shaders::copy_1};
    case 16:
      if (!node.capability("storage_16bit")) return decline("the device does not address 2 bytes");
      return Variant{.name = "2 bytes", .shader = shaders::copy_2};
    case 32:
      return Variant{.name = "4 bytes", .shader = shaders::copy_4};
    case 64:
      return Variant{.name = "8 bytes", .shader = shaders::copy_8};
    default:
      return decline("the GPU copy moves 1, 2, 4 or 8 bytes an element, not " + name_in_reason(type));
  }
}

Result<void> add_copy(Launch& launch, int32_t variant, const TensorView& from, const TensorView& to) {
  if (from.count() == 0) return {};
  const TensorView tensors[] = {from, to};
  HEED_ASSIGN(const auto walk, walk_over<2>(from, tensors));
  launch.dispatches.push_back({variant, bytes_of(walk), {workgroups_for(walk.count, 64), 1, 1}});
  return {};
}

}  // namespace heed::ops
