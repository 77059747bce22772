// Vector code of convolutions, once per instruction set.
// clang-format off: it does not know HWY_UNROLL.
#include "conv_panels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numbers>
#include <type_traits>
#include <utility>

#include <hwy/cache_control.h>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/conv_panels.cpp"
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
using Vector = hn::VFromD<Floats>;

constexpr int64_t lanes = HWY_MAX_BYTES / sizeof(float);
// Two vectors of pixels, and sums that fit in registers beside them: 32 registers, 16 with AVX2.
constexpr int most_vectors = 2;
constexpr int64_t panel_width = most_vectors * lanes;
constexpr int64_t cache_line_floats = 16;
constexpr int tile_outputs = HWY_TARGET == HWY_AVX2 ? 6 : HWY_TARGET == HWY_AVX3 ? 14 : 12;

HWY_INLINE Vector load(const float* from) { return hn::LoadU(Floats(), from); }

// The first n lanes, of which there may be more than lanes.
HWY_INLINE Vector load_first(const float* from, int64_t n) {
  const Floats d;
  if (HWY_LIKELY(n >= lanes)) return hn::LoadU(d, from);
  return hn::MaskedLoad(hn::FirstN(d, static_cast<size_t>(n)), d, from);
}
// Piece by piece where there are no masks: masked stores of AVX2 take tens of cycles on a Zen.
HWY_INLINE void store_first(Vector v, float* to, int64_t n) {
  const Floats d;
  if (HWY_LIKELY(n >= lanes)) return hn::StoreU(v, d, to);
  if constexpr (HWY_TARGET == HWY_AVX3) return hn::BlendedStore(v, hn::FirstN(d, static_cast<size_t>(n)), d, to);
  HWY_ALIGN float whole[lanes];
  hn::Store(v, d, whole);
  const float* from = whole;
  const auto store = [&](auto count) {
    if ((n & count) == 0) return;
    std::memcpy(to, from, count * sizeof(float));
    to += count;
    from += count;
  };
  if constexpr (lanes > 8) store(std::integral_constant<int, 8>());
  if constexpr (lanes > 4) store(std::integral_constant<int, 4>());
  store(std::integral_constant<int, 2>());
  store(std::integral_constant<int, 1>());
}

struct Finish {
  Vector bias, low, high;
  const bool has_residual;
  Finish(const ConvFinish& finish, int64_t output)
      : bias(finish.bias ? hn::Set(Floats(), finish.bias[output]) : hn::Zero(Floats())),
        low(hn::Set(Floats(), finish.low)),
        high(hn::Set(Floats(), finish.high)),
        has_residual(finish.has_residual) {}
  HWY_INLINE Vector operator()(Vector sum, const float* residual, int64_t n) const {
    sum = hn::Add(sum, bias);
    if (has_residual) sum = hn::Add(sum, load_first(residual, n));
    return hn::Min(high, hn::Max(low, sum));
  }
};

template <int outputs, int vectors>
void tile(const ConvTiles& t, const float* weights, int64_t output, int64_t column) {
  const Floats d;
  const bool by_rows = t.row_count > 0;
  const int64_t last = t.column_count - column - (by_rows ? 0 : (vectors - 1) * lanes);  // columns of the last vector
  const int64_t step = by_rows ? t.row_step : lanes, y_step = by_rows ? t.y_row_step : lanes;
  const float* source = t.source + column / panel_width * t.panel_stride;
  float* const y = t.y + output * t.y_stride + column;
  Vector sum[outputs][vectors];
  HWY_UNROLL(16) for (int r = 0; r < outputs; ++r)
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) sum[r][v] = hn::Zero(d);
  const int32_t* const end = t.offsets + t.k_count;
  for (const int32_t* offset = t.offsets; offset != end; ++offset) {
    const float* at = source + *offset;
    Vector x[vectors];
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) x[v] = hn::LoadU(d, at + v * step);
    HWY_UNROLL(16) for (int r = 0; r < outputs; ++r) {
      const Vector weight = hn::Set(d, weights[r]);
      HWY_UNROLL(2) for (int v = 0; v < vectors; ++v) sum[r][v] = hn::MulAdd(weight, x[v], sum[r][v]);
    }
    weights += outputs;
  }
  const auto columns_of = [&](int v) { return v + 1 == vectors || by_rows ? last : lanes; };
  if (t.accumulate)
    HWY_UNROLL(16) for (int r = 0; r < outputs; ++r)
      HWY_UNROLL(2) for (int v = 0; v < vectors; ++v)
        sum[r][v] = hn::Add(load_first(y + r * t.y_stride + v * y_step, columns_of(v)), sum[r][v]);
  if (t.finish) {
    const float* residual = t.residual + output * t.y_stride + column;
    HWY_UNROLL(16) for (int r = 0; r < outputs; ++r) {
      const Finish finish(*t.finish, output + r);
      HWY_UNROLL(2) for (int v = 0; v < vectors; ++v)
        sum[r][v] = finish(sum[r][v], residual + r * t.y_stride + v * y_step, columns_of(v));
    }
  }
  HWY_UNROLL(16) for (int r = 0; r < outputs; ++r)
    HWY_UNROLL(2) for (int v = 0; v < vectors; ++v)
      store_first(sum[r][v], y + r * t.y_stride + v * y_step, columns_of(v));
}

