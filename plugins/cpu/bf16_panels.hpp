// Products of bf16 matrices, two of k at once, on machines that have instructions for it. Each product of two numbers is
// exact; sums are f32, rounded to nearest, numbers below 2^-126 being 0. The right-hand side lies in panels
// [panel][k / 2][panel_width][2], an odd k and the last panel filled up with zeros. No threads and no memory of their own. The sums of an element
// are taken in an order that depends on the sizes alone.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

constexpr int64_t padded_to_pairs(int64_t k_count) { return (k_count + 1) / 2 * 2; }

// y [row, column] (+)= a [row, k] b of some panels.
struct Bf16Product {
  const uint16_t* a;  // k is contiguous, and filled up as b's
  int64_t a_row_stride;
  int64_t row_count;
  int64_t k_count;  // as it is filled up
  const uint16_t* b;
  int64_t panel_stride;  // in elements
  int64_t panel_begin, panel_end;
  int64_t column_count;
  float* y;
  int64_t y_row_stride, y_column_stride;
  bool accumulate;  // adds to y
};

struct Bf16PanelKernels {
  int32_t panel_width;
  int32_t rows;  // at once, of many
  void (*multiply)(const Bf16Product&);
};

// Null where this build has none for it. The machine must have it.
const Bf16PanelKernels* bf16_panel_kernels(Isa isa);

// Lays b [k, column], of any strides, into panels: ceil(column_count / width) * padded_to_pairs(k_count) * width numbers.
void pack_bf16_panels(const uint16_t* b, int64_t k_stride, int64_t column_stride, int64_t k_count, int64_t column_count,
                      int32_t panel_width, uint16_t* panels);

}  // namespace heed::cpu
