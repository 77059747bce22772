// Vector code of images that lie channels last, once per instruction set.
// clang-format off: it does not know HWY_UNROLL.
#include "channel_panels.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/channel_panels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
#include "winograd_points.hpp"

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using namespace winograd;
using Floats = hn::ScalableTag<float>;

constexpr int64_t lanes = HWY_MAX_BYTES / sizeof(float);
// Sums that stay in registers beside weights and a pixel: 32 registers, 16 with AVX2.
template <class D>
constexpr int most_sums = HWY_TARGET == HWY_AVX2                                   ? 12
                          : HWY_TARGET == HWY_NEON                                 ? 24
                          : hn::MaxLanes(D()) == static_cast<size_t>(channel_step) ? 14  // of half the width: enough
                                                                                   : 28;

// Whole vectors, or half ones where there are no more channels.
template <class Body>
HWY_INLINE void with_width(int64_t channel_count, Body&& body) {
  if constexpr (lanes > channel_step)
    if (channel_count % lanes != 0) return body(hn::Half<Floats>());
  body(Floats());
}

// A row of pixels in as few tiles of at most so many as it takes, as even as they get.
struct EvenTiles {
  int64_t tiles, smaller, longer_tiles;
  EvenTiles(int64_t pixels, int64_t most)
      : tiles(chunk_count(pixels, most)), smaller(pixels / std::max<int64_t>(tiles, 1)),
        longer_tiles(pixels - smaller * tiles) {}
  // body(first, count)
  template <class Body>
  HWY_INLINE void for_each(Body&& body) const {
    int64_t first = 0;
    for (int64_t tile = 0; tile < tiles; ++tile) {
      const int64_t count = smaller + (tile < longer_tiles ? 1 : 0);
      body(first, count);
      first += count;
    }
  }
};

// Of each output: its bias, and what is done with its sum.
template <class D>
struct Finish {
  using Vector = hn::VFromD<D>;
  D d;
  Vector bias, low, high;
  bool has_residual;
  Finish(D d, const ConvFinish& finish, int64_t output)
      : d(d), bias(finish.bias ? hn::LoadU(d, finish.bias + output) : hn::Zero(d)), low(hn::Set(d, finish.low)),
        high(hn::Set(d, finish.high)), has_residual(finish.has_residual) {}
  HWY_INLINE Vector of(Vector sum) const { return hn::Min(high, hn::Max(low, hn::Add(sum, bias))); }
  HWY_INLINE Vector operator()(Vector sum, const float* residual) const {
    sum = hn::Add(sum, bias);
    if (has_residual) sum = hn::Add(sum, hn::LoadU(d, residual));
    return hn::Min(high, hn::Max(low, sum));
  }
};

// ---- products -------------------------------------------------------------------------------------------------------

// Where a tile of a call's pixels stands: its weights, and pixel 0 of output 0.
struct ProductTile {
  const float *weights, *source;
  float* y;
  const float* residual;
  int64_t output;
};

// Sums that lie in y, by their residual, too: out of the tiles, which are many.
template <class D>
HWY_NOINLINE void finish_with_residual(const ChannelProducts& t, const ProductTile& at, int vectors, int pixels) {
  const D d;
  for (int v = 0; v < vectors; ++v) {
    const int64_t output = at.output + v * static_cast<int64_t>(hn::MaxLanes(d));
    const Finish<D> finish(d, *t.finish, output);
    for (int p = 0; p < pixels; ++p) {
      float* const y = at.y + output + p * t.y_step;
      hn::StoreU(finish(hn::LoadU(d, y), at.residual + output + p * t.residual_step), d, y);
    }
  }
}

