#version 450
#extension GL_GOOGLE_include_directive : require
// matmul_integer_finish.comp: what becomes of the sums that matmul_integer.comp makes. Codes: saturate(round(sum * a_scale *
// b_scale / y_scale) + y_zero_point); floats: matmul_integer_finish.glsl. A thread makes a word of y: 1 to 4 elements.
#include "codes.glsl"
#include "matmul_integer_finish.glsl"
#include "quotient.glsl"

layout(constant_id = 0) const uint scale_type = 0;  // of all scales and the bias
layout(constant_id = 1) const uint y_type = 0;
layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer Sums { int sums[]; };  // [split, batch, row, column], dense
layout(set = 0, binding = 1, std430) readonly buffer AScale { uint a_scale[]; };
layout(set = 0, binding = 2, std430) readonly buffer BScale { uint b_scale[]; };
layout(set = 0, binding = 3, std430) readonly buffer Bias { uint bias[]; };
layout(set = 0, binding = 4, std430) readonly buffer YScale { uint y_scale[]; };
layout(set = 0, binding = 5, std430) readonly buffer YZero { uint y_zero[]; };
layout(set = 0, binding = 6, std430) writeonly buffer Y { uint y[]; };
layout(set = 0, binding = 7, std430) readonly buffer Residual { uint residual[]; };  // as y lies, and of its type
layout(set = 0, binding = 8, std430) readonly buffer Parameters {
  uint rows, columns;
  uint batch_count, batch_rank;
  uint split_count;  // of the inner axis: so many sums are added
  uint sums_offset, y_offset;  // in words
  List y_scales, y_zeros;
  FINISH_PARAMETERS
  uint batch_dims[6];
  uint a_batch_strides[6];  // in matrices; 0 where a is broadcast
  uint b_batch_strides[6];
};

#define SCALE(words, list, place) float_of_element(words[word_of(scale_type, at(list, place))], at(list, place))
FINISH_FUNCTION
float float_of_element(uint word, int index) { return plain_float_of(scale_type, code_in(scale_type, word, index)); }

uint finished(uint index) {
  uint column = index % columns, row = index / columns % rows, rest = index / columns / rows;
  uint a_row = 0u, b_column = 0u;  // counted on over matrices
  for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
    uint i = rest % batch_dims[axis];
    rest /= batch_dims[axis];
    a_row += i * a_batch_strides[axis];
    b_column += i * b_batch_strides[axis];
  }
  a_row = a_row * rows + row;
  b_column = b_column * columns + column;
  precise float scale = SCALE(a_scale, a_scales, a_row) * SCALE(b_scale, b_scales, b_column);
  int all = 0;
  for (uint split = 0u; split < split_count; ++split)
    all += sums[sums_offset + split * batch_count * rows * columns + index];
  float sum = float(all);
  if (!is_integer(y_type)) {
    int place = residual_offset + int(index);
    float added_first = biases.count != 0u ? SCALE(bias, biases, b_column) : 0.0;
    float other = residual_kind != 0u ? float_of_element(residual[word_of(scale_type, place)], place) : 0.0;
    return plain_code(y_type, finished(sum, scale, added_first, other));
  }
  precise float steps = sum * quotient(scale, SCALE(y_scale, y_scales, a_row));
  int zero_at = at(y_zeros, a_row);
  float zero = float(integer_in(y_type, y_zero[word_of(y_type, zero_at)], zero_at));
  float least = is_signed_integer(y_type) ? -128.0 : 0.0;
  return uint(int(clamp(roundEven(steps) + zero, least, least + 255.0))) & 0xFFu;
}

void main() {
  uint bits = bits_of(y_type), elements = 32u / bits, count = batch_count * rows * columns;
  uint words = (count + elements - 1u) / elements;
  for (uint w = gl_GlobalInvocationID.x; w < words; w += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value = 0u;
    for (uint i = 0u; i < elements && w * elements + i < count; ++i) value |= finished(w * elements + i) << (i * bits);
    y[y_offset + w] = value;
  }
}
