// Numbers narrower than float: fp16, bf16, fp8, fp4, and integers of 4 and 2 bits, with ONNX's rounding. Portable and
// exact; stands alone.
#pragma once

#include <bit>
#include <cstdint>
#include <type_traits>

namespace heed {

// What a value beyond the range becomes: ONNX's Cast-19, attribute `saturate`.
enum class Overflow : uint8_t {
  saturate,  // the greatest finite number
  keep,      // infinity, or NaN where there is none
};

// Which codes a format sets apart.
enum class SpecialCodes : uint8_t {
  ieee,               // the last exponent holds infinity and NaN
  nan_only,           // "fn": NaN is all ones, no infinity
  nan_at_minus_zero,  // "fnuz": the one NaN is the code of -0, no infinity
  none,               // every code is a number
};

struct SmallFloatFormat {
  int exponent_bits, mantissa_bits, bias;
  SpecialCodes special_codes;
  bool can_saturate;  // otherwise Overflow is not asked

  constexpr int bits() const { return 1 + exponent_bits + mantissa_bits; }
  constexpr uint32_t sign_bit() const { return 1u << (exponent_bits + mantissa_bits); }
  // Codes without their sign.
  constexpr uint32_t infinity() const { return ((1u << exponent_bits) - 1) << mantissa_bits; }
  constexpr uint32_t greatest() const {
    return special_codes == SpecialCodes::ieee       ? infinity() - 1
           : special_codes == SpecialCodes::nan_only ? sign_bit() - 2
                                                     : sign_bit() - 1;
  }
};

// The code nearest to value, ties to the even one. NaN keeps its sign where the format has one for it; a format without
// NaN makes it -0, as ml_dtypes does.
constexpr uint32_t encode_small_float(SmallFloatFormat format, double value, Overflow overflow) {
  constexpr int double_mantissa_bits = 52, double_bias = 1023;
  const auto source = std::bit_cast<uint64_t>(value);
  const uint32_t sign = source >> 63 != 0 ? format.sign_bit() : 0;
  const uint64_t magnitude = source & ~(uint64_t{1} << 63);
  constexpr uint64_t double_infinity = uint64_t{2047} << double_mantissa_bits;

  if (magnitude > double_infinity) {
    switch (format.special_codes) {
      case SpecialCodes::ieee: {
        // Quiet, with what fits of the payload.
        const auto payload = static_cast<uint32_t>(magnitude >> (double_mantissa_bits - format.mantissa_bits)) &
                             ((1u << format.mantissa_bits) - 1);
        return sign | format.infinity() | (1u << (format.mantissa_bits - 1)) | payload;
      }
      case SpecialCodes::nan_only:
        return sign | (format.sign_bit() - 1);
      case SpecialCodes::nan_at_minus_zero:
      case SpecialCodes::none:
        return format.sign_bit();
    }
  }

  // The significand as an integer, shifted right to the target's last place; what is shifted out rounds.
  const int biased = static_cast<int>(magnitude >> double_mantissa_bits);  // 0 for what is far below any target
  const int exponent = biased - double_bias;
  const int least_exponent = 1 - format.bias;
  uint64_t code = 0;
  if (biased != 0 && biased != 2047) {
    uint64_t significand = (magnitude & ((uint64_t{1} << double_mantissa_bits) - 1)) | uint64_t{1}
                                                                                           << double_mantissa_bits;
    int shift = double_mantissa_bits - format.mantissa_bits;
    if (exponent < least_exponent) {
      shift += least_exponent - exponent;
    } else {
      // The implicit bit adds one more to the exponent field.
      significand += static_cast<uint64_t>(exponent - least_exponent) << double_mantissa_bits;
    }
    if (shift <= double_mantissa_bits + 1) {
      code = significand >> shift;
      const uint64_t rest = significand & ((uint64_t{1} << shift) - 1), half = uint64_t{1} << (shift - 1);
      code += rest > half || (rest == half && (code & 1) != 0);
    }
  }
  if (biased == 2047 || code > format.greatest()) {
    if (format.special_codes == SpecialCodes::none || (format.can_saturate && overflow == Overflow::saturate)) {
      return sign | format.greatest();
    }
    switch (format.special_codes) {
      case SpecialCodes::ieee:
        return sign | format.infinity();
      case SpecialCodes::nan_only:
        return sign | (format.sign_bit() - 1);
      default:
        return format.sign_bit();
    }
  }
  if (code == 0 && format.special_codes == SpecialCodes::nan_at_minus_zero) return 0;
  return sign | static_cast<uint32_t>(code);
}

// Exact: every code of every format here is a float.
constexpr float decode_small_float(SmallFloatFormat format, uint32_t code) {
  constexpr int float_mantissa_bits = 23, float_bias = 127;
  constexpr uint32_t float_infinity = 0x7F800000, float_quiet_nan = 0x7FC00000;
  const uint32_t sign = (code & format.sign_bit()) != 0 ? 0x80000000 : 0;
  const uint32_t magnitude = code & (format.sign_bit() - 1);
  const int to_float = float_mantissa_bits - format.mantissa_bits;
  const uint32_t mantissa = magnitude & ((1u << format.mantissa_bits) - 1);
  switch (format.special_codes) {
    case SpecialCodes::ieee:
      if (magnitude == format.infinity()) return std::bit_cast<float>(sign | float_infinity);
      if (magnitude > format.infinity()) return std::bit_cast<float>(sign | float_quiet_nan | mantissa << to_float);
      break;
    case SpecialCodes::nan_only:
      if (magnitude == format.sign_bit() - 1) return std::bit_cast<float>(sign | float_quiet_nan);
      break;
    case SpecialCodes::nan_at_minus_zero:
      if (code == format.sign_bit()) return std::bit_cast<float>(float_quiet_nan);
      break;
    case SpecialCodes::none:
      break;
  }
  if (magnitude == 0) return std::bit_cast<float>(sign);
  int exponent = static_cast<int>(magnitude >> format.mantissa_bits);
  uint32_t fraction = mantissa;
  if (exponent == 0) {
    if (format.bias == float_bias) return std::bit_cast<float>(sign | mantissa << to_float);  // subnormal in both
    exponent = 1;
    while ((fraction >> format.mantissa_bits) == 0) {
      fraction <<= 1;
      --exponent;
    }
    fraction &= (1u << format.mantissa_bits) - 1;
  }
  const auto biased = static_cast<uint32_t>(exponent - format.bias + float_bias);
  return std::bit_cast<float>(sign | biased << float_mantissa_bits | fraction << to_float);
}

// A stored number: 1 or 2 bytes that hold a code. Conversions are explicit; arithmetic is done in float.
template <SmallFloatFormat Format>
struct SmallFloat {
  using Bits = std::conditional_t<(Format.bits() > 8), uint16_t, uint8_t>;
  Bits bits = 0;

