#version 450
#extension GL_GOOGLE_include_directive : require
// attention_tile.comp: heed.Attention for many rows: a tile of rows that share a head of keys against tiles of keys, which
// are brought into shared memory and serve all rows, with an online softmax (Dao et al., FlashAttention, 2022). No
// score leaves the workgroup. Keys that no row of the tile sees are not visited.
#include "attention_attend.glsl"

layout(constant_id = 0) const uint thread_count = 64;
layout(constant_id = 1) const uint rows_per_thread = 4;
layout(constant_id = 2) const uint key_chunks = 2;    // chunks of channels of a key,
layout(constant_id = 3) const uint value_chunks = 2;  // and of a value
layout(local_size_x_id = 0) in;

const uint tile_keys = 32;
const uint chunk_channels = 32;
// Threads that share a row: each has four keys of its scores, and then four channels of each chunk of its sums.
const uint column_count = 8;
const uint tile_rows = thread_count / column_count * rows_per_thread;
const uint query_stride = key_chunks * chunk_channels / 4;
const uint tile_stride = chunk_channels / 4 + 1;  // keys that lie side by side are in different banks
const uint loads_at_a_time = 4;

shared vec4 query_tile[tile_rows * query_stride];
shared vec4 tile[tile_keys * tile_stride];              // a chunk of keys, or of values
shared vec4 weight_tile[tile_rows * column_count];      // scores, then weights
shared float column_numbers[tile_rows * column_count];  // what the threads of a row tell each other
shared ivec2 row_seen[tile_rows];
shared int row_mask[tile_rows];
shared float row_greatest[tile_rows], row_factor[tile_rows];

// Brings a chunk of the channels of keys (or values) [begin, end) into tile[place], zeros where there are none: `place`
// and the numbers are of a `key` and `channel`. All of them are of the past, or none.
#define FILL_TILE(begin, end, place, past, fresh, count)                                             \
  for (uint i = thread; i < tile_keys * chunk_channels; i += loads_at_a_time * thread_count) {       \
    float loaded[loads_at_a_time];                                                                   \
    if (begin < past_count) {                                                                        \
      LOAD_SOME(begin, end, past, count)                                                             \
    } else {                                                                                         \
      LOAD_SOME(begin, end, fresh, count)                                                            \
    }                                                                                                \
    [[unroll]] for (uint j = 0; j < loads_at_a_time; ++j) {                                          \
      uint k = (i + j * thread_count) / chunk_channels, c = (i + j * thread_count) % chunk_channels; \
      bool is_there = begin + int(k) < end && chunk * chunk_channels + c < count;                    \
      tile[place * tile_stride + c / 4][c % 4] = is_there ? loaded[j] : 0.0;                         \
    }                                                                                                \
  }
#define LOAD_SOME(begin, end, number, count)                                             \
  [[unroll]] for (uint j = 0; j < loads_at_a_time; ++j) {                                \
    uint n = i + j * thread_count;                                                       \
    int key = min(begin + int(n / chunk_channels), end - 1);                             \
    uint channel = min(chunk * chunk_channels + n % chunk_channels, count - 1);          \
    loaded[j] = number;                                                                  \
  }

// The first keys of all columns lie first, then the second: threads side by side read rows side by side.
#define PLACE_OF_KEY (k % 4 * column_count + k / 4)

void fill_with_keys(Block block, int begin, int end, uint chunk, uint thread) {
  FILL_TILE(begin, end, PLACE_OF_KEY, PAST_KEY, NEW_KEY, channel_count)
}

void fill_with_values(Block block, int begin, int end, uint chunk, uint thread) {
  FILL_TILE(begin, end, k, PAST_VALUE, NEW_VALUE, value_channel_count)
}

