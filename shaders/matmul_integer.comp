#version 450
#extension GL_GOOGLE_include_directive : require
// matmul_integer.comp: products of bytes of many rows. A workgroup makes a tile of y, a thread every 8th row and every 16th
// column of it.
#include "matmul_integer.glsl"

layout(constant_id = 2) const uint row_count = 8;     // of a thread
layout(constant_id = 3) const uint column_count = 4;  // of a thread
layout(local_size_x = 128) in;

const uint tile_rows = 8 * row_count, tile_columns = 16 * column_count;
const uint tile_words = 8;            // 32 bytes of the inner axis
const uint row_pitch = tile_words + 1;  // rows that lie side by side begin in different banks
shared uint left[tile_rows * row_pitch], right[tile_words * tile_columns];  // [row][inner / 4], [inner / 4][column]

void main() {
  uint thread = gl_LocalInvocationIndex;
  uint own_row = thread / 16u, own_column = thread % 16u;
  uint row_tiles = (rows + tile_rows - 1u) / tile_rows, column_tiles = (columns + tile_columns - 1u) / tile_columns;
  for (uint index = gl_WorkGroupID.x; index < row_tiles * column_tiles * batch_count; index += gl_NumWorkGroups.x) {
    uint first_column = index % column_tiles * tile_columns, first_row = index / column_tiles % row_tiles * tile_rows;
    uint batch = index / column_tiles / row_tiles;
    uvec2 matrices = matrices_of(batch);

    int sums[row_count * column_count], row_sums[row_count], column_sums[column_count];
    [[unroll]] for (uint i = 0u; i < row_count * column_count; ++i) sums[i] = 0;
    [[unroll]] for (uint r = 0u; r < row_count; ++r) row_sums[r] = 0;
    [[unroll]] for (uint c = 0u; c < column_count; ++c) column_sums[c] = 0;
    for (uint k0 = 0u; k0 < inner; k0 += 4u * tile_words) {
      for (uint i = thread; i < tile_words * tile_rows; i += gl_WorkGroupSize.x) {
        uint row = i / tile_words, word = i % tile_words;
        left[row * row_pitch + word] = a_four(matrices.x, first_row + row, k0 + 4u * word, inner);
      }
      for (uint i = thread; i < tile_words * tile_columns / 4u; i += gl_WorkGroupSize.x) {
        uint column = i % (tile_columns / 4u) * 4u, word = i / (tile_columns / 4u);
        uvec4 fours = b_fours(matrices.y, k0 + 4u * word, inner, first_column + column);
        [[unroll]] for (uint j = 0u; j < 4u; ++j) right[word * tile_columns + column + j] = fours[j];
      }
      barrier();
      for (uint word = 0u; word < tile_words; ++word) {
        uint of_columns[column_count];
        [[unroll]] for (uint c = 0u; c < column_count; ++c) {
          of_columns[c] = right[word * tile_columns + own_column + 16u * c];
          column_sums[c] += sum_of_four(of_columns[c]);
        }
        [[unroll]] for (uint r = 0u; r < row_count; ++r) {
          uint of_row = left[(own_row + 8u * r) * row_pitch + word];
          row_sums[r] += sum_of_four(of_row);
          [[unroll]] for (uint c = 0u; c < column_count; ++c)
            sums[r * column_count + c] += dot_four(of_row, of_columns[c]);
        }
      }
      barrier();
    }

    [[unroll]] for (uint r = 0u; r < row_count; ++r) {
      uint row = first_row + own_row + 8u * r;
      [[unroll]] for (uint c = 0u; c < column_count; ++c) {
        uint column = first_column + own_column + 16u * c;
        if (row >= rows || column >= columns) continue;
        int a_less = a_zero_of(matrices.x, row), b_less = b_zero_of(matrices.y, column);
        y[uint(y_offset) + (batch * rows + row) * columns + column] =
            sums[r * column_count + c] - a_less * column_sums[c] - b_less * row_sums[r] + int(inner) * a_less * b_less;
      }
    }
  }
}
