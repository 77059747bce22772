// Windows over up to three spatial axes, and stripes: padded copies of pieces of images, in which what vectors of
// windows read lies side by side. What convolution and pooling by vectors share.
#pragma once

#include <algorithm>
#include <array>

#include "conv_panels.hpp"
#include "heed/plugin.hpp"

namespace heed::cpu {

// Most divisors are 1, and a division takes as long as a row of a small image.
constexpr int64_t quotient(int64_t a, int64_t b) { return b == 1 ? a : a / b; }
constexpr int64_t ceil_divide(int64_t a, int64_t b) { return quotient(a + b - 1, b); }
// Floats of whole lines of the cache: what begins behind them begins with one, as vectors best do.
constexpr int64_t whole_lines(int64_t floats) { return ceil_divide(floats, 16) * 16; }

// Images with fewer axes have size 1 along the first ones.
enum { depth, height, width, most_window_axes };
using Sizes = std::array<int64_t, most_window_axes>;
constexpr int64_t product_of(const Sizes& sizes) { return sizes[depth] * sizes[height] * sizes[width]; }

// Elements of a window along an axis.
struct Taps {
  int64_t begin, end;
  bool operator==(const Taps&) const = default;
};

struct Windows {
  Sizes in, out, kernel, strides, dilations;
  Sizes pads, pads_behind;  // before the data, and behind it
  int64_t in_count, out_count, kernel_count;

  // Where an element of an output's window stands along an axis; perhaps in the padding.
  int64_t place(int axis, int64_t output, int64_t element) const {
    return output * strides[axis] + element * dilations[axis] - pads[axis];
  }
  // Elements of an output's window before a place.
  int64_t count_before(int axis, int64_t output, int64_t end) const {
    const int64_t room = end - place(axis, output, 0);
    if (room > (kernel[axis] - 1) * dilations[axis]) return kernel[axis];
    return room <= 0 ? 0 : ceil_divide(room, dilations[axis]);
  }
  // Those within the image.
  Taps inside(int axis, int64_t output) const {
    return {count_before(axis, output, 0), count_before(axis, output, in[axis])};
  }
};
// What a node says of its windows, whatever their sizes; pads hold where `padding` is `given`.
struct WindowAttributes {
  Sizes kernel, strides, dilations, pads, pads_behind;
  enum class Padding { given, same_upper, same_lower } padding;
};
WindowAttributes window_attributes_of(const NodeView& node, std::span<const int64_t> kernel);

// x and y are [batch, channel, spatial...].
Windows windows_of(const WindowAttributes& attributes, std::span<const int64_t> x, std::span<const int64_t> y);

// For plan functions: declines where stripes would be too large, or x has more axes.
Result<void> check_stripes(const Planning& node, TypeView x, std::span<const int64_t> kernel);

// A rectangle of an image's outputs, at one depth.
struct Block {
  int64_t depth, row, rows, column, columns;
};

// How images are cut into blocks; the last ones may be smaller.
struct Blocks {
  int64_t rows, columns;              // of a block
  int64_t row_blocks, column_blocks;  // of an image, at one depth
  Block at(int64_t index, int64_t row_count, int64_t column_count) const;
};
// Blocks of up to so many rows and columns, which are whole vectors where there are several, and of fewer rows where
// all images, of `depth_count` depths in all, give less than `wanted` blocks.
Blocks blocks_of(int64_t row_count, int64_t column_count, int64_t most_rows, int64_t most_columns, int64_t vector,
                 int64_t depth_count, int64_t wanted);

// The piece of padded images under a block: [channel, kernel depth, row, phase, column]. Pixels of one phase are those
// a stride apart.
struct Stripe {
  int64_t rows, phases, phase_length, row_length;
  int64_t floats(const Windows& w, int64_t channels) const;  // whole lines, with room for vectors that read further
};
Stripe stripe_of(const Windows& w, int64_t rows, int64_t columns);

// Elements of a tensor from one on: f32, f16 or bf16.
struct Elements {
  const void* data;
  DataType type;
  Elements from(int64_t first) const {
    return {static_cast<const char*>(data) +
                first * (type == DataType::f32 ? int64_t{sizeof(float)} : int64_t{sizeof(uint16_t)}),
            type};
  }
};

// The stripe of `channels` planes from x on. `room`: for the rows of one of them, where they are not f32.
void fill_stripe(const ConvKernels& kernels, const Windows& w, const Stripe& stripe, Elements x, int64_t channels,
                 const Block& block, float* room, float* to);
// Floats of that room.
int64_t widened_floats(const Windows& w, const Stripe& stripe);

// Where in a stripe the numbers of the window of output 0 lie: [channel, kernel...].
void stripe_offsets(const Windows& w, const Stripe& stripe, int64_t channels, int32_t* to);

// Below this a thread costs more than it brings: elements of windows that are taken.
inline constexpr int64_t serial_work = 64 * 1024;

// task(index, room) for each of `count`, which cost so much each; room is the thread's piece of `scratch`, which was
// bound for so many threads: where the run has more, all of it is done by one.
template <class Task>
void for_each_task(const Running& run, int64_t threads, int64_t count, int64_t cost, float* scratch,
                   int64_t thread_floats, Task&& task) {
  if (run.thread_count() > threads) {
    for (int64_t i = 0; i < count; ++i) task(i, scratch);
    return;
  }
  run.parallel_for(count, std::max<int64_t>(1, serial_work / std::max<int64_t>(cost, 1)),
                   [&](int64_t begin, int64_t end, int32_t thread) {
                     for (int64_t i = begin; i < end; ++i) task(i, scratch + thread * thread_floats);
                   });
}

// Behind what is read or written by whole vectors.
inline constexpr int64_t stripe_slack = 128;

}  // namespace heed::cpu
