#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
#extension GL_KHR_shader_subgroup_ballot : require
// attention_lanes.comp: heed.Attention for many rows where threads are lanes of a CPU's vectors: what attention_tile.comp
// does, in registers, since shared memory is as slow as any other there. The workgroup is one subgroup. A thread has
// rows of its own, and reads one key of as many as there are threads, and all get its numbers from it; so with values.
#include "attention_attend.glsl"
#include "fours.glsl"

layout(constant_id = 0) const uint lane_count = 8;
layout(constant_id = 1) const uint lane_rows = 2;    // of a thread
layout(constant_id = 2) const uint key_fours = 8;    // of channels of a key,
layout(constant_id = 3) const uint value_fours = 8;  // and of a value
layout(constant_id = 4) const bool in_fours = true;  // all that is read lies so
layout(local_size_x_id = 0) in;

// The same memory in 64 bits.
layout(set = 0, binding = 0, std430) readonly buffer Queries64 { uint64_t queries64[]; };
layout(set = 0, binding = 1, std430) readonly buffer Keys64 { uint64_t keys64[]; };
layout(set = 0, binding = 2, std430) readonly buffer PastKeys64 { uint64_t past_keys64[]; };
layout(set = 0, binding = 9, std430) readonly buffer Values64 { uint64_t values64[]; };
layout(set = 0, binding = 10, std430) readonly buffer PastValues64 { uint64_t past_values64[]; };

// Four channels of the query, key or value that begins at `begin`, zeros behind the last of `count`.
#define LOAD_FOUR(narrow, wide, begin, step, four, count)                                                  \
  if (in_fours) {                                                                                          \
    loaded = 4 * four < count ? FOUR_OF(wide, begin + 4 * int(four)) : vec4(0.0);                          \
  } else {                                                                                                 \
    [[unroll]] for (uint i = 0; i < 4; ++i) {                                                              \
      uint channel = 4 * four + i;                                                                         \
      loaded[i] = channel < count ? LOAD(narrow[begin + int(min(channel, count - 1)) * step]) : 0.0; \
    }                                                                                                      \
  }

