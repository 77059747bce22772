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

inline void interleave(const uint8_t* const* lines, int64_t line_count, int32_t group, uint8_t flipped, int64_t n, uint8_t* to) {
  for (; line_count > 0; lines += group, line_count -= group)
    for (int64_t i = 0; i < n; ++i)
      for (int32_t line = 0; line < group; ++line) *to++ = lines[line][i] ^ flipped;
}

inline void widen(const uint8_t* x, int64_t step, int64_t n, int64_t, bool is_signed, int32_t less, int16_t* to) {
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

void interleave(const uint8_t* const* lines, int64_t line_count, int32_t group, uint8_t flipped, int64_t n, uint8_t* to) {
  const hn::CappedTag<uint8_t, 16> d;
  const hn::Repartition<uint16_t, decltype(d)> pairs;
  const auto flip = hn::Set(d, flipped);
  if (n % 16 != 0) return byte_lines::interleave(lines, line_count, group, flipped, n, to);
  const auto load = [&](const uint8_t* from) HWY_ATTR { return hn::Xor(hn::LoadU(d, from), flip); };
  for (; line_count > 0; lines += group, line_count -= group)
    for (int64_t i = 0; i < n; i += 16, to += 16 * group) {
      const auto a = load(lines[0] + i), b = load(lines[1] + i);
      const auto low = hn::InterleaveLower(d, a, b), high = hn::InterleaveUpper(d, a, b);
      if (group == 2) {
        hn::StoreU(low, d, to);
        hn::StoreU(high, d, to + 16);
        continue;
      }
      const auto c = load(lines[2] + i), e = load(lines[3] + i);
      const auto other_low = hn::InterleaveLower(d, c, e), other_high = hn::InterleaveUpper(d, c, e);
      const auto store = [&](auto first, auto second, uint8_t* at) HWY_ATTR {
        const auto x = hn::BitCast(pairs, first), y = hn::BitCast(pairs, second);
        hn::StoreU(hn::BitCast(d, hn::InterleaveLower(pairs, x, y)), d, at);
        hn::StoreU(hn::BitCast(d, hn::InterleaveUpper(pairs, x, y)), d, at + 16);
      };
      store(low, other_low, to);
      store(high, other_high, to + 32);
    }
}

// Each byte, or each second one.
void widen(const uint8_t* x, int64_t step, int64_t n, int64_t readable, bool is_signed, int32_t less, int16_t* to) {
  const Sixteens d;
  const hn::RebindToUnsigned<Sixteens> unsigned_d;
  const hn::Repartition<uint8_t, Sixteens> bytes;
  const hn::Rebind<uint8_t, Sixteens> half;
  // Signed bytes, raised by 128, are unsigned ones.
  const uint8_t flipped = is_signed ? 0x80 : 0;
  const auto minus = hn::Set(d, static_cast<int16_t>(less + (is_signed ? 128 : 0)));
  int64_t i = 0;
  const auto store = [&](auto numbers) HWY_ATTR {
    auto lowered = hn::Sub(numbers, minus);
    if (n - i < lanes) lowered = hn::IfThenElseZero(hn::FirstN(d, static_cast<size_t>(n - i)), lowered);
    hn::StoreU(lowered, d, to + i);
  };
  if (step == 1) {
    for (; i < n && i + lanes <= readable; i += lanes)
      store(hn::PromoteTo(d, hn::Xor(hn::LoadU(half, x + i), hn::Set(half, flipped))));
  } else if (step == 2) {
    for (; i < n && 2 * (i + lanes) <= readable; i += lanes) {
      const auto both = hn::BitCast(unsigned_d, hn::Xor(hn::LoadU(bytes, x + 2 * i), hn::Set(bytes, flipped)));
      store(hn::BitCast(d, hn::And(both, hn::Set(unsigned_d, 0x00FF))));
    }
  }
  if (i < n) byte_lines::widen(x + i * step, step, n - i, 0, is_signed, less, to + i);
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

template <bool is_near>
void quantize_steps(const SumRows& rows, int64_t n, const Rounding& rounding, uint8_t* to, int64_t to_stride) {
  const Sums d;
  const Floats floats;
  const Sixteens sixteens;
  const hn::Rebind<uint8_t, Sixteens> bytes;
  const auto least = hn::Set(floats, rounding.least), greatest = hn::Set(floats, rounding.greatest);
  // Steps of so few bits are rounded by the addition of 1.5 * 2^23, whose low bits they become; narrowing saturates.
  constexpr float shift = 12582912;
  const auto shift_bits = hn::Set(d, static_cast<int32_t>(0x4B400000) - rounding.zero_point);
  const auto flip = hn::Set(bytes, rounding.flipped);
  for (int64_t row = 0; row < rows.row_count; ++row) {
    const auto scale = hn::Set(floats, rows.scales[row]);
    const auto added = hn::Set(d, rows.added[row]);
    const auto steps_of = [&](const int32_t* from) HWY_ATTR {
      auto steps = hn::Mul(hn::ConvertTo(floats, hn::Add(hn::LoadU(d, from), added)), scale);
      if constexpr (!is_near) steps = hn::Min(hn::Max(steps, least), greatest);
      return hn::Sub(hn::BitCast(d, hn::Add(steps, hn::Set(floats, shift))), shift_bits);
    };
    const int32_t* from = rows.sums + row * rows.stride;
    for (int64_t i = 0; i < n; i += lanes) {
      const auto both = hn::ReorderDemote2To(sixteens, steps_of(from + i), steps_of(from + i + lanes / 2));
      auto codes = hn::DemoteTo(bytes, both);
      if constexpr (lanes == 16) {  // halves of each vector by themselves: fours lie as 0 2 1 3
        alignas(16) static constexpr uint8_t order[] = {0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15};
        codes = hn::TableLookupBytes(codes, hn::Load(bytes, order));
      }
      hn::StoreU(hn::Xor(codes, flip), bytes, to + row * to_stride + i);
    }
  }
}

void quantize(const SumRows& rows, int64_t n, const Rounding& rounding, uint8_t* to, int64_t to_stride) {
  rounding.is_near ? quantize_steps<true>(rows, n, rounding, to, to_stride)
                   : quantize_steps<false>(rows, n, rounding, to, to_stride);
}

}  // namespace

extern const ByteLineKernels byte_line_kernels_here;
const ByteLineKernels byte_line_kernels_here{lanes, interleave, widen, slide, quantize};

}  // namespace heed::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif

#if HWY_ONCE
namespace heed::cpu {

Rounding rounding_of(DataType codes, int32_t zero_point, double most_steps) {
  const bool is_signed = codes == DataType::i8;
  const int32_t less = zero_point + (is_signed ? 128 : 0);
  return {static_cast<float>(-less), static_cast<float>(255 - less), less, static_cast<uint8_t>(is_signed ? 0x80 : 0),
          most_steps < (1 << 22)};
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
