// Products of bytes on x86, four of k at once: exact sums of codes, and of a quantised a by blocks of narrow codes. The
// right-hand side lies in panels [panel][k / 4][panel_width][4]; k is filled up with zeros to a multiple of 8. No threads
// and no memory of their own.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

// A panel of codes of 4 or 8 bits, that stand for (code - zero_point) * scale in blocks along k. Of 4 bits two fours lie in
// one: [k / 8][panel_width][4], the first in the low halves of the bytes. Codes of 8 bits are less by `code_less`, their zero
// points too.
struct ByteCodePanel {
  const uint8_t* codes;
  const float* scales;       // [block][panel_width]
  const float* zero_points;  // likewise
  int64_t block_size, block_count;
};

// Rows of a, each of its blocks being codes within [-127, 127] times a scale.
struct QuantizedRows {
  const uint8_t* codes;  // i8, or for a panel of 8 bits as pack_row lays them out
  int64_t stride;
  const float* scales;     // [row][block]
  const float* sums;       // of the codes of a block, likewise
  const int32_t* lacking;  // of blocks that pack_row laid out, likewise
  int64_t block_stride;
};

// Rows of codes a, as pack_row lays them out, a_stride bytes apart, by one panel of signed b. Modulo 2^32.
struct ByteProduct {
  const uint8_t* a;
  int64_t a_stride, row_count, four_count;
  const int8_t* panel;
  const int32_t* column_sums;  // of the panel
  const uint32_t* raised;      // [row]: what codes of a are less by as they are laid out, less their zero point
  const uint32_t* lacking;     // [row]: see pack_row
};

struct BytePanelKernels {
  int32_t panel_width, most_rows;  // at once
  int32_t bytes_of_four;           // of what a row has for four codes when pack_row has laid it out
  int32_t a_less;                  // what codes of a are less by as they are laid out
  int32_t code_less;
  // sums [row, panel_width] of (a - zero_point) b.
  void (*multiply)(const ByteProduct& product, int32_t* sums);
  // sums [row, panel_width].
  void (*multiply_codes)(const ByteCodePanel& panel, int32_t bits, const QuantizedRows& rows, int64_t row_count,
                         float* sums);
};

// Codes saturate(round(a / scale) + zero_point) of a row, NaN being the least; gives their sum.
uint32_t quantize_row(const float* a, int64_t count, float scale, float zero_point, uint8_t* codes);

// Lays out a row of codes, filled up to padded_count by what adds nothing; gives what its sums lack.
uint32_t pack_row(const BytePanelKernels& kernels, const uint8_t* codes, int64_t count, int64_t padded_count, uint8_t* to);

// Null where this build has none for it. The machine must have it.
const BytePanelKernels* byte_panel_kernels(Isa isa);

}  // namespace heed::cpu
