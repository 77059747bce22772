// Vector code of the products over panels, once per instruction set.
// clang-format off: it does not know HWY_UNROLL.
#include "gemm_panels.hpp"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <hwy/cache_control.h>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/gemm_panels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "panel_tiles.hpp"

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Floats = hn::ScalableTag<float>;
using Vector = hn::VFromD<Floats>;

using panel_tiles::lanes, panel_tiles::panel_vectors, panel_tiles::panel_width, panel_tiles::tile_rows;
using panel_tiles::tiles_of_panel;
// Sums of a panel's row that fit in registers, beside what is read: 32 registers, 16 with AVX2.
constexpr int sums = HWY_TARGET == HWY_AVX2 ? 6 : 12;
constexpr int streams = 8;
constexpr int64_t cache_line_floats = 16;
constexpr int few_rows_at_once = HWY_TARGET == HWY_AVX2 ? 6 : 8;

HWY_INLINE Vector load(const float* at) { return hn::LoadU(Floats(), at); }
HWY_INLINE Vector load(const hwy::float16_t* at) {
  return hn::PromoteTo(Floats(), hn::LoadU(hn::Rebind<hwy::float16_t, Floats>(), at));
}
HWY_INLINE Vector load(const hwy::bfloat16_t* at) {
  return hn::PromoteTo(Floats(), hn::LoadU(hn::Rebind<hwy::bfloat16_t, Floats>(), at));
}

// Writes what a panel's row came to, as far as y has columns.
HWY_INLINE void store(Vector left, Vector right, int64_t column_count, float* y) {
  const Floats d;
  if (HWY_LIKELY(column_count >= panel_width)) {
    hn::StoreU(left, d, y);
    hn::StoreU(right, d, y + lanes);
    return;
  }
  HWY_ALIGN float row[panel_width];
  hn::Store(left, d, row);
  hn::Store(right, d, row + lanes);
  std::memcpy(y, row, static_cast<size_t>(column_count) * sizeof(float));
}

// rows x panels from (row, panel) on, k in `segments` stretches. B is what b lies in.
template <class B, int rows, int panels, int segments>
void few_block(const FewRows& t, int64_t row, int64_t panel) {
  const Floats d;
  const int64_t length = t.k_count / segments, a_stride = t.a_row_stride;
  const int64_t panel_stride = t.panel_stride, k_stride = t.k_stride;
  const float* a = t.a + row * a_stride;
  const B* b = static_cast<const B*>(t.b) + panel * panel_stride;
  Vector sum[segments][panels][rows][panel_vectors];
  HWY_UNROLL(8) for (int s = 0; s < segments; ++s)
    HWY_UNROLL(8) for (int p = 0; p < panels; ++p)
      HWY_UNROLL(8) for (int r = 0; r < rows; ++r) sum[s][p][r][0] = sum[s][p][r][1] = hn::Zero(d);

  for (int64_t k = 0; k < length; ++k) {
    HWY_UNROLL(8) for (int s = 0; s < segments; ++s) {
      Vector left[rows];
      HWY_UNROLL(8) for (int r = 0; r < rows; ++r) left[r] = hn::Set(d, a[r * a_stride + s * length + k]);
      HWY_UNROLL(8) for (int p = 0; p < panels; ++p) {
        const B* at = b + p * panel_stride + (s * length + k) * k_stride;
        const Vector b0 = load(at), b1 = load(at + lanes);
        HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
          sum[s][p][r][0] = hn::MulAdd(left[r], b0, sum[s][p][r][0]);
          sum[s][p][r][1] = hn::MulAdd(left[r], b1, sum[s][p][r][1]);
        }
      }
    }
  }
  // What segments leave over.
  if constexpr (segments > 1) {
    for (int64_t k = length * segments; k < t.k_count; ++k) {
      HWY_UNROLL(8) for (int p = 0; p < panels; ++p) {
        const B* at = b + p * panel_stride + k * k_stride;
        const Vector b0 = load(at), b1 = load(at + lanes);
        HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
          const Vector left = hn::Set(d, a[r * a_stride + k]);
          sum[0][p][r][0] = hn::MulAdd(left, b0, sum[0][p][r][0]);
          sum[0][p][r][1] = hn::MulAdd(left, b1, sum[0][p][r][1]);
        }
      }
    }
    HWY_UNROLL(8) for (int half = segments / 2; half > 0; half /= 2)
      HWY_UNROLL(8) for (int s = 0; s < half; ++s)
        HWY_UNROLL(8) for (int p = 0; p < panels; ++p)
          HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
            sum[s][p][r][0] = hn::Add(sum[s][p][r][0], sum[s + half][p][r][0]);
            sum[s][p][r][1] = hn::Add(sum[s][p][r][1], sum[s + half][p][r][1]);
          }
  }
  HWY_UNROLL(8) for (int p = 0; p < panels; ++p) {
    const int64_t column = (panel + p) * panel_width;
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
      store(sum[0][p][r][0], sum[0][p][r][1], t.column_count - column, t.y + (row + r) * t.y_row_stride + column);
  }
}

