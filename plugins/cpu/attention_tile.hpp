// The inner part of f32 attention: a few query rows that share one head of keys and values, against a range of keys,
// with an online softmax (Milakov and Gimelshein, 2018; Dao et al., FlashAttention, 2022). No matrix of scores but of
// one block of keys, no threads and no memory of its own. Keys that no row of the tile sees are not read.
#pragma once

#include <cstdint>

#include "isa.hpp"

namespace heed::cpu {

inline constexpr int64_t tile_queries = 16, tile_keys = 128;
inline constexpr int64_t tile_padding = 16;  // floats that rows of scratch have behind their last number, at least

constexpr int64_t padded(int64_t count) { return (count + tile_padding - 1) / tile_padding * tile_padding; }

// Keys and values that lie one after the other; channels of a key are contiguous.
struct KeyRun {
  const float* keys;
  int64_t key_stride;
  const float* values;
  int64_t value_stride;
  int64_t count;
};

struct AttentionTile {
  int64_t row_count;  // at most tile_queries
  int64_t width, value_width;
  const float* query;  // [row, padded(width)], multiplied by the scale
  float softcap;       // 0: none

  KeyRun runs[2];  // first those of the past
  int64_t key_begin, key_end;
  int64_t seen_begin[tile_queries], seen_end[tile_queries];  // of each row: the keys that it may see

  // Each row's mask at key 0, or null where there is none; one of the two.
  const float* added[tile_queries];
  const uint8_t* allowed[tile_queries];
  int64_t mask_stride;

  float* scores;  // scratch: [row, tile_keys + tile_padding]

  // The result: y = sums / total, once what other tiles found is merged in. greatest is -inf where nothing was seen.
  float* sums;  // [row, padded(value_width)]
  float* greatest;
  float* total;
};

using Attend = void (*)(AttentionTile&);

// Null where this build has none for it. Exponentials are within 2 units in the last place; those below 2^-126 are 0.
Attend attend_with(Isa isa);

}  // namespace heed::cpu
