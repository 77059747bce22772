// Images of f32 that lie channels last, [batch, height, width, channel], and windows over them: what convolution and
// pooling with channels in the lanes share. Sounds are images of one row.
#pragma once

#include <algorithm>
#include <utility>

#include "channel_panels.hpp"
#include "stripes.hpp"

namespace heed::cpu {

// Of kernels: "avx2 channels last".
inline const char* channels_last_name(Isa isa) {
  return isa == Isa::avx512 ? "avx512 channels last" : isa == Isa::avx2 ? "avx2 channels last" : "neon channels last";
}

// Whether a tensor [batch, channel, spatial...] does, by its strides.
bool lies_channels_last(const TensorView& tensor);

// For plan functions: declines what has other than one or two spatial axes, whose sizes only the run tells, and images
// that are too large with their padding: places in one are counted in 32 bits.
Result<void> check_images(const Planning& node, std::span<const int64_t> kernel);

// Outputs along an axis whose windows reach the same elements of theirs.
struct WindowSpan {
  int64_t first, count;
  Taps taps;
};
// The spans of outputs [first, last) of an axis, in order; body(span).
template <class Body>
void for_each_span(const Windows& w, int axis, int64_t first, int64_t last, Body&& body) {
  for (int64_t output = first; output < last;) {
    const Taps taps = w.inside(axis, output);
    int64_t next = output + 1;
    while (next < last && w.inside(axis, next) == taps) ++next;
    body(WindowSpan{output, next - output, taps});
    output = next;
  }
}

// Windows over the output rows [first_row, last_row) of an image x that lies channels last: calls body(call) for
// rectangles whose windows reach the same elements. `given` tells all but the windows: y and residual, of
// row first_row, and what is done. `taps` has room for those of a window.
template <class Body>
void for_each_rectangle(const Windows& w, const float* x, int64_t first_row, int64_t last_row, ChannelTap* taps,
                        const ChannelWindows& given, Body&& body) {
  const int64_t channels = given.channel_count, in_row = w.in[width] * channels;
  for_each_span(w, height, first_row, last_row, [&](const WindowSpan& rows) {
    for_each_span(w, width, 0, w.out[width], [&](const WindowSpan& columns) {
      ChannelWindows call = given;
      call.taps = taps;
      for (int64_t i = rows.taps.begin; i < rows.taps.end; ++i)
        for (int64_t j = columns.taps.begin; j < columns.taps.end; ++j)
          taps[call.tap_count++] = {static_cast<int32_t>((i - rows.taps.begin) * w.dilations[height] * in_row +
                                                         (j - columns.taps.begin) * w.dilations[width] * channels),
                                    static_cast<int32_t>((i * w.kernel[width] + j) * channels)};
      const auto begin = [&](int axis, const WindowSpan& span) {
        return span.taps.begin == span.taps.end ? 0 : w.place(axis, span.first, span.taps.begin);
      };
      const int64_t row = rows.first - first_row;
      call.source = x + begin(height, rows) * in_row + begin(width, columns) * channels;
      call.source_row = w.strides[height] * in_row;
      call.source_step = w.strides[width] * channels;
      call.y += row * call.y_row + columns.first * call.y_step;
      call.residual += row * call.residual_row + columns.first * call.residual_step;
      call.row_count = rows.count;
      call.pixel_count = columns.count;
      if (columns.count == 1) {  // pixels that stand above each other are taken at once
        std::swap(call.source_row, call.source_step);
        std::swap(call.y_row, call.y_step);
        std::swap(call.residual_row, call.residual_step);
        std::swap(call.row_count, call.pixel_count);
      }
      body(call);
    });
  });
}

}  // namespace heed::cpu
