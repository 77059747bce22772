#version 450
#extension GL_GOOGLE_include_directive : require
// attention_rows.comp: heed.Attention for few rows, as a decoded token has: each key and value is read once, straight into
// registers, for all rows of a block. A group of threads shares a key, each with its channels, and keeps an online
// softmax (Milakov and Gimelshein, 2018) of its own; they are merged at the end. Long pasts are split over workgroups
// (Dao et al., Flash-Decoding, 2023), whose results attention_merge.comp joins. Queries and new keys may be turned here by
// their places (rotary.glsl): few are.
#define COS_BINDING 14
#define SIN_BINDING 15
#define POSITIONS_BINDING 16
#define PARAMETERS_BINDING 17
#include "attention_attend.glsl"

layout(constant_id = 0) const uint block_rows = 1;       // at most 8
layout(constant_id = 1) const uint keys_per_group = 4;   // that it works on at a time
layout(constant_id = 2) const uint most_channels = 64;   // of a key
layout(constant_id = 3) const uint lane_count = 8;       // threads of a group, at least 8
layout(constant_id = 4) const uint sums_per_row = 8;     // of a thread: channels of a value by lane_count

const uint thread_count = 128;
const uint group_count = thread_count / lane_count;
const uint keys_per_step = group_count * keys_per_group;
const uint score_count = block_rows * keys_per_group;  // of a group, at a time
const uint sum_count = block_rows * sums_per_row;
const uint exchange_size = score_count < 8 ? 8 : score_count;

layout(local_size_x = thread_count) in;

shared float query_block[block_rows * most_channels];
shared float exchange[exchange_size * thread_count];
shared float scores[group_count * score_count];  // then the weights
shared float group_greatest[group_count * block_rows], group_total[group_count * block_rows];
shared float group_rescale[group_count * block_rows];
shared ivec2 row_seen[block_rows];
shared int row_mask[block_rows];
shared float row_factor[block_rows];

// The scores of the group's keys, from the dot products of its lanes' channels.
void write_scores(Block block, int first_key, uint group, uint lane) {
  for (uint s = lane; s < score_count; s += lane_count) {
    uint row = s / keys_per_group;
    int key = first_key + int(s % keys_per_group * group_count);
    float dot_product = 0.0;
    // Each lane begins elsewhere, so that they read different banks.
    for (uint i = 0; i < lane_count; ++i)
      dot_product += exchange[s * thread_count + group * lane_count + (i + lane) % lane_count];
    bool seen = key >= row_seen[row].x && key < min(row_seen[row].y, block.key_range.y);
    scores[group * score_count + s] = seen ? masked(capped(dot_product * scale), row_mask[row], key) : hidden_score;
  }
}

// Scores of a row become weights; lane r cares for row r.
void write_weights(uint group, uint row) {
  uint of_row = row * group_count + group;
  float before = group_greatest[of_row], greatest = before, sum = 0.0;
  for (uint k = 0; k < keys_per_group; ++k)
    greatest = greater_of(greatest, scores[group * score_count + row * keys_per_group + k]);
  [[dont_unroll]] for (uint k = 0; k < keys_per_group; ++k) {
    uint s = group * score_count + row * keys_per_group + k;
    float weight = exponential(scores[s], greatest);
    scores[s] = weight;
    sum += weight;
  }
  float rescale = exponential(before, greatest);
  group_greatest[of_row] = greatest;
  group_total[of_row] = group_total[of_row] * rescale + sum;
  group_rescale[of_row] = rescale;
}

// What the groups have found of a row, in their order: group_rescale is then what each one's sums are multiplied by.
void merge_groups(Block block, uint row) {
  float total = 0.0, greatest = hidden_score;
  for (uint g = 0; g < group_count; ++g) greatest = greater_of(greatest, group_greatest[row * group_count + g]);
  [[dont_unroll]] for (uint g = 0; g < group_count; ++g) {
    float rescale = exponential(group_greatest[row * group_count + g], greatest);
    group_rescale[row * group_count + g] = rescale;
    total += group_total[row * group_count + g] * rescale;
  }
  if (row < block.row_count) row_factor[row] = finish_row(block, row, greatest, total);
}