  constexpr SmallFloat() = default;
  template <class Number>
  requires std::is_arithmetic_v<Number>
  constexpr explicit SmallFloat(Number value, Overflow overflow = Overflow::saturate)
      : bits(static_cast<Bits>(encode_small_float(Format, static_cast<double>(value), overflow))) {}
  static constexpr SmallFloat from_bits(Bits bits) {
    SmallFloat result;
    result.bits = bits;
    return result;
  }
  constexpr explicit operator float() const { return decode_small_float(Format, bits); }
  constexpr explicit operator double() const { return static_cast<double>(decode_small_float(Format, bits)); }
};

// IEEE 754 binary16, and the upper half of a binary32: beyond the range lies infinity.
using Float16 = SmallFloat<SmallFloatFormat{5, 10, 15, SpecialCodes::ieee, false}>;
using BFloat16 = SmallFloat<SmallFloatFormat{8, 7, 127, SpecialCodes::ieee, false}>;

// ONNX's 8-bit floats (docs/technical/float8). Where its table and its backend tests differ the tests count: under
// saturation infinity becomes the greatest finite number in the fnuz formats too.
using Float8E4M3FN = SmallFloat<SmallFloatFormat{4, 3, 7, SpecialCodes::nan_only, true}>;
using Float8E4M3FNUZ = SmallFloat<SmallFloatFormat{4, 3, 8, SpecialCodes::nan_at_minus_zero, true}>;
using Float8E5M2 = SmallFloat<SmallFloatFormat{5, 2, 15, SpecialCodes::ieee, true}>;
using Float8E5M2FNUZ = SmallFloat<SmallFloatFormat{5, 2, 16, SpecialCodes::nan_at_minus_zero, true}>;

// 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives; always saturates. One code in the low 4 bits; tensors pack two.
using Float4E2M1 = SmallFloat<SmallFloatFormat{2, 1, 1, SpecialCodes::none, true}>;

// How a scale between two powers of 2 is rounded: Cast-24, attribute `round_mode`.
enum class ScaleRounding : uint8_t { up, down, nearest };

// A power of 2 from 2^-127 to 2^127, or NaN (OCP Microscaling Formats 1.0, 5.4.1). There is no zero and no sign: 0 and
// what is negative become the least power, or NaN where overflow is kept.
struct Float8E8M0 {
  uint8_t bits = 0;

