// Products over a right-hand side of codes of 2, 4 or 8 bits that lies in panels: [panel][word][panel_width], a word of
// 32 bits holding codes of neighbouring k of one column from its lowest bits on. A code stands for (code - zero_point)
// * scale, scale and zero point being [panel][block][panel_width], blocks lying along k in whole words.
#pragma once

#include <cstdint>

#include "gemm_panels.hpp"
#include "isa.hpp"

namespace heed::cpu {

// A panel, and those that follow it: of words word_stride behind it, of scales and zero points block_count *
// panel_width.
struct NBitPanel {
  const uint32_t* words;
  const float* scales;
  const float* zero_points;  // null: 2^(bits - 1)
  int64_t block_size;        // of k
  int64_t block_count;
  int64_t word_stride;
};

// By what few_rows wants a [k] multiplied: a power of 2, so that codes are used where they lie in their words.
constexpr float a_scale(int32_t bits, int64_t k) {
  const int64_t place = k % (32 / bits);
  return place + 1 == 32 / bits ? 1.0f : 1.0f / static_cast<float>(int64_t{1} << (bits * place));
}

struct NBitKernels {
  int32_t panel_width;  // as that of the f32 panels
  int32_t most_sums;    // rows times panels at once: several of them keep the units of a core, and its memory, busy
  // sums [row, panel_count * panel_width] of a [row, block_count * block_size], f32 rows of zeros behind k, times
  // a_scale; a_sums [row, block] are the sums of each block of a as it is.
  void (*few_rows)(const NBitPanel& panel, int32_t bits, const float* a, int64_t a_stride, const float* a_sums,
                   int64_t a_sums_stride, int64_t row_count, int64_t panel_count, float* sums);
  // What PanelKernels::tiles does, b being the panels of codes from `first` on: each is widened while the one before is
  // multiplied. `two_panels` is room for two panels of f32, t.panel_stride apart; t.b is not read.
  void (*tiles)(const NBitPanel& first, int32_t bits, const Tiles& t, float* two_panels);
};

// Null where this build has none for it. The machine must have it.
const NBitKernels* nbit_kernels(Isa isa);

}  // namespace heed::cpu
