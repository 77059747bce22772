#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// matmul_rows.comp: c = a b where a has at most 8 rows, as at each decoded token: bound by reading b once, side by side.
// A workgroup makes four columns of all rows for each of its column lanes; its inner lanes take four elements of the
// inner axis each in turns, and their sums meet in shared memory.
#include "matmul.glsl"

layout(constant_id = 0) const uint thread_count = 128;
layout(constant_id = 1) const uint column_lanes = 16;
layout(constant_id = 2) const uint most_rows = 1;
layout(constant_id = 3) const uint order = fours_along_outer;  // of b, its columns being outer
layout(local_size_x_id = 0) in;

const uint inner_lanes = thread_count / column_lanes;
const uint workgroup_columns = 4 * column_lanes;

shared vec4 lane_sums[most_rows * thread_count];

// The lanes that read side by side are neighbours. The four elements of a lane lie side by side where it reads them at
// once; else the lanes' first ones do, then their second ones.
uint column_lane_of(uint thread) { return is_along_inner(order) ? thread / inner_lanes : thread % column_lanes; }
uint inner_lane_of(uint thread) { return is_along_inner(order) ? thread % inner_lanes : thread / column_lanes; }
uint thread_at(uint column_lane, uint inner_lane) {
  return is_along_inner(order) ? column_lane * inner_lanes + inner_lane : inner_lane * column_lanes + column_lane;
}
const uint column_step = order == along_outer ? column_lanes : 1;
const uint inner_step = order == along_inner ? inner_lanes : 1;

void main() {
  uint column_tiles = (columns + workgroup_columns - 1) / workgroup_columns;
  uint thread = gl_LocalInvocationIndex;
  uint own_column = column_lane_of(thread) * (column_step == 1 ? 4 : 1);  // the first of four, in the workgroup
  uint own_inner = inner_lane_of(thread) * (inner_step == 1 ? 4 : 1);

  for (uint index = gl_WorkGroupID.x; index < item_count(1, column_tiles); index += gl_NumWorkGroups.x) {
    Item item = item_at(index, 1, column_tiles);
    ivec2 bases = bases_of(item.batch);
    uint inner_end = min(inner, (item.split + 1) * split_inner);
    // What is behind the last column is read from within, and thrown away.
    int b_columns[4];
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      uint column = item.column_tile * workgroup_columns + own_column + i * column_step;
      b_columns[i] = bases.y + int(min(column, columns - 1)) * b_column_stride;
    }
    if (order == fours_along_outer) b_columns[0] = min(b_columns[0], bases.y + int(columns) - 4);

    vec4 sums[most_rows];  // of four columns
    [[unroll]] for (uint r = 0; r < most_rows; ++r) sums[r] = vec4(0.0);
    for (uint first = item.split * split_inner + own_inner; first < inner_end; first += 4 * inner_lanes) {
      mat4 right = mat4(0.0);  // [inner] of columns
      int inners[4];
      bool is_inside[4];
      [[unroll]] for (uint i = 0; i < 4; ++i) {
        uint k = first + i * inner_step;
        is_inside[i] = k < inner_end;
        inners[i] = int(is_inside[i] ? k : first);
      }
      if (order == fours_along_inner) {
        [[unroll]] for (uint i = 0; i < 4; ++i) right[i] = b_four_at(b_columns[i], int(first));
        right = transpose(right);
      } else {
        [[unroll]] for (uint i = 0; i < 4; ++i) {
          int row = inners[i] * b_inner_stride;
          if (order == fours_along_outer)
            right[i] = b_four_at(b_columns[0], row);
          else
            right[i] = vec4(b_at(b_columns[0] + row), b_at(b_columns[1] + row), b_at(b_columns[2] + row),
                            b_at(b_columns[3] + row));
          if (!is_inside[i]) right[i] = vec4(0.0);
        }
      }
      [[unroll]] for (uint r = 0; r < most_rows; ++r) {
        int row = bases.x + int(min(r, rows - 1)) * a_row_stride;
        [[unroll]] for (uint i = 0; i < 4; ++i) {
          float left = a_at(row + inners[i] * a_inner_stride);
          sums[r] += (is_inside[i] ? left : 0.0) * right[i];
        }
      }
    }

    [[unroll]] for (uint r = 0; r < most_rows; ++r) lane_sums[r * thread_count + thread] = sums[r];
    barrier();
    for (uint i = thread; i < min(rows, most_rows) * workgroup_columns; i += thread_count) {
      uint r = i / workgroup_columns, own = i % workgroup_columns;
      uint lane = column_step == 1 ? own / 4 : own % column_lanes;
      uint part = column_step == 1 ? own % 4 : own / column_lanes;
      float sum = 0.0;
      for (uint k = 0; k < inner_lanes; ++k) sum += lane_sums[r * thread_count + thread_at(lane, k)][part];
      uint column = item.column_tile * workgroup_columns + own;
      if (column < columns) put(item, r, column, sum);
    }
    barrier();
  }
}
