// rounding.glsl: f32 to the 16-bit floats. Included by shaders, and put before the text of shaders that are written at
// run time.

// The nearest f16, ties to even.
uint heed_f16_bits(float x) {
  uint bits = floatBitsToUint(x);
  uint sign = bits >> 16 & 0x8000u;
  bits &= 0x7FFFFFFFu;
  if (bits > 0x7F800000u) return sign | 0x7E00u;   // NaN
  if (bits >= 0x477FF000u) return sign | 0x7C00u;  // rounds past 65504: infinity
  if (bits < 0x38800000u) {                        // below 2^-14: a multiple of 2^-24, which adding 0.5 rounds to
    precise float rounded = uintBitsToFloat(bits) + 0.5;
    return sign | floatBitsToUint(rounded) - 0x3F000000u;
  }
  return sign | bits + 0xC8000FFFu + (bits >> 13 & 1u) >> 13;
}

// The nearest bf16, ties to even.
uint heed_bf16_bits(float x) {
  uint bits = floatBitsToUint(x);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return bits >> 16 | 0x40u;
  return bits + 0x7FFFu + (bits >> 16 & 1u) >> 16;
}
