// codes.glsl: elements of any type of at most 32 bits, in tensors that are read and written as words: elements lie in their
// words from the lowest bits on. Types are numbered as ONNX does.
#include "rounding.glsl"

const uint f32 = 1, u8 = 2, i8 = 3, u16 = 4, i16 = 5, i32 = 6, boolean = 9, f16 = 10, u32 = 12, bf16 = 16,
           f8e4m3fn = 17, f8e4m3fnuz = 18, f8e5m2 = 19, f8e5m2fnuz = 20, u4 = 21, i4 = 22, f4e2m1 = 23, f8e8m0 = 24,
           u2 = 25, i2 = 26;

uint bits_of(uint type) {
  switch (type) {
    case f32: case i32: case u32: return 32;
    case u16: case i16: case f16: case bf16: return 16;
    case u4: case i4: case f4e2m1: return 4;
    case u2: case i2: return 2;
  }
  return 8;
}
bool is_signed_integer(uint type) { return type == i8 || type == i16 || type == i32 || type == i4 || type == i2; }
bool is_integer(uint type) {
  return is_signed_integer(type) || type == u8 || type == u16 || type == u32 || type == u4 || type == u2;
}

// A float of fewer than 16 bits: sign, exponent, mantissa.
struct Small {
  uint exponent_bits, mantissa_bits, bias;
};
Small small_of(uint type) {
  switch (type) {
    case f8e4m3fn: return Small(4, 3, 7);
    case f8e4m3fnuz: return Small(4, 3, 8);
    case f8e5m2: return Small(5, 2, 15);
    case f8e5m2fnuz: return Small(5, 2, 16);
  }
  return Small(2, 1, 1);  // f4e2m1
}
// Codes without their sign that are infinity and NaN begin above this.
uint greatest_code(uint type) {
  switch (type) {
    case f8e4m3fn: return 0x7Eu;
    case f8e5m2: return 0x7Bu;
    case f4e2m1: return 0x7u;
  }
  return 0x7Fu;
}
bool is_nan_at_minus_zero(uint type) { return type == f8e4m3fnuz || type == f8e5m2fnuz; }
const uint quiet_nan_bits = 0x7FC00000u;

uint word_of(uint type, int index) { return uint(index) / (32u / bits_of(type)); }
int bit_of(uint type, int index) { return int(uint(index) % (32u / bits_of(type)) * bits_of(type)); }
uint code_in(uint type, uint word, int index) { return bitfieldExtract(word, bit_of(type, index), int(bits_of(type))); }
int integer_in(uint type, uint word, int index) {
  return is_signed_integer(type) ? bitfieldExtract(int(word), bit_of(type, index), int(bits_of(type)))
                                 : int(code_in(type, word, index));
}

bool is_plain_float(uint type) { return type == f32 || type == f16 || type == bf16; }
float plain_float_of(uint type, uint code) {
  return type == f16 ? unpackHalf2x16(code).x : uintBitsToFloat(type == bf16 ? code << 16 : code);
}
float float_of(uint type, uint code) {
  if (is_plain_float(type)) return plain_float_of(type, code);
  if (type == f8e8m0)
    return uintBitsToFloat(code == 0xFFu ? quiet_nan_bits : code == 0u ? 0x00400000u : code << 23);
  Small s = small_of(type);
  uint sign_bit = 1u << (s.exponent_bits + s.mantissa_bits);
  uint sign = (code & sign_bit) != 0u ? 0x80000000u : 0u;
  uint magnitude = code & (sign_bit - 1u), mantissa = magnitude & ((1u << s.mantissa_bits) - 1u);
  if (is_nan_at_minus_zero(type) && code == sign_bit) return uintBitsToFloat(quiet_nan_bits);
  if (magnitude > greatest_code(type)) {
    bool is_infinity = type == f8e5m2 && mantissa == 0u;
    return uintBitsToFloat(sign | (is_infinity ? 0x7F800000u : quiet_nan_bits));
  }
  uint exponent = magnitude >> s.mantissa_bits;
  if (exponent == 0u) {
    float size = float(mantissa) * uintBitsToFloat((128u - s.bias - s.mantissa_bits) << 23);
    return sign != 0u ? -size : size;
  }
  return uintBitsToFloat(sign | (exponent + 127u - s.bias) << 23 | mantissa << (23u - s.mantissa_bits));
}

// A float as the code of a plain type.
uint plain_code(uint type, float value) {
  return type == f32 ? floatBitsToUint(value) : type == f16 ? heed_f16_bits(value) : heed_bf16_bits(value);
}

// The code of a small float nearest to a value, ties to the even one; what is outside becomes the greatest, or infinity
// or NaN. The significand is an integer, shifted right to the target's last place.
uint small_code(uint type, float value, bool saturate) {
  Small s = small_of(type);
  uint sign_bit = 1u << (s.exponent_bits + s.mantissa_bits);
  uint bits = floatBitsToUint(value), sign = (bits >> 31) != 0u ? sign_bit : 0u, magnitude = bits & 0x7FFFFFFFu;
  bool is_nan = magnitude > 0x7F800000u, is_outside = magnitude == 0x7F800000u;
  uint code = 0u;
  int exponent = int(magnitude >> 23) - 127, least_exponent = 1 - int(s.bias);
  if (magnitude >= 0x00800000u && magnitude < 0x7F800000u) {
    uint significand = (magnitude & 0x7FFFFFu) | 0x800000u;
    int shift = 23 - int(s.mantissa_bits) + max(least_exponent - exponent, 0);
    if (exponent > least_exponent) significand += uint(exponent - least_exponent) << 23;
    if (shift <= 24) {
      uint rest = significand & ((1u << shift) - 1u), half_step = 1u << (shift - 1);
      code = significand >> shift;
      if (rest > half_step || (rest == half_step && (code & 1u) != 0u)) ++code;
    }
  }
  is_outside = is_outside || code > greatest_code(type);
  if (type == f4e2m1) return is_nan ? sign_bit : sign | (is_outside ? 7u : code);
  if (is_nan || (is_outside && !saturate)) {
    if (is_nan_at_minus_zero(type)) return sign_bit;
    return sign | (type == f8e5m2 ? (is_nan ? 0x7Eu : 0x7Cu) : 0x7Fu);
  }
  if (is_outside) return sign | greatest_code(type);
  return code == 0u && is_nan_at_minus_zero(type) ? 0u : sign | code;
}
