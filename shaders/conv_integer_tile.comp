#version 450
#extension GL_GOOGLE_include_directive : require
// conv_integer_tile.comp: convolutions of bytes as a matrix product, for each group [output, channel and window] x [channel
// and window, position], of which the right side is never made: a workgroup reads tiles of it into shared memory out of x,
// four elements along inner to a word, u8 lowered by 128 so that all are signed. A thread makes every 8th row of its tile, of
// four columns.
#include "conv_integer_fours.glsl"

layout(constant_id = 3) const uint row_count = 8;  // of a thread; even
layout(local_size_x = 128) in;

const uint row_threads = 8, column_threads = 16;
const uint tile_rows = row_threads * row_count, tile_columns = 4 * column_threads;
const uint tile_words = row_threads;       // 32 elements along inner
const uint row_pitch = tile_words + 1;     // rows that lie side by side begin in different banks
const uint rows_apart = 128 / tile_words;  // of those that a thread reads
shared uint left[tile_rows * row_pitch];          // [row][inner / 4]
shared uvec4 right[tile_words * column_threads];  // [inner / 4][column / 4]
shared int row_sums[tile_rows], column_sums[tile_columns];

void main() {
  uint thread = gl_LocalInvocationIndex, own_row = thread / column_threads, own_column = thread % column_threads;
  uint inner = inner_count(), columns = position_count();
  uint row_tiles = (output_count + tile_rows - 1u) / tile_rows, column_tiles = (columns + tile_columns - 1u) / tile_columns;
  uint x_lower = x_type == u8 ? lower_four : 0u, w_lower = w_type == u8 ? lower_four : 0u;
  Inner one = inner_at(1u), to_next = inner_at(4u * tile_words - 3u);
  for (uint index = gl_WorkGroupID.x; index < column_tiles * row_tiles * group_count; index += gl_NumWorkGroups.x) {
    uint column = index % column_tiles * tile_columns + 4u * own_column;
    uint first_row = index / column_tiles % row_tiles * tile_rows, group = index / column_tiles / row_tiles;
    // A thread reads one word of each of its columns, and one word of some rows.
    Four four = four_at(min(column, columns - 1u), group * channel_count);
    Inner at = inner_at(4u * own_row);
    uint read_row = thread / tile_words, read_word = thread % tile_words;
    if (thread < tile_rows) row_sums[thread] = 0;
    if (thread < tile_columns) column_sums[thread] = 0;
    int sums_of_rows[tile_rows / rows_apart];  // of what the thread reads
    ivec4 sums_of_columns = ivec4(0), sums[row_count];
    [[unroll]] for (uint i = 0u; i < tile_rows / rows_apart; ++i) sums_of_rows[i] = 0;
    [[unroll]] for (uint r = 0u; r < row_count; ++r) sums[r] = ivec4(0);

    for (uint k0 = 0u; k0 < inner; k0 += 4u * tile_words) {
      uint k = k0 + 4u * read_word, count = k < inner ? min(4u, inner - k) : 0u;
      [[unroll]] for (uint i = 0u; i < tile_rows / rows_apart; ++i) {
        uint row = read_row + i * rows_apart, word = 0u;
        if (first_row + row < output_count && count > 0u) {
          uint from = uint(w_offset) + (group * output_count + first_row + row) * inner + k;
          word = first_of_four(BYTES(w, from, count) ^ w_lower, count);
        }
        sums_of_rows[i] += sum_of_four(word);
        left[row * row_pitch + read_word] = word;
      }
      uvec4 words;
      [[unroll]] for (uint j = 0u; j < 4u; ++j) {
        words[j] = at.channel < channel_count ? x_four(four, at) ^ x_lower : 0u;
        advance(at, j < 3u ? one : to_next);
      }
      words = transposed(words);
      [[unroll]] for (uint c = 0u; c < 4u; ++c) sums_of_columns[c] += sum_of_four(words[c]);
      right[thread] = words;
      barrier();
      for (uint word = 0u; word < tile_words; ++word) {
        uvec4 of_columns = right[word * column_threads + own_column];
        [[unroll]] for (uint r = 0u; r < row_count; ++r) {
          uint of_row = left[(own_row + row_threads * r) * row_pitch + word];
          [[unroll]] for (uint c = 0u; c < 4u; ++c) sums[r][c] += dot_four(of_row, of_columns[c]);
        }
      }
      barrier();
    }
    [[unroll]] for (uint i = 0u; i < tile_rows / rows_apart; ++i)
      atomicAdd(row_sums[read_row + i * rows_apart], sums_of_rows[i]);
    [[unroll]] for (uint c = 0u; c < 4u; ++c) atomicAdd(column_sums[4u * own_column + c], sums_of_columns[c]);
    barrier();

    int x_less = x_zero_of() - (x_type == u8 ? 128 : 0);
    ivec4 of_columns;
    [[unroll]] for (uint c = 0u; c < 4u; ++c) of_columns[c] = column_sums[4u * own_column + c] - int(inner) * x_less;
    // One row after the other, since what puts them is long.
    for (uint turn = 0u; turn < row_count; ++turn) {
      uint row = own_row + row_threads * turn, output_channel = group * output_count + first_row + row;
      if (first_row + row >= output_count || column >= columns) continue;
      ivec4 of_row;
      [[unroll]] for (uint r = 0u; r < row_count; ++r)
        if (r == turn) of_row = sums[r];
      int w_less = w_zero_of(output_channel) - (w_type == u8 ? 128 : 0);
      put(four.places + output_channel * out_count(), four.count,
          of_row - x_less * row_sums[row] - w_less * of_columns, finish_of(output_channel), y_zero_of());
    }
    barrier();
  }
}