// The last panel of a b that lies in place: what is behind its last column is not read.
template <int rows>
void few_last(const FewRows& t, int64_t row, int64_t panel) {
  const Floats d;
  const int64_t column = panel * panel_width, columns = t.column_count - column;
  const auto mask0 = hn::FirstN(d, static_cast<size_t>(columns));
  const auto mask1 = hn::FirstN(d, static_cast<size_t>(std::max<int64_t>(columns - lanes, 0)));
  const float* a = t.a + row * t.a_row_stride;
  const float* b = static_cast<const float*>(t.b) + panel * t.panel_stride;
  Vector sum[rows][panel_vectors];
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = hn::Zero(d);
  for (int64_t k = 0; k < t.k_count; ++k) {
    const Vector b0 = hn::MaskedLoad(mask0, d, b + k * t.k_stride);
    const Vector b1 = columns > lanes ? hn::MaskedLoad(mask1, d, b + k * t.k_stride + lanes) : hn::Zero(d);
    HWY_UNROLL(8) for (int r = 0; r < rows; ++r) {
      const Vector left = hn::Set(d, a[r * t.a_row_stride + k]);
      sum[r][0] = hn::MulAdd(left, b0, sum[r][0]);
      sum[r][1] = hn::MulAdd(left, b1, sum[r][1]);
    }
  }
  HWY_UNROLL(8) for (int r = 0; r < rows; ++r)
    store(sum[r][0], sum[r][1], columns, t.y + (row + r) * t.y_row_stride + column);
}

using FewBlock = void (*)(const FewRows&, int64_t row, int64_t panel);

template <class B, int rows, int segments, int... panels>
void few_panels(const FewRows& t, int64_t row, std::integer_sequence<int, panels...>) {
  static constexpr FewBlock blocks[] = {few_block<B, rows, panels + 1, segments>...};
  constexpr int64_t most = sizeof...(panels);
  const bool cut = !t.padded && t.panel_end * panel_width > t.column_count;
  // Even chunks: 10 panels at most 8 at a time are 5 and 5.
  const int64_t count = t.panel_end - t.panel_begin - cut, chunks = (count + most - 1) / most;
  int64_t panel = t.panel_begin;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = t.panel_begin + count * (chunk + 1) / chunks;
    blocks[end - panel - 1](t, row, panel);
    panel = end;
  }
  if constexpr (std::is_same_v<B, float>)
    if (cut) few_last<rows>(t, row, panel);
}

template <class B, int rows, int segments>
void few_segments(const FewRows& t, int64_t row) {
  constexpr int at_once = std::min(streams, sums / rows);
  few_panels<B, rows, segments>(t, row, std::make_integer_sequence<int, std::max(1, at_once / segments)>{});
}

// How many stretches of k depends on the size of b alone, so that a split over threads changes no bit.
template <class B, int rows>
void few_of(const FewRows& t, int64_t row) {
  constexpr int at_once = std::min(streams, sums / rows);
  const int64_t panels = (t.column_count + panel_width - 1) / panel_width;
  if constexpr (at_once >= 8)
    if (panels <= at_once / 8) return few_segments<B, rows, 8>(t, row);
  if constexpr (at_once >= 4)
    if (panels <= at_once / 4) return few_segments<B, rows, 4>(t, row);
  if constexpr (at_once >= 2)
    if (panels <= at_once / 2) return few_segments<B, rows, 2>(t, row);
  few_segments<B, rows, 1>(t, row);
}