using Tile = void (*)(const ConvTiles&, const float* weights, int64_t output, int64_t column);

// A few columns, with outputs in the lanes. Chunks of outputs side by side, as many as have their sums in registers: each
// is a stream of weights of its own, and several come faster from memory than one.
constexpr int output_vectors = (tile_outputs + lanes - 1) / lanes;
constexpr int sum_registers = HWY_TARGET == HWY_AVX2 ? 12 : 24;
constexpr int chunks_at_once(int columns) { return std::max(1, sum_registers / (columns * output_vectors)); }

struct Chunk {
  const float* weights;
  int64_t output, output_count;
};

template <int columns, int chunks>
void few_columns(const ConvTiles& t, const Chunk* chunk, int64_t column) {
  const Floats d;
  const float* const source = t.source + column / panel_width * t.panel_stride + column % panel_width;
  const float* weights[chunks];
  for (int i = 0; i < chunks; ++i) weights[i] = chunk[i].weights;
  Vector sum[chunks][columns][output_vectors];
  HWY_UNROLL(16) for (int i = 0; i < chunks; ++i)
    HWY_UNROLL(4) for (int c = 0; c < columns; ++c)
      HWY_UNROLL(4) for (int v = 0; v < output_vectors; ++v) sum[i][c][v] = hn::Zero(d);
  for (int64_t k = 0; k < t.k_count; ++k) {
    const float* x = source + t.offsets[k];
    Vector weight[chunks][output_vectors];
    HWY_UNROLL(16) for (int i = 0; i < chunks; ++i) {
      HWY_UNROLL(4) for (int v = 0; v < output_vectors; ++v) weight[i][v] = load(weights[i] + v * lanes);
      weights[i] += chunk[i].output_count;
    }
    HWY_UNROLL(4) for (int c = 0; c < columns; ++c) {
      const Vector pixel = hn::Set(d, x[c]);
      HWY_UNROLL(16) for (int i = 0; i < chunks; ++i)
        HWY_UNROLL(4) for (int v = 0; v < output_vectors; ++v)
          sum[i][c][v] = hn::MulAdd(weight[i][v], pixel, sum[i][c][v]);
    }
  }
  for (int i = 0; i < chunks; ++i)
    for (int c = 0; c < columns; ++c) {
      HWY_ALIGN float sums[output_vectors * lanes];
      for (int v = 0; v < output_vectors; ++v) hn::Store(sum[i][c][v], d, sums + v * lanes);
      for (int64_t r = 0; r < chunk[i].output_count; ++r) {
        const int64_t output = chunk[i].output + r, at = output * t.y_stride + column + c;
        float y = t.accumulate ? t.y[at] + sums[r] : sums[r];
        if (t.finish) {
          const ConvFinish& finish = *t.finish;
          if (finish.bias) y += finish.bias[output];
          if (finish.has_residual) y += t.residual[at];
          y = y < finish.low ? finish.low : y > finish.high ? finish.high : y;
        }
        t.y[at] = y;
      }
    }
}

