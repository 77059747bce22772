// The tiles of products over panels of f32, which lie as gemm_panels.hpp says or are made from something else one ahead.
// Once per instruction set: include after hwy/highway.h, inside of files that hwy/foreach_target.h compiles.
#if defined(HEED_PANEL_TILES_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef HEED_PANEL_TILES_HPP
#undef HEED_PANEL_TILES_HPP
#else
#define HEED_PANEL_TILES_HPP
#endif

#include <algorithm>
#include <utility>

#include "gemm_panels.hpp"

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace panel_tiles {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int lanes = HWY_MAX_BYTES / sizeof(float);
constexpr int panel_vectors = 2;
constexpr int panel_width = panel_vectors * lanes;
constexpr int tile_rows = HWY_TARGET == HWY_AVX2 ? 6 : HWY_TARGET == HWY_AVX3 ? 14 : 12;

// rows of one panel; what is left of y is written through a buffer where its columns do not lie side by side.
template <int rows>
void tile(const Tiles& t, int64_t row, int64_t panel, const float* b) {
  const hn::ScalableTag<float> d;
  const float* a = t.a + row * tile_stride;
  hn::VFromD<decltype(d)> sum[rows][panel_vectors];
  HWY_UNROLL(16) for (int r = 0; r < rows; ++r) sum[r][0] = sum[r][1] = hn::Zero(d);
  for (int64_t k = 0; k < t.k_count; ++k) {
    const auto b0 = hn::LoadU(d, b), b1 = hn::LoadU(d, b + lanes);
    HWY_UNROLL(16) for (int r = 0; r < rows; ++r) {
      const auto left = hn::Set(d, a[r * tile_stride]);
      sum[r][0] = hn::MulAdd(left, b0, sum[r][0]);
      sum[r][1] = hn::MulAdd(left, b1, sum[r][1]);
    }
    ++a;
    b += panel_width;
  }
  const int64_t column = panel * panel_width, left_over = t.column_count - column;
  float* y = t.y + row * t.y_row_stride + column * t.y_column_stride;
  if (HWY_LIKELY(left_over >= panel_width && t.y_column_stride == 1)) {
    HWY_UNROLL(16) for (int r = 0; r < rows; ++r) {
      float* at = y + r * t.y_row_stride;
      if (t.accumulate) {
        sum[r][0] = hn::Add(hn::LoadU(d, at), sum[r][0]);
        sum[r][1] = hn::Add(hn::LoadU(d, at + lanes), sum[r][1]);
      }
      hn::StoreU(sum[r][0], d, at);
      hn::StoreU(sum[r][1], d, at + lanes);
    }
    return;
  }
  HWY_ALIGN float buffer[rows][panel_width];
  HWY_UNROLL(16) for (int r = 0; r < rows; ++r) {
    hn::Store(sum[r][0], d, buffer[r]);
    hn::Store(sum[r][1], d, buffer[r] + lanes);
  }
  const int64_t columns = std::min<int64_t>(left_over, panel_width);
  for (int r = 0; r < rows; ++r) {
    for (int64_t c = 0; c < columns; ++c) {
      float& at = y[r * t.y_row_stride + c * t.y_column_stride];
      at = t.accumulate ? at + buffer[r][c] : buffer[r][c];
    }
  }
}

template <class Between, int... rows>
HWY_INLINE void tiles_of_panel(const Tiles& t, int64_t panel, const float* b, const Between& between,
                               std::integer_sequence<int, rows...>) {
  static constexpr void (*tiles[])(const Tiles&, int64_t, int64_t, const float*) = {tile<rows + 1>...};
  const int64_t most = sizeof...(rows), chunks = (t.row_count + most - 1) / most;
  int64_t row = 0;
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    between(chunk, chunks);
    const int64_t end = t.row_count * (chunk + 1) / chunks;
    tiles[end - row - 1](t, row, panel, b);
    row = end;
  }
}

// All rows by one panel, which lies at b, in chunks. What between(chunk, chunks) does before each of them finds units of
// the core free: arithmetic keeps only those that multiply busy.
template <class Between>
HWY_INLINE void tiles_of_panel(const Tiles& t, int64_t panel, const float* b, const Between& between) {
  tiles_of_panel(t, panel, b, between, std::make_integer_sequence<int, tile_rows>{});
}

}  // namespace panel_tiles
}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#endif  // HEED_PANEL_TILES_HPP
