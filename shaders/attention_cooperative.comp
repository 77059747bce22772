#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_EXT_spirv_intrinsics : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_NV_cooperative_matrix : require
// attention_cooperative.comp: what attention_tile.comp is, of f16, for devices whose subgroups multiply small matrices as a
// whole. Each of four subgroups has rows of its own, whose scores and weights no other sees; tiles of keys and values are
// the workgroup's. Weights are rounded to f16, their sums are not.
#define F16
#include "attention_attend.glsl"

layout(constant_id = 0) const uint thread_count = 128;
// The sizes of a product, [m, k] by [k, n]. Each axis of each matrix has a constant of its own, which keeps their types
// apart for to_khr_cooperative_matrix.cpp.
layout(constant_id = 1) const uint a_m = 16;
layout(constant_id = 2) const uint a_k = 16;
layout(constant_id = 3) const uint b_k = 16;
layout(constant_id = 4) const uint b_n = 16;
layout(constant_id = 5) const uint c_m = 16;
layout(constant_id = 6) const uint c_n = 16;
layout(constant_id = 7) const uint key_steps = 4;     // of a_k channels of a key,
layout(constant_id = 8) const uint value_blocks = 4;  // and of b_n channels of a value
layout(local_size_x_id = 0) in;

#define A_MATRIX fcoopmatNV<16, gl_ScopeSubgroup, a_m, a_k>
#define B_MATRIX fcoopmatNV<16, gl_ScopeSubgroup, b_k, b_n>
#define C_MATRIX fcoopmatNV<32, gl_ScopeSubgroup, c_m, c_n>

// Element by element: OpFMul, which GL_NV_cooperative_matrix has no operator for.
spirv_instruction(id = 133) C_MATRIX multiplied(C_MATRIX a, C_MATRIX b);

const uint tile_rows = 4 * c_m;
const uint tile_keys = 32;
const uint lanes_per_row = thread_count / tile_rows;
const uint keys_per_lane = tile_keys / lanes_per_row;
const uint key_eights = key_steps * a_k / 8;  // of channels
const uint value_eights = value_blocks * b_n / 8;
// Lines are one vector longer than need be: neighbouring lines begin at other banks.
const uint query_pitch = key_eights + 1;
const uint tile_pitch = (key_eights > value_eights ? key_eights : value_eights) + 1;
const uint score_pitch = tile_keys + 4;
const uint weight_pitch = tile_keys / 8 + 1;

shared uvec4 query_tile[tile_rows * query_pitch];
shared uvec4 tile[tile_keys * tile_pitch];  // keys, or values
shared float scores[tile_rows * score_pitch];
shared uvec4 weights[tile_rows * weight_pitch];
shared float lane_numbers[thread_count];  // what the lanes of a row tell each other
shared ivec2 row_seen[tile_rows];
shared int row_mask[tile_rows];
shared float row_factor[tile_rows];

// The same memory in eights.
layout(set = 0, binding = 0, std430) readonly buffer Queries8 { uvec4 queries8[]; };
layout(set = 0, binding = 1, std430) readonly buffer Keys8 { uvec4 keys8[]; };
layout(set = 0, binding = 2, std430) readonly buffer PastKeys8 { uvec4 past_keys8[]; };
layout(set = 0, binding = 9, std430) readonly buffer Values8 { uvec4 values8[]; };
layout(set = 0, binding = 10, std430) readonly buffer PastValues8 { uvec4 past_values8[]; };

// Where numbers lie.
const uint in_queries = 0, in_keys = 1, in_past_keys = 2, in_values = 3, in_past_values = 4;

uvec4 stored_eight(uint where, int index) {
  switch (where) {
    case in_queries: return queries8[index];
    case in_keys: return keys8[index];
    case in_past_keys: return past_keys8[index];
    case in_values: return values8[index];
  }
  return past_values8[index];
}

uint stored_number(uint where, int index) {
  switch (where) {
    case in_queries: return queries[index];
    case in_keys: return keys[index];
    case in_past_keys: return past_keys[index];
    case in_values: return values[index];
  }
  return past_values[index];
}

