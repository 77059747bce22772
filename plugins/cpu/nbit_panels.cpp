// Vector code of the products over panels of narrow codes, once per instruction set.
// clang-format off: it does not know HWY_UNROLL.
#include "nbit_panels.hpp"

#include <type_traits>

#include <hwy/cache_control.h>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/nbit_panels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "panel_tiles.hpp"

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Words = hn::ScalableTag<uint32_t>;
using Integers = hn::ScalableTag<int32_t>;
using Vector = hn::VFromD<Floats>;

using panel_tiles::lanes, panel_tiles::panel_vectors, panel_tiles::panel_width, panel_tiles::tiles_of_panel;
constexpr int most_sums = 4;

// Code `index` of each word as a float.
template <int bits, int index>
HWY_INLINE Vector code_of(hn::VFromD<Words> words) {
  constexpr int codes = 32 / bits;
  auto shifted = words;
  if constexpr (index > 0) shifted = hn::ShiftRight<bits * index>(words);
  if constexpr (index + 1 < codes) shifted = hn::And(shifted, hn::Set(Words(), (1u << bits) - 1));
  return hn::ConvertTo(Floats(), hn::BitCast(Integers(), shifted));
}

// The same, times the power of 2 of its place (a_scale in nbit_panels.hpp): no shift is needed but for the last.
template <int bits, int index>
HWY_INLINE Vector code_in_place(hn::VFromD<Words> words) {
  constexpr int codes = 32 / bits;
  if constexpr (index + 1 == codes) return code_of<bits, index>(words);
  const auto kept = hn::And(words, hn::Set(Words(), ((1u << bits) - 1) << (bits * index)));
  return hn::ConvertTo(Floats(), hn::BitCast(Integers(), kept));
}

template <int bits, int rows, int panels, int... index>
HWY_INLINE void add_words(const uint32_t* words, int64_t word_stride, const float* a, int64_t a_stride,
                          Vector (&sum)[panels][rows][panel_vectors], std::integer_sequence<int, index...>) {
  const Floats d;
  hn::VFromD<Words> w[panels][panel_vectors];
  HWY_UNROLL(4) for (int p = 0; p < panels; ++p) {
    w[p][0] = hn::LoadU(Words(), words + p * word_stride);
    w[p][1] = hn::LoadU(Words(), words + p * word_stride + lanes);
  }
  const auto add = [&](auto which) HWY_ATTR {
    constexpr int i = decltype(which)::value;
    Vector left[rows];
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r) left[r] = hn::Set(d, a[r * a_stride + i]);
    HWY_UNROLL(4) for (int p = 0; p < panels; ++p) {
      const Vector c0 = code_in_place<bits, i>(w[p][0]), c1 = code_in_place<bits, i>(w[p][1]);
      HWY_UNROLL(4) for (int r = 0; r < rows; ++r) {
        sum[p][r][0] = hn::MulAdd(left[r], c0, sum[p][r][0]);
        sum[p][r][1] = hn::MulAdd(left[r], c1, sum[p][r][1]);
      }
    }
  };
  (add(std::integral_constant<int, index>{}), ...);
}

template <int bits, int rows, int panels>
void few_rows_of(const NBitPanel& t, const float* a, int64_t a_stride, const float* a_sums, int64_t a_sums_stride,
                 float* sums) {
  const Floats d;
  constexpr int codes = 32 / bits;
  const int64_t words_of_block = t.block_size / codes, scale_stride = t.block_count * panel_width;
  const uint32_t* words = t.words;
  Vector total[panels][rows][panel_vectors];
  HWY_UNROLL(4) for (int p = 0; p < panels; ++p)
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r) total[p][r][0] = total[p][r][1] = hn::Zero(d);
  for (int64_t block = 0; block < t.block_count; ++block) {
    Vector sum[panels][rows][panel_vectors];
    HWY_UNROLL(4) for (int p = 0; p < panels; ++p)
      HWY_UNROLL(4) for (int r = 0; r < rows; ++r) sum[p][r][0] = sum[p][r][1] = hn::Zero(d);
    for (int64_t word = 0; word < words_of_block; ++word) {
      add_words<bits, rows, panels>(words, t.word_stride, a + block * t.block_size + word * codes, a_stride, sum,
                                    std::make_integer_sequence<int, codes>{});
      // What comes next from memory: the panels after these.
      HWY_UNROLL(4) for (int p = 0; p < panels; ++p) hwy::Prefetch(words + (panels + p) * t.word_stride);
      words += panel_width;
    }
    HWY_UNROLL(4) for (int p = 0; p < panels; ++p)
      HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v) {
        const int64_t at = p * scale_stride + block * panel_width + v * lanes;
        const Vector scale = hn::LoadU(d, t.scales + at);
        hwy::Prefetch(t.scales + at + panels * scale_stride);
        const Vector zero = t.zero_points ? hn::LoadU(d, t.zero_points + at)
                                          : hn::Set(d, static_cast<float>(1 << (bits - 1)));
        HWY_UNROLL(4) for (int r = 0; r < rows; ++r) {
          const Vector a_sum = hn::Set(d, a_sums[r * a_sums_stride + block]);
          total[p][r][v] = hn::MulAdd(scale, hn::NegMulAdd(zero, a_sum, sum[p][r][v]), total[p][r][v]);
        }
      }
  }
  HWY_UNROLL(4) for (int p = 0; p < panels; ++p)
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r) {
      hn::StoreU(total[p][r][0], d, sums + (r * panels + p) * panel_width);
      hn::StoreU(total[p][r][1], d, sums + (r * panels + p) * panel_width + lanes);
    }
}

