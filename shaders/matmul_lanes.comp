#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
// matmul_lanes.comp: c = a b where threads are lanes of a CPU's vectors: shared memory is as slow as any other there, and
// what costs are loads, one by one for each lane, however wide. So sums stay in registers, and loads take 64 bits. The
// workgroup is one subgroup. A thread makes two times four columns of all rows of its tile; of a it reads four elements of
// one row in as many as there are threads, and all get them from it.
#include "matmul.glsl"

layout(constant_id = 0) const uint lane_count = 8;
layout(constant_id = 1) const uint most_rows = 1;              // of a tile
layout(constant_id = 2) const uint order = fours_along_outer;  // of b, its columns being outer
layout(constant_id = 3) const bool a_in_fours = true;          // along inner
layout(local_size_x_id = 0) in;

const uint column_blocks = 2;
const uint tile_columns = 4 * lane_count * column_blocks;
const uint row_groups = (most_rows + lane_count - 1) / lane_count;

// The same memory in 64 bits.
layout(set = 0, binding = 0, std430) readonly buffer A64 { uint64_t a64[]; };
layout(set = 0, binding = 1, std430) readonly buffer B64 { uint64_t b64[]; };

void main() {
  uint lane = gl_LocalInvocationIndex;
  uint row_count = rows, column_count = columns;
  int a_step = a_inner_stride, b_step = b_inner_stride;
  uint row_tiles = (row_count + most_rows - 1) / most_rows;
  uint column_tiles = (column_count + tile_columns - 1) / tile_columns;

  for (uint index = gl_WorkGroupID.x; index < item_count(row_tiles, column_tiles); index += gl_NumWorkGroups.x) {
    Item item = item_at(index, row_tiles, column_tiles);
    ivec2 bases = bases_of(item.batch);
    uint k = item.split * split_inner, inner_end = min(inner, k + split_inner);
    uint first_row = item.row_tile * most_rows, first_column = item.column_tile * tile_columns + 4 * lane;

    // What is behind the last row or column is read from within, and thrown away.
    int a_rows[row_groups];
    [[unroll]] for (uint group = 0; group < row_groups; ++group)
      a_rows[group] = bases.x + int(min(first_row + group * lane_count + lane, row_count - 1)) * a_row_stride;
    int b_columns[4 * column_blocks];
    [[unroll]] for (uint i = 0; i < 4 * column_blocks; ++i) {
      uint column = first_column + i / 4 * 4 * lane_count + i % 4;
      if (order == fours_along_outer) column = min(column, column_count - 4 + i % 4);
      b_columns[i] = bases.y + int(min(column, column_count - 1)) * b_column_stride;
    }

    vec4 sums[most_rows * column_blocks];
    [[unroll]] for (uint i = 0; i < most_rows * column_blocks; ++i) sums[i] = vec4(0.0);
    for (; k + 4 <= inner_end; k += 4) {
      mat4 right[column_blocks];  // [inner] of columns
      [[unroll]] for (uint block = 0; block < column_blocks; ++block) {
        [[unroll]] for (uint i = 0; i < 4; ++i) {
          int row = int(k + i) * b_step;
          if (order == fours_along_inner) {
            right[block][i] = FOUR_OF(b64, b_columns[4 * block + i] + int(k));
          } else if (order == fours_along_outer) {
            right[block][i] = FOUR_OF(b64, b_columns[4 * block] + row);
          } else {
            [[unroll]] for (uint j = 0; j < 4; ++j) right[block][i][j] = b_at(b_columns[4 * block + j] + row);
          }
        }
        if (order == fours_along_inner) right[block] = transpose(right[block]);
      }
      [[unroll]] for (uint group = 0; group < row_groups; ++group) {
        vec4 of_lane;
        if (a_in_fours) {
          of_lane = FOUR_OF(a64, a_rows[group] + int(k));
        } else {
          [[unroll]] for (uint i = 0; i < 4; ++i) of_lane[i] = a_at(a_rows[group] + int(k + i) * a_step);
        }
        [[unroll]] for (uint r = group * lane_count; r < min((group + 1) * lane_count, most_rows); ++r) {
          vec4 left = subgroupBroadcast(of_lane, r % lane_count);
          [[unroll]] for (uint block = 0; block < column_blocks; ++block)
            [[unroll]] for (uint i = 0; i < 4; ++i) sums[r * column_blocks + block] += left[i] * right[block][i];
        }
      }
    }
    for (; k < inner_end; ++k) {
      vec4 right[column_blocks];
      [[unroll]] for (uint i = 0; i < 4 * column_blocks; ++i)
        right[i / 4][i % 4] = b_at(b_columns[i] + int(k) * b_step);
      [[unroll]] for (uint group = 0; group < row_groups; ++group) {
        float of_lane = a_at(a_rows[group] + int(k) * a_step);
        [[unroll]] for (uint r = group * lane_count; r < min((group + 1) * lane_count, most_rows); ++r) {
          float left = subgroupBroadcast(of_lane, r % lane_count);
          [[unroll]] for (uint block = 0; block < column_blocks; ++block)
            sums[r * column_blocks + block] += left * right[block];
        }
      }
    }

    // One row after the other, since what puts them is long.
    for (uint turn = 0; turn < min(most_rows, row_count - first_row); ++turn) {
      vec4 row_sums[column_blocks];
      [[unroll]] for (uint r = 0; r < most_rows; ++r)
        if (r == turn)
          [[unroll]] for (uint block = 0; block < column_blocks; ++block)
            row_sums[block] = sums[r * column_blocks + block];
      [[unroll]] for (uint i = 0; i < 4 * column_blocks; ++i) {
        uint column = first_column + i / 4 * 4 * lane_count + i % 4;
        if (column < column_count) put(item, first_row + turn, column, row_sums[i / 4][i % 4]);
      }
    }
  }
}