// All chunks at the last columns, from `column` on.
template <int columns>
void last_columns(const ConvTiles& t, int64_t chunks, int64_t column) {
  constexpr int at_once = chunks_at_once(columns);
  int64_t next = t.chunk_begin;
  const auto few = [&]<int count>(std::integral_constant<int, count>) {
    Chunk taken[count];
    for (Chunk& chunk : taken) {
      const int64_t first = chunk_first(t.output_count, chunks, next++);
      chunk = {t.weights + first * t.k_count, first, chunk_first(t.output_count, chunks, next) - first};
    }
    few_columns<columns, count>(t, taken, column);
  };
  const auto all = [&]<int count>(auto&& self, std::integral_constant<int, count> chunks_each) -> void {
    while (t.chunk_end - next >= count) few(chunks_each);
    if constexpr (count > 1) self(self, std::integral_constant<int, count / 2>());
  };
  all(all, std::integral_constant<int, at_once>());
}
constexpr void (*last_columns_of[])(const ConvTiles&, int64_t, int64_t) = {last_columns<1>, last_columns<2>,
                                                                           last_columns<3>, last_columns<4>};

template <int... outputs>
void tiles_any(const ConvTiles& t, std::integer_sequence<int, outputs...>) {
  static constexpr Tile wide[] = {tile<outputs + 1, most_vectors>...}, narrow[] = {tile<outputs + 1, 1>...};
  const int64_t chunks = chunk_count(t.output_count, sizeof...(outputs));
  const int64_t few = t.column_count % lanes;
  // Behind a vector alone, which waits for its sums where they are few.
  const int64_t most_few = HWY_TARGET != HWY_AVX3 && t.column_count % panel_width > lanes ? 2 : most_few_columns;
  const int64_t many_columns = t.column_count - (few <= most_few && t.row_count == 0 ? few : 0);
  const auto multiply = [&](int64_t chunk, int64_t column) {
    const int64_t first = chunk_first(t.output_count, chunks, chunk), left = many_columns - column;
    const int64_t count = chunk_first(t.output_count, chunks, chunk + 1) - first;
    const Tile* const tiles = left > lanes || t.row_count > 1 ? wide : narrow;
    tiles[count - 1](t, t.weights + first * t.k_count, first, column);
  };
  // Of weights and pixels what is more is read once, and what is less again and again.
  if ((t.chunk_end - t.chunk_begin) * static_cast<int64_t>(sizeof...(outputs)) > t.column_count)
    for (int64_t chunk = t.chunk_begin; chunk < t.chunk_end; ++chunk) {
      // The next weights come from memory while these are multiplied.
      const float* next = t.weights + chunk_first(t.output_count, chunks, chunk + 1) * t.k_count;
      const int64_t count = chunk + 1 < t.chunk_end ? static_cast<int64_t>(sizeof...(outputs)) * t.k_count : 0;
      const int64_t panels = (many_columns + panel_width - 1) / panel_width;
      for (int64_t panel = 0; panel < panels; ++panel) {
        for (int64_t i = count * panel / panels; i < count * (panel + 1) / panels; i += cache_line_floats)
          hwy::Prefetch(next + i);
        multiply(chunk, panel * panel_width);
      }
    }
  else
    for (int64_t column = 0; column < many_columns; column += panel_width)
      for (int64_t chunk = t.chunk_begin; chunk < t.chunk_end; ++chunk) multiply(chunk, column);
  if (many_columns < t.column_count) last_columns_of[few - 1](t, chunks, many_columns);
}

void tiles(const ConvTiles& t) { tiles_any(t, std::make_integer_sequence<int, tile_outputs>{}); }

// Sums that are taken at once: as many as hide how long one takes.
constexpr int rows_at_once = 8;

