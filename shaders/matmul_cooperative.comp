#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_NV_cooperative_matrix : require
// matmul_cooperative.comp: c = a b of f16 in tiles, for devices whose subgroups multiply small matrices as a whole. A
// workgroup of 2 x 2 subgroups makes one tile of c from tiles of a and b in shared memory. What comes next is on its way
// into registers meanwhile.
#define F16
#include "matmul.glsl"

layout(constant_id = 0) const uint thread_count = 128;
// The sizes of a product, [m, k] by [k, n]. Each axis of each matrix has a constant of its own, which keeps their types
// apart for to_khr_cooperative_matrix.cpp.
layout(constant_id = 1) const uint a_m = 16;
layout(constant_id = 2) const uint a_k = 16;
layout(constant_id = 3) const uint b_k = 16;
layout(constant_id = 4) const uint b_n = 16;
layout(constant_id = 5) const uint c_m = 16;
layout(constant_id = 6) const uint c_n = 16;
layout(constant_id = 7) const uint blocks = 1;  // of c_m x c_n sums, along each axis of a subgroup's part of the tile
layout(local_size_x_id = 0) in;

#define A_MATRIX fcoopmatNV<16, gl_ScopeSubgroup, a_m, a_k>
#define B_MATRIX fcoopmatNV<16, gl_ScopeSubgroup, b_k, b_n>
#define C_MATRIX fcoopmatNV<32, gl_ScopeSubgroup, c_m, c_n>

const uint subgroup_rows = 2, subgroup_columns = 2;
const uint tile_rows = subgroup_rows * blocks * c_m;
const uint tile_columns = subgroup_columns * blocks * c_n;
const uint tile_inner = 32;

// The memory of a and b in eights.
layout(set = 0, binding = 0, std430) readonly buffer A8 { uvec4 a8[]; };
layout(set = 0, binding = 1, std430) readonly buffer B8 { uvec4 b8[]; };

// A tile in eights, in lines along the axis that its matrix is best read along: [outer][inner / 8] or [inner][outer / 8].
// Each line is one eight longer than need be: neighbouring lines begin at other banks.
const uint line_pad = 1;
const uint a_eights = tile_rows * tile_inner / 8, b_eights = tile_columns * tile_inner / 8;
shared uvec4 a_tile[a_eights + (tile_rows + tile_inner) * line_pad];
shared uvec4 b_tile[b_eights + (tile_columns + tile_inner) * line_pad];
shared float c_blocks[subgroup_rows * subgroup_columns * c_m * c_n];  // one of each subgroup

const uint a_eights_per_thread = (a_eights + thread_count - 1) / thread_count;
const uint b_eights_per_thread = (b_eights + thread_count - 1) / thread_count;

struct Side {
  bool along_inner, in_eights;
  int inner_stride, outer_stride;
  uint outer_count;  // rows of a, columns of b
  uint line_bits;    // a line of its tile has 2^line_bits eights
};
const bool is_a = true, is_b = false;

Side side_of(bool which) {
  Side side;
  uint order = which == is_a ? a_order : b_order;
  side.along_inner = is_along_inner(order);
  side.inner_stride = which == is_a ? a_inner_stride : b_inner_stride;
  side.outer_stride = which == is_a ? a_row_stride : b_column_stride;
  side.outer_count = which == is_a ? rows : columns;
  side.line_bits = findMSB((side.along_inner ? tile_inner : which == is_a ? tile_rows : tile_columns) / 8);
  // Eights that lie side by side and begin at a multiple of eight are read at once.
  int others = which == is_a ? a_offset : b_offset;
  others |= side.along_inner ? side.outer_stride : side.inner_stride;
  others |= int(side.along_inner ? inner : side.outer_count);
  for (uint axis = 0; axis < batch_rank; ++axis)
    others |= which == is_a ? a_batch_strides[axis] : b_batch_strides[axis];
  side.in_eights = is_in_fours(order) && (others & 7) == 0;
  return side;
}

// Where the eight at this place of a tile begins: along the outer axis, and along the inner one.
uvec2 begin_of(Side side, uint place) {
  uint line = place >> side.line_bits, first = (place & (1u << side.line_bits) - 1) * 8;
  return side.along_inner ? uvec2(line, first) : uvec2(first, line);
}
uint place_in_lines(Side side, uint place) { return place + (place >> side.line_bits) * line_pad; }

// Whether this thread has an ith of so many eights. Known without the thread where all have.
bool has_eight(uint i, uint eights) {
  return (i + 1) * thread_count <= eights || i * thread_count + gl_LocalInvocationIndex < eights;
}

// Which eight of the memory it is that begins there. What is behind the last row or column is read from within, and thrown
// away.
int eight_index(Side side, int base, uvec2 begin) {
  uint outer = min(begin.x, side.outer_count - (side.along_inner ? 1 : 8));
  return (base + int(outer) * side.outer_stride + int(begin.y) * side.inner_stride) >> 3;
}

// The same, element by element; zeros behind inner_end.
uvec4 gathered_eight(bool which, Side side, int base, uvec2 begin, uint inner_end) {
  uvec4 eight = uvec4(0);
  for (uint i = 0; i < 8; ++i) {
    uint outer = min(begin.x, side.outer_count - 1);
    int at = base + int(outer) * side.outer_stride + int(begin.y) * side.inner_stride;
    if (begin.y < inner_end) eight[i / 2] |= uint(which == is_a ? a[at] : b[at]) << 16 * (i % 2);
    begin += side.along_inner ? uvec2(0, 1) : uvec2(1, 0);
  }
  return eight;
}

