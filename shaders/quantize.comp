#version 450
#extension GL_GOOGLE_include_directive : require
// quantize.comp: QuantizeLinear, y = saturate(round(x / scale) + zero_point). A thread makes a word of y: 2 to 16 elements.
#include "quantized.glsl"
#include "quotient.glsl"

layout(constant_id = 3) const uint precision_type = 0;  // of the quotient
layout(constant_id = 4) const bool saturate = true;     // where a float outgrows y; else infinity or NaN

uint integer_code(float value, int zero) {
  float steps = float(1u << bits_of(y_type));
  float least = (is_signed_integer(y_type) ? -0.5 * steps : 0.0) - float(zero);
  float rounded = roundEven(value);
  rounded = rounded > least ? min(rounded, least + steps - 1.0) : least;  // NaN is the least
  return uint(int(rounded) + zero) & ((1u << bits_of(y_type)) - 1u);
}

uint quantized(uint index) {
  int at = x_offset + int(index), chosen = scale_index(index), zero_at = zero_point_offset + chosen;
  float value = quotient(float_of(x_type, code_in(x_type, x[word_of(x_type, at)], at)), scale_at(chosen));
  if (precision_type == f16) value = unpackHalf2x16(heed_f16_bits(value)).x;
  if (precision_type == bf16) value = uintBitsToFloat(heed_bf16_bits(value) << 16);
  uint zero_word = has_zero_point != 0u ? zero_point[word_of(y_type, zero_at)] : 0u;
  if (is_integer(y_type)) return integer_code(value, has_zero_point != 0u ? integer_in(y_type, zero_word, zero_at) : 0);
  if (has_zero_point != 0u) value += float_of(y_type, code_in(y_type, zero_word, zero_at));
  return small_code(y_type, value, saturate);
}

void main() {
  uint elements = 32u / bits_of(y_type);
  for (uint w = gl_GlobalInvocationID.x; w < word_count; w += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value = 0u;
    for (uint i = 0u; i < elements && w * elements + i < count; ++i)
      value |= quantized(w * elements + i) << (i * bits_of(y_type));
    y[uint(y_word_offset) + w] = value;
  }
}
