// Vector code of the products over panels of narrow codes, once per instruction set.
// clang-format off: it does not know HWY_UNROLL.
#include "nbit_panels.hpp"

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/nbit_panels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Words = hn::ScalableTag<uint32_t>;
using Integers = hn::ScalableTag<int32_t>;
using Vector = hn::VFromD<Floats>;

constexpr int lanes = HWY_MAX_BYTES / sizeof(float);
constexpr int panel_vectors = 2;
constexpr int panel_width = panel_vectors * lanes;
constexpr int most_rows = 4;

// Code `index` of each word as a float.
template <int bits, int index>
HWY_INLINE Vector code_of(hn::VFromD<Words> words) {
  constexpr int codes = 32 / bits;
  auto shifted = words;
  if constexpr (index > 0) shifted = hn::ShiftRight<bits * index>(words);
  if constexpr (index + 1 < codes) shifted = hn::And(shifted, hn::Set(Words(), (1u << bits) - 1));
  return hn::ConvertTo(Floats(), hn::BitCast(Integers(), shifted));
}

template <int bits, int rows, int... index>
HWY_INLINE void add_words(const uint32_t* words, const float* a, int64_t a_stride, Vector (&sum)[rows][panel_vectors],
                          std::integer_sequence<int, index...>) {
  const Floats d;
  const auto w0 = hn::LoadU(Words(), words), w1 = hn::LoadU(Words(), words + lanes);
  const auto add = [&](Vector c0, Vector c1, int i) HWY_ATTR {
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r) {
      const Vector left = hn::Set(d, a[r * a_stride + i]);
      sum[r][0] = hn::MulAdd(left, c0, sum[r][0]);
      sum[r][1] = hn::MulAdd(left, c1, sum[r][1]);
    }
  };
  (add(code_of<bits, index>(w0), code_of<bits, index>(w1), index), ...);
}

template <int bits, int rows>
void few_rows_of(const NBitPanel& p, const float* a, int64_t a_stride, const float* a_sums, int64_t a_sums_stride,
                 float* sums) {
  const Floats d;
  constexpr int codes = 32 / bits;
  const int64_t words_of_block = p.block_size / codes;
  const uint32_t* words = p.words;
  Vector total[rows][panel_vectors];
  HWY_UNROLL(4) for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = hn::Zero(d);
  Vector zero0 = hn::Set(d, static_cast<float>(1 << (bits - 1))), zero1 = zero0;
  for (int64_t block = 0; block < p.block_count; ++block) {
    Vector sum[rows][panel_vectors];
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = hn::Zero(d);
    for (int64_t word = 0; word < words_of_block; ++word) {
      add_words<bits, rows>(words, a + block * p.block_size + word * codes, a_stride, sum,
                            std::make_integer_sequence<int, codes>{});
      words += panel_width;
    }
    const int64_t at = block * panel_width;
    const Vector scale0 = hn::LoadU(d, p.scales + at), scale1 = hn::LoadU(d, p.scales + at + lanes);
    if (p.zero_points) {
      zero0 = hn::LoadU(d, p.zero_points + at);
      zero1 = hn::LoadU(d, p.zero_points + at + lanes);
    }
    HWY_UNROLL(4) for (int r = 0; r < rows; ++r) {
      const Vector a_sum = hn::Set(d, a_sums[r * a_sums_stride + block]);
      total[r][0] = hn::MulAdd(scale0, hn::NegMulAdd(zero0, a_sum, sum[r][0]), total[r][0]);
      total[r][1] = hn::MulAdd(scale1, hn::NegMulAdd(zero1, a_sum, sum[r][1]), total[r][1]);
    }
  }
  HWY_UNROLL(4) for (int r = 0; r < rows; ++r) {
    hn::StoreU(total[r][0], d, sums + r * panel_width);
    hn::StoreU(total[r][1], d, sums + r * panel_width + lanes);
  }
}

template <int bits>
void few_rows_any(const NBitPanel& p, const float* a, int64_t a_stride, const float* a_sums, int64_t a_sums_stride,
                  int64_t row_count, float* sums) {
  static constexpr void (*kernels[])(const NBitPanel&, const float*, int64_t, const float*, int64_t, float*) = {
      few_rows_of<bits, 1>, few_rows_of<bits, 2>, few_rows_of<bits, 3>, few_rows_of<bits, 4>};
  kernels[row_count - 1](p, a, a_stride, a_sums, a_sums_stride, sums);
}

void few_rows(const NBitPanel& p, int32_t bits, const float* a, int64_t a_stride, const float* a_sums,
              int64_t a_sums_stride, int64_t row_count, float* sums) {
  const auto kernel = bits == 2 ? few_rows_any<2> : bits == 4 ? few_rows_any<4> : few_rows_any<8>;
  kernel(p, a, a_stride, a_sums, a_sums_stride, row_count, sums);
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

template <int bits>
void dequantize_any(const NBitPanel& p, int64_t begin, int64_t end, float* to) {
  const Floats d;
  constexpr int codes = 32 / bits;
  const int64_t words_of_block = p.block_size / codes;
  const uint32_t* words = p.words + begin * words_of_block * panel_width;
  for (int64_t block = begin; block < end; ++block) {
    Vector scale[2], zero[2];
    for (int v = 0; v < panel_vectors; ++v) {
      const int64_t at = block * panel_width + v * lanes;
      scale[v] = hn::LoadU(d, p.scales + at);
      zero[v] = p.zero_points ? hn::LoadU(d, p.zero_points + at) : hn::Set(d, static_cast<float>(1 << (bits - 1)));
    }
    for (int64_t word = 0; word < words_of_block; ++word) {
      dequantize_words<bits>(words, scale, zero, to, std::make_integer_sequence<int, codes>{});
      words += panel_width;
      to += codes * panel_width;
    }
  }
}

void dequantize(const NBitPanel& p, int32_t bits, int64_t begin, int64_t end, float* to) {
  const auto kernel = bits == 2 ? dequantize_any<2> : bits == 4 ? dequantize_any<4> : dequantize_any<8>;
  kernel(p, begin, end, to);
}

}  // namespace

extern const NBitKernels nbit_kernels_here;
const NBitKernels nbit_kernels_here{panel_width, most_rows, few_rows, dequantize};

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
