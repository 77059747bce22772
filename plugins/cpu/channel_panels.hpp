// Vector code of convolutions and poolings of f32 images that lie channels last: channels, or outputs, lie in the
// lanes, so that small images leave none empty. Counts of channels and outputs are multiples of channel_step. No
// threads and no memory of their own: callers split the work. Sums are taken in one order, wherever a pixel stands.
#pragma once

#include <algorithm>
#include <cstdint>

#include "conv_panels.hpp"

namespace heed::cpu {

inline constexpr int64_t channel_step = 8;

// y [row, pixel, output] = finished sum over taps t and numbers n of
// weights[t, n, output] * source[taps[t] + n + row * source_row + pixel * source_step].
struct ChannelProducts {
  const float* source;
  int64_t source_row, source_step;  // between rows, and between pixels
  const int32_t* taps;              // of a window: where their numbers lie
  int64_t tap_count, numbers;       // so many numbers behind each
  const float* weights;             // of panel 0, as pack_channels lays them
  int64_t weights_row;              // between the weights of rows; 0: all have the same
  int64_t output_count, panel_begin, panel_end;
  int64_t row_count, pixel_count;
  float* y;  // of output 0
  int64_t y_row, y_step;
  const float* residual;  // of output 0
  int64_t residual_row, residual_step;
  const ConvFinish* finish;  // null: sums are all
};

// What a channel's window reaches: so far from a pixel's place, with these weights.
struct ChannelTap {
  int32_t source, weights;
};

// y [row, pixel, channel] = of what the taps reach in this channel, the weighted sum, finished; or the greatest, or the
// sum over `divisor`.
struct ChannelWindows {
  const float* source = nullptr;
  int64_t source_row = 0, source_step = 0;
  const ChannelTap* taps = nullptr;
  int64_t tap_count = 0;
  const float* weights = nullptr;  // [tap, channel]
  float divisor = 1;
  int64_t channel_count = 0, row_count = 0, pixel_count = 0;
  float* y = nullptr;
  int64_t y_row = 0, y_step = 0;
  const float* residual = nullptr;
  int64_t residual_row = 0, residual_step = 0;
  const ConvFinish* finish = nullptr;
};

// Winograd's tiles, F(4x4, 3x3) or F(2x2, 5x5) with the points of conv_panels.hpp: v [position, tile, channel] of an
// image with its padding.
struct ChannelTilesIn {
  const float* source;  // pixel 0 of tile 0, windows and all
  int64_t source_row, source_step;
  int64_t tile_rows, tile_columns, tile_pixels;  // of a side: 4 or 2
  int64_t channel_count;
  float* v;
  int64_t v_step, position_stride;  // between tiles, and between positions
};
// y [row, pixel, output] out of sums [position, tile, output].
struct ChannelTilesOut {
  const float* sums;
  int64_t position_stride;
  int64_t tile_rows, tile_columns, tile_pixels;
  int64_t output_count;
  int64_t row_count, pixel_count;  // that there are: the last tiles may reach further
  float* y;
  int64_t y_row, y_step;
  const float* residual;
  int64_t residual_row, residual_step;
  ConvFinish finish;
};

struct ChannelKernels {
  int32_t lanes;
  void (*products)(const ChannelProducts&);
  void (*weighted)(const ChannelWindows&);
  void (*greatest)(const ChannelWindows&);
  void (*means)(const ChannelWindows&);
  // to[column * to_stride + row] = from[row * from_stride + column]
  void (*transpose)(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to,
                    int64_t to_stride);
  void (*tiles_in)(const ChannelTilesIn&);
  void (*tiles_out)(const ChannelTilesOut&);
};

// Null where this build has none for it. The machine must have it.
const ChannelKernels* channel_kernels(Isa isa);

// Outputs in the lanes of a vector: where they are no multiple of whole ones, half of them.
inline int64_t lanes_for(int64_t output_count, int64_t lanes) {
  return output_count % lanes == 0 ? lanes : channel_step;
}
// Panels of outputs are of two vectors, but for the last one.
inline int64_t panel_outputs(int64_t output_count, int64_t lanes) { return 2 * lanes_for(output_count, lanes); }

// Lays weights w(output, k) as [panel][k][output of the panel].
template <class Weights>
void pack_channels(int64_t output_count, int64_t k_count, int64_t lanes, const Weights& w, float* to) {
  const int64_t width = panel_outputs(output_count, lanes);
  for (int64_t first = 0; first < output_count; first += width)
    for (int64_t k = 0; k < k_count; ++k)
      for (int64_t output = first; output < std::min(first + width, output_count); ++output) *to++ = w(output, k);
}

}  // namespace heed::cpu
