// matmul.glsl: what the shaders of c = activation(scale * a b + bias) + residual, or times it, share. Stacks of matrices, [batch..,
// row, inner] x [batch.., inner, column]: a and b are strided along every axis; c and the residual are dense, and may lie
// in one place; the bias is [column]. Sums are f32, and are taken in an order that depends on sizes and strides alone.
// NBITS: b is [column, inner] in packed codes, as com.microsoft.MatMulNBits has it; it is read in fours along inner.
#include "element.glsl"
#include "epilogue.glsl"
#include "fours.glsl"

layout(set = 0, binding = 0, std430) readonly buffer A { STORED a[]; };
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };
layout(set = 0, binding = 3, std430) readonly buffer Residual { STORED residual[]; };
#ifdef NBITS
layout(set = 0, binding = 1, std430) readonly buffer B { uint b[]; };
layout(set = 0, binding = 6, std430) readonly buffer Scales { STORED scales[]; };  // [column, block]
layout(set = 0, binding = 7, std430) readonly buffer ZeroPoints { uint zero_points[]; };
layout(set = 0, binding = 8, std430) readonly buffer GroupIndices { int group_indices[]; };  // the block of each k
#define PARAMETERS_BINDING 9
layout(constant_id = 4) const uint bits = 4;
layout(constant_id = 5) const uint zero_kind = 0;  // of zero points: 0: 2^(bits - 1), 1: codes, 2: numbers as scales are
layout(constant_id = 6) const bool has_group_indices = false;  // all within the blocks; else blocks follow each other
#else
layout(set = 0, binding = 1, std430) readonly buffer B { STORED b[]; };
#define PARAMETERS_BINDING 6
#endif
layout(set = 0, binding = 4, std430) writeonly buffer C { STORED c[]; };
layout(set = 0, binding = 5, std430) buffer Partials { float partials[]; };  // [split, batch, row, column]
layout(set = 0, binding = PARAMETERS_BINDING, std430) readonly buffer Parameters {
  uint rows, columns, inner;
  uint batch_count, batch_rank;
  uint split_count, split_inner;  // the inner axis in pieces so long, but for the last; their sums are added later
  uint a_order, b_order;
  int a_offset, a_row_stride, a_inner_stride;  // all offsets and strides in elements
  int b_offset, b_inner_stride, b_column_stride;
  float scale;
  uint activation;
  uint has_bias, has_residual;  // a kind of residual, or 0
  int bias_offset, residual_offset, c_offset;
  uint batch_dims[6];
  int a_batch_strides[6];  // 0 where a is broadcast
  int b_batch_strides[6];
  int c_batch_strides[6], c_row_stride;  // of c and the residual
  uint first_split, partial_count;       // in `partials`: where the pieces of this dispatch begin, and all that are added
#ifdef NBITS
  uint block_shift, block_count;   // a block has 2^block_shift codes
  uint row_bytes, zero_row_bytes;  // of the codes of a column, and of its zero points where they are codes
  int scales_offset, zero_offset, group_indices_offset;
#endif
};

// Along which of its two axes a matrix is best read, and whether four elements at once may be: they lie side by side,
// and begin at a multiple of four.
const uint along_inner = 0, along_outer = 1, fours_along_inner = 2, fours_along_outer = 3;
bool is_along_inner(uint order) { return (order & 1u) == 0; }
bool is_in_fours(uint order) { return order >= fours_along_inner; }

// The same memory in fours.
layout(set = 0, binding = 0, std430) readonly buffer A4 { STORED4 a4[]; };
#ifndef NBITS
layout(set = 0, binding = 1, std430) readonly buffer B4 { STORED4 b4[]; };
#endif

// A row or column begins at `begin`; element k of it, or four from there on.
float a_at(int index) { return LOAD(a[index]); }
vec4 a_four_at(int begin, int k) { return load_four(a4[(begin + k) >> 2]); }
#ifndef NBITS
float b_at(int index) { return LOAD(b[index]); }
vec4 b_four_at(int begin, int k) { return load_four(b4[(begin + k) >> 2]); }
#else
float b_at(int index) { return 0.0; }  // nobody reads one

