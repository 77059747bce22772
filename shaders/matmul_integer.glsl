// matmul_integer.glsl: what the shaders of y = (a - a_zero_point)(b - b_zero_point) of bytes share, sums being i32. Stacks of
// dense matrices, [batch.., row, inner] x [batch.., inner, column]. Bytes are read in words of four and multiplied four at
// once, u8 lowered by 128 so that all are signed. Before it is included may stand the binding of the parameters, and what they
// hold beside:
//   #define PARAMETERS_BINDING 10
//   #define MORE_PARAMETERS uint y_word_offset;
#include "dot_four.glsl"

layout(constant_id = 0) const uint a_is_unsigned = 0;
layout(constant_id = 1) const uint b_is_unsigned = 0;

layout(set = 0, binding = 0, std430) readonly buffer A { uint a[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { uint b[]; };
layout(set = 0, binding = 2, std430) readonly buffer AZero { uint a_zero[]; };
layout(set = 0, binding = 3, std430) readonly buffer BZero { uint b_zero[]; };
layout(set = 0, binding = 4, std430) writeonly buffer Y { int y[]; };  // [split, batch, row, column]
#ifndef PARAMETERS_BINDING
#define PARAMETERS_BINDING 5
#define MORE_PARAMETERS
#endif
layout(set = 0, binding = PARAMETERS_BINDING, std430) readonly buffer Parameters {
  uint rows, columns, inner;
  uint batch_count, batch_rank;
  uint split_count, split_inner;    // the inner axis in pieces so long, but for the last, whose sums are added later
  int a_offset, b_offset, y_offset;  // in elements
  int a_zero_offset, b_zero_offset;
  uint a_zero_count, b_zero_count;  // 0: none; else one, one a row (or column), or one a row of every matrix
  uint batch_dims[6];
  uint a_batch_strides[6];  // in matrices; 0 where a is broadcast
  uint b_batch_strides[6];
  MORE_PARAMETERS
};

// The numbers of the matrices of a and b that a batch multiplies.
uvec2 matrices_of(uint batch) {
  uvec2 matrices = uvec2(0u);
  for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
    matrices += batch % batch_dims[axis] * uvec2(a_batch_strides[axis], b_batch_strides[axis]);
    batch /= batch_dims[axis];
  }
  return matrices;
}

// Four of row `row` of a from `k` on, zeros from `end` on.
uint a_four(uint matrix, uint row, uint k, uint end) {
  if (row >= rows || k >= end) return 0u;
  uint at = uint(a_offset) + (matrix * rows + row) * inner + k, count = min(4u, end - k);
  return first_of_four(BYTES(a, at, count) ^ (a_is_unsigned != 0u ? lower_four : 0u), count);
}

// Of b, columns `column` to `column` + 3 in rows `k` to `k` + 3: a word for each column, zeros from row `end` on. What is
// behind the last column is not told.
uvec4 b_fours(uint matrix, uint k, uint end, uint column) {
  column = min(column, columns - 1u);
  uint at = uint(b_offset) + (matrix * inner + k) * columns + column, count = min(4u, columns - column);
  uint flip = b_is_unsigned != 0u ? lower_four : 0u;
  uvec4 w;  // of a row each
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    w[i] = k + i < end ? BYTES(b, at, count) ^ flip : 0u;
    at += columns;
  }
  return transposed(w);
}

// A zero point as numbers are here, number `place` of its list.
#define ZERO(words, offset, count, is_unsigned, place)                                                     \
  (count == 0u ? (is_unsigned != 0u ? -128 : 0)                                                            \
               : int(words[uint(offset + int(place % count)) >> 2] >>                                      \
                         (uint(offset + int(place % count)) & 3u) * 8u ^ (is_unsigned != 0u ? 0x80u : 0u)) \
                         << 24 >> 24)
int a_zero_of(uint matrix, uint row) {
  return ZERO(a_zero, a_zero_offset, a_zero_count, a_is_unsigned, (matrix * rows + row));
}
int b_zero_of(uint matrix, uint column) {
  return ZERO(b_zero, b_zero_offset, b_zero_count, b_is_unsigned, (matrix * columns + column));
}
