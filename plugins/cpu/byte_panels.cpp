// The products over panels of bytes: which of them this build has, and how rows of a are laid out for them.
#include "byte_panels.hpp"

#include <cmath>
#include <cstring>
#include <utility>

#include <hwy/base.h>

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

// Whole vectors of 32, as pack_row lays them out.
int64_t pack(const uint8_t* codes, int64_t count, uint8_t* to, uint32_t& lacking) {
  Vector sums = zero();
  int64_t k = 0;
  for (; k + 32 <= count; k += 32, to += 64) {
    const Vector bytes = flipped(load(codes + k), _mm256_set1_epi8(-128));
    const Vector size = _mm256_abs_epi8(bytes), sign = _mm256_cmpgt_epi8(zero(), bytes);
    const Vector low = _mm256_unpacklo_epi32(size, sign), high = _mm256_unpackhi_epi32(size, sign);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permute2x128_si256(low, high, 0x20));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to + 32), _mm256_permute2x128_si256(low, high, 0x31));
    sums = _mm256_add_epi64(sums, byte_sums(_mm256_and_si256(size, sign)));
  }
  lacking += added_up(sums);
  return k;
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

uint32_t pack_row(const BytePanelKernels& kernels, const uint8_t* codes, int64_t count, int64_t padded_count, uint8_t* to) {
  if (kernels.bytes_of_four == 4) {
    std::memcpy(to, codes, static_cast<size_t>(count));
    std::memset(to + count, 0, static_cast<size_t>(padded_count - count));
    return 0;
  }
  // The sizes of four, and all bits of those that are negative.
  uint32_t lacking = 0;
  int64_t k = 0;
#if defined(__x86_64__)
  k = bytes_avx2::pack(codes, count, to, lacking);
#endif
  for (; k < padded_count; ++k) {
    const int32_t code = k < count ? codes[k] - kernels.a_less : 0, size = code < 0 ? -code : code;
    uint8_t* four = to + k / 4 * 8 + k % 4;
    four[0] = static_cast<uint8_t>(size);
    four[4] = code < 0 ? 0xFF : 0;
    if (code < 0) lacking += static_cast<uint32_t>(size);
  }
  return lacking;
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
    default:
      break;
  }
#endif
  return nullptr;
}

}  // namespace heed::cpu
