// Products of rows of signed bytes and panels of unsigned ones on AVX2, exact: rows are bounded, once, so that sums of
// products of two fours fit i16, and what their bytes were cut by is multiplied by itself. Panels lie as those of
// byte_panels.hpp do: [k / 4][panel_width][4]; k is filled up to bounded_k. No threads and no memory of their own.
#pragma once

#include <cstdint>
#include <vector>

#include "isa.hpp"

namespace heed::cpu {

constexpr int64_t bounded_k(int64_t k_count) { return (k_count + 7) / 8 * 8; }

// What a four of a row was cut by; products of it fit i16, too.
struct Excess {
  int32_t four;  // from k = 4 * four on
  int8_t amounts[4];
};

// Rows a stride of bytes apart; those of row r stand in excesses[first_excess[r]] to excesses[first_excess[r + 1]].
struct BoundedRows {
  const int8_t* bytes;
  int64_t stride;
  const Excess* excesses;
  const int32_t* first_excess;
};

struct BoundedPanelKernels {
  int32_t panel_width, most_rows;  // at once
  // sums [row, panel_width] of row_count rows and the first so many columns of one panel; what is behind is not told.
  void (*multiply)(const BoundedRows& rows, int64_t row_count, int64_t k_count, const uint8_t* panel, int64_t columns,
                   int32_t* sums);
};

// Cuts a row, filled up with zeros to bounded_k; appends what it was cut by.
void bound_row(int64_t k_count, int8_t* row, std::vector<Excess>& excesses);

// Null where this build has none for it. The machine must have it.
const BoundedPanelKernels* bounded_panel_kernels(Isa isa);

}  // namespace heed::cpu
