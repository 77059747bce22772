// Products of integer matrices, exact modulo 2^32: rows of 16-bit numbers by a right-hand side of 8-bit ones that lies in
// panels: [panel][k / 2][panel_width][2], each panel being panel_width neighbouring columns; an odd k and the last panel are
// filled up with zeros. No threads and no memory of their own.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

struct IntegerPanelKernels {
  int32_t panel_width;
  int32_t most_rows;  // at once
  // sums [row, column] of row_count rows, a_stride apart, and one panel. A pair of a times a pair of the panel is less than
  // 2^31 large: a is within [-255, 255], as differences of bytes are.
  void (*multiply)(const int16_t* a, int64_t a_stride, int64_t row_count, int64_t pair_count, const int8_t* panel,
                   int32_t* sums, int64_t sums_stride);
};

// Null where this build has none for it. The machine must have it. Scalar ones are always there.
const IntegerPanelKernels* integer_panel_kernels(Isa isa);

}  // namespace heed::cpu
