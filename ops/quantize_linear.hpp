// What shaders/quantized.glsl reads its parameters as.
#pragma once

#include <cstdint>

namespace heed::ops {

struct QuantizedParameters {
  uint32_t word_count, count;
  int32_t x_offset, scale_offset, zero_point_offset, y_word_offset;  // in elements, but for y's
  uint32_t axis_size, inner_size, block_size, outer_stride, axis_stride, inner_stride;
  uint32_t has_zero_point;
};

}  // namespace heed::ops