// Eight channels from `channel` on of a row that begins at `from`; zeros behind the last.
uvec4 eight_of(uint where, int from, int stride, uint channel, uint count) {
  if (stride == 1 && (from & 7) == 0 && channel + 8 <= count) return stored_eight(where, (from + int(channel)) >> 3);
  uvec4 eight = uvec4(0);
  [[dont_unroll]] for (uint j = 0; j < 8 && channel + j < count; ++j)
    eight[j / 2] |= stored_number(where, from + int(channel + j) * stride) << 16 * (j % 2);
  return eight;
}

#define BEGIN_OF(row_layout, of_head, place) \
  row_layout.offset + int(block.batch) * row_layout.batch + int(of_head) * row_layout.head + int(place) * row_layout.sequence

// Brings rows of keys or values into the tile, zeros behind the last of `count`.
void fill_tile(uint where, int from, int row_stride, int stride, uint count, uint eights, uint channels) {
  for (uint i = gl_LocalInvocationIndex; i < tile_keys * eights; i += thread_count) {
    uint key = i / eights, eight = i % eights;
    tile[key * tile_pitch + eight] =
        key < count ? eight_of(where, from + int(key) * row_stride, stride, eight * 8, channels) : uvec4(0);
  }
}
#define FILL_TILE(where, row_layout, place, eights, channels)                                              \
  fill_tile(where, BEGIN_OF(row_layout, block.key_head, place), row_layout.sequence, row_layout.channel,   \
            uint(end_key - first_key), eights, channels)

void fill_with_queries(Block block) {
  for (uint i = gl_LocalInvocationIndex; i < tile_rows * key_eights; i += thread_count) {
    uint row = min(i / key_eights, block.row_count - 1);
    int from = BEGIN_OF(query_layout, head_of(block, row), query_of(block, row));
    query_tile[i / key_eights * query_pitch + i % key_eights] =
        eight_of(in_queries, from, query_layout.channel, i % key_eights * 8, channel_count);
  }
  for (uint i = gl_LocalInvocationIndex; i < tile_rows; i += thread_count) {
    uint row = min(i, block.row_count - 1);
    row_seen[i] = seen_keys(block.batch, query_of(block, row));
    row_mask[i] = BEGIN_OF(mask_layout, head_of(block, row), query_of(block, row));
  }
}