struct WeightedSum {
  using Rows = ConvRows;
  static constexpr bool reads_whole_vectors = true;
  const ConvRows& t;
  const Finish finish;
  explicit WeightedSum(const ConvRows& t) : t(t), finish(t.finish, 0) {}
  HWY_INLINE Vector first() const { return hn::Zero(Floats()); }
  HWY_INLINE Vector weight(int64_t k) const { return hn::Set(Floats(), t.weights[k]); }
  HWY_INLINE Vector add(Vector sum, Vector weight, Vector x) const { return hn::MulAdd(weight, x, sum); }
  HWY_INLINE Vector last(Vector sum, int64_t row, int64_t column, int64_t n) const {
    return finish(sum, t.residual + row * t.y_stride + column, n);
  }
};
struct Greatest {
  using Rows = PooledRows;
  static constexpr bool reads_whole_vectors = false;
  explicit Greatest(const PooledRows&) {}
  HWY_INLINE Vector first() const { return hn::Set(Floats(), -std::numeric_limits<float>::infinity()); }
  HWY_INLINE Vector weight(int64_t) const { return first(); }
  HWY_INLINE Vector add(Vector greatest, Vector, Vector x) const { return hn::Max(x, greatest); }
  HWY_INLINE Vector last(Vector greatest, int64_t, int64_t, int64_t) const { return greatest; }
};
struct PlainSum {
  using Rows = PooledRows;
  static constexpr bool reads_whole_vectors = false;
  const PooledRows& t;
  explicit PlainSum(const PooledRows& t) : t(t) {}
  HWY_INLINE Vector first() const { return hn::Zero(Floats()); }
  HWY_INLINE Vector weight(int64_t) const { return first(); }
  HWY_INLINE Vector add(Vector sum, Vector, Vector x) const { return hn::Add(sum, x); }
  HWY_INLINE Vector last(Vector sum, int64_t row, int64_t column, int64_t n) const {
    if (!t.row_divisors) return sum;
    const Vector columns = load_first(t.column_divisors + column, n);
    return hn::Div(sum, hn::Mul(hn::Set(Floats(), t.row_divisors[row]), columns));
  }
};

// n numbers, or some more, that lie `step` apart: with any_step as the rows say, of whole vectors otherwise.
constexpr int any_step = 0;
template <int step>
HWY_INLINE Vector load_step(const float* from, int64_t rows_step, int64_t n) {
  const Floats d;
  if constexpr (step == 2) return hn::ConcatEven(d, load(from + lanes), load(from));
  Vector phases[4];
  if constexpr (step == 3) hn::LoadInterleaved3(d, from, phases[0], phases[1], phases[2]);
  if constexpr (step == 4) hn::LoadInterleaved4(d, from, phases[0], phases[1], phases[2], phases[3]);
  if constexpr (step != any_step) return phases[0];
  HWY_ALIGN float room[lanes] = {};
  for (int64_t i = 0; i < std::min(n, lanes); ++i) room[i] = from[i * rows_step];
  return hn::Load(d, room);
}

