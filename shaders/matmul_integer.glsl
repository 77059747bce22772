// matmul_integer.glsl: what the shaders of y = (a - a_zero_point)(b - b_zero_point) of bytes share, sums being i32. Stacks of
// dense matrices, [batch.., row, inner] x [batch.., inner, column]. Bytes are read in words of four and multiplied four at
// once, u8 lowered by 128 so that all are signed; DOT: for devices that have an instruction for it. Before it is included may
// stand the binding of the parameters, and what they hold beside:
//   #define PARAMETERS_BINDING 10
//   #define MORE_PARAMETERS uint y_word_offset;
#extension GL_EXT_control_flow_attributes : require

#ifdef DOT
// SPV_KHR_integer_dot_product: OpSDotKHR of packed vectors of four bytes.
#extension GL_EXT_spirv_intrinsics : require
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot_of_bytes(int a, int b, spirv_literal int packed_format);
int dot_four(uint a, uint b) { return dot_of_bytes(int(a), int(b), 0); }
#else
int dot_four(uint a, uint b) {
  int sum = 0;
  [[unroll]] for (int i = 0; i < 32; i += 8) sum += bitfieldExtract(int(a), i, 8) * bitfieldExtract(int(b), i, 8);
  return sum;
}
#endif
int sum_of_four(uint a) { return dot_four(a, 0x01010101u); }

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

// `count` bytes from byte `at` on, at most four; what the word holds behind them is not told.
#define BYTES(words, at, count)                         \
  ((at & 3u) == 0u ? words[at >> 2]                     \
                   : words[at >> 2] >> (8u * (at & 3u)) | \
                         ((at & 3u) + count > 4u ? words[(at >> 2) + 1u] << (32u - 8u * (at & 3u)) : 0u))

// Four of row `row` of a from `k` on, zeros from `end` on.
uint a_four(uint matrix, uint row, uint k, uint end) {
  if (row >= rows || k >= end) return 0u;
  uint at = uint(a_offset) + (matrix * rows + row) * inner + k, count = min(4u, end - k);
  uint four = BYTES(a, at, count) ^ (a_is_unsigned != 0u ? 0x80808080u : 0u);
  return count == 4u ? four : four & ((1u << (8u * count)) - 1u);
}

// Of b, columns `column` to `column` + 3 in rows `k` to `k` + 3: a word for each column, zeros from row `end` on. What is
// behind the last column is not told.
uvec4 b_fours(uint matrix, uint k, uint end, uint column) {
  column = min(column, columns - 1u);
  uint at = uint(b_offset) + (matrix * inner + k) * columns + column, count = min(4u, columns - column);
  uint flip = b_is_unsigned != 0u ? 0x80808080u : 0u;
  uvec4 w;  // of a row each
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    w[i] = k + i < end ? BYTES(b, at, count) ^ flip : 0u;
    at += columns;
  }
  const uint even = 0x00FF00FFu, odd = 0xFF00FF00u;
  uvec2 evens = uvec2((w[0] & even) | (w[1] & even) << 8, (w[2] & even) | (w[3] & even) << 8);
  uvec2 odds = uvec2((w[0] & odd) >> 8 | (w[1] & odd), (w[2] & odd) >> 8 | (w[3] & odd));
  return uvec4((evens.x & 0xFFFFu) | evens.y << 16, (odds.x & 0xFFFFu) | odds.y << 16,
               evens.x >> 16 | (evens.y & 0xFFFF0000u), odds.x >> 16 | (odds.y & 0xFFFF0000u));
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
