#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// matmul_integer.comp: MatMulInteger, y = (a - a_zero_point)(b - b_zero_point) of bytes, summed as i32. Words hold four bytes
// along the inner axis, u8 lowered by 128 so that all are signed; DOT: for devices that multiply and add four at once.
// A workgroup makes 32 x 32 elements of y, a thread 4 x 2 of them.

#ifdef DOT
// SPV_KHR_integer_dot_product: OpSDotKHR of packed vectors of four bytes.
#extension GL_EXT_spirv_intrinsics : require
spirv_instruction(extensions = ["SPV_KHR_integer_dot_product"], capabilities = [6018, 6019], id = 4450)
int dot_of_bytes(int a, int b, spirv_literal int packed_format);
int dot_four(int a, int b) { return dot_of_bytes(a, b, 0); }
#else
int dot_four(int a, int b) {
  int sum = 0;
  [[unroll]] for (int i = 0; i < 32; i += 8) sum += bitfieldExtract(a, i, 8) * bitfieldExtract(b, i, 8);
  return sum;
}
#endif

layout(constant_id = 0) const uint a_is_unsigned = 0;
layout(constant_id = 1) const uint b_is_unsigned = 0;
layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer A { uint a[]; };
layout(set = 0, binding = 1, std430) readonly buffer B { uint b[]; };
layout(set = 0, binding = 2, std430) readonly buffer AZero { uint a_zero[]; };
layout(set = 0, binding = 3, std430) readonly buffer BZero { uint b_zero[]; };
layout(set = 0, binding = 4, std430) writeonly buffer Y { int y[]; };
layout(set = 0, binding = 5, std430) readonly buffer Parameters {
  uint rows, columns, inner;
  uint batch_count, batch_rank;
  int a_offset, b_offset, y_offset;  // in elements
  int a_zero_offset, b_zero_offset;
  uint a_zero_count, b_zero_count;  // 0: none; else one, one a row (or column), or one a row of every matrix
  uint batch_dims[6];
  uint a_batch_strides[6];  // in matrices; 0 where a is broadcast
  uint b_batch_strides[6];
};

const uint tile = 32, tile_words = 8;  // 32 bytes of the inner axis
shared int left[tile_words * tile], right[tile_words * tile];  // [inner / 4][row], [inner / 4][column]

#define BYTE(words, index) (words[(index) >> 2] >> (((index) & 3u) * 8u) & 0xFFu)

void main() {
  uint thread = gl_LocalInvocationIndex;
  uint row_tiles = (rows + tile - 1u) / tile, column_tiles = (columns + tile - 1u) / tile;
  uint a_flip = a_is_unsigned != 0u ? 0x80u : 0u, b_flip = b_is_unsigned != 0u ? 0x80u : 0u;
  uint own_row = thread / 16u, own_column = thread % 16u;  // every 8th row, every 16th column

  for (uint index = gl_WorkGroupID.x; index < row_tiles * column_tiles * batch_count; index += gl_NumWorkGroups.x) {
    uint first_column = index % column_tiles * tile, first_row = index / column_tiles % row_tiles * tile;
    uint batch = index / column_tiles / row_tiles;
    uint a_matrix = 0u, b_matrix = 0u, rest = batch;
    for (int axis = int(batch_rank) - 1; axis >= 0; --axis) {
      uint i = rest % batch_dims[axis];
      rest /= batch_dims[axis];
      a_matrix += i * a_batch_strides[axis];
      b_matrix += i * b_batch_strides[axis];
    }
    uint a_base = uint(a_offset) + a_matrix * rows * inner, b_base = uint(b_offset) + b_matrix * inner * columns;

    int sums[4][2], row_sums[4], column_sums[2];
    [[unroll]] for (uint r = 0u; r < 4u; ++r) {
      row_sums[r] = sums[r][0] = sums[r][1] = 0;
    }
    column_sums[0] = column_sums[1] = 0;
    for (uint k0 = 0u; k0 < inner; k0 += 4u * tile_words) {
      for (uint i = thread; i < tile_words * tile; i += gl_WorkGroupSize.x) {
        // Threads side by side read a along the inner axis, b along its columns.
        uint a_row = first_row + i / tile_words, a_word = i % tile_words;
        uint b_column = first_column + i % tile, b_word = i / tile;
        uint a_bytes = 0u, b_bytes = 0u;
        [[unroll]] for (uint j = 0u; j < 4u; ++j) {
          uint a_k = k0 + 4u * a_word + j, b_k = k0 + 4u * b_word + j;
          if (a_row < rows && a_k < inner) a_bytes |= (BYTE(a, a_base + a_row * inner + a_k) ^ a_flip) << (8u * j);
          if (b_column < columns && b_k < inner) b_bytes |= (BYTE(b, b_base + b_k * columns + b_column) ^ b_flip) << (8u * j);
        }
        left[a_word * tile + i / tile_words] = int(a_bytes);
        right[b_word * tile + i % tile] = int(b_bytes);
      }
      barrier();
      for (uint word = 0u; word < tile_words; ++word) {
        int b0 = right[word * tile + own_column], b1 = right[word * tile + own_column + 16u];
        column_sums[0] += dot_four(b0, 0x01010101);
        column_sums[1] += dot_four(b1, 0x01010101);
        [[unroll]] for (uint r = 0u; r < 4u; ++r) {
          int a0 = left[word * tile + own_row + 8u * r];
          row_sums[r] += dot_four(a0, 0x01010101);
          sums[r][0] += dot_four(a0, b0);
          sums[r][1] += dot_four(a0, b1);
        }
      }
      barrier();
    }

    [[unroll]] for (uint r = 0u; r < 4u; ++r) {
      uint row = first_row + own_row + 8u * r;
      [[unroll]] for (uint c = 0u; c < 2u; ++c) {
        uint column = first_column + own_column + 16u * c;
        if (row >= rows || column >= columns) continue;
        int a_less = a_is_unsigned != 0u ? -128 : 0, b_less = b_is_unsigned != 0u ? -128 : 0;
        if (a_zero_count != 0u) {
          uint at = uint(a_zero_offset) + (a_matrix * rows + row) % a_zero_count;
          uint code = BYTE(a_zero, at);
          a_less = bitfieldExtract(int(code ^ a_flip), 0, 8);
        }
        if (b_zero_count != 0u) {
          uint at = uint(b_zero_offset) + (b_matrix * columns + column) % b_zero_count;
          uint code = BYTE(b_zero, at);
          b_less = bitfieldExtract(int(code ^ b_flip), 0, 8);
        }
        y[uint(y_offset) + (batch * rows + row) * columns + column] =
            sums[r][c] - a_less * column_sums[c] - b_less * row_sums[r] + int(inner) * a_less * b_less;
      }
    }
  }
}