// So many bits, at most 32, from one of a byte on.
uint bits_at(uint byte, uint bit, uint count) {
  uint shift = (byte & 3u) * 8u + bit, word = byte >> 2;
  uint low = b[word] >> shift;
  return shift + count > 32u ? low | b[word + 1u] << (32u - shift) : low;
}
float zero_point_of(uint column, uint block) {
  if (zero_kind == 0u) return float(1u << (bits - 1u));
  if (zero_kind == 1u) {
    uint bit = block * bits, byte = uint(zero_offset) + column * zero_row_bytes + (bit >> 3);
    uint shift = (byte & 3u) * 8u + (bit & 7u), word = byte >> 2;
    uint code = zero_points[word] >> shift;
    if (shift + bits > 32u) code |= zero_points[word + 1u] << (32u - shift);
    return float(code & ((1u << bits) - 1u));
  }
  uint index = uint(zero_offset) + column * block_count + block;
#if defined(F16) || defined(BF16)
  return LOAD(zero_points[index >> 1] >> ((index & 1u) * 16u) & 0xFFFFu);
#else
  return uintBitsToFloat(zero_points[index]);
#endif
}
vec4 scaled(vec4 codes, uint column, uint block) {
  float scale = LOAD(scales[scales_offset + int(column * block_count + block)]);
  return (codes - zero_point_of(column, block)) * scale;
}
// Columns are counted; k is a multiple of four.
vec4 b_four_at(int column, int k) {
  uint bit = uint(k) * bits, mask = (1u << bits) - 1u;
  uint codes = bits_at(uint(b_offset) + uint(column) * row_bytes + (bit >> 3), bit & 7u, 4u * bits);
  uvec4 four = uvec4(codes, codes >> bits, codes >> (2u * bits), codes >> (3u * bits)) & mask;
  if (!has_group_indices) return scaled(vec4(four), uint(column), uint(k) >> block_shift);
  vec4 each;
  for (int i = 0; i < 4; ++i) {
    int block = group_indices[group_indices_offset + min(k + i, int(inner) - 1)];
    each[i] = scaled(vec4(four[i]), uint(column), uint(block)).x;
  }
  return each;
}
#endif

// What a workgroup works on: a tile of c, over a piece of the inner axis, in one batch. There may be more than
// workgroups: they take turns.
struct Item {
  uint row_tile, column_tile, split, batch;
};
uint item_count(uint row_tiles, uint column_tiles) { return row_tiles * column_tiles * split_count * batch_count; }
Item item_at(uint index, uint row_tiles, uint column_tiles) {
  Item item;
  item.column_tile = index % column_tiles;
  index /= column_tiles;
  item.row_tile = index % row_tiles;
  index /= row_tiles;
  item.split = index % split_count;
  item.batch = index / split_count;
  return item;
}

// Where the matrices of a batch begin in a and b.
ivec2 bases_of(uint batch) {
#ifdef NBITS
  return ivec2(a_offset, 0);
#else
  ivec2 bases = ivec2(a_offset, b_offset);
  for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
    int i = int(batch % batch_dims[axis]);
    batch /= batch_dims[axis];
    bases += i * ivec2(a_batch_strides[axis], b_batch_strides[axis]);
  }
  return bases;
#endif
}

// All of a sum, into its place.
void finish(uint batch, uint row, uint column, float sum) {
  int at = int(row) * c_row_stride + int(column);
  for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
    at += int(batch % batch_dims[axis]) * c_batch_strides[axis];
    batch /= batch_dims[axis];
  }
  sum *= scale;
  if (has_bias != 0) sum += LOAD(bias[bias_offset + int(column)]);
  sum = activated(activation, sum);
  if (has_residual != 0) sum = with_residual(has_residual, sum, LOAD(residual[residual_offset + at]));
  c[c_offset + at] = STORE(sum);
}

// The sum of a piece of the inner axis: all of it, or one of those that matmul_sum.comp adds.
void put(Item item, uint row, uint column, float sum) {
  if (partial_count > 1)
    partials[(((first_split + item.split) * batch_count + item.batch) * rows + row) * columns + column] = sum;
  else
    finish(item.batch, row, column, sum);
}
