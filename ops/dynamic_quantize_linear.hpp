// The GPU half that DynamicQuantizeLinear and com.microsoft.DynamicQuantizeMatMul share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// Where its tensors begin in what is bound for them: x and the scale in floats, the others in words.
struct DynamicQuantization {
  int64_t count;  // of x
  int32_t x_offset = 0, codes_offset = 0, scale_offset = 0, zero_point_offset = 0;
  int32_t parts_offset = 0;  // of dynamic_parts_bytes, in pairs of floats
};
inline constexpr int64_t dynamic_parts_bytes = 128 * 2 * sizeof(float);

// Two variants, which bind x, parts, codes, scale and zero point in this order.
std::vector<Variant> dynamic_quantize_variants(const std::vector<heed_binding>& bindings);

// Dispatches of those variants, which stand in the plan from `first_variant` on.
void add_dynamic_quantize(Launch& launch, int32_t first_variant, const DynamicQuantization& quantization);

}  // namespace heed::ops
