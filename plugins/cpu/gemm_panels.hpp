// Products of f32, f16 or bf16 matrices over a right-hand side b [k, column] that lies in panels: [panel][k][panel_width], each
// panel being panel_width neighbouring columns, the last one padded with zeros. One packing serves a single row (a
// decoded token, bound by memory) and many rows (a prompt, bound by arithmetic). No threads and no memory of their own:
// callers split the work. The sums of an element are taken in an order that depends on the sizes alone, never on the
// split.
#pragma once

#include <cstdint>

#include "bf16_panels.hpp"

namespace heed::cpu {

// y [row, column] = a [row, k] b, for few rows: every panel is read once, several panels (or, where there are few,
// several stretches of k) at a time, because one linear stream reads two thirds of what eight read.
struct FewRows {
  const float* a;  // k is contiguous
  int64_t a_row_stride;
  int64_t row_count;
  int64_t k_count;
  const void* b;  // f32, f16 or bf16, as the kernel says
  int64_t panel_stride,
      k_stride;  // in elements; b [k, column] is read where it lies with panel_width and its own stride
  bool padded;   // the last panel has zeros behind the last column; 16-bit panels always have
  int64_t panel_begin, panel_end;
  int64_t column_count;  // of b and y
  float* y;              // columns are contiguous
  int64_t y_row_stride;
};

// y [row, column] (+)= a [row, k] b, for many rows: a is a block of at most tile_k of k, its rows tile_stride apart.
struct Tiles {
  const float* a;
  int64_t row_count;
  int64_t k_count;
  const float* b;
  int64_t panel_stride;
  int64_t panel_begin, panel_end;
  int64_t column_count;
  float* y;
  int64_t y_row_stride, y_column_stride;
  bool accumulate;  // adds to y
};

inline constexpr int64_t tile_k = 256;               // 32 KB of a panel of 32 columns: stays in the first-level cache
inline constexpr int64_t tile_stride = tile_k + 16;  // rows do not fall into the same cache sets

struct PanelKernels {
  int32_t panel_width;
  int32_t tile_rows;
  // One for each type that b may lie in: 16 bits are widened in registers, and halve what is read.
  void (*few_rows)(const FewRows&);
  void (*few_rows_f16)(const FewRows&);
  void (*few_rows_bf16)(const FewRows&);
  void (*tiles)(const Tiles&);
  const Bf16PanelKernels* bf16_pairs = nullptr;  // null: bf16 is widened to f32
};

// Null where this build has none for it. The machine must have it.
const PanelKernels* panel_kernels(Isa isa);

// Lays b [k, column], of any strides, into panels: ceil(column_count / width) * k_count * width elements of T, float or
// uint16_t for 16 bits of any kind.
template <class T>
void pack_panels(const T* b, int64_t k_stride, int64_t column_stride, int64_t k_count, int64_t column_count,
                 int32_t panel_width, T* panels);

}  // namespace heed::cpu
