// Products over a right-hand side of codes of 2, 4 or 8 bits that lies in panels: [panel][word][panel_width], a word of 32
// bits holding codes of neighbouring k of one column from its lowest bits on. A code stands for (code - zero_point) * scale,
// scale and zero point being [panel][block][panel_width], blocks lying along k in whole words.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

// One panel.
struct NBitPanel {
  const uint32_t* words;
  const float* scales;
  const float* zero_points;  // null: 2^(bits - 1)
  int64_t block_size;        // of k
  int64_t block_count;
};

struct NBitKernels {
  int32_t panel_width;  // as that of the f32 panels
  int32_t most_rows;    // at once
  // sums [row, panel_width] of a [row, block_count * block_size], f32 rows of zeros behind k; a_sums [row, block] are the
  // sums of each block of a.
  void (*few_rows)(const NBitPanel& panel, int32_t bits, const float* a, int64_t a_stride, const float* a_sums,
                   int64_t a_sums_stride, int64_t row_count, float* sums);
  // Blocks from `begin` to `end` as an f32 panel [k][panel_width].
  void (*dequantize)(const NBitPanel& panel, int32_t bits, int64_t begin, int64_t end, float* to);
};

// Null where this build has none for it. The machine must have it.
const NBitKernels* nbit_kernels(Isa isa);

}  // namespace heed::cpu