void main() {
  append();
  uint lane = gl_SubgroupInvocationID;
  uint own_row = gl_SubgroupID * c_m;  // the subgroup's first, in the tile
  uint row = own_row + lane / lanes_per_row;  // whose keys from first_lane_key on are this lane's
  uint first_lane_key = lane % lanes_per_row * keys_per_lane;
  uint place = gl_SubgroupID * gl_SubgroupSize + lane;
  uint first_place_of_row = place - lane % lanes_per_row;

  for (uint index = gl_WorkGroupID.x; index < block_count(tile_rows); index += gl_NumWorkGroups.x) {
    Block block = block_at(index, tile_rows, int(tile_keys));
    barrier();  // the block before this one is written
    fill_with_queries(block);
    C_MATRIX sums[value_blocks];
    [[unroll]] for (uint i = 0; i < value_blocks; ++i) sums[i] = C_MATRIX(0.0);
    float greatest = hidden_score, total = 0.0;  // total: of this lane's keys

    int end_key;
    for (int first_key = block.key_range.x; first_key < block.key_range.y; first_key = end_key) {
      bool is_past = first_key < past_count;  // all keys of the tile are, or none
      end_key = min(first_key + int(tile_keys), is_past ? min(block.key_range.y, past_count) : block.key_range.y);
      barrier();  // the tile has been read
      if (is_past)
        FILL_TILE(in_past_keys, past_key_layout, first_key, key_eights, channel_count);
      else
        FILL_TILE(in_keys, key_layout, first_key - past_count, key_eights, channel_count);
      barrier();
      for (uint column = 0; column < tile_keys; column += c_n) {
        C_MATRIX products = C_MATRIX(0.0);
        [[unroll]] for (uint step = 0; step < key_steps; ++step) {
          A_MATRIX some_queries;
          B_MATRIX some_keys;
          coopMatLoadNV(some_queries, query_tile, own_row * query_pitch + step * a_k / 8, query_pitch, false);
          coopMatLoadNV(some_keys, tile, column * tile_pitch + step * b_k / 8, tile_pitch, true);
          products = coopMatMulAddNV(some_queries, some_keys, products);
        }
        coopMatStoreNV(products, scores, own_row * score_pitch + column, score_pitch, false);
      }
      subgroupBarrier();

      float most = hidden_score;
      [[dont_unroll]] for (uint k = first_lane_key; k < first_lane_key + keys_per_lane; ++k) {
        int key = first_key + int(k);
        float score = hidden_score;
        if (key >= row_seen[row].x && key < min(row_seen[row].y, end_key))
          score = masked(capped(scores[row * score_pitch + k] * scale), row_mask[row], key);
        scores[row * score_pitch + k] = score;
        most = greater_of(most, score);
      }
      lane_numbers[place] = most;
      subgroupBarrier();
      float before = greatest;
      for (uint i = 0; i < lanes_per_row; ++i) greatest = greater_of(greatest, lane_numbers[first_place_of_row + i]);
      float rescale = exponential(before, greatest);
      total *= rescale;
      [[dont_unroll]] for (uint k = first_lane_key; k < first_lane_key + keys_per_lane; k += 8) {
        uvec4 eight;
        for (uint j = 0; j < 4; ++j) {
          vec2 two = vec2(exponential(scores[row * score_pitch + k + 2 * j], greatest),
                          exponential(scores[row * score_pitch + k + 2 * j + 1], greatest));
          total += two.x + two.y;
          eight[j] = packHalf2x16(two);
        }
        weights[row * weight_pitch + k / 8] = eight;
      }
      subgroupBarrier();  // scores and lane_numbers have been read
      for (uint i = lane % lanes_per_row; i < c_n; i += lanes_per_row) scores[row * score_pitch + i] = rescale;

      barrier();  // the tile has been read
      if (is_past)
        FILL_TILE(in_past_values, past_value_layout, first_key, value_eights, value_channel_count);
      else
        FILL_TILE(in_values, value_layout, first_key - past_count, value_eights, value_channel_count);
      barrier();
      C_MATRIX rescales;
      coopMatLoadNV(rescales, scores, own_row * score_pitch, score_pitch, false);
      [[unroll]] for (uint i = 0; i < value_blocks; ++i) sums[i] = multiplied(sums[i], rescales);
      [[unroll]] for (uint k = 0; k < tile_keys; k += a_k) {
        A_MATRIX some_weights;
        coopMatLoadNV(some_weights, weights, own_row * weight_pitch + k / 8, weight_pitch, false);
        [[unroll]] for (uint i = 0; i < value_blocks; ++i) {
          B_MATRIX some_values;
          coopMatLoadNV(some_values, tile, k * tile_pitch + i * b_n / 8, tile_pitch, false);
          sums[i] = coopMatMulAddNV(some_weights, some_values, sums[i]);
        }
      }
    }

    lane_numbers[place] = total;
    subgroupBarrier();
    if (lane % lanes_per_row == 0 && row < block.row_count) {
      float row_total = 0.0;
      for (uint i = 0; i < lanes_per_row; ++i) row_total += lane_numbers[place + i];
      row_factor[row] = finish_row(block, row, greatest, row_total);
    }
    for (uint turn = 0; turn < value_blocks; ++turn) {
      subgroupBarrier();  // what is stored has been read
      [[unroll]] for (uint i = 0; i < value_blocks; ++i)
        if (i == turn) coopMatStoreNV(sums[i], scores, own_row * score_pitch, score_pitch, false);
      subgroupBarrier();
      for (uint i = lane; i < c_m * c_n; i += gl_SubgroupSize) {
        uint of_row = own_row + i / c_n, column = i % c_n;
        if (of_row < block.row_count)
          write_channel(block, of_row, turn * c_n + column, scores[of_row * score_pitch + column] * row_factor[of_row]);
      }
    }
  }
}