template <class B, int... rows>
void few_any(const FewRows& t, std::integer_sequence<int, rows...>) {
  static constexpr void (*blocks[])(const FewRows&, int64_t) = {few_of<B, rows + 1>...};
  const int64_t most = sizeof...(rows), chunks = (t.row_count + most - 1) / most;
  int64_t row = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int64_t end = t.row_count * (chunk + 1) / chunks;
    blocks[end - row - 1](t, row);
    row = end;
  }
}

template <class B>
void few_rows(const FewRows& t) { few_any<B>(t, std::make_integer_sequence<int, few_rows_at_once>{}); }

void tiles(const Tiles& t) {
  for (int64_t panel = t.panel_begin; panel < t.panel_end; ++panel) {
    const float* b = t.b + panel * t.panel_stride;
    // The next panel comes from memory while this one is multiplied.
    const float* next = panel + 1 < t.panel_end ? b + t.panel_stride : nullptr;
    const int64_t next_count = next ? t.k_count * panel_width : 0;
    tiles_of_panel(t, panel, b, [&](int64_t chunk, int64_t chunks) {
      for (int64_t i = next_count * chunk / chunks; i < next_count * (chunk + 1) / chunks; i += cache_line_floats)
        hwy::Prefetch(next + i);
    });
  }
}

}  // namespace

extern const PanelKernels panel_kernels_here;
const PanelKernels panel_kernels_here{panel_width, tile_rows, few_rows<float>, few_rows<hwy::float16_t>,
                                      few_rows<hwy::bfloat16_t>, tiles};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {
#if HWY_TARGETS & HWY_AVX3
namespace {

PanelKernels with_pairs(Isa isa) {
  PanelKernels kernels = N_AVX3::panel_kernels_here;
  kernels.bf16_pairs = bf16_panel_kernels(isa);
  kernels.tile_rows = kernels.bf16_pairs->rows;
  return kernels;
}

}  // namespace
#endif

const PanelKernels* panel_kernels(Isa isa) {
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return &N_AVX3::panel_kernels_here;
  static const PanelKernels avx512_bf16 = with_pairs(Isa::avx512_bf16), amx = with_pairs(Isa::amx);
  if (isa == Isa::avx512_bf16) return &avx512_bf16;
  if (isa == Isa::amx) return &amx;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return &N_AVX2::panel_kernels_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return &N_NEON::panel_kernels_here;
#endif
  static_cast<void>(isa);
  return nullptr;
}

template <class T>
void pack_panels(const T* b, int64_t k_stride, int64_t column_stride, int64_t k_count, int64_t column_count,
                 int32_t panel_width, T* panels) {
  for (int64_t first = 0; first < column_count; first += panel_width) {
    const int64_t columns = std::min<int64_t>(panel_width, column_count - first);
    const T* from = b + first * column_stride;
    if (column_stride == 1) {
      for (int64_t k = 0; k < k_count; ++k) {
        T* row = panels + k * panel_width;
        std::memcpy(row, from + k * k_stride, static_cast<size_t>(columns) * sizeof(T));
        std::fill(row + columns, row + panel_width, T{0});
      }
    } else {
      // Sixteen of k at a time: where k lies side by side, a cache line of each column.
      for (int64_t k = 0; k < k_count; k += 16) {
        const int64_t end = std::min<int64_t>(k + 16, k_count);
        for (int64_t c = 0; c < columns; ++c)
          for (int64_t i = k; i < end; ++i) panels[i * panel_width + c] = from[i * k_stride + c * column_stride];
        for (int64_t i = k; i < end; ++i)
          std::fill(panels + i * panel_width + columns, panels + (i + 1) * panel_width, T{0});
      }
    }
    panels += k_count * panel_width;
  }
}
template void pack_panels(const float*, int64_t, int64_t, int64_t, int64_t, int32_t, float*);
template void pack_panels(const uint16_t*, int64_t, int64_t, int64_t, int64_t, int32_t, uint16_t*);

}  // namespace heed::cpu
#endif
