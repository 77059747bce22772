#version 450
#extension GL_GOOGLE_include_directive : require
// dequantize.comp: DequantizeLinear, y = (x - zero_point) * scale, in f32. A thread makes a word of y: an element, or two.
#include "quantized.glsl"
#include "rounding.glsl"

float dequantized(uint index) {
  int at = x_offset + int(index), chosen = scale_index(index), zero_at = zero_point_offset + chosen;
  uint word = x[word_of(x_type, at)], zero_word = has_zero_point != 0u ? zero_point[word_of(x_type, zero_at)] : 0u;
  if (is_integer(x_type)) {
    int zero = has_zero_point != 0u ? integer_in(x_type, zero_word, zero_at) : 0;
    return float(integer_in(x_type, word, at) - zero) * scale_at(chosen);
  }
  precise float size = float_of(x_type, code_in(x_type, word, at));
  if (has_zero_point != 0u) size -= float_of(x_type, code_in(x_type, zero_word, zero_at));
  return size * scale_at(chosen);
}

void main() {
  for (uint w = gl_GlobalInvocationID.x; w < word_count; w += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value;
    if (y_type == f32) {
      value = floatBitsToUint(dequantized(w));
    } else {
      float low = dequantized(2u * w), high = 2u * w + 1u < count ? dequantized(2u * w + 1u) : 0.0;
      value = y_type == f16 ? heed_f16_bits(low) | heed_f16_bits(high) << 16
                            : heed_bf16_bits(low) | heed_bf16_bits(high) << 16;
    }
    y[uint(y_word_offset) + w] = value;
  }
}