template <class D, int vectors, int pixels>
void product_tile(const ChannelProducts& t, const ProductTile& at) {
  const D d;
  using Vector = hn::VFromD<D>;
  constexpr int64_t width = hn::MaxLanes(D());
  // Three pixels to a pointer, as addresses are of a register and a multiple of another: one for each would not fit.
  constexpr int at_pointer = 3, pointers = (pixels + at_pointer - 1) / at_pointer;
  const int64_t step = t.source_step;
  const float* weights = at.weights;
  Vector sum[pixels][vectors];
  HWY_UNROLL(32) for (int p = 0; p < pixels; ++p)
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) sum[p][v] = hn::Zero(d);
  for (int64_t tap = 0; tap < t.tap_count; ++tap) {
    const float* x[pointers];
    HWY_UNROLL(16) for (int i = 0; i < pointers; ++i) x[i] = at.source + t.taps[tap] + i * at_pointer * step;
    for (int64_t n = t.numbers; n > 0; --n, weights += vectors * width) {
      Vector w[vectors];
      HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) w[v] = hn::LoadU(d, weights + v * width);
      HWY_UNROLL(32) for (int p = 0; p < pixels; ++p) {
        const Vector number = hn::Set(d, x[p / at_pointer][p % at_pointer * step]);
        HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) sum[p][v] = hn::MulAdd(number, w[v], sum[p][v]);
      }
      HWY_UNROLL(16) for (int i = 0; i < pointers; ++i) {
        ++x[i];
        asm("" : "+r"(x[i]));  // else compilers count all of them from one
      }
    }
  }
  HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) {
    float* const y = at.y + at.output + v * width;
    if (t.finish && !t.finish->has_residual) {
      const Finish<D> finish(d, *t.finish, at.output + v * width);
      HWY_UNROLL(32) for (int p = 0; p < pixels; ++p) sum[p][v] = finish.of(sum[p][v]);
    }
    HWY_UNROLL(32) for (int p = 0; p < pixels; ++p) hn::StoreU(sum[p][v], d, y + p * t.y_step);
  }
  if (t.finish && t.finish->has_residual) finish_with_residual<D>(t, at, vectors, pixels);
}

// A panel of so many vectors: rows of pixels in even tiles.
template <class D, int vectors, int... pixels>
void product_panel(const ChannelProducts& t, const float* weights, int64_t output, std::integer_sequence<int, pixels...>) {
  static constexpr void (*tiles[])(const ChannelProducts&, const ProductTile&) = {product_tile<D, vectors, pixels + 1>...};
  const EvenTiles even(t.pixel_count, sizeof...(pixels));
  for (int64_t row = 0; row < t.row_count; ++row)
    even.for_each([&](int64_t first, int64_t count) {
      tiles[count - 1](t, {weights + row * t.weights_row, t.source + row * t.source_row + first * t.source_step,
                           t.y + row * t.y_row + first * t.y_step,
                           t.residual + row * t.residual_row + first * t.residual_step, output});
    });
}

template <class D>
void products_of(D, const ChannelProducts& t) {
  constexpr int64_t width = 2 * hn::MaxLanes(D());
  const int64_t k_count = t.tap_count * t.numbers;
  for (int64_t panel = t.panel_begin; panel < t.panel_end; ++panel) {
    const int64_t output = panel * width;
    const float* const weights = t.weights + output * k_count;
    if (output + width <= t.output_count)
      product_panel<D, 2>(t, weights, output, std::make_integer_sequence<int, most_sums<D> / 2>{});
    else
      product_panel<D, 1>(t, weights, output, std::make_integer_sequence<int, most_sums<D>>{});
  }
}

void products(const ChannelProducts& t) {
  with_width(t.output_count, [&](auto d) { products_of(d, t); });
}

// ---- windows of single channels -------------------------------------------------------------------------------------

template <class D>
struct WeightedSum {
  using Vector = hn::VFromD<D>;
  D d;
  const float* weights;
  Finish<D> finish;
  WeightedSum(D d, const ChannelWindows& t, int64_t channel)
      : d(d), weights(t.weights + channel), finish(d, *t.finish, channel) {}
  HWY_INLINE Vector first() const { return hn::Zero(d); }
  HWY_INLINE Vector weight(int32_t at) const { return hn::LoadU(d, weights + at); }
  HWY_INLINE Vector add(Vector sum, Vector weight, Vector x) const { return hn::MulAdd(weight, x, sum); }
  HWY_INLINE Vector last(Vector sum, const float* residual) const { return finish(sum, residual); }
};
template <class D>
struct Greatest {
  using Vector = hn::VFromD<D>;
  D d;
  Greatest(D d, const ChannelWindows&, int64_t) : d(d) {}
  HWY_INLINE Vector first() const { return hn::Set(d, -std::numeric_limits<float>::infinity()); }
  HWY_INLINE Vector weight(int32_t) const { return first(); }
  HWY_INLINE Vector add(Vector greatest, Vector, Vector x) const { return hn::Max(x, greatest); }
  HWY_INLINE Vector last(Vector greatest, const float*) const { return greatest; }
};
template <class D>
struct Mean {
  using Vector = hn::VFromD<D>;
  D d;
  Vector divisor;
  Mean(D d, const ChannelWindows& t, int64_t) : d(d), divisor(hn::Set(d, t.divisor)) {}
  HWY_INLINE Vector first() const { return hn::Zero(d); }
  HWY_INLINE Vector weight(int32_t) const { return first(); }
  HWY_INLINE Vector add(Vector sum, Vector, Vector x) const { return hn::Add(sum, x); }
  HWY_INLINE Vector last(Vector sum, const float*) const { return hn::Div(sum, divisor); }
};

