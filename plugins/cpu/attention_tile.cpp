// Vector code of attention, once per instruction set.
// clang-format off: it does not know HWY_UNROLL.
#include "attention_tile.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/attention_tile.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::VFromD<Floats>;

constexpr int lanes = HWY_MAX_BYTES / sizeof(float);
constexpr int64_t score_stride = tile_keys + tile_padding;
constexpr int columns_at_once = HWY_TARGET == HWY_AVX2 ? 2 : 4;  // vectors of a value that sums are held of
constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

// exp(x) for x <= 0: 2^n times a polynomial of what is left (Cephes, expf).
HWY_INLINE Vector exp_of(Vector x) {
  const Floats d;
  const hn::RebindToSigned<Floats> di;
  const Vector least = hn::Set(d, -87.33654f);  // ln(2^-126)
  const Vector bounded = hn::Max(least, x);     // in this order NaN stays
  const Vector n = hn::Round(hn::Mul(bounded, hn::Set(d, 1.44269504f)));
  Vector r = hn::NegMulAdd(n, hn::Set(d, 0.693359375f), bounded);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4f), r);
  Vector p = hn::Set(d, 1.9875691500e-4f);
  for (const float c : {1.3981999507e-3f, 8.3334519073e-3f, 4.1665795894e-2f, 1.6666665459e-1f, 5.0000001201e-1f})
    p = hn::MulAdd(p, r, hn::Set(d, c));
  p = hn::Add(hn::MulAdd(p, hn::Mul(r, r), r), hn::Set(d, 1.0f));
  const auto power = hn::ShiftLeft<23>(hn::Add(hn::ConvertTo(di, n), hn::Set(di, 127)));
  return hn::IfThenZeroElse(hn::Lt(x, least), hn::Mul(p, hn::BitCast(d, power)));
}

// tanh(x) = sign(x) (1 - e) / (1 + e), e = exp(-2 |x|).
HWY_INLINE Vector tanh_of(Vector x) {
  const Floats d;
  const Vector one = hn::Set(d, 1.0f), e = exp_of(hn::Mul(hn::Abs(x), hn::Set(d, -2.0f)));
  return hn::CopySign(hn::Div(hn::Sub(one, e), hn::Add(one, e)), x);
}

// The sums of `lanes` vectors, in order: neighbours are added until one vector is left.
HWY_INLINE Vector sums_of(Vector (&v)[lanes]) {
  const Floats d;
  HWY_UNROLL(8) for (int count = lanes; count > 1; count /= 2)
    HWY_UNROLL(8) for (int i = 0; i < count / 2; ++i)
      v[i] = hn::Add(hn::ConcatEven(d, v[2 * i + 1], v[2 * i]), hn::ConcatOdd(d, v[2 * i + 1], v[2 * i]));
  return v[0];
}

// scores [row, key] of `rows` rows: dot products, `lanes` at a time. full_vectors: of a key, or -1 where they are many.
template <int rows, int full_vectors>
void score_keys(const float* query, int64_t query_stride, const float* keys, int64_t key_stride, int64_t key_count,
                int64_t width, float* scores) {
  const Floats d;
  constexpr int at_once = lanes / rows;
  const int64_t full = full_vectors >= 0 ? full_vectors * lanes : width / lanes * lanes;
  const int64_t rest = width - full;
  const auto mask = hn::FirstN(d, static_cast<size_t>(rest));
  for (int64_t key = 0; key < key_count; key += at_once) {
    Vector dot[lanes];
    HWY_UNROLL(16) for (int k = 0; k < at_once; ++k) {
      // Behind the last key it is read again; nobody looks at those scores.
      const float* at = keys + std::min(key + k, key_count - 1) * key_stride;
      HWY_UNROLL(4) for (int r = 0; r < rows; ++r) dot[r * at_once + k] = hn::Zero(d);
      if constexpr (full_vectors >= 0) {
        HWY_UNROLL(4) for (int w = 0; w < full_vectors; ++w) {
          const Vector channels = hn::LoadU(d, at + w * lanes);
          HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
            dot[r * at_once + k] =
                hn::MulAdd(hn::LoadU(d, query + r * query_stride + w * lanes), channels, dot[r * at_once + k]);
        }
      } else {
        Vector sum[rows];
        HWY_UNROLL(4) for (int r = 0; r < rows; ++r) sum[r] = hn::Zero(d);
        for (int64_t w = 0; w < full; w += lanes) {
          const Vector channels = hn::LoadU(d, at + w);
          HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
            sum[r] = hn::MulAdd(hn::LoadU(d, query + r * query_stride + w), channels, sum[r]);
        }
        HWY_UNROLL(4) for (int r = 0; r < rows; ++r) dot[r * at_once + k] = sum[r];
      }
      if (rest != 0) {
        const Vector channels = hn::MaskedLoad(mask, d, at + full);
        HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
          dot[r * at_once + k] =
              hn::MulAdd(hn::LoadU(d, query + r * query_stride + full), channels, dot[r * at_once + k]);
      }
    }
    const Vector sums = sums_of(dot);
    if constexpr (rows == 1) {
      hn::StoreU(sums, d, scores + key);
    } else {
      HWY_ALIGN float buffer[lanes];
      hn::Store(sums, d, buffer);
      HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
        std::memcpy(scores + r * score_stride + key, buffer + r * at_once, at_once * sizeof(float));
    }
  }
}

