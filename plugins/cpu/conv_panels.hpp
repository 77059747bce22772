// Vector code of convolutions and poolings of f32: tiles of outputs x pixels over windows that lie at given offsets, rows
// of one channel (depthwise, and pooled), and Winograd's transforms. Pixels lie in the lanes. No
// threads and no memory of their own: callers split the work. The sums of a pixel are taken in an order that depends on
// where it stands among those given, and not on how outputs are split.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

// What becomes of a sum that is whole: y = min(max(sum + bias + residual, low), high). NaN stays.
struct ConvFinish {
  const float* bias;  // of each output; null: none
  bool has_residual;
  float low, high;
};

// y [output, column] (+)= weights [output, k] x source[offsets[k] + column], columns in panels of two vectors. Whole
// vectors of the source are read. Or of one row or two, of which each is a vector of a panel.
struct ConvTiles {
  const float* source;
  int64_t panel_stride;  // two vectors where columns go on side by side
  int64_t row_count = 0, row_step = 0, y_row_step = 0;  // 0: columns go on in the second vector
  const int32_t* offsets;  // in elements
  int64_t k_count;
  const float* weights;  // as pack_outputs lays them; two vectors behind the last one are read
  int64_t output_count;
  int64_t chunk_begin, chunk_end;  // of outputs
  int64_t column_count;
  float* y;                  // of output 0
  const float* residual;     // likewise, where finish takes one
  int64_t y_stride;          // between outputs, of y and of the residual
  bool accumulate;           // adds to y
  const ConvFinish* finish;  // null: sums go on
};

// y [row, column] = finished sum over k of weights[k] * source[offsets[k] + row * source_stride + column], of one
// output.
struct ConvRows {
  const float* source;
  int64_t source_stride;
  const int32_t* offsets;
  int64_t k_count;
  const float* weights;
  int64_t row_count, column_count;
  float* y;
  const float* residual;
  int64_t y_stride;
  ConvFinish finish;  // its bias is that of this output
};

// y [row, column] = the greatest, or the sum, over k of source[offsets[k] + row * source_stride + column * step], and of
// nothing -inf or 0. Sums are divided by row_divisors[row] * column_divisors[column], where there are any. With steps
// whole vectors of the source are read, up to four behind the last column.
struct PooledRows {
  const float* source;
  int64_t source_stride, step;
  const int64_t* offsets;
  int64_t k_count;
  int64_t row_count, column_count;
  float* y;
  int64_t y_stride;
  const float *row_divisors, *column_divisors;  // null: none
};

// Winograd's transforms, with the points 0, +-1/sqrt(2), +-sqrt(2) and infinity (Lavin and Gray, arXiv:1509.09308; the
// points: Barabasz et al., arXiv:1803.10986). Of tiles of 4 x 4 or 2 x 2 pixels, F(4x4, 3x3) and F(2x2, 5x5): 36
// products instead of 144 or 100, with errors of up to three times those of plain sums. Of lines of 4 or 2 pixels,
// F(4, 3) and F(2, 5): 6 instead of 12 or 10, for each line of a window.
inline constexpr int64_t winograd_points = 6;

// The tiles, or lines, of a rectangle of one channel, transformed: v [position, tile], tiles row by row.
struct WinogradInput {
  const float* source;  // pixel 0 of tile 0, windows and all; whole vectors are read
  int64_t row_stride;
  int64_t tile_rows, tile_columns;
  int64_t line_pixels;  // of a line: 4 or 2
  float* v;             // writes up to a vector behind the last tile
  int64_t position_stride;
};

// Pixels of one output out of sums [position, tile].
struct WinogradOutput {
  const float* sums;
  int64_t position_stride;
  int64_t tile_rows, tile_columns;
  int64_t line_pixels;
  float* y;
  const float* residual;
  int64_t y_stride;                 // between rows of pixels
  int64_t row_count, column_count;  // pixels that there are: the last tiles may reach further
  ConvFinish finish;                // its bias is that of this output
  float* room;  // all pixels of the tiles of a row, or of each lane if these are more; of lines those of all, and a lane's
};

// to[row, phase, i] = from[row * from_stride + first + phase + i * step], and 0 where that is not in [0, count) of a row.
// Writes up to a vector behind a phase, in the order of rows and phases.
struct PaddedRows {
  const float* from;
  int64_t from_stride, count, first, step;
  int64_t row_count, phase_count, column_count;
  float* to;
  int64_t to_stride;
};

// Rows one after the other in panels: column i of all goes to to[i / width * panel_stride + i % width], width being two
// vectors. Of rows of which there is but one nothing behind is read.
struct JoinedRows {
  const float* from;
  int64_t from_stride;
  int64_t row_count, column_count;
  float* to;
  int64_t panel_stride;
};

// So many columns at the end of a row, or fewer, are multiplied with outputs in the lanes.
inline constexpr int64_t most_few_columns = 4;

struct ConvKernels {
  int32_t lanes;
  int32_t tile_outputs;  // the most outputs of a chunk
  void (*tiles)(const ConvTiles&);
  void (*rows)(const ConvRows&);
  void (*greatest)(const PooledRows&);
  void (*sums)(const PooledRows&);
  void (*pad)(const PaddedRows&);
  void (*join)(const JoinedRows&);
  void (*winograd_tiles_in)(const WinogradInput&);
  void (*winograd_tiles_out)(const WinogradOutput&);
  void (*winograd_lines_in)(const WinogradInput&);
  void (*winograd_lines_out)(const WinogradOutput&);
};

// Null where this build has none for it. The machine must have it.
const ConvKernels* conv_kernels(Isa isa);

// Chunks of outputs are even: of 64, at most 6 at a time, there are 11, of 5 or 6.
inline int64_t chunk_count(int64_t output_count, int64_t most) { return (output_count + most - 1) / most; }
inline int64_t chunk_first(int64_t output_count, int64_t chunks, int64_t chunk) {
  return output_count * chunk / chunks;
}

// Lays weights [output, k] of any strides, as [chunk][k][output of the chunk].
void pack_outputs(const float* weights, int64_t output_stride, int64_t k_stride, int64_t output_count, int64_t k_count,
                  int64_t most, float* to);

// The 36 numbers that 3 x 3 or 5 x 5 weights become, or the 6 of a line of `count`, position_stride apart.
void winograd_tile_weights(const float* weights, int64_t side, float* to, int64_t position_stride);
void winograd_line_weights(const float* weights, int64_t count, float* to, int64_t position_stride);

}  // namespace heed::cpu
