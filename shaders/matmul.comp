#version 450
#extension GL_GOOGLE_include_directive : require
// matmul.comp: c = a b in tiles: a workgroup makes one tile of c from tiles of a and b in shared memory.
#include "matmul.glsl"

const uint rows_per_thread = 4;
const uint columns_per_thread = 4;
const uint threads_per_side = 8;
const uint tile_rows = threads_per_side * rows_per_thread;
const uint tile_columns = threads_per_side * columns_per_thread;
const uint tile_inner = 16;
const uint thread_count = threads_per_side * threads_per_side;

layout(local_size_x = 8, local_size_y = 8) in;

shared float a_tile[tile_inner * tile_rows];
shared float b_tile[tile_inner * tile_columns];

void main() {
  uint first_row = gl_WorkGroupID.y * tile_rows;
  uint first_column = gl_WorkGroupID.x * tile_columns;
  uint thread = gl_LocalInvocationIndex;
  uint row = gl_LocalInvocationID.y * rows_per_thread;        // in the tile
  uint column = gl_LocalInvocationID.x * columns_per_thread;  // in the tile

  // Workgroups along z take batches in turns: there may be more batches than workgroups.
  for (uint batch = gl_WorkGroupID.z; batch < batch_count; batch += gl_NumWorkGroups.z) {
    ivec2 bases = bases_of(batch);

    float sums[rows_per_thread][columns_per_thread];
    for (uint r = 0; r < rows_per_thread; ++r)
      for (uint s = 0; s < columns_per_thread; ++s) sums[r][s] = 0.0;

    for (uint first_inner = 0; first_inner < inner; first_inner += tile_inner) {
      for (uint i = thread; i < tile_rows * tile_inner; i += thread_count) {
        uint k = i % tile_inner;
        uint r = i / tile_inner;
        bool inside = first_row + r < rows && first_inner + k < inner;
        a_tile[k * tile_rows + r] =
            inside ? LOAD(a[bases.x + int(first_row + r) * a_row_stride + int(first_inner + k) * a_inner_stride]) : 0.0;
      }
      for (uint i = thread; i < tile_columns * tile_inner; i += thread_count) {
        uint s = i % tile_columns;
        uint k = i / tile_columns;
        bool inside = first_column + s < columns && first_inner + k < inner;
        b_tile[k * tile_columns + s] =
            inside ? LOAD(b[bases.y + int(first_inner + k) * b_inner_stride + int(first_column + s) * b_column_stride]) : 0.0;
      }
      barrier();
      uint depth = min(tile_inner, inner - first_inner);
      for (uint k = 0; k < depth; ++k)
        for (uint r = 0; r < rows_per_thread; ++r) {
          float left = a_tile[k * tile_rows + row + r];
          for (uint s = 0; s < columns_per_thread; ++s)
            sums[r][s] += left * b_tile[k * tile_columns + column + s];
        }
      barrier();
    }

    for (uint r = 0; r < rows_per_thread; ++r)
      for (uint s = 0; s < columns_per_thread; ++s) {
        uint m = first_row + row + r;
        uint n = first_column + column + s;
        if (m < rows && n < columns) c[c_offset + int((batch * rows + m) * columns + n)] = STORE(sums[r][s]);
      }
  }
}
