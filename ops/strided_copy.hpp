// Strided copies on the GPU, which is what operators that move elements and compute nothing are made of.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// The shader that moves elements of this type, as a variant without bindings; or the reason why this device has none.
Result<Variant> copy_variant(const Planning& node, TypeView type);

// Adds the copy of all elements of one tensor to another of equal dims, or nothing where there are none. `to` lies
// in output 0; the variant binds both in windows.
Result<void> add_copy(Launch& launch, const Binding& node, int32_t variant, const TensorView& from,
                      const TensorView& to);

}  // namespace heed::ops
