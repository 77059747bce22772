#version 450
#extension GL_GOOGLE_include_directive : require
// cast.comp: Cast from or to a type that GLSL does not hold, floats of 4 and 8 bits, integers of 4 and 2. A thread makes
// a word of y: 1 to 16 elements.
#include "codes.glsl"

layout(constant_id = 0) const uint x_type = 0;
layout(constant_id = 1) const uint y_type = 0;
layout(constant_id = 2) const bool saturate = true;     // where a float outgrows y; else infinity or NaN
layout(constant_id = 3) const uint scale_rounding = 0;  // of f8e8m0: up, down, or to the nearest
layout(local_size_x = 128) in;

const uint up = 0, nearest = 2;

layout(set = 0, binding = 0, std430) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Y { uint y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint word_count, count;  // of y
  int x_offset, y_word_offset;
};

// The low bits of what a float is towards zero; 0 of infinity and NaN.
int truncated(float value) {
  uint bits = floatBitsToUint(value), significand = (bits & 0x7FFFFFu) | 0x800000u;
  int shift = int(bits >> 23 & 0xFFu) - 150;
  uint size = shift > 31 || shift < -23 ? 0u : shift < 0 ? significand >> -shift : significand << shift;
  return (bits >> 31) != 0u ? -int(size) : int(size);
}

// The power of 2 next to a float, which has no sign and is no zero: the float's exponent.
uint scale_code(float value) {
  const uint least = 0x00400000u, greatest = 0x7F000000u;  // 2^-127 and 2^127, as floats
  uint bits = floatBitsToUint(value), fraction = bits & 0x7FFFFFu;
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) return 0xFFu;
  if (bits < least || (bits >> 31) != 0u) return saturate ? 0u : 0xFFu;
  if (bits > greatest) return saturate ? 0xFEu : 0xFFu;
  uint code = bits >> 23;
  if (code == 0u) fraction = fraction << 1 & 0x7FFFFFu;  // below 2^-126 its first bit is the significand's
  bool is_above = scale_rounding == up ? fraction != 0u : scale_rounding == nearest && fraction >= 0x400000u;
  return is_above ? code + 1u : code;
}

uint code_of(float value) {
  if (is_plain_float(y_type)) return plain_code(y_type, value);
  return y_type == f8e8m0 ? scale_code(value) : small_code(y_type, value, saturate);
}

uint cast_element(uint index) {
  int at = x_offset + int(index);
  uint word = x[word_of(x_type, at)];
  if (is_integer(x_type) || x_type == boolean) {
    int value = integer_in(x_type, word, at);
    if (y_type == boolean) return value != 0 ? 1u : 0u;
    return is_integer(y_type) ? uint(value) : code_of(x_type == u32 ? float(uint(value)) : float(value));
  }
  float value = float_of(x_type, code_in(x_type, word, at));
  if (y_type == boolean) return (floatBitsToUint(value) & 0x7FFFFFFFu) != 0u ? 1u : 0u;
  return is_integer(y_type) ? uint(truncated(value)) : code_of(value);
}

void main() {
  uint bits = bits_of(y_type), elements = 32u / bits;
  for (uint w = gl_GlobalInvocationID.x; w < word_count; w += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value = 0u;
    for (uint i = 0u; i < elements && w * elements + i < count; ++i)
      value = bitfieldInsert(value, cast_element(w * elements + i), int(i * bits), int(bits));
    y[uint(y_word_offset) + w] = value;
  }
}