  constexpr Float8E8M0() = default;
  template <class Number>
  requires std::is_arithmetic_v<Number>
  constexpr explicit Float8E8M0(Number value, Overflow overflow = Overflow::saturate,
                                ScaleRounding rounding = ScaleRounding::up)
      : bits(encode(static_cast<double>(value), overflow, rounding)) {}
  static constexpr Float8E8M0 from_bits(uint8_t bits) {
    Float8E8M0 result;
    result.bits = bits;
    return result;
  }
  constexpr explicit operator float() const {
    if (bits == nan) return std::bit_cast<float>(uint32_t{0x7FC00000});
    return std::bit_cast<float>(bits == 0 ? uint32_t{0x00400000} : static_cast<uint32_t>(bits) << 23);
  }
  constexpr explicit operator double() const { return static_cast<double>(static_cast<float>(*this)); }

 private:
  static constexpr uint8_t nan = 0xFF, least = 0x00, greatest = 0xFE;

  static constexpr uint8_t encode(double value, Overflow overflow, ScaleRounding rounding) {
    constexpr uint64_t fraction_mask = (uint64_t{1} << 52) - 1, half = uint64_t{1} << 51;
    if (value != value) return nan;
    const auto source = std::bit_cast<uint64_t>(value);
    const uint8_t below = overflow == Overflow::saturate ? least : nan;
    const uint8_t above = overflow == Overflow::saturate ? greatest : nan;
    if (!(value >= 0x1p-127)) return below;
    if (value > 0x1p127) return above;
    const uint64_t fraction = source & fraction_mask;
    int code = static_cast<int>(source >> 52) - 1023 + 127;
    if (rounding == ScaleRounding::up ? fraction != 0 : rounding == ScaleRounding::nearest && fraction >= half) ++code;
    return static_cast<uint8_t>(code);
  }
};

// A number's low bits, as ONNX's Cast to 4 and 2 bits wraps it.
constexpr uint8_t wrap_to_bits(int64_t value, int bits) {
  return static_cast<uint8_t>(static_cast<uint64_t>(value) & ((1u << bits) - 1));
}

// The signed number that a code of `bits` bits stands for.
constexpr int8_t sign_extended(uint8_t code, int bits) {
  const int sign = 1 << (bits - 1);
  return static_cast<int8_t>(((code & ((1 << bits) - 1)) ^ sign) - sign);
}

// Element `index` of packed elements of 2 or 4 bits, the first in the low bits of the first byte.
constexpr uint8_t packed_element(const uint8_t* data, int64_t index, int bits) {
  const int64_t per_byte = 8 / bits;
  return static_cast<uint8_t>((data[index / per_byte] >> (index % per_byte * bits)) & ((1 << bits) - 1));
}

// Leaves the other elements of its byte as they are: two threads must not write into one byte.
constexpr void set_packed_element(uint8_t* data, int64_t index, int bits, uint8_t code) {
  const int64_t per_byte = 8 / bits;
  const int shift = static_cast<int>(index % per_byte) * bits;
  const int mask = ((1 << bits) - 1) << shift;
  uint8_t& byte = data[index / per_byte];
  byte = static_cast<uint8_t>((byte & ~mask) | ((code << shift) & mask));
}

// Towards zero. Defined for every value, which a plain conversion is not: NaN and what int64_t cannot hold become its
// least number.
constexpr int64_t truncate_to_int64(double value) {
  return value >= -0x1p63 && value < 0x1p63 ? static_cast<int64_t>(value) : INT64_MIN;
}

// Towards zero. What lies beyond int64_t is taken as uint64_t where that holds it.
constexpr uint64_t truncate_to_uint64(double value) {
  return value >= 0x1p63 && value < 0x1p64 ? static_cast<uint64_t>(value)
                                           : static_cast<uint64_t>(truncate_to_int64(value));
}

}  // namespace heed