constexpr int most_windows = 8;

template <template <class> class Sum, class D, int pixels>
void window_tile(const ChannelWindows& t, const Sum<D>& sum_of, const float* source, float* y, const float* residual) {
  const D d;
  hn::VFromD<D> sum[pixels];
  HWY_UNROLL(8) for (int p = 0; p < pixels; ++p) sum[p] = sum_of.first();
  for (const ChannelTap *tap = t.taps, *end = tap + t.tap_count; tap != end; ++tap) {
    const auto weight = sum_of.weight(tap->weights);
    const float* const x = source + tap->source;
    HWY_UNROLL(8) for (int p = 0; p < pixels; ++p)
      sum[p] = sum_of.add(sum[p], weight, hn::LoadU(d, x + p * t.source_step));
  }
  HWY_UNROLL(8) for (int p = 0; p < pixels; ++p)
    hn::StoreU(sum_of.last(sum[p], residual + p * t.residual_step), d, y + p * t.y_step);
}

template <template <class> class Sum, class D, int... pixels>
void windows_of(D d, const ChannelWindows& t, std::integer_sequence<int, pixels...>) {
  static constexpr void (*tiles[])(const ChannelWindows&, const Sum<D>&, const float*, float*, const float*) = {
      window_tile<Sum, D, pixels + 1>...};
  const EvenTiles even(t.pixel_count, sizeof...(pixels));
  for (int64_t channel = 0; channel < t.channel_count; channel += hn::MaxLanes(d)) {
    const Sum<D> sum(d, t, channel);
    for (int64_t row = 0; row < t.row_count; ++row)
      even.for_each([&](int64_t first, int64_t count) {
        tiles[count - 1](t, sum, t.source + row * t.source_row + first * t.source_step + channel,
                         t.y + row * t.y_row + first * t.y_step + channel,
                         t.residual + row * t.residual_row + first * t.residual_step + channel);
      });
  }
}

template <template <class> class Sum>
void windows(const ChannelWindows& t) {
  with_width(t.channel_count, [&](auto d) { windows_of<Sum>(d, t, std::make_integer_sequence<int, most_windows>{}); });
}

// ---- layouts --------------------------------------------------------------------------------------------------------

void transpose(const float* from, int64_t from_stride, int64_t rows, int64_t columns, float* to, int64_t to_stride) {
  const hn::CappedTag<float, 4> d;
  constexpr int64_t side = 4, line = 16;  // floats of a cache line, which is written at once
  const int64_t whole_rows = rows / side * side, whole_columns = columns / side * side;
  const auto move = [&](int64_t row, int64_t row_end, int64_t column, int64_t column_end) {
    for (int64_t r = row; r < row_end; ++r)
      for (int64_t c = column; c < column_end; ++c) to[c * to_stride + r] = from[r * from_stride + c];
  };
  for (int64_t first = 0; first < whole_rows; first += line)
    for (int64_t c = 0; c < whole_columns; c += side)
      for (int64_t r = first; r < std::min(first + line, whole_rows); r += side) {
        const float* const x = from + r * from_stride + c;
        float* const y = to + c * to_stride + r;
        const auto x0 = hn::LoadU(d, x), x1 = hn::LoadU(d, x + from_stride), x2 = hn::LoadU(d, x + 2 * from_stride),
                   x3 = hn::LoadU(d, x + 3 * from_stride);
        const auto even0 = hn::InterleaveLower(d, x0, x2), odd0 = hn::InterleaveLower(d, x1, x3);
        const auto even1 = hn::InterleaveUpper(d, x0, x2), odd1 = hn::InterleaveUpper(d, x1, x3);
        hn::StoreU(hn::InterleaveLower(d, even0, odd0), d, y);
        hn::StoreU(hn::InterleaveUpper(d, even0, odd0), d, y + to_stride);
        hn::StoreU(hn::InterleaveLower(d, even1, odd1), d, y + 2 * to_stride);
        hn::StoreU(hn::InterleaveUpper(d, even1, odd1), d, y + 3 * to_stride);
      }
  move(0, whole_rows, whole_columns, columns);
  move(whole_rows, rows, 0, columns);
}