void main() {
  append();
  uint lane = gl_LocalInvocationIndex;
  const uint tile_rows = lane_count * lane_rows;

  for (uint index = gl_WorkGroupID.x; index < block_count(tile_rows); index += gl_NumWorkGroups.x) {
    Block block = block_at(index, tile_rows, int(lane_count));
    vec4 query[lane_rows * key_fours], sums[lane_rows * value_fours];
    ivec2 seen[lane_rows];
    int mask_at[lane_rows];
    float greatest[lane_rows], total[lane_rows];
    [[unroll]] for (uint r = 0; r < lane_rows; ++r) {
      uint row = min(r * lane_count + lane, block.row_count - 1);
      uint head = head_of(block, row), number = query_of(block, row);
      int begin = at(query_layout, block.batch, head, number);
      [[unroll]] for (uint four = 0; four < key_fours; ++four) {
        vec4 loaded;
        LOAD_FOUR(queries, queries64, begin, query_layout.channel, four, channel_count)
        query[r * key_fours + four] = loaded;
      }
      [[unroll]] for (uint four = 0; four < value_fours; ++four) sums[r * value_fours + four] = vec4(0.0);
      seen[r] = seen_keys(block.batch, number);
      mask_at[r] = at(mask_layout, block.batch, head, number);
      greatest[r] = hidden_score, total[r] = 0.0;
    }
    // One mask for all rows.
    bool shares_mask = mask_layout.sequence == 0 && (mask_layout.head == 0 || heads_per_key_head == 1);
    int shared_mask_at = at(mask_layout, block.batch, head_of(block, 0), 0);

    int first_key = block.key_range.x;
    while (first_key < block.key_range.y) {
      bool is_past = first_key < past_count;
      int end_key = min(first_key + int(lane_count), block.key_range.y);
      if (is_past) end_key = min(end_key, past_count);
      uint lane_key = uint(min(first_key + int(lane), end_key - 1)), fresh_key = lane_key - uint(past_count);
      int key_begin = is_past ? at(past_key_layout, block.batch, block.key_head, lane_key)
                              : at(key_layout, block.batch, block.key_head, fresh_key);
      int value_begin = is_past ? at(past_value_layout, block.batch, block.key_head, lane_key)
                                : at(value_layout, block.batch, block.key_head, fresh_key);

      vec4 key_part[key_fours], value_part[value_fours];  // of the lane's key
      [[unroll]] for (uint four = 0; four < key_fours; ++four) {
        vec4 loaded;
        if (is_past) {
          LOAD_FOUR(past_keys, past_keys64, key_begin, past_key_layout.channel, four, channel_count)
        } else {
          LOAD_FOUR(keys, keys64, key_begin, key_layout.channel, four, channel_count)
        }
        key_part[four] = loaded;
      }
      [[unroll]] for (uint four = 0; four < value_fours; ++four) {
        vec4 loaded;
        if (is_past) {
          LOAD_FOUR(past_values, past_values64, value_begin, past_value_layout.channel, four, value_channel_count)
        } else {
          LOAD_FOUR(values, values64, value_begin, value_layout.channel, four, value_channel_count)
        }
        value_part[four] = loaded;
      }
      float lane_mask = shares_mask ? masked(0.0, shared_mask_at, int(lane_key)) : 0.0;

      uint tile_keys = uint(end_key - first_key);
      float scores[lane_rows * lane_count], before[lane_rows];
      [[unroll]] for (uint r = 0; r < lane_rows; ++r) before[r] = greatest[r];
      [[dont_unroll]] for (uint k = 0; k < tile_keys; ++k) {
        int key = first_key + int(k);
        float score[lane_rows], shared_mask = subgroupBroadcast(lane_mask, k);
        [[unroll]] for (uint r = 0; r < lane_rows; ++r) score[r] = 0.0;
        [[unroll]] for (uint four = 0; four < key_fours; ++four) {
          vec4 channels = subgroupBroadcast(key_part[four], k);
          [[unroll]] for (uint r = 0; r < lane_rows; ++r) score[r] += dot(query[r * key_fours + four], channels);
        }
        [[unroll]] for (uint r = 0; r < lane_rows; ++r) {
          float added = shares_mask ? shared_mask : masked(0.0, mask_at[r], key);
          bool is_seen = key >= seen[r].x && key < seen[r].y && !is_hidden(added);
          score[r] = is_seen ? capped(score[r] * scale) + added : hidden_score;
          greatest[r] = greater_of(greatest[r], score[r]);
          [[unroll]] for (uint i = 0; i < lane_count; ++i)
            if (i == k) scores[r * lane_count + i] = score[r];
        }
      }

      [[unroll]] for (uint r = 0; r < lane_rows; ++r) {
        float rescale = exponential(before[r], greatest[r]);
        total[r] *= rescale;
        [[unroll]] for (uint four = 0; four < value_fours; ++four) sums[r * value_fours + four] *= rescale;
      }
      [[dont_unroll]] for (uint k = 0; k < tile_keys; ++k) {
        float weight[lane_rows];
        [[unroll]] for (uint r = 0; r < lane_rows; ++r) {
          [[unroll]] for (uint i = 0; i < lane_count; ++i)
            if (i == k) weight[r] = scores[r * lane_count + i];
          weight[r] = exponential(weight[r], greatest[r]);
          total[r] += weight[r];
        }
        [[unroll]] for (uint four = 0; four < value_fours; ++four) {
          vec4 channels = subgroupBroadcast(value_part[four], k);
          [[unroll]] for (uint r = 0; r < lane_rows; ++r) sums[r * value_fours + four] += weight[r] * channels;
        }
      }
      first_key = end_key;
    }

    // Four channels after the other, since what writes them is long.
    [[unroll]] for (uint r = 0; r < lane_rows; ++r) {
      uint row = r * lane_count + lane;
      if (row >= block.row_count) continue;
      float factor = finish_row(block, row, greatest[r], total[r]);
      for (uint turn = 0; turn < value_fours; ++turn) {
        vec4 four_sums;
        [[unroll]] for (uint four = 0; four < value_fours; ++four)
          if (four == turn) four_sums = sums[r * value_fours + four];
        [[unroll]] for (uint i = 0; i < 4; ++i) write_channel(block, row, 4 * turn + i, four_sums[i] * factor);
      }
    }
  }
}
