#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// matmul.comp: c = a b in tiles, bound by arithmetic. A workgroup makes one tile of c from tiles of a and b in shared
// memory; a thread makes blocks of 4 x 4 elements, that lie as far apart as the threads' blocks side by side.
#include "matmul.glsl"

layout(constant_id = 0) const uint thread_count = 64;
layout(constant_id = 1) const uint column_threads = 8;  // the other threads lie along rows
layout(constant_id = 2) const uint row_blocks = 1;      // of a thread
layout(constant_id = 3) const uint column_blocks = 1;
layout(local_size_x_id = 0) in;

const uint row_threads = thread_count / column_threads;
const uint tile_rows = 4 * row_threads * row_blocks;
const uint tile_columns = 4 * column_threads * column_blocks;
const uint tile_inner = 16;

// [inner][row / 4], then [inner][column / 4], each line one four longer than need be: neighbours along inner are written
// to other banks.
const uint row_pitch = tile_rows / 4 + 1;
const uint column_pitch = tile_columns / 4 + 1;
const uint columns_begin = tile_inner * row_pitch;
shared vec4 tiles[tile_inner * (row_pitch + column_pitch)];

struct Side {
  uint order;
  int inner_stride, outer_stride;
  uint outer_count;           // rows of a, columns of b
  uint tile_outer, begin, pitch;  // of its tile
};
const bool is_a = true, is_b = false;
float element_of(bool side, int index) { return side == is_a ? a_at(index) : b_at(index); }
vec4 four_of(bool side, int begin, int k) { return side == is_a ? a_four_at(begin, k) : b_four_at(begin, k); }

void write(Side side, uint outer, uint k, float value) {
  tiles[side.begin + k * side.pitch + outer / 4][outer % 4] = value;
}

// Fills the tile that begins at this row or column, and at this element of the inner axis; zeros behind inner_end. What
// is behind the last row or column is read from within, and thrown away.
void fill(bool which, Side side, int base, uint first_outer, uint first_inner, uint inner_end) {
  uint thread = gl_LocalInvocationIndex;
  if (side.order == fours_along_inner) {
    for (uint i = thread; i < side.tile_outer * (tile_inner / 4); i += thread_count) {
      uint k = i % (tile_inner / 4) * 4, outer = i / (tile_inner / 4);
      int at = base + int(min(first_outer + outer, side.outer_count - 1)) * side.outer_stride;
      vec4 four = vec4(0.0);
      if (first_inner + k < inner_end) four = four_of(which, at, int(first_inner + k));
      [[unroll]] for (uint j = 0; j < 4; ++j) write(side, outer, k + j, four[j]);
    }
  } else if (side.order == fours_along_outer) {
    for (uint i = thread; i < side.tile_outer / 4 * tile_inner; i += thread_count) {
      uint four = i % (side.tile_outer / 4), k = i / (side.tile_outer / 4);
      int at = base + int(min(first_outer + 4 * four, side.outer_count - 4));
      tiles[side.begin + k * side.pitch + four] =
          first_inner + k < inner_end ? four_of(which, at, int(first_inner + k) * side.inner_stride) : vec4(0.0);
    }
  } else {
    for (uint i = thread; i < side.tile_outer * tile_inner; i += thread_count) {
      uint k = side.order == along_inner ? i % tile_inner : i / side.tile_outer;
      uint outer = side.order == along_inner ? i / tile_inner : i % side.tile_outer;
      int at = base + int(min(first_outer + outer, side.outer_count - 1)) * side.outer_stride;
      write(side, outer, k,
            first_inner + k < inner_end ? element_of(which, at + int(first_inner + k) * side.inner_stride) : 0.0);
    }
  }
}

void main() {
  uint row_tiles = (rows + tile_rows - 1) / tile_rows;
  uint column_tiles = (columns + tile_columns - 1) / tile_columns;
  uint row_thread = gl_LocalInvocationIndex / column_threads;
  uint column_thread = gl_LocalInvocationIndex % column_threads;
  Side left_side = Side(a_order, a_inner_stride, a_row_stride, rows, tile_rows, 0, row_pitch);
  Side right_side = Side(b_order, b_inner_stride, b_column_stride, columns, tile_columns, columns_begin, column_pitch);

  for (uint index = gl_WorkGroupID.x; index < item_count(row_tiles, column_tiles); index += gl_NumWorkGroups.x) {
    Item item = item_at(index, row_tiles, column_tiles);
    ivec2 bases = bases_of(item.batch);
    uint first_row = item.row_tile * tile_rows, first_column = item.column_tile * tile_columns;
    uint inner_end = min(inner, (item.split + 1) * split_inner);

    vec4 sums[row_blocks * 4 * column_blocks];
    [[unroll]] for (uint i = 0; i < row_blocks * 4 * column_blocks; ++i) sums[i] = vec4(0.0);
    for (uint k0 = item.split * split_inner; k0 < inner_end; k0 += tile_inner) {
      fill(is_a, left_side, bases.x, first_row, k0, inner_end);
      fill(is_b, right_side, bases.y, first_column, k0, inner_end);
      barrier();
      for (uint k = 0; k < tile_inner; ++k) {
        vec4 right[column_blocks];
        [[unroll]] for (uint j = 0; j < column_blocks; ++j)
          right[j] = tiles[columns_begin + k * column_pitch + j * column_threads + column_thread];
        [[unroll]] for (uint i = 0; i < row_blocks; ++i) {
          vec4 left = tiles[k * row_pitch + i * row_threads + row_thread];
          [[unroll]] for (uint r = 0; r < 4; ++r)
            [[unroll]] for (uint j = 0; j < column_blocks; ++j)
              sums[(4 * i + r) * column_blocks + j] += left[r] * right[j];
        }
      }
      barrier();
    }

    // One row of each thread's blocks after the other, by way of shared memory: neighbours are written side by side.
    for (uint turn = 0; turn < row_blocks * 4; ++turn) {
      [[unroll]] for (uint i = 0; i < row_blocks * 4; ++i)
        if (i == turn)
          [[unroll]] for (uint j = 0; j < column_blocks; ++j)
            tiles[row_thread * (tile_columns / 4) + j * column_threads + column_thread] = sums[i * column_blocks + j];
      barrier();
      for (uint i = gl_LocalInvocationIndex; i < row_threads * tile_columns; i += thread_count) {
        uint row = first_row + 4 * (turn / 4 * row_threads + i / tile_columns) + turn % 4;
        uint column = first_column + i % tile_columns;
        if (row < rows && column < columns) put(item, row, column, tiles[i / 4][i % 4]);
      }
      barrier();
    }
  }
}