// ---- Winograd -------------------------------------------------------------------------------------------------------

template <class D>
void tiles_in_of(D d, const ChannelTilesIn& t) {
  using Vector = hn::VFromD<D>;
  for (int64_t row = 0; row < t.tile_rows; ++row)
    for (int64_t column = 0; column < t.tile_columns; ++column)
      for (int64_t channel = 0; channel < t.channel_count; channel += hn::MaxLanes(d)) {
        const float* const source =
            t.source + row * t.tile_pixels * t.source_row + column * t.tile_pixels * t.source_step + channel;
        float* const v = t.v + (row * t.tile_columns + column) * t.v_step + channel;
        Vector rows[6][6];
        HWY_UNROLL(6) for (int i = 0; i < 6; ++i) {
          Vector pixels[6];
          HWY_UNROLL(6) for (int j = 0; j < 6; ++j)
            pixels[j] = hn::LoadU(d, source + i * t.source_row + j * t.source_step);
          transform_input(d, pixels, 1, rows[i]);
        }
        HWY_UNROLL(6) for (int j = 0; j < 6; ++j) {
          Vector transformed[6];
          transform_input(d, &rows[0][j], 6, transformed);
          HWY_UNROLL(6) for (int i = 0; i < 6; ++i) hn::StoreU(transformed[i], d, v + (i * 6 + j) * t.position_stride);
        }
      }
}

void tiles_in(const ChannelTilesIn& t) {
  with_width(t.channel_count, [&](auto d) { tiles_in_of(d, t); });
}

template <int pixels, class D>
void tiles_out_of(D d, const ChannelTilesOut& t) {
  using Vector = hn::VFromD<D>;
  const auto transform = [&](const Vector* m, Vector* to) HWY_ATTR {
    if constexpr (pixels == 4) transform_to_four(d, m, to);
    else transform_to_two(d, m, to);
  };
  for (int64_t output = 0; output < t.output_count; output += hn::MaxLanes(d)) {
    const Finish<D> finish(d, t.finish, output);
    for (int64_t row = 0; row < t.tile_rows; ++row)
      for (int64_t column = 0; column < t.tile_columns; ++column) {
        const float* const sums = t.sums + (row * t.tile_columns + column) * t.output_count + output;
        Vector rows[pixels][6];
        HWY_UNROLL(6) for (int j = 0; j < 6; ++j) {
          Vector line[6], transformed[pixels];
          HWY_UNROLL(6) for (int i = 0; i < 6; ++i) line[i] = hn::LoadU(d, sums + (i * 6 + j) * t.position_stride);
          transform(line, transformed);
          HWY_UNROLL(4) for (int i = 0; i < pixels; ++i) rows[i][j] = transformed[i];
        }
        const int64_t first_row = row * pixels, first = column * pixels;
        const int64_t row_count = std::min<int64_t>(pixels, t.row_count - first_row);
        const int64_t pixel_count = std::min<int64_t>(pixels, t.pixel_count - first);
        for (int64_t i = 0; i < row_count; ++i) {
          Vector line[pixels];
          transform(rows[i], line);
          float* const y = t.y + (first_row + i) * t.y_row + first * t.y_step + output;
          const float* const residual = t.residual + (first_row + i) * t.residual_row + first * t.residual_step + output;
          for (int64_t j = 0; j < pixel_count; ++j)
            hn::StoreU(finish(line[j], residual + j * t.residual_step), d, y + j * t.y_step);
        }
      }
  }
}

void tiles_out(const ChannelTilesOut& t) {
  with_width(t.output_count, [&](auto d) {
    if (t.tile_pixels == 4) tiles_out_of<4>(d, t);
    else tiles_out_of<2>(d, t);
  });
}

}  // namespace

extern const ChannelKernels channel_kernels_here;
const ChannelKernels channel_kernels_here{static_cast<int32_t>(lanes), products, windows<WeightedSum>, windows<Greatest>,
                                          windows<Mean>, transpose, tiles_in, tiles_out};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

const ChannelKernels* channel_kernels(Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return &N_AVX3::channel_kernels_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return &N_AVX2::channel_kernels_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return &N_NEON::channel_kernels_here;
#endif
  static_cast<void>(isa);
  return nullptr;
}

}  // namespace heed::cpu
#endif
