// Lays matrices of bf16 into panels of pairs.
#include <algorithm>

#include "bf16_panels.hpp"

namespace heed::cpu {

void pack_bf16_panels(const uint16_t* b, int64_t k_stride, int64_t column_stride, int64_t k_count, int64_t column_count,
                      int32_t panel_width, uint16_t* panels) {
  const int64_t width = panel_width, padded = padded_to_pairs(k_count);
  constexpr int64_t rows_at_once = 16;  // where k lies side by side, a part of a cache line of each column
  for (int64_t first = 0; first < column_count; first += width, panels += padded * width) {
    const int64_t columns = std::min(width, column_count - first);
    const uint16_t* from = b + first * column_stride;
    if (columns < width) std::fill(panels, panels + padded * width, uint16_t{0});
    if (k_count < padded) std::fill(panels + (padded - 2) * width, panels + padded * width, uint16_t{0});
    for (int64_t begin = 0; begin < k_count; begin += rows_at_once) {
      const int64_t end = std::min(begin + rows_at_once, k_count);
      if (column_stride == 1) {
        for (int64_t k = begin; k < end; ++k)
          for (int64_t c = 0; c < columns; ++c) panels[(k / 2 * width + c) * 2 + k % 2] = from[k * k_stride + c];
      } else {
        for (int64_t c = 0; c < columns; ++c)
          for (int64_t k = begin; k < end; ++k)
            panels[(k / 2 * width + c) * 2 + k % 2] = from[k * k_stride + c * column_stride];
      }
    }
  }
}

}  // namespace heed::cpu