// A thread's part of the tile that begins at `next` along the inner axis: fetched from memory, and kept in the tile.
#define FETCH(which, side, base, first_outer, memory, eights, eights_per_thread, fetched)                         \
  if (side.in_eights && next + tile_inner <= inner_end) {                                                          \
    [[unroll]] for (uint i = 0; i < eights_per_thread; ++i) {                                                      \
      uvec2 begin = uvec2(first_outer, next) + begin_of(side, i * thread_count + thread);                          \
      if (has_eight(i, eights)) fetched[i] = memory[eight_index(side, base, begin)];                               \
    }                                                                                                              \
  } else {                                                                                                         \
    [[unroll]] for (uint i = 0; i < eights_per_thread; ++i) {                                                      \
      uvec2 begin = uvec2(first_outer, next) + begin_of(side, i * thread_count + thread);                          \
      fetched[i] = gathered_eight(which, side, base, begin, inner_end);                                            \
    }                                                                                                              \
  }
#define KEEP(side, eights, eights_per_thread, fetched, tile)                                    \
  [[unroll]] for (uint i = 0; i < eights_per_thread; ++i)                                       \
    if (has_eight(i, eights)) tile[place_in_lines(side, i * thread_count + thread)] = fetched[i];

void main() {
  uint row_tiles = (rows + tile_rows - 1) / tile_rows;
  uint column_tiles = (columns + tile_columns - 1) / tile_columns;
  uint thread = gl_LocalInvocationIndex;
  uint own_row = gl_SubgroupID / subgroup_columns * blocks * c_m;  // in the tile
  uint own_column = gl_SubgroupID % subgroup_columns * blocks * c_n;
  uint own_block = gl_SubgroupID * c_m * c_n;
  Side left = side_of(is_a), right = side_of(is_b);
  uint a_pitch = (1u << left.line_bits) + line_pad, b_pitch = (1u << right.line_bits) + line_pad;

  for (uint index = gl_WorkGroupID.x; index < item_count(row_tiles, column_tiles); index += gl_NumWorkGroups.x) {
    Item item = item_at(index, row_tiles, column_tiles);
    ivec2 bases = bases_of(item.batch);
    uint first_row = item.row_tile * tile_rows, first_column = item.column_tile * tile_columns;
    uint first_inner = item.split * split_inner, inner_end = min(inner, first_inner + split_inner);

    uvec4 next_a[a_eights_per_thread], next_b[b_eights_per_thread];
    C_MATRIX sums[blocks * blocks];
    [[unroll]] for (uint i = 0; i < blocks * blocks; ++i) sums[i] = C_MATRIX(0.0);
    for (uint next = first_inner;; next += tile_inner) {
      if (next < inner_end) {
        FETCH(is_a, left, bases.x, first_row, a8, a_eights, a_eights_per_thread, next_a)
        FETCH(is_b, right, bases.y, first_column, b8, b_eights, b_eights_per_thread, next_b)
      }
      if (next > first_inner) {
        [[unroll]] for (uint k = 0; k < tile_inner; k += a_k) {
          A_MATRIX factors[blocks];
          [[unroll]] for (uint i = 0; i < blocks; ++i) {
            uint row = own_row + i * c_m;
            if (left.along_inner)
              coopMatLoadNV(factors[i], a_tile, row * a_pitch + k / 8, a_pitch, false);
            else
              coopMatLoadNV(factors[i], a_tile, k * a_pitch + row / 8, a_pitch, true);
          }
          [[unroll]] for (uint j = 0; j < blocks; ++j) {
            B_MATRIX factor;
            uint column = own_column + j * c_n;
            if (right.along_inner)
              coopMatLoadNV(factor, b_tile, column * b_pitch + k / 8, b_pitch, true);
            else
              coopMatLoadNV(factor, b_tile, k * b_pitch + column / 8, b_pitch, false);
            [[unroll]] for (uint i = 0; i < blocks; ++i)
              sums[i * blocks + j] = coopMatMulAddNV(factors[i], factor, sums[i * blocks + j]);
          }
        }
      }
      if (next >= inner_end) break;
      barrier();  // the tiles have been read
      KEEP(left, a_eights, a_eights_per_thread, next_a, a_tile)
      KEEP(right, b_eights, b_eights_per_thread, next_b, b_tile)
      barrier();
    }

    // One block after the other, by way of shared memory: neighbours are written side by side.
    for (uint turn = 0; turn < blocks * blocks; ++turn) {
      subgroupBarrier();  // the block before has been read
      [[unroll]] for (uint i = 0; i < blocks * blocks; ++i)
        if (i == turn) coopMatStoreNV(sums[i], c_blocks, own_block, c_n, false);
      subgroupBarrier();
      for (uint i = gl_SubgroupInvocationID; i < c_m * c_n; i += gl_SubgroupSize) {
        uint row = first_row + own_row + turn / blocks * c_m + i / c_n;
        uint column = first_column + own_column + turn % blocks * c_n + i % c_n;
        if (row < rows && column < columns) put(item, row, column, c_blocks[own_block + i]);
      }
    }
  }
}