template <int bits>
void few_rows_any(const NBitPanel& t, const float* a, int64_t a_stride, const float* a_sums, int64_t a_sums_stride,
                  int64_t row_count, int64_t panel_count, float* sums) {
  using Kernel = void (*)(const NBitPanel&, const float*, int64_t, const float*, int64_t, float*);
  static constexpr Kernel kernels[most_sums][most_sums] = {
      {few_rows_of<bits, 1, 1>, few_rows_of<bits, 1, 2>, few_rows_of<bits, 1, 3>, few_rows_of<bits, 1, 4>},
      {few_rows_of<bits, 2, 1>, few_rows_of<bits, 2, 2>},
      {few_rows_of<bits, 3, 1>},
      {few_rows_of<bits, 4, 1>}};
  kernels[row_count - 1][panel_count - 1](t, a, a_stride, a_sums, a_sums_stride, sums);
}

void few_rows(const NBitPanel& t, int32_t bits, const float* a, int64_t a_stride, const float* a_sums,
              int64_t a_sums_stride, int64_t row_count, int64_t panel_count, float* sums) {
  const auto kernel = bits == 2 ? few_rows_any<2> : bits == 4 ? few_rows_any<4> : few_rows_any<8>;
  kernel(t, a, a_stride, a_sums, a_sums_stride, row_count, panel_count, sums);
}

template <int bits, int... index>
HWY_INLINE void dequantize_words(const uint32_t* words, const Vector (&scale)[2], const Vector (&less)[2], float* to,
                                 std::integer_sequence<int, index...>) {
  const Floats d;
  const auto w0 = hn::LoadU(Words(), words), w1 = hn::LoadU(Words(), words + lanes);
  const auto put = [&](Vector c0, Vector c1, int i) HWY_ATTR {
    hn::StoreU(hn::Mul(hn::Sub(c0, less[0]), scale[0]), d, to + i * panel_width);
    hn::StoreU(hn::Mul(hn::Sub(c1, less[1]), scale[1]), d, to + i * panel_width + lanes);
  };
  (put(code_of<bits, index>(w0), code_of<bits, index>(w1), index), ...);
}

// Words from `begin` to `end` of a panel as f32 [k][panel_width].
template <int bits>
void dequantize(const NBitPanel& p, int64_t begin, int64_t end, float* to) {
  const Floats d;
  constexpr int codes = 32 / bits;
  const int64_t words_of_block = p.block_size / codes;
  for (int64_t word = begin; word < end;) {
    const int64_t block = word / words_of_block, stop = std::min(end, (block + 1) * words_of_block);
    Vector scale[2], zero[2];
    for (int v = 0; v < panel_vectors; ++v) {
      const int64_t at = block * panel_width + v * lanes;
      scale[v] = hn::LoadU(d, p.scales + at);
      zero[v] = p.zero_points ? hn::LoadU(d, p.zero_points + at) : hn::Set(d, static_cast<float>(1 << (bits - 1)));
    }
    for (; word < stop; ++word) {
      const uint32_t* words = p.words + word * panel_width;
      hwy::Prefetch(words + p.word_stride);
      dequantize_words<bits>(words, scale, zero, to + word * codes * panel_width,
                             std::make_integer_sequence<int, codes>{});
    }
  }
}

template <int bits>
void tiles_any(const NBitPanel& first, const Tiles& t, float* two_panels) {
  const int64_t words = (t.k_count * bits + 31) / 32, scale_stride = first.block_count * panel_width;
  NBitPanel next = first;
  dequantize<bits>(next, 0, words, two_panels);
  for (int64_t panel = t.panel_begin; panel < t.panel_end; ++panel) {
    const int64_t other = (panel + 1 - t.panel_begin) % 2 * t.panel_stride;
    const int64_t words_now = panel + 1 < t.panel_end ? words : 0;
    next.words += first.word_stride;
    next.scales += scale_stride;
    if (next.zero_points) next.zero_points += scale_stride;
    tiles_of_panel(t, panel, two_panels + (t.panel_stride - other), [&](int64_t chunk, int64_t chunks) HWY_ATTR {
      dequantize<bits>(next, words_now * chunk / chunks, words_now * (chunk + 1) / chunks, two_panels + other);
    });
  }
}

void tiles(const NBitPanel& first, int32_t bits, const Tiles& t, float* two_panels) {
  const auto kernel = bits == 2 ? tiles_any<2> : bits == 4 ? tiles_any<4> : tiles_any<8>;
  kernel(first, t, two_panels);
}

}  // namespace

extern const NBitKernels nbit_kernels_here;
const NBitKernels nbit_kernels_here{panel_width, most_sums, few_rows, tiles};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

const NBitKernels* nbit_kernels(Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return &N_AVX3::nbit_kernels_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return &N_AVX2::nbit_kernels_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return &N_NEON::nbit_kernels_here;
#endif
  static_cast<void>(isa);
  return nullptr;
}

}  // namespace heed::cpu
#endif
