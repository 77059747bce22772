// Code of the kernels for lines of bytes, once per instruction set; vectors of at most 256 bits.
// clang-format off: it does not know HWY_UNROLL.
#include "byte_lines.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "vector_targets.hpp"
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "plugins/cpu/byte_lines.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#ifndef HEED_BYTE_LINES_SCALAR
#define HEED_BYTE_LINES_SCALAR
namespace heed::cpu::byte_lines {

inline void interleave(const uint8_t* const* lines, int32_t group, uint8_t flipped, int64_t n, uint8_t* to) {
  for (int64_t i = 0; i < n; ++i)
    for (int32_t line = 0; line < group; ++line) *to++ = lines[line][i] ^ flipped;
}

inline void widen(const uint8_t* x, int64_t step, int64_t n, bool is_signed, int32_t less, int16_t* to) {
  for (int64_t i = 0; i < n; ++i) {
    const uint8_t byte = x[i * step];
    to[i] = static_cast<int16_t>((is_signed ? static_cast<int8_t>(byte) : byte) - less);
  }
}

inline void slide(const int16_t* image, const TapPairs& taps, int64_t n, int32_t* sums) {
  for (int64_t i = 0; i < n; ++i) {
    uint32_t sum = 0;
    for (int64_t tap = 0; tap < 2 * taps.pair_count; ++tap)
      sum += static_cast<uint32_t>(image[i + taps.offsets[tap]] * taps.weights[tap]);
    sums[i] = static_cast<int32_t>(sum);
  }
}

inline void quantize(const SumRows& rows, int64_t n, const Rounding& rounding, uint8_t* to, int64_t to_stride) {
  for (int64_t row = 0; row < rows.row_count; ++row)
    for (int64_t i = 0; i < n; ++i) {
      const uint32_t sum = static_cast<uint32_t>(rows.sums[row * rows.stride + i]) + static_cast<uint32_t>(rows.added[row]);
      const float steps = static_cast<float>(static_cast<int32_t>(sum)) * rows.scales[row];
      const float code = std::nearbyintf(std::min(std::max(steps, rounding.least), rounding.greatest));
      to[row * to_stride + i] = static_cast<uint8_t>((static_cast<int32_t>(code) + rounding.zero_point) ^ rounding.flipped);
    }
}

}  // namespace heed::cpu::byte_lines
#endif

#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3 || HWY_TARGET == HWY_NEON
HWY_BEFORE_NAMESPACE();
namespace heed::cpu::HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Sixteens = hn::CappedTag<int16_t, 16>;
using Sums = hn::RepartitionToWide<Sixteens>;
using Floats = hn::Rebind<float, Sums>;
constexpr int64_t lanes = hn::MaxLanes(Sixteens());  // of i16

void interleave(const uint8_t* const* lines, int32_t group, uint8_t flipped, int64_t n, uint8_t* to) {
  const hn::CappedTag<uint8_t, 16> d;
  const hn::Repartition<uint16_t, decltype(d)> pairs;
  const auto flip = hn::Set(d, flipped);
  int64_t i = 0;
  for (; i + 16 <= n; i += 16, to += 16 * group) {
    const auto a = hn::Xor(hn::LoadU(d, lines[0] + i), flip), b = hn::Xor(hn::LoadU(d, lines[1] + i), flip);
    const auto low = hn::InterleaveLower(d, a, b), high = hn::InterleaveUpper(d, a, b);
    if (group == 2) {
      hn::StoreU(low, d, to);
      hn::StoreU(high, d, to + 16);
      continue;
    }
    const auto c = hn::Xor(hn::LoadU(d, lines[2] + i), flip), e = hn::Xor(hn::LoadU(d, lines[3] + i), flip);
    const auto other_low = hn::InterleaveLower(d, c, e), other_high = hn::InterleaveUpper(d, c, e);
    const auto store = [&](auto first, auto second, uint8_t* at) {
      const auto x = hn::BitCast(pairs, first), y = hn::BitCast(pairs, second);
      hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, x, y)), d, at);
      hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, x, y)), d, at + 16);
    };
    store(low, other_low, to);
    store(high, other_high, to + 32);
  }
  for (; i < n; ++i)
    for (int32_t line = 0; line < group; ++line) *to++ = lines[line][i] ^ flipped;
}