template <int rows>
void score_rows(const float* query, int64_t query_stride, const float* keys, int64_t key_stride, int64_t key_count,
                int64_t width, float* scores) {
  constexpr decltype(&score_keys<rows, 0>) by_vectors[] = {
      score_keys<rows, 0>, score_keys<rows, 1>, score_keys<rows, 2>, score_keys<rows, 3>, score_keys<rows, 4>};
  const int64_t vectors = width / lanes;
  const auto score = vectors <= 4 ? by_vectors[vectors] : score_keys<rows, -1>;
  score(query, query_stride, keys, key_stride, key_count, width, scores);
}

// sums [row, column] += weights [row, key] * values [key, column], for `vectors` vectors of columns; `cut`: of the last
// one only the first `rest` columns are there.
template <int rows, int vectors, bool cut>
void add_values(const float* weights, const float* values, int64_t value_stride, int64_t key_count, int64_t rest,
                float* sums, int64_t sum_stride) {
  const Floats d;
  constexpr int keys_at_once = 4 / rows;  // independent sums, as many as hide the latency of an addition
  const auto mask = hn::FirstN(d, static_cast<size_t>(rest));
  Vector sum[keys_at_once][rows][vectors];
  HWY_UNROLL(4) for (int k = 0; k < keys_at_once; ++k)
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
      HWY_UNROLL(4) for (int v = 0; v < vectors; ++v)
        sum[k][r][v] = k == 0 ? hn::LoadU(d, sums + r * sum_stride + v * lanes) : hn::Zero(d);
  int64_t key = 0;
  for (; key + keys_at_once <= key_count; key += keys_at_once) {
    HWY_UNROLL(4) for (int k = 0; k < keys_at_once; ++k) {
      const float* at = values + (key + k) * value_stride;
      HWY_UNROLL(4) for (int v = 0; v < vectors; ++v) {
        const float* from = at + v * lanes;
        const Vector value = cut && v == vectors - 1 ? hn::MaskedLoad(mask, d, from) : hn::LoadU(d, from);
        HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
          sum[k][r][v] = hn::MulAdd(hn::Set(d, weights[r * score_stride + key + k]), value, sum[k][r][v]);
      }
    }
  }
  for (; key < key_count; ++key) {
    const float* at = values + key * value_stride;
    HWY_UNROLL(4) for (int v = 0; v < vectors; ++v) {
      const float* from = at + v * lanes;
      const Vector value = cut && v == vectors - 1 ? hn::MaskedLoad(mask, d, from) : hn::LoadU(d, from);
      HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
        sum[0][r][v] = hn::MulAdd(hn::Set(d, weights[r * score_stride + key]), value, sum[0][r][v]);
    }
  }
  HWY_UNROLL(4) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(4) for (int v = 0; v < vectors; ++v) {
      Vector all = sum[0][r][v];
      HWY_UNROLL(4) for (int k = 1; k < keys_at_once; ++k) all = hn::Add(all, sum[k][r][v]);
      hn::StoreU(all, d, sums + r * sum_stride + v * lanes);
    }
}

template <int rows, bool cut, int... vectors>
void add_columns(int64_t count, const float* weights, const float* values, int64_t value_stride, int64_t key_count,
                 int64_t rest, float* sums, int64_t sum_stride, std::integer_sequence<int, vectors...>) {
  constexpr decltype(&add_values<rows, 1, cut>) by_vectors[] = {add_values<rows, vectors + 1, cut>...};
  by_vectors[count - 1](weights, values, value_stride, key_count, rest, sums, sum_stride);
}

template <int rows>
void add_rows(const float* weights, const float* values, int64_t value_stride, int64_t key_count, int64_t value_width,
              float* sums, int64_t sum_stride) {
  constexpr std::make_integer_sequence<int, columns_at_once> counts;
  const int64_t vectors = (value_width + lanes - 1) / lanes, rest = value_width % lanes;
  for (int64_t v = 0; v < vectors; v += columns_at_once) {
    const int64_t count = std::min<int64_t>(columns_at_once, vectors - v);
    if (rest != 0 && v + count == vectors)
      add_columns<rows, true>(count, weights, values + v * lanes, value_stride, key_count, rest, sums + v * lanes,
                              sum_stride, counts);
    else
      add_columns<rows, false>(count, weights, values + v * lanes, value_stride, key_count, 0, sums + v * lanes,
                               sum_stride, counts);
  }
}

// Calls for rows [0, count) four, two and one at a time.
#define HEED_ROWS(count, function, row, ...)                        \
  for (int64_t row = 0; row < (count);) {                           \
    if ((count) - row >= 4) function<4>(__VA_ARGS__), row += 4;      \
    else if ((count) - row >= 2) function<2>(__VA_ARGS__), row += 2; \
    else function<1>(__VA_ARGS__), row += 1;                         \
  }