template <class Sum, int step, int rows, int vectors>
void row_block(const typename Sum::Rows& t, int64_t row, int64_t column) {
  const Floats d;
  const Sum sum_of(t);
  const int64_t n = vectors > 1 ? lanes : t.column_count - column;  // of the last vector, or more
  const auto some = hn::FirstN(d, static_cast<size_t>(n));
  const auto read = [&](const float* from) {
    if constexpr (step != 1) return load_step<step>(from, t.step, n);
    else if constexpr (vectors > 1 || Sum::reads_whole_vectors) return load(from);
    else return hn::MaskedLoad(some, d, from);
  };
  int64_t first = column;
  if constexpr (step != 1) first *= t.step;
  const float* source = t.source + row * t.source_stride + first;
  Vector sum[rows][vectors];
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(8) for (int v = 0; v < vectors; ++v) sum[r][v] = sum_of.first();
  for (int64_t k = 0; k < t.k_count; ++k) {
    const Vector weight = sum_of.weight(k);
    const float* at = source + t.offsets[k];
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
      HWY_UNROLL(8) for (int v = 0; v < vectors; ++v)
        sum[r][v] = sum_of.add(sum[r][v], weight, read(at + r * t.source_stride + v * lanes));
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(8) for (int v = 0; v < vectors; ++v) {
      const Vector y = sum_of.last(sum[r][v], row + r, column + v * lanes, n);
      store_first(y, t.y + (row + r) * t.y_stride + column + v * lanes, n);
    }
}

template <class Sum, int step, int vectors, int... rows>
void row_blocks(const typename Sum::Rows& t, int64_t column, std::integer_sequence<int, rows...>) {
  static constexpr void (*blocks[])(const typename Sum::Rows&, int64_t, int64_t) = {
      row_block<Sum, step, rows + 1, vectors>...};
  constexpr int64_t most = sizeof...(rows);
  for (int64_t row = 0; row < t.row_count; row += most) blocks[std::min(most, t.row_count - row) - 1](t, row, column);
}

template <class Sum>
void rows_of(const typename Sum::Rows& t) {
  int64_t column = 0;
  for (; column + 4 * lanes <= t.column_count; column += 4 * lanes)
    row_blocks<Sum, 1, 4>(t, column, std::make_integer_sequence<int, rows_at_once / 4>{});
  if (column + 2 * lanes <= t.column_count) {
    row_blocks<Sum, 1, 2>(t, column, std::make_integer_sequence<int, rows_at_once / 2>{});
    column += 2 * lanes;
  }
  for (; column < t.column_count; column += lanes) {
    if (!Sum::reads_whole_vectors && t.column_count > lanes) column = std::min(column, t.column_count - lanes);
    row_blocks<Sum, 1, 1>(t, column, std::make_integer_sequence<int, rows_at_once>{});
  }
}

template <class Sum, int step>
void rows_in_steps(const PooledRows& t) {
  for (int64_t column = 0; column < t.column_count; column += lanes)
    row_blocks<Sum, step, 1>(t, column, std::make_integer_sequence<int, rows_at_once / 2>{});
}
template <class Sum>
void pooled_rows(const PooledRows& t) {
  switch (t.step) {
    case 1: return rows_of<Sum>(t);
    case 2: return rows_in_steps<Sum, 2>(t);
    case 3: return rows_in_steps<Sum, 3>(t);
    case 4: return rows_in_steps<Sum, 4>(t);
    default: return rows_in_steps<Sum, any_step>(t);
  }
}

// All phases of rows whose steps machines have instructions for, from vectors that hold them in turns.
template <int step>
void pad_interleaved(const PaddedRows& t) {
  const Floats d;
  constexpr int64_t span = step * lanes;
  const int64_t n = t.column_count;
  HWY_ALIGN float room[span];
  for (int64_t row = 0; row < t.row_count; ++row) {
    const float* const from = t.from + row * t.from_stride;
    float* const to = t.to + row * t.to_stride;
    const auto write = [&](int64_t i) {
      const int64_t first = t.first + i * step, begin = std::max<int64_t>(first, 0), end = std::min(first + span, t.count);
      const float* source = from + first;
      if (end - begin < span) {
        for (int64_t k = 0; k < span; k += lanes) hn::Store(hn::Zero(d), d, room + k);
        if (begin < end) std::memcpy(room + (begin - first), from + begin, static_cast<size_t>(end - begin) * sizeof(float));
        source = room;
      }
      Vector phases[4];
      if constexpr (step == 3) hn::LoadInterleaved3(d, source, phases[0], phases[1], phases[2]);
      else hn::LoadInterleaved4(d, source, phases[0], phases[1], phases[2], phases[3]);
      for (int64_t phase = 0; phase < t.phase_count; ++phase) hn::StoreU(phases[phase], d, to + phase * n + i);
    };
    for (int64_t i = 0; i + lanes < n; i += lanes) write(i);
    write(std::max<int64_t>(0, n - lanes));
  }
}

// Of rows of up to two vectors, side by side or in turns of two phases.
void pad_short(const PaddedRows& t) {
  const Floats d;
  const auto inside = [&](int64_t first) {
    const auto before = hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(-first, 0, lanes)));
    return hn::AndNot(before, hn::FirstN(d, static_cast<size_t>(std::clamp<int64_t>(t.count - first, 0, lanes))));
  };
  const auto lower = inside(t.first), upper = inside(t.first + lanes);
  for (int64_t row = 0; row < t.row_count; ++row) {
    const float* const from = t.from + row * t.from_stride + t.first;
    float* const to = t.to + row * t.to_stride;
    const Vector first = hn::MaskedLoad(lower, d, from), second = hn::MaskedLoad(upper, d, from + lanes);
    if (t.step == 1) {
      hn::StoreU(first, d, to);
      if (t.column_count > lanes) hn::StoreU(second, d, to + lanes);
      continue;
    }
    hn::StoreU(hn::ConcatEven(d, second, first), d, to);
    if (t.phase_count == 2) hn::StoreU(hn::ConcatOdd(d, second, first), d, to + t.column_count);
  }
}

