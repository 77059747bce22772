// The products over panels of bytes: which of them this build has, and how rows of a are laid out for them.
#include "byte_panels.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include <hwy/base.h>

#include "tile_panels.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

HWY_PUSH_ATTRIBUTES("avx2,fma")
namespace heed::cpu::bytes_avx2 {
namespace {
#define BYTES_WIDE 32
#define BYTES_VNNI 0
#include "byte_panels_x86.hpp"

// Sums of all bytes of a vector, one for each 8 of them.
HWY_INLINE Vector byte_sums(Vector v) { return _mm256_sad_epu8(v, zero()); }
HWY_INLINE uint32_t added_up(Vector sums) {
  alignas(32) uint64_t parts[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(parts), sums);
  return static_cast<uint32_t>(parts[0] + parts[1] + parts[2] + parts[3]);
}

HWY_INLINE Vector eight_codes(const float* from, Floats scale, Floats least, Floats greatest, Vector zero_point) {
  const Floats steps = _mm256_max_ps(_mm256_div_ps(load_floats(from), scale), least);  // NaN: the second
  return add(_mm256_cvtps_epi32(_mm256_min_ps(steps, greatest)), zero_point);
}

// Whole vectors of 32; gives how many codes that was, and adds to their sum.
int64_t quantize(const float* a, int64_t count, float scale, float zero_point, uint8_t* codes, uint32_t& sum) {
  const Floats by = set(scale), least = set(-zero_point), greatest = set(255 - zero_point);
  const Vector shift = _mm256_set1_epi32(static_cast<int32_t>(zero_point));
  Vector sums = zero();
  int64_t i = 0;
  for (; i + 32 <= count; i += 32) {
    Vector eights[4];
    HWY_UNROLL(4) for (int e = 0; e < 4; ++e) eights[e] = eight_codes(a + i + 8 * e, by, least, greatest, shift);
    const Vector low = _mm256_packs_epi32(eights[0], eights[1]), high = _mm256_packs_epi32(eights[2], eights[3]);
    // Packing works on halves: fours lie as 0 2 4 6 1 3 5 7.
    const Vector order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
    const Vector bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(low, high), order);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(codes + i), bytes);
    sums = _mm256_add_epi64(sums, byte_sums(bytes));
  }
  sum += added_up(sums);
  return i;
}

// i16 sums of pairs, each with those of a neighbouring four, or of two neighbouring fours.
HWY_INLINE Vector with_next(Vector pairs) { return add_pairs(pairs, _mm256_shuffle_epi32(pairs, 0xB1)); }
HWY_INLINE Vector with_next_two(Vector pairs) { return add_pairs(pairs, _mm256_shuffle_epi32(pairs, 0x4E)); }
// Where one of both is more: a bit of each byte.
HWY_INLINE uint32_t exceeding(Vector a, Vector b, Vector most) {
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_cmpgt_epi16(_mm256_max_epi16(a, b), most)));
}

// How many fours of each 16 codes may be added as i16 before they widen: 4, 2, 1, or not even one. Products with them fit
// where these codes, the positive and the negative ones by themselves, add up to at most 32767 / greatest_b.
void find_room(const uint8_t* codes, bool is_signed, int64_t count, int32_t greatest_b, uint8_t* room) {
  const Vector most = _mm256_set1_epi16(static_cast<int16_t>(32767 / std::max(greatest_b, 1)));
  const Vector ones = _mm256_set1_epi8(1);
  for (int64_t k = 0; k < count; k += 32) {  // 16 in each half of a vector
    const Vector bytes = load(codes + k), positive = is_signed ? _mm256_max_epi8(bytes, zero()) : bytes;
    const Vector above = pairs_of(positive, ones), below = pairs_of(_mm256_sub_epi8(positive, bytes), ones);
    const Vector above_two = with_next(above), below_two = with_next(below);
    const uint32_t one = exceeding(above, below, most), two = exceeding(above_two, below_two, most);
    const uint32_t four = exceeding(with_next_two(above_two), with_next_two(below_two), most);
    for (const int half : {0, 16}) {
      const uint32_t bits = 0xFFFFu << half;
      *room++ = (four & bits) == 0 ? 4 : (two & bits) == 0 ? 2 : (one & bits) == 0 ? 1 : 0;
    }
  }
}
}  // namespace
}  // namespace heed::cpu::bytes_avx2
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES("avx2,fma,avxvnni")
namespace heed::cpu::bytes_avx_vnni {
namespace {
#define BYTES_WIDE 32
#define BYTES_VNNI 1
#include "byte_panels_x86.hpp"
}  // namespace
}  // namespace heed::cpu::bytes_avx_vnni
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni,avx2,fma")
namespace heed::cpu::bytes_avx512_vnni {
namespace {
#define BYTES_WIDE 64
#define BYTES_VNNI 1
#include "byte_panels_x86.hpp"
}  // namespace
}  // namespace heed::cpu::bytes_avx512_vnni
HWY_POP_ATTRIBUTES
#endif

namespace heed::cpu {

uint32_t quantize_row(const float* a, int64_t count, float scale, float zero_point, uint8_t* codes) {
  uint32_t sum = 0;
  int64_t i = 0;
#if defined(__x86_64__)
  if (machine_has(Isa::avx2)) i = bytes_avx2::quantize(a, count, scale, zero_point, codes, sum);
#endif
  for (; i < count; ++i) {
    const float steps = a[i] / scale, low = steps > -zero_point ? steps : -zero_point;
    const float code = std::nearbyintf(low < 255 - zero_point ? low : 255 - zero_point) + zero_point;
    codes[i] = static_cast<uint8_t>(static_cast<int32_t>(code));
    sum += codes[i];
  }
  return sum;
}

int32_t pack_row([[maybe_unused]] const BytePanelKernels& kernels, bool is_signed, int32_t zero_point, int64_t k_count,
                 [[maybe_unused]] int32_t greatest_b, uint8_t* row) {
  int32_t less = 0;
  if (is_signed) {
    uint8_t least = 255, greatest = 0;
    for (int64_t k = 0; k < k_count; ++k) {
      least = std::min(least, row[k]);
      greatest = std::max(greatest, row[k]);
    }
    less = std::clamp(zero_point, greatest - 127, least + 128);
    for (int64_t k = 0; k < k_count; ++k) row[k] = static_cast<uint8_t>(row[k] - less);
  }
  const int64_t padded = padded_k(k_count);
  std::fill(row + k_count, row + padded, uint8_t{0});
#if defined(__x86_64__)
  if (kernels.adds_pairs) bytes_avx2::find_room(row, is_signed, padded, greatest_b, row + padded);
#endif
  return less;
}

const BytePanelKernels* byte_panel_kernels([[maybe_unused]] Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::avx2:
    case Isa::avx512:
      return &bytes_avx2::kernels;
    case Isa::avx_vnni:
      return &bytes_avx_vnni::kernels;
    case Isa::avx512_vnni:
      return &bytes_avx512_vnni::kernels;
    case Isa::amx:
      return &byte_tile_kernels();
    default:
      break;
  }
#endif
  return nullptr;
}

}  // namespace heed::cpu