// Hides what row r does not see of keys [first, first + count), and adds its mask.
void mask_scores(const AttentionTile& t, int64_t r, int64_t first, int64_t count, float* scores) {
  const int64_t begin = std::clamp<int64_t>(t.seen_begin[r] - first, 0, count);
  const int64_t end = std::clamp<int64_t>(t.seen_end[r] - first, begin, count);
  if (t.added[r] != nullptr) {
    const float* mask = t.added[r] + first * t.mask_stride;
    for (int64_t key = begin; key < end; ++key) {
      const float added = mask[key * t.mask_stride];
      scores[key] = added == minus_infinity ? minus_infinity : scores[key] + added;
    }
  }
  if (t.allowed[r] != nullptr) {
    const uint8_t* mask = t.allowed[r] + first * t.mask_stride;
    for (int64_t key = begin; key < end; ++key)
      if (mask[key * t.mask_stride] == 0) scores[key] = minus_infinity;
  }
  std::fill(scores, scores + begin, minus_infinity);
  std::fill(scores + end, scores + count + tile_padding, minus_infinity);
}

// Scores become weights relative to the greatest score so far, to which earlier sums are brought.
void weigh(AttentionTile& t, int64_t r, int64_t count, float* scores) {
  const Floats d;
  Vector most = hn::LoadU(d, scores);
  for (int64_t key = lanes; key < count; key += lanes) most = hn::Max(most, hn::LoadU(d, scores + key));
  const float before = t.greatest[r], now = std::max(before, hn::GetLane(hn::MaxOfLanes(d, most)));
  const Vector shift = hn::Set(d, now == minus_infinity ? 0.0f : now);
  Vector sum = hn::Zero(d);
  for (int64_t key = 0; key < count; key += lanes) {
    const Vector weight = exp_of(hn::Sub(hn::LoadU(d, scores + key), shift));
    hn::StoreU(weight, d, scores + key);
    sum = hn::Add(sum, weight);
  }
  const float found = hn::GetLane(hn::SumOfLanes(d, sum));
  if (now == before || before == minus_infinity) {
    t.total[r] += found;
  } else {
    const float factor = std::exp(before - now);
    t.total[r] = t.total[r] * factor + found;
    float* sums = t.sums + r * padded(t.value_width);
    const Vector by = hn::Set(d, factor);
    for (int64_t c = 0; c < t.value_width; c += lanes) hn::StoreU(hn::Mul(hn::LoadU(d, sums + c), by), d, sums + c);
  }
  t.greatest[r] = now;
}

void attend(AttentionTile& t) {
  const Floats d;
  const int64_t query_stride = padded(t.width), sum_stride = padded(t.value_width);
  std::fill(t.sums, t.sums + t.row_count * sum_stride, 0.0f);
  std::fill(t.greatest, t.greatest + t.row_count, minus_infinity);
  std::fill(t.total, t.total + t.row_count, 0.0f);
  int64_t first_seen = t.key_end, last_seen = t.key_begin;
  for (int64_t r = 0; r < t.row_count; ++r) {
    if (t.seen_begin[r] >= t.seen_end[r]) continue;
    first_seen = std::min(first_seen, t.seen_begin[r]);
    last_seen = std::max(last_seen, t.seen_end[r]);
  }
  const int64_t begin = std::max(first_seen, t.key_begin), end = std::min(last_seen, t.key_end);
  int64_t run_begin = 0;
  for (const KeyRun& run : t.runs) {
    const int64_t run_end = run_begin + run.count;
    for (int64_t first = std::max(begin, run_begin); first < std::min(end, run_end);) {
      const int64_t count = std::min({tile_keys, end - first, run_end - first});
      const float* keys = run.keys + (first - run_begin) * run.key_stride;
      const float* values = run.values + (first - run_begin) * run.value_stride;
      HEED_ROWS(t.row_count, score_rows, row, t.query + row * query_stride, query_stride, keys, run.key_stride, count,
                t.width, t.scores + row * score_stride)
      for (int64_t r = 0; r < t.row_count; ++r) {
        float* scores = t.scores + r * score_stride;
        if (t.softcap > 0) {
          const Vector cap = hn::Set(d, t.softcap), inverse = hn::Set(d, 1 / t.softcap);
          for (int64_t key = 0; key < count; key += lanes)
            hn::StoreU(hn::Mul(cap, tanh_of(hn::Mul(hn::LoadU(d, scores + key), inverse))), d, scores + key);
        }
        mask_scores(t, r, first, count, scores);
        weigh(t, r, count, scores);
      }
      HEED_ROWS(t.row_count, add_rows, row, t.scores + row * score_stride, values, run.value_stride, count,
                t.value_width, t.sums + row * sum_stride, sum_stride)
      first += count;
    }
    run_begin = run_end;
  }
}

#undef HEED_ROWS

}  // namespace

extern const Attend attend_here;
const Attend attend_here = attend;

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

Attend attend_with(Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return N_AVX3::attend_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return N_AVX2::attend_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return N_NEON::attend_here;
#endif
  static_cast<void>(isa);
  return nullptr;
}

}  // namespace heed::cpu
#endif
