#version 450
#extension GL_GOOGLE_include_directive : require
// dequantize.comp: DequantizeLinear, y = (x - zero_point) * scale, in f32. A thread makes a word of y: an element, or two.
// GATHERED: com.microsoft.GatherBlockQuantized, the same of slices of x that indices choose along an axis; an index that is
// outside is told, and read as the nearest that is not.
#ifdef GATHERED
#define PARAMETERS_BINDING 6
#define MORE_PARAMETERS                                                                                     \
  uint chosen_count, words_per_index, slice_size; /* of elements */                                         \
  int gathered_size, indices_offset;                                                                        \
  uint zero_row_length, zero_row_stride; /* zero points lie in rows that begin in a byte of their own */     \
  int otherwise; /* the zero point where there is none */
#endif
#include "quantized.glsl"

#ifdef GATHERED
#include "indices.glsl"
layout(set = 0, binding = 4, std430) readonly buffer Indices { uint indices[]; };
#define ERROR_BINDING 5
#include "error_word.glsl"

// The element of x that becomes this one of y.
uint source_of(uint index) {
  uint inner = index % slice_size, chosen = index / slice_size % chosen_count, outer = index / slice_size / chosen_count;
  uint word = (uint(indices_offset) + chosen) * words_per_index;
  uint low = indices[word];
  int place = heed_index(low, words_per_index == 2u ? indices[word + 1u] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
  if (place < 0) place += gathered_size;
  if (place < 0 || place >= gathered_size) tell_error(chosen);
  return (outer * uint(gathered_size) + uint(clamp(place, 0, gathered_size - 1))) * slice_size + inner;
}
int zero_index(int chosen) {
  return zero_point_offset + int(uint(chosen) / zero_row_length * zero_row_stride + uint(chosen) % zero_row_length);
}
#else
const int otherwise = 0;
uint source_of(uint index) { return index; }
int zero_index(int chosen) { return zero_point_offset + chosen; }
#endif

float dequantized(uint index) {
  index = source_of(index);
  int at = x_offset + int(index), chosen = scale_index(index), zero_at = zero_index(chosen);
  uint word = x[word_of(x_type, at)], zero_word = has_zero_point != 0u ? zero_point[word_of(x_type, zero_at)] : 0u;
  if (is_integer(x_type)) {
    int zero = has_zero_point != 0u ? integer_in(x_type, zero_word, zero_at) : otherwise;
    return float(integer_in(x_type, word, at) - zero) * scale_at(chosen);
  }
  precise float size = float_of(x_type, code_in(x_type, word, at));
  if (has_zero_point != 0u) size -= float_of(x_type, code_in(x_type, zero_word, zero_at));
  return size * scale_at(chosen);
}

void main() {
  uint bits = bits_of(y_type), elements = 32u / bits;
  for (uint w = gl_GlobalInvocationID.x; w < word_count; w += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value = 0u;
    for (uint i = 0u; i < elements && w * elements + i < count; ++i)
      value = bitfieldInsert(value, plain_code(y_type, dequantized(w * elements + i)), int(i * bits), int(bits));
    y[uint(y_word_offset) + w] = value;
  }
}
