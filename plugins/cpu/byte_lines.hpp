// What convolutions of bytes do with lines of pixels: lay them out for products, slide a small window along them, and make
// codes of sums. No threads and no memory of their own.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

// saturate(round(steps) + zero_point) as bytes.
struct Rounding {
  float least, greatest;  // of steps
  int32_t zero_point;     // less the least code
  uint8_t flipped;        // 0x80 where codes are signed
  bool is_near;           // all steps are less than 2^22: what rounds them may saturate them, too
};
Rounding rounding_of(DataType codes, int32_t zero_point, double most_steps);

// Rows of sums and what becomes of them: codes of (sum + added[row]) * scales[row].
struct SumRows {
  const int32_t* sums;
  int64_t stride, row_count;
  const int32_t* added;
  const float* scales;
};

// Pairs of taps of a window, each an offset of elements and a weight; an odd one has a partner whose weight is 0.
struct TapPairs {
  const int32_t* offsets;
  const int16_t* weights;
  int64_t pair_count;
};

struct ByteLineKernels {
  // Whole vectors are written: so many elements more than asked for at most.
  int32_t most_excess;
  // `group` lines at a time, 2 or 4: to[i * group + line] = lines[line][i] ^ flipped; line_count is a multiple of group.
  void (*interleave)(const uint8_t* const* lines, int64_t line_count, int32_t group, uint8_t flipped, int64_t n, uint8_t* to);
  // to[i] = the signed or unsigned byte x[i * step], less `less`, and zeros behind the n up to a whole vector. So many bytes
  // may be read.
  void (*widen)(const uint8_t* x, int64_t step, int64_t n, int64_t readable, bool is_signed, int32_t less, int16_t* to);
  // sums[i] = the sum over taps of weight * image[i + offset]; products of two taps do not outgrow an i32.
  void (*slide)(const int16_t* image, const TapPairs& taps, int64_t n, int32_t* sums);
  // n codes a row, each row to_stride behind the one before.
  void (*quantize)(const SumRows& rows, int64_t n, const Rounding& rounding, uint8_t* to, int64_t to_stride);
};

// Null where this build has none for it. The machine must have it. Scalar ones are always there.
const ByteLineKernels* byte_line_kernels(Isa isa);

}  // namespace heed::cpu
