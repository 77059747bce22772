// The products on AMX.
#include "tile_panels.hpp"

#include <hwy/base.h>

#if defined(__x86_64__)

namespace heed::cpu {
namespace {

// By name, not by gcc's intrinsics: those take the number of a tile only as it is written, and do not say that they read
// and write memory. No compiler keeps anything in tiles.
HWY_INLINE void tile_shape(const TileShapes& shapes) { asm volatile("ldtilecfg %0" ::"m"(shapes)); }
HWY_INLINE void tile_release() { asm volatile("tilerelease"); }
template <int tile>
HWY_INLINE void tile_zero() { asm volatile("tilezero %%tmm%c0" ::"i"(tile)); }
template <int tile>
HWY_INLINE void tile_load(const void* from, int64_t row_stride_bytes) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(row_stride_bytes), "i"(tile) : "memory");
}
template <int tile>
HWY_INLINE void tile_store(void* to, int64_t row_stride_bytes) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(row_stride_bytes), "i"(tile) : "memory");
}
// sum [row, column] += a [row, k] b [k, column], rows of b being of k / 2 or k / 4.
template <int sum, int a, int b>
HWY_INLINE void tile_add_bf16_pairs() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
}
// a of signed bytes, b of unsigned ones.
template <int sum, int a, int b>
HWY_INLINE void tile_add_byte_fours() {
  asm volatile("tdpbsud %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sum), "i"(a), "i"(b));
}

void multiply_few_bf16(const Bf16Product& product) { bf16_panel_kernels(Isa::avx512_bf16)->multiply(product); }
void multiply_few_bytes(const ByteProduct& product, int32_t* sums) {
  byte_panel_kernels(Isa::avx512_vnni)->multiply(product, sums);
}

#include "tile_panels_x86.hpp"

}  // namespace

const Bf16PanelKernels& bf16_tile_kernels() {
  static constexpr Bf16PanelKernels kernels{panel_width, most_rows, multiply_bf16};
  return kernels;
}

const BytePanelKernels& byte_tile_kernels() {
  static const BytePanelKernels kernels{panel_width, rows_at_once_of_bytes, false, multiply_bytes,
                                        byte_panel_kernels(Isa::avx512_vnni)->multiply_codes};
  return kernels;
}

}  // namespace heed::cpu
#endif
