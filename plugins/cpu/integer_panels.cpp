// Code of the products over integer panels, once per instruction set: two multiplications at once, summed exactly.
// clang-format off: it does not know HWY_UNROLL.
#include "integer_panels.hpp"

#include <cstring>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/integer_panels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Sums = hn::ScalableTag<int32_t>;
using Pairs = hn::ScalableTag<int16_t>;
using Bytes = hn::Rebind<int8_t, Pairs>;
using Vector = hn::VFromD<Sums>;

constexpr int lanes = HWY_MAX_BYTES / sizeof(int32_t);
constexpr int panel_vectors = 2;
constexpr int panel_width = panel_vectors * lanes;
constexpr int most_rows = HWY_TARGET == HWY_AVX2 ? 5 : HWY_TARGET == HWY_AVX3 ? 12 : 6;

template <int rows>
void multiply_rows(const int16_t* a, int64_t a_stride, int64_t pair_count, const int8_t* panel, int32_t* sums,
                   int64_t sums_stride) {
  const Sums d;
  // What ReorderWidenMulAccumulate adds up: on x86 all of it in the first.
  Vector sum[rows][panel_vectors], other[rows][panel_vectors];
  HWY_UNROLL(16) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v) sum[r][v] = other[r][v] = hn::Zero(d);
  for (int64_t pair = 0; pair < pair_count; ++pair) {
    const auto b0 = hn::PromoteTo(Pairs(), hn::LoadU(Bytes(), panel));
    const auto b1 = hn::PromoteTo(Pairs(), hn::LoadU(Bytes(), panel + panel_width));
    HWY_UNROLL(16) for (int r = 0; r < rows; ++r) {
      int32_t bits;
      std::memcpy(&bits, a + r * a_stride + 2 * pair, sizeof bits);
      const auto left = hn::BitCast(Pairs(), hn::Set(d, bits));
      sum[r][0] = hn::ReorderWidenMulAccumulate(d, left, b0, sum[r][0], other[r][0]);
      sum[r][1] = hn::ReorderWidenMulAccumulate(d, left, b1, sum[r][1], other[r][1]);
    }
    panel += 2 * panel_width;
  }
  HWY_UNROLL(16) for (int r = 0; r < rows; ++r)
    HWY_UNROLL(2) for (int v = 0; v < panel_vectors; ++v)
      hn::StoreU(hn::RearrangeToOddPlusEven(sum[r][v], other[r][v]), d, sums + r * sums_stride + v * lanes);
}

template <int... rows>
void multiply_any(const int16_t* a, int64_t a_stride, int64_t row_count, int64_t pair_count, const int8_t* panel,
                  int32_t* sums, int64_t sums_stride, std::integer_sequence<int, rows...>) {
  static constexpr void (*kernels[])(const int16_t*, int64_t, int64_t, const int8_t*, int32_t*, int64_t) = {
      multiply_rows<rows + 1>...};
  kernels[row_count - 1](a, a_stride, pair_count, panel, sums, sums_stride);
}

void multiply(const int16_t* a, int64_t a_stride, int64_t row_count, int64_t pair_count, const int8_t* panel,
              int32_t* sums, int64_t sums_stride) {
  multiply_any(a, a_stride, row_count, pair_count, panel, sums, sums_stride, std::make_integer_sequence<int, most_rows>{});
}

}  // namespace

extern const IntegerPanelKernels integer_panel_kernels_here;
const IntegerPanelKernels integer_panel_kernels_here{panel_width, most_rows, multiply};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {
namespace {

constexpr int32_t scalar_width = 16;

void multiply_scalar(const int16_t* a, int64_t a_stride, int64_t row_count, int64_t pair_count, const int8_t* panel,
                     int32_t* sums, int64_t sums_stride) {
  for (int64_t row = 0; row < row_count; ++row) {
    uint32_t sum[scalar_width] = {};
    for (int64_t pair = 0; pair < pair_count; ++pair)
      for (int32_t c = 0; c < scalar_width; ++c)
        for (int32_t i = 0; i < 2; ++i)
          sum[c] += static_cast<uint32_t>(a[row * a_stride + 2 * pair + i] * panel[(pair * scalar_width + c) * 2 + i]);
    std::memcpy(sums + row * sums_stride, sum, sizeof sum);
  }
}

}  // namespace

const IntegerPanelKernels* integer_panel_kernels(Isa isa) {
  static const IntegerPanelKernels scalar{scalar_width, 4, multiply_scalar};
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return &N_AVX3::integer_panel_kernels_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return &N_AVX2::integer_panel_kernels_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return &N_NEON::integer_panel_kernels_here;
#endif
  return isa == Isa::scalar ? &scalar : nullptr;
}

}  // namespace heed::cpu
#endif