void main() {
  append();
  uint thread = gl_LocalInvocationIndex;
  uint lane = thread % lane_count, group = thread / lane_count;

  for (uint index = gl_WorkGroupID.x; index < block_count(block_rows); index += gl_NumWorkGroups.x) {
    Block block = block_at(index, block_rows, int(keys_per_step));
    barrier();  // the block before this one is written
    for (uint i = thread; i < block_rows * channel_count; i += thread_count) {
      uint row = min(i / channel_count, block.row_count - 1);
      query_block[i] = query_number(block.batch, head_of(block, row), query_of(block, row), i % channel_count);
    }
    if (thread < block_rows) {
      uint row = min(thread, block.row_count - 1);
      row_seen[thread] = seen_keys(block.batch, query_of(block, row));
      row_mask[thread] = at(mask_layout, block.batch, head_of(block, row), query_of(block, row));
    }
    if (lane < block_rows) {
      group_greatest[lane * group_count + group] = hidden_score;
      group_total[lane * group_count + group] = 0.0;
    }
    barrier();

    float sums[sum_count];
    [[unroll]] for (uint i = 0; i < sum_count; ++i) sums[i] = 0.0;

    for (int step = block.key_range.x; step < block.key_range.y; step += int(keys_per_step)) {
      int step_end = min(step + int(keys_per_step), block.key_range.y);
      int first_key = step + int(group);  // of the group, the next ones being group_count apart
      bool has_keys = first_key < step_end;
// numbers[k] = channel `channel` of the group's key k.
#define READ_NUMBERS(past, fresh)                                             \
  float numbers[keys_per_group];                                              \
  if (step < past_count)                                                      \
    [[unroll]] for (uint k = 0; k < keys_per_group; ++k) {                    \
      int key = min(first_key + int(k * group_count), past_end);              \
      numbers[k] = past;                                                      \
    }                                                                         \
  if (step_end > past_count)                                                  \
    [[unroll]] for (uint k = 0; k < keys_per_group; ++k) {                    \
      int key = min(first_key + int(k * group_count), step_end - 1);          \
      if (key >= past_count) numbers[k] = fresh;                              \
    }
      int past_end = min(past_count, step_end) - 1;

      float dots[score_count];
      [[unroll]] for (uint s = 0; s < score_count; ++s) dots[s] = 0.0;
      for (uint channel = lane; has_keys && channel < channel_count; channel += lane_count) {
        READ_NUMBERS(PAST_KEY, NEW_KEY)
        [[unroll]] for (uint r = 0; r < block_rows; ++r) {
          float of_query = query_block[r * channel_count + channel];
          [[unroll]] for (uint k = 0; k < keys_per_group; ++k) dots[r * keys_per_group + k] += of_query * numbers[k];
        }
      }
      [[unroll]] for (uint s = 0; s < score_count; ++s) exchange[s * thread_count + thread] = dots[s];
      barrier();
      if (has_keys) write_scores(block, first_key, group, lane);
      barrier();
      if (has_keys && lane < block_rows) write_weights(group, lane);
      barrier();

      if (has_keys) {
        float weights[score_count];
        [[unroll]] for (uint s = 0; s < score_count; ++s) weights[s] = scores[group * score_count + s];
        [[unroll]] for (uint i = 0; i < sum_count; ++i)
          sums[i] *= group_rescale[i / sums_per_row * group_count + group];
        [[unroll]] for (uint i = 0; i < sums_per_row; ++i) {
          uint channel = min(i * lane_count + lane, value_channel_count - 1);
          READ_NUMBERS(PAST_VALUE, NEW_VALUE)
          [[unroll]] for (uint r = 0; r < block_rows; ++r)
            [[unroll]] for (uint k = 0; k < keys_per_group; ++k)
              sums[r * sums_per_row + i] += weights[r * keys_per_group + k] * numbers[k];
        }
      }
    }

    barrier();
    if (thread < block_rows) merge_groups(block, thread);
    barrier();
    [[unroll]] for (uint i = 0; i < sum_count; i += exchange_size) {
      uint count = min(exchange_size, sum_count - i);
      [[unroll]] for (uint j = 0; j < exchange_size; ++j) {
        uint n = min(i + j, sum_count - 1);
        exchange[j * thread_count + thread] = sums[n] * group_rescale[n / sums_per_row * group_count + group];
      }
      barrier();
      for (uint o = thread; o < count * lane_count; o += thread_count) {
        uint row = (i + o / lane_count) / sums_per_row;
        uint channel = (i + o / lane_count) % sums_per_row * lane_count + o % lane_count;
        float sum = 0.0;
        for (uint g = 0; g < group_count; ++g)
          sum += exchange[o / lane_count * thread_count + g * lane_count + o % lane_count];
        if (row < block.row_count) write_channel(block, row, channel, sum * row_factor[row]);
      }
      barrier();
    }
  }
}
