// Products of bytes on x86, four of k at once: exact sums of codes, and of a quantised a by blocks of narrow codes. The
// right-hand side lies in panels [panel][k / 4][panel_width][4], unsigned; k is filled up to padded_k. No threads and
// no memory of their own.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

constexpr int64_t padded_k(int64_t k_count) { return (k_count + 31) / 32 * 32; }
// Codes, and behind them for each 16 what pack_row finds out, which is read 32 at a time.
constexpr int64_t packed_row_bytes(int64_t k_count) { return (padded_k(k_count) / 16 * 17 + 32 + 63) / 64 * 64; }

// A panel of codes of 4 or 8 bits, that stand for (code - zero_point) * scale in blocks along k. Of 4 bits two fours lie in
// one: [k / 8][panel_width][4], the first in the low halves of the bytes.
struct ByteCodePanel {
  const uint8_t* codes;
  const float* scales;       // [block][panel_width]
  const float* zero_points;  // likewise
  int64_t block_size, block_count;
};

// Rows of a, each of its blocks being codes within [-127, 127] times a scale.
struct QuantizedRows {
  const uint8_t* codes;  // as pack_row lays them out
  int64_t stride;
  const float* scales;  // [row][block]
  const float* sums;    // of the codes of a block, likewise
  int64_t block_stride;
};

// Rows of codes a, as pack_row lays them out, a_stride bytes apart, by one panel of b less its least number: the sum of
// a b, or where a is signed of a (b - least_b). Modulo 2^32.
struct ByteProduct {
  const uint8_t* a;
  int64_t a_stride, row_count, k_count;  // k_count as it is filled up
  bool a_is_signed;
  const uint8_t* panel;
  uint8_t least_b;
  // What is added: raised [row] times column_sums, and lacking [row].
  const int32_t* column_sums;
  const uint32_t* raised;
  const uint32_t* lacking;
};

struct BytePanelKernels {
  int32_t panel_width, most_rows;  // at once
  bool adds_pairs;                 // as i16, with what pack_row finds out about a row; else a is signed
  // sums [row, panel_width].
  void (*multiply)(const ByteProduct& product, int32_t* sums);
  // sums [row, panel_width].
  void (*multiply_codes)(const ByteCodePanel& panel, int32_t bits, const QuantizedRows& rows, int64_t row_count,
                         float* sums);
};

// Codes saturate(round(a / scale) + zero_point) of a row, NaN being the least; gives their sum.
uint32_t quantize_row(const float* a, int64_t count, float scale, float zero_point, uint8_t* codes);

// Lays out a row of u8 codes where they stand, filled up by what adds nothing, for panels of numbers of at most
// greatest_b: as they are, or signed, less what it gives, which is as near to their zero point as they all allow.
int32_t pack_row(const BytePanelKernels& kernels, bool is_signed, int32_t zero_point, int64_t k_count, int32_t greatest_b,
                 uint8_t* row);

// Null where this build has none for it. The machine must have it.
const BytePanelKernels* byte_panel_kernels(Isa isa);

}  // namespace heed::cpu