void main() {
  append();
  uint thread = gl_LocalInvocationIndex;
  uint column = thread % column_count;
  uint first_row = thread / column_count * rows_per_thread;  // of this thread, in the tile

  for (uint index = gl_WorkGroupID.x; index < block_count(tile_rows); index += gl_NumWorkGroups.x) {
    Block block = block_at(index, tile_rows, int(tile_keys));
    barrier();  // the block before this one is written
    for (uint i = thread; i < tile_rows * query_stride * 4; i += thread_count) {
      uint row = min(i / (query_stride * 4), block.row_count - 1), c = i % (query_stride * 4);
      int from = at(query_layout, block.batch, head_of(block, row), query_of(block, row));
      query_tile[i / 4][i % 4] =
          c < channel_count ? LOAD(queries[from + int(c) * query_layout.channel]) : 0.0;
    }
    for (uint i = thread; i < tile_rows; i += thread_count) {
      uint row = min(i, block.row_count - 1);
      row_seen[i] = seen_keys(block.batch, query_of(block, row));
      row_mask[i] = at(mask_layout, block.batch, head_of(block, row), query_of(block, row));
    }
    vec4 sums[value_chunks * rows_per_thread];
    float greatest[rows_per_thread], total[rows_per_thread];  // total: of this thread's keys
    [[unroll]] for (uint i = 0; i < value_chunks * rows_per_thread; ++i) sums[i] = vec4(0.0);
    [[unroll]] for (uint r = 0; r < rows_per_thread; ++r) greatest[r] = hidden_score, total[r] = 0.0;

    int first_key = block.key_range.x;
    while (first_key < block.key_range.y) {
      int end_key = min(first_key + int(tile_keys), block.key_range.y);
      if (first_key < past_count) end_key = min(end_key, past_count);
      vec4 scores[rows_per_thread];  // of keys first_key + 4 column + 0, 1, 2, 3
      [[unroll]] for (uint r = 0; r < rows_per_thread; ++r) scores[r] = vec4(0.0);
      for (uint chunk = 0; chunk < key_chunks; ++chunk) {
        barrier();  // the tile has been read
        fill_with_keys(block, first_key, end_key, chunk, thread);
        barrier();
        uint begin = chunk * chunk_channels / 4;
        uint end = min(begin + chunk_channels / 4, (channel_count + 3) / 4);
        for (uint c = begin; c < end; ++c) {
          mat4 four_keys;
          [[unroll]] for (uint k = 0; k < 4; ++k)
            four_keys[k] = tile[(k * column_count + column) * tile_stride + c - begin];
          [[unroll]] for (uint r = 0; r < rows_per_thread; ++r)
            scores[r] += query_tile[(first_row + r) * query_stride + c] * four_keys;
        }
      }

      [[unroll]] for (uint r = 0; r < rows_per_thread; ++r)
        weight_tile[(first_row + r) * column_count + column] = scores[r] * scale;
      [[dont_unroll]] for (uint row = first_row; row < first_row + rows_per_thread; ++row) {
        float most = hidden_score;
        [[dont_unroll]] for (uint k = 0; k < 4; ++k) {
          int key = first_key + int(4 * column + k);
          float score = hidden_score;
          if (key >= row_seen[row].x && key < min(row_seen[row].y, end_key))
            score = masked(capped(weight_tile[row * column_count + column][k]), row_mask[row], key);
          weight_tile[row * column_count + column][k] = score;
          most = greater_of(most, score);
        }
        column_numbers[row * column_count + column] = most;
      }
      barrier();
      float rescale[rows_per_thread];
      [[unroll]] for (uint r = 0; r < rows_per_thread; ++r) {
        float before = greatest[r];
        [[unroll]] for (uint i = 0; i < column_count; ++i)
          greatest[r] = greater_of(greatest[r], column_numbers[(first_row + r) * column_count + i]);
        vec4 weights = weight_tile[(first_row + r) * column_count + column];
        [[unroll]] for (uint k = 0; k < 4; ++k) weights[k] = exponential(weights[k], greatest[r]);
        rescale[r] = exponential(before, greatest[r]);
        total[r] = total[r] * rescale[r] + (weights.x + weights.y + weights.z + weights.w);
        weight_tile[(first_row + r) * column_count + column] = weights;
      }

      [[unroll]] for (uint chunk = 0; chunk < value_chunks; ++chunk) {
        if (chunk > 0) barrier();  // the tile has been read
        fill_with_values(block, first_key, end_key, chunk, thread);
        barrier();
        [[unroll]] for (uint r = 0; r < rows_per_thread; ++r) sums[chunk * rows_per_thread + r] *= rescale[r];
        for (uint k = 0; k < tile_keys / 4; ++k) {
          mat4 four_values;
          [[unroll]] for (uint j = 0; j < 4; ++j) four_values[j] = tile[(4 * k + j) * tile_stride + column];
          [[unroll]] for (uint r = 0; r < rows_per_thread; ++r)
            sums[chunk * rows_per_thread + r] += four_values * weight_tile[(first_row + r) * column_count + k];
        }
      }
      first_key = end_key;
    }

    barrier();  // column_numbers have been read
    [[unroll]] for (uint r = 0; r < rows_per_thread; ++r) {
      column_numbers[(first_row + r) * column_count + column] = total[r];
      if (column == 0) row_greatest[first_row + r] = greatest[r];
    }
    barrier();
    for (uint row = thread; row < block.row_count; row += thread_count) {
      float row_total = 0.0;
      for (uint i = 0; i < column_count; ++i) row_total += column_numbers[row * column_count + i];
      row_factor[row] = finish_row(block, row, row_greatest[row], row_total);
    }
    barrier();
    [[unroll]] for (uint chunk = 0; chunk < value_chunks; ++chunk) {
      [[unroll]] for (uint r = 0; r < rows_per_thread; ++r)
        weight_tile[(first_row + r) * column_count + column] = sums[chunk * rows_per_thread + r];
      [[dont_unroll]] for (uint row = first_row; row < min(first_row + rows_per_thread, block.row_count); ++row)
        [[dont_unroll]] for (uint j = 0; j < 4; ++j)
          write_channel(block, row, chunk * chunk_channels + 4 * column + j,
                        weight_tile[row * column_count + column][j] * row_factor[row]);
    }
  }
}