// Each byte, or each second one.
void widen(const uint8_t* x, int64_t step, int64_t n, bool is_signed, int32_t less, int16_t* to) {
  const Sixteens d;
  const hn::RebindToUnsigned<Sixteens> unsigned_d;
  const hn::Repartition<uint8_t, Sixteens> bytes;
  // Signed bytes, raised by 128, are unsigned ones.
  const auto flip = hn::Set(bytes, uint8_t{static_cast<uint8_t>(is_signed ? 0x80 : 0)});
  const auto minus = hn::Set(d, static_cast<int16_t>(less + (is_signed ? 128 : 0)));
  int64_t i = 0;
  if (step == 1) {
    const hn::Rebind<uint8_t, Sixteens> half;
    const auto half_flip = hn::Set(half, uint8_t{static_cast<uint8_t>(is_signed ? 0x80 : 0)});
    for (; i + lanes <= n; i += lanes)
      hn::StoreU(hn::Sub(hn::PromoteTo(d, hn::Xor(hn::LoadU(half, x + i), half_flip)), minus), d, to + i);
  } else if (step == 2) {
    for (; i + lanes < n; i += lanes) {  // one byte behind the last is read
      const auto both = hn::BitCast(unsigned_d, hn::Xor(hn::LoadU(bytes, x + 2 * i), flip));
      hn::StoreU(hn::Sub(hn::BitCast(d, hn::And(both, hn::Set(unsigned_d, 0x00FF))), minus), d, to + i);
    }
  }
  byte_lines::widen(x + i * step, step, n - i, is_signed, less, to + i);
}

void slide(const int16_t* image, const TapPairs& taps, int64_t n, int32_t* sums) {
  const Sixteens d;
  const Sums wide;
  for (int64_t i = 0; i < n; i += lanes) {
    // What ReorderWidenMulAccumulate adds up: on x86 all of it in the first.
    auto low = hn::Zero(wide), other_low = hn::Zero(wide), high = hn::Zero(wide), other_high = hn::Zero(wide);
    for (int64_t pair = 0; pair < taps.pair_count; ++pair) {
      const auto a = hn::LoadU(d, image + i + taps.offsets[2 * pair]), b = hn::LoadU(d, image + i + taps.offsets[2 * pair + 1]);
      int32_t bits;
      std::memcpy(&bits, taps.weights + 2 * pair, sizeof bits);
      const auto weights = hn::BitCast(d, hn::Set(wide, bits));
      low = hn::ReorderWidenMulAccumulate(wide, hn::InterleaveLower(d, a, b), weights, low, other_low);
      high = hn::ReorderWidenMulAccumulate(wide, hn::InterleaveUpper(d, a, b), weights, high, other_high);
    }
    low = hn::RearrangeToOddPlusEven(low, other_low);
    high = hn::RearrangeToOddPlusEven(high, other_high);
    if constexpr (lanes == 16) {  // each half interleaved by itself
      hn::StoreU(hn::ConcatLowerLower(wide, high, low), wide, sums + i);
      hn::StoreU(hn::ConcatUpperUpper(wide, high, low), wide, sums + i + lanes / 2);
    } else {
      hn::StoreU(low, wide, sums + i);
      hn::StoreU(high, wide, sums + i + lanes / 2);
    }
  }
}

void quantize(const SumRows& rows, int64_t n, const Rounding& rounding, uint8_t* to, int64_t to_stride) {
  const Sums d;
  const Floats floats;
  const hn::Rebind<uint8_t, Sums> bytes;
  const auto least = hn::Set(floats, rounding.least), greatest = hn::Set(floats, rounding.greatest);
  const auto zero_point = hn::Set(d, rounding.zero_point);
  const auto flip = hn::Set(bytes, rounding.flipped);
  for (int64_t row = 0; row < rows.row_count; ++row) {
    const auto scale = hn::Set(floats, rows.scales[row]);
    const auto added = hn::Set(d, rows.added[row]);
    const int32_t* from = rows.sums + row * rows.stride;
    for (int64_t i = 0; i < n; i += lanes / 2) {
      const auto steps = hn::Mul(hn::ConvertTo(floats, hn::Add(hn::LoadU(d, from + i), added)), scale);
      const auto code = hn::Add(hn::NearestInt(hn::Min(hn::Max(steps, least), greatest)), zero_point);
      hn::StoreU(hn::Xor(hn::DemoteTo(bytes, code), flip), bytes, to + row * to_stride + i);
    }
  }
}

}  // namespace

extern const ByteLineKernels byte_line_kernels_here;
const ByteLineKernels byte_line_kernels_here{lanes, interleave, widen, slide, quantize};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

Rounding rounding_of(DataType codes, int32_t zero_point) {
  const bool is_signed = codes == DataType::i8;
  const int32_t less = zero_point + (is_signed ? 128 : 0);
  return {static_cast<float>(-less), static_cast<float>(255 - less), less, static_cast<uint8_t>(is_signed ? 0x80 : 0)};
}

const ByteLineKernels* byte_line_kernels(Isa isa) {
  static const ByteLineKernels scalar{0, byte_lines::interleave, byte_lines::widen, byte_lines::slide, byte_lines::quantize};
#if HWY_TARGETS & HWY_AVX3
  if (isa == Isa::avx512) return &N_AVX3::byte_line_kernels_here;
#endif
#if HWY_TARGETS & HWY_AVX2
  if (isa == Isa::avx2) return &N_AVX2::byte_line_kernels_here;
#endif
#if HWY_TARGETS & HWY_NEON
  if (isa == Isa::neon) return &N_NEON::byte_line_kernels_here;
#endif
  return isa == Isa::scalar ? &scalar : nullptr;
}

}  // namespace heed::cpu
#endif