void pad(const PaddedRows& t) {
  if (t.step <= 2 && t.column_count * t.step <= 2 * lanes) return pad_short(t);
  if (t.step == 3) return pad_interleaved<3>(t);
  if (t.step == 4) return pad_interleaved<4>(t);
  const Floats d;
  const Vector padding = hn::Zero(d);
  const auto fill = [&](float* to, int64_t n) {
    for (int64_t i = 0; i < n; i += lanes) hn::StoreU(padding, d, to + i);
  };
  struct Ends {
    int64_t begin, end;
  };
  const int64_t n = t.column_count;
  const auto ends_of = [&](int64_t phase) -> Ends {
    const int64_t first = t.first + phase, room = t.count - first;
    const int64_t begin = first >= 0 ? 0 : std::min(n, (-first + t.step - 1) / t.step);
    return {begin, room > (n - 1) * t.step ? n : room <= 0 ? begin : std::max(begin, (room + t.step - 1) / t.step)};
  };
  constexpr int64_t most_kept = 8;  // once, not in each row: divisions take as long as a row
  Ends kept[most_kept];
  for (int64_t phase = 0; phase < std::min(most_kept, t.phase_count); ++phase) kept[phase] = ends_of(phase);
  for (int64_t row = 0; row < t.row_count; ++row)
    for (int64_t phase = 0; phase < t.phase_count; ++phase) {
      const auto [begin, end] = phase < most_kept ? kept[phase] : ends_of(phase);
      const int64_t first = t.first + phase, room = t.count - first;
      const float* from = t.from + row * t.from_stride + first;
      float* const to = t.to + row * t.to_stride + phase * n;
      fill(to, begin);
      int64_t i = begin;
      if (t.step == 1)
        for (; i < end; i += lanes) hn::StoreU(load_first(from + i, end - i), d, to + i);
      else if (t.step == 2)
        for (; i < end; i += lanes) {
          const int64_t left = room - 2 * i;
          const Vector upper = left > lanes ? load_first(from + 2 * i + lanes, left - lanes) : padding;
          hn::StoreU(hn::ConcatEven(d, upper, load_first(from + 2 * i, left)), d, to + i);
        }
      for (; i < end; ++i) to[i] = from[i * t.step];
      fill(to + end, n - end);
    }
}

void join(const JoinedRows& t) {
  const Floats d;
  if (t.row_count == 1) {
    float* to = t.to;
    for (int64_t i = 0; i < t.column_count; i += panel_width, to += t.panel_stride) {
      hn::StoreU(load_first(t.from + i, t.column_count - i), d, to);
      if (t.column_count - i > lanes) hn::StoreU(load_first(t.from + i + lanes, t.column_count - i - lanes), d, to + lanes);
    }
    return;
  }
  const auto [first, from_stride, row_count, column_count, to, panel_stride] = t;
  float* panel = to;
  int64_t place = 0;  // in the panel
  for (int64_t row = 0; row < row_count; ++row)
    for (int64_t i = 0; i < column_count; i += lanes) {
      const float* from = first + row * from_stride + i;
      const int64_t n = std::min(lanes, column_count - i), left = panel_width - place;
      // What is written too far is written again by the next row.
      if (left >= lanes)
        hn::StoreU(load(from), d, panel + place);
      else
        store_first(load(from), panel + place, left);
      place += n;
      if (n < left) continue;
      panel += panel_stride;
      place = n - left;
      if (place > 0) hn::StoreU(load(from + left), d, panel);
    }
}

// ---- Winograd -----------------------------------------------------------------------------------------------------

constexpr int64_t tile_pixels = 4;

// The first tile of each vector: where a row has more than one, the last of them begins further left.
template <class D, class Body>
HWY_INLINE void for_each_vector(D d, int64_t tile_columns, Body&& body) {
  const auto count = static_cast<int64_t>(hn::Lanes(d));
  for (int64_t tile = 0; tile < tile_columns; tile += count)
    body(tile_columns > count ? std::min(tile, tile_columns - count) : int64_t{0});
}

// Narrow images have vectors of half the width, which may take half the time.
template <class Body>
HWY_INLINE void with_width(int64_t tile_columns, Body&& body) {
  if (tile_columns <= lanes / 2) body(hn::Half<Floats>());
  else body(Floats());
}

