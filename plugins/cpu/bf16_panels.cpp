// The products over panels of bf16: which of them this build has.
#include "bf16_panels.hpp"

#include <cstring>
#include <utility>

#include <hwy/base.h>

#include "tile_panels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512bf16,avx2,fma")
namespace heed::cpu::bf16_avx512 {
namespace {
using Vector = __m512;
using Pairs = __m512bh;
HWY_INLINE Vector zero() { return _mm512_setzero_ps(); }
HWY_INLINE Pairs load(const uint16_t* from) { return reinterpret_cast<Pairs>(_mm512_loadu_si512(from)); }
HWY_INLINE Pairs broadcast(const uint16_t* pair) { int bits; std::memcpy(&bits, pair, 4); return reinterpret_cast<Pairs>(_mm512_set1_epi32(bits)); }
HWY_INLINE Vector add_pairs(Vector sum, Pairs a, Pairs b) { return _mm512_dpbf16_ps(sum, a, b); }
HWY_INLINE Vector load_sums(const float* from) { return _mm512_loadu_ps(from); }
HWY_INLINE Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
HWY_INLINE void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
#include "bf16_panels_x86.hpp"
}  // namespace
}  // namespace heed::cpu::bf16_avx512
HWY_POP_ATTRIBUTES
#endif

namespace heed::cpu {

const Bf16PanelKernels* bf16_panel_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  if (isa == Isa::avx512_bf16) return &bf16_avx512::kernels;
  if (isa == Isa::amx) return &bf16_tile_kernels();
#endif
  return nullptr;
}

}  // namespace heed::cpu
