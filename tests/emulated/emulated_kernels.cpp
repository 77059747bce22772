// The kernels of AVX512-BF16 and AMX on any machine: their code as it ships, each of its few instructions written out as
// Intel's manual states it (Software Developer's Manual, volume 2: VDPBF16PS, LDTILECFG, TDPBF16PS, TDPBSUD). They are
// linked in place of plugins/cpu/isa.cpp, bf16_panels.cpp and tile_panels.cpp.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include <hwy/base.h>

#include "emulated_bytes.hpp"
#include "plugins/cpu/tile_panels.hpp"

namespace heed::cpu {

bool machine_has(Isa isa) { return isa == Isa::scalar || isa == Isa::avx512_bf16 || isa == Isa::amx; }

namespace {

// Numbers below 2^-126 are 0, as operands and as results.
float flushed(float x) { return std::fabs(x) < 0x1p-126f ? std::copysign(0.0f, x) : x; }
float of_bf16(uint16_t code) {
  const uint32_t bits = uint32_t{code} << 16;
  float x;
  std::memcpy(&x, &bits, sizeof x);
  return flushed(x);
}
// sum + a b, rounded once.
float plus_product(float sum, uint16_t a, uint16_t b) { return flushed(std::fma(of_bf16(a), of_bf16(b), flushed(sum))); }

namespace vectors {
struct Vector {
  float lanes[16];
};
struct Pairs {
  uint16_t lanes[16][2];
};
Vector zero() { return {}; }
Pairs load(const uint16_t* from) {
  Pairs pairs;
  std::memcpy(&pairs, from, sizeof pairs);
  return pairs;
}
Pairs broadcast(const uint16_t* pair) {
  Pairs pairs;
  for (auto& lane : pairs.lanes) lane[0] = pair[0], lane[1] = pair[1];
  return pairs;
}
Vector add_pairs(Vector sum, const Pairs& a, const Pairs& b) {
  for (int i = 0; i < 16; ++i)
    sum.lanes[i] = plus_product(plus_product(sum.lanes[i], a.lanes[i][1], b.lanes[i][1]), a.lanes[i][0], b.lanes[i][0]);
  return sum;
}
Vector load_sums(const float* from) {
  Vector v;
  std::memcpy(&v, from, sizeof v);
  return v;
}
Vector add(Vector a, const Vector& b) {
  for (int i = 0; i < 16; ++i) a.lanes[i] += b.lanes[i];
  return a;
}
void store(float* to, const Vector& v) { std::memcpy(to, &v, sizeof v); }
#include "plugins/cpu/bf16_panels_x86.hpp"
}  // namespace vectors

namespace tiles {
void must(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "the machine would stop: %s\n", what);
  std::abort();
}

thread_local TileShapes shapes{};  // palette 0: there are none
thread_local uint8_t tile_bytes[8][16][64];

void tile_shape(const TileShapes& given) {
  must(given.palette == 1 && given.start_row == 0, "a palette that there is not");
  for (int tile = 0; tile < 16; ++tile) {
    must(given.rows[tile] <= (tile < 8 ? 16 : 0) && given.row_bytes[tile] <= (tile < 8 ? 64 : 0), "a tile too large");
    must((given.rows[tile] == 0) == (given.row_bytes[tile] == 0), "a tile of no rows, or of empty ones");
  }
  shapes = given;
  std::memset(tile_bytes, 0, sizeof tile_bytes);
}
void tile_release() { shapes = {}; }
bool is_shaped(int tile) { return shapes.palette == 1 && shapes.rows[tile] > 0; }

template <int tile>
void tile_zero() {
  must(is_shaped(tile), "a tile without a shape");
  std::memset(tile_bytes[tile], 0, sizeof tile_bytes[tile]);
}
template <int tile>
void tile_load(const void* from, int64_t row_stride_bytes) {
  tile_zero<tile>();
  for (int row = 0; row < shapes.rows[tile]; ++row)
    std::memcpy(tile_bytes[tile][row], static_cast<const uint8_t*>(from) + row * row_stride_bytes, shapes.row_bytes[tile]);
}
template <int tile>
void tile_store(void* to, int64_t row_stride_bytes) {
  must(is_shaped(tile), "a tile without a shape");
  for (int row = 0; row < shapes.rows[tile]; ++row)
    std::memcpy(static_cast<uint8_t*>(to) + row * row_stride_bytes, tile_bytes[tile][row], shapes.row_bytes[tile]);
}
// What the machine asks of the three tiles of a product.
template <int sum, int a, int b>
void check_product() {
  must(is_shaped(sum) && is_shaped(a) && is_shaped(b), "a tile without a shape");
  must(shapes.rows[sum] == shapes.rows[a] && shapes.row_bytes[sum] == shapes.row_bytes[b], "sums of another shape");
  must(shapes.row_bytes[a] == 4 * shapes.rows[b], "rows of a and columns of b of different lengths");
}

template <int sum, int a, int b>
void tile_add_bf16_pairs() {
  check_product<sum, a, b>();
  for (int row = 0; row < shapes.rows[sum]; ++row) {
    for (int column = 0; column < shapes.row_bytes[sum] / 4; ++column) {
      // Products of even and of odd k are summed apart.
      float parts[2] = {};
      for (int k = 0; k < shapes.rows[b]; ++k) {
        uint16_t left[2], right[2];
        std::memcpy(left, tile_bytes[a][row] + 4 * k, sizeof left);
        std::memcpy(right, tile_bytes[b][k] + 4 * column, sizeof right);
        for (int i = 0; i < 2; ++i) parts[i] = plus_product(parts[i], left[i], right[i]);
      }
      float total;
      std::memcpy(&total, tile_bytes[sum][row] + 4 * column, sizeof total);
      total = flushed(flushed(total) + flushed(parts[0] + parts[1]));
      std::memcpy(tile_bytes[sum][row] + 4 * column, &total, sizeof total);
    }
  }
}

// a of signed bytes, b of unsigned ones; sums wrap.
template <int sum, int a, int b>
void tile_add_byte_fours() {
  check_product<sum, a, b>();
  for (int row = 0; row < shapes.rows[sum]; ++row) {
    for (int column = 0; column < shapes.row_bytes[sum] / 4; ++column) {
      uint32_t total;
      std::memcpy(&total, tile_bytes[sum][row] + 4 * column, sizeof total);
      for (int k = 0; k < 4 * shapes.rows[b]; ++k)
        total += static_cast<uint32_t>(static_cast<int8_t>(tile_bytes[a][row][k]) * tile_bytes[b][k / 4][4 * column + k % 4]);
      std::memcpy(tile_bytes[sum][row] + 4 * column, &total, sizeof total);
    }
  }
}

void multiply_few_bf16(const Bf16Product& product) { vectors::multiply(product); }
void multiply_few_bytes(const ByteProduct& product, int32_t* sums) { test::emulated_avx512_vnni().multiply(product, sums); }
#include "plugins/cpu/tile_panels_x86.hpp"
}  // namespace tiles

}  // namespace

const Bf16PanelKernels* bf16_panel_kernels(Isa isa) {
  static constexpr Bf16PanelKernels amx{tiles::panel_width, tiles::most_rows, tiles::multiply_bf16};
  return isa == Isa::avx512_bf16 ? &vectors::kernels : isa == Isa::amx ? &amx : nullptr;
}

const BytePanelKernels& byte_tile_kernels() {
  static const BytePanelKernels kernels{tiles::panel_width, tiles::rows_at_once_of_bytes, false, tiles::multiply_bytes,
                                        test::emulated_avx512_vnni().multiply_codes};
  return kernels;
}

}  // namespace heed::cpu