template <class D>
void tiles_in_of(D d, const WinogradInput& t) {
  using Vector = hn::VFromD<D>;
  for (int64_t tile_row = 0; tile_row < t.tile_rows; ++tile_row)
    for_each_vector(d, t.tile_columns, [&](int64_t tile) {
      const float* source = t.source + tile_row * tile_pixels * t.row_stride + tile * tile_pixels;
      float* const v = t.v + tile_row * t.tile_columns + tile;
      Vector rows[6][6];
      HWY_UNROLL(6) for (int i = 0; i < 6; ++i) {
        Vector pixels[8];
        hn::LoadInterleaved4(d, source + i * t.row_stride, pixels[0], pixels[1], pixels[2], pixels[3]);
        hn::LoadInterleaved4(d, source + i * t.row_stride + 4, pixels[4], pixels[5], pixels[6], pixels[7]);
        transform_input(d, pixels, 1, rows[i]);
      }
      HWY_UNROLL(6) for (int j = 0; j < 6; ++j) {
        Vector column[6];
        transform_input(d, &rows[0][j], 6, column);
        HWY_UNROLL(6) for (int i = 0; i < 6; ++i) hn::StoreU(column[i], d, v + (i * 6 + j) * t.position_stride);
      }
    });
}

void tiles_in(const WinogradInput& t) {
  with_width(t.tile_columns, [&](auto d) { tiles_in_of(d, t); });
}

void finish_pixels(const WinogradOutput& t, const Finish& finish, const float* from, int64_t row, int64_t n) {
  for (int64_t column = 0; column < n; column += lanes) {
    const int64_t at = row * t.y_stride + column;
    store_first(finish(load(from + column), t.residual + at, n - column), t.y + at, n - column);
  }
}

template <class D>
void tiles_out_of(D d, const WinogradOutput& t) {
  using Vector = hn::VFromD<D>;
  const Finish finish(t.finish, 0);
  const int64_t room_stride = std::max(t.tile_columns, lanes) * tile_pixels;
  for (int64_t tile_row = 0; tile_row < t.tile_rows; ++tile_row) {
    for_each_vector(d, t.tile_columns, [&](int64_t tile) {
      const float* sums = t.sums + tile_row * t.tile_columns + tile;
      Vector rows[4][6];
      HWY_UNROLL(6) for (int j = 0; j < 6; ++j) {
        Vector column[6], pixels[4];
        HWY_UNROLL(6) for (int i = 0; i < 6; ++i) column[i] = hn::LoadU(d, sums + (i * 6 + j) * t.position_stride);
        transform_to_four(d, column, pixels);
        HWY_UNROLL(4) for (int i = 0; i < 4; ++i) rows[i][j] = pixels[i];
      }
      HWY_UNROLL(4) for (int i = 0; i < 4; ++i) {
        Vector pixels[4];
        transform_to_four(d, rows[i], pixels);
        hn::StoreInterleaved4(pixels[0], pixels[1], pixels[2], pixels[3], d,
                              t.room + i * room_stride + tile * tile_pixels);
      }
    });
    const int64_t first = tile_row * tile_pixels;
    for (int64_t row = first; row < std::min(first + tile_pixels, t.row_count); ++row)
      finish_pixels(t, finish, t.room + (row - first) * room_stride, row, t.column_count);
  }
}

void tiles_out(const WinogradOutput& t) {
  with_width(t.tile_columns, [&](auto d) { tiles_out_of(d, t); });
}

template <class D>
void lines_in_of(D d, const WinogradInput& t) {
  using Vector = hn::VFromD<D>;
  for (int64_t row = 0; row < t.tile_rows; ++row)
    for_each_vector(d, t.tile_columns, [&](int64_t tile) {
      const float* source = t.source + row * t.row_stride + tile * t.line_pixels;
      Vector pixels[8], transformed[6];
      if (t.line_pixels == 4) {
        hn::LoadInterleaved4(d, source, pixels[0], pixels[1], pixels[2], pixels[3]);
        hn::LoadInterleaved4(d, source + 4, pixels[4], pixels[5], pixels[6], pixels[7]);
      } else {
        HWY_UNROLL(3) for (int i = 0; i < 6; i += 2) hn::LoadInterleaved2(d, source + i, pixels[i], pixels[i + 1]);
      }
      transform_input(d, pixels, 1, transformed);
      float* const v = t.v + row * t.tile_columns + tile;
      HWY_UNROLL(6) for (int i = 0; i < 6; ++i) hn::StoreU(transformed[i], d, v + i * t.position_stride);
    });
}

void lines_in(const WinogradInput& t) {
  with_width(t.tile_columns, [&](auto d) { lines_in_of(d, t); });
}

void lines_out(const WinogradOutput& t) {
  const Floats d;
  const Finish finish(t.finish, 0);
  const int64_t tiles = t.tile_rows * t.tile_columns, length = t.tile_columns * t.line_pixels;
  // Where tiles are all pixels, each vector of them is done with.
  const bool are_all = length == t.y_stride && length == t.column_count && t.row_count == t.tile_rows &&
                       tiles >= lanes && !finish.has_residual;
  float* const first = are_all ? t.y : t.room;
  for_each_vector(d, tiles, [&](int64_t tile) {
    Vector sums[6], pixels[4];
    HWY_UNROLL(6) for (int i = 0; i < 6; ++i) sums[i] = load(t.sums + i * t.position_stride + tile);
    float* const to = first + tile * t.line_pixels;
    const auto finish_all = [&](int count) HWY_ATTR {
      if (are_all) HWY_UNROLL(4) for (int i = 0; i < count; ++i) pixels[i] = finish(pixels[i], nullptr, lanes);
    };
    if (t.line_pixels == 4) {
      transform_to_four(d, sums, pixels);
      finish_all(4);
      hn::StoreInterleaved4(pixels[0], pixels[1], pixels[2], pixels[3], d, to);
    } else {
      transform_to_two(d, sums, pixels);
      finish_all(2);
      hn::StoreInterleaved2(pixels[0], pixels[1], d, to);
    }
  });
  if (are_all) return;
  if (length == t.y_stride) return finish_pixels(t, finish, t.room, 0, t.row_count * length);
  for (int64_t row = 0; row < t.row_count; ++row) finish_pixels(t, finish, t.room + row * length, row, t.column_count);
}

}  // namespace

extern const ConvKernels conv_kernels_here;
const ConvKernels conv_kernels_here{static_cast<int32_t>(lanes), tile_outputs, tiles, rows_of<WeightedSum>,
                                    pooled_rows<Greatest>, pooled_rows<PlainSum>, pad, join, tiles_in, tiles_out,
                                    lines_in, lines_out};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

const ConvKernels* conv_kernels(Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return &N_AVX3::conv_kernels_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return &N_AVX2::conv_kernels_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return &N_NEON::conv_kernels_here;
#endif
  static_cast<void>(isa);
  return nullptr;
}

void pack_outputs(const float* weights, int64_t output_stride, int64_t k_stride, int64_t output_count, int64_t k_count,
                  int64_t most, float* to) {
  const int64_t chunks = chunk_count(output_count, most);
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t first = chunk_first(output_count, chunks, chunk);
    const int64_t count = chunk_first(output_count, chunks, chunk + 1) - first;
    for (int64_t r = 0; r < count; ++r)
      for (int64_t k = 0; k < k_count; ++k) to[k * count + r] = weights[(first + r) * output_stride + k * k_stride];
    to += count * k_count;
  }
}

namespace {

// G g, of so many weights.
void transform_weights(const double* g, int64_t step, int64_t count, double* out, int64_t out_step) {
  constexpr double r = std::numbers::sqrt2;
  const auto polynomial_at = [&](double point) {
    double sum = 0;
    for (int64_t i = count; i-- > 0;) sum = sum * point + g[i * step];
    return sum;
  };
  const double numbers[] = {g[0],
                            -polynomial_at(1 / r) / 1.5,
                            -polynomial_at(-1 / r) / 1.5,
                            polynomial_at(r) / 6,
                            polynomial_at(-r) / 6,
                            g[(count - 1) * step]};
  for (int64_t i = 0; i < winograd_points; ++i) out[i * out_step] = numbers[i];
}

}  // namespace

void winograd_tile_weights(const float* weights, int64_t side, float* to, int64_t position_stride) {
  double given[25], rows[30], all[36];
  std::copy_n(weights, side * side, given);
  for (int64_t j = 0; j < side; ++j) transform_weights(given + j, side, side, rows + j, side);
  for (int64_t i = 0; i < 6; ++i) transform_weights(rows + i * side, 1, side, all + i * 6, 1);
  for (int64_t i = 0; i < 36; ++i) to[i * position_stride] = static_cast<float>(all[i]);
}

void winograd_line_weights(const float* weights, int64_t count, float* to, int64_t position_stride) {
  double given[5] = {}, transformed[winograd_points];
  std::copy_n(weights, count, given);
  transform_weights(given, 1, count, transformed, 1);
  for (int64_t i = 0; i < winograd_points; ++i) to[i * position_stride] = static_cast<float>(transformed[i]);
}

}  // namespace heed::cpu
#endif
