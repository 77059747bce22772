// Rotary embedding of heads, as ops/rotary_embedding.cpp states it: what the kernels that turn share.
#pragma once

#include "convert.hpp"
#include "heed/plugin.hpp"

namespace heed::cpu {

// Cosines and sines [row, pair] or [batch, row, pair], and which of their rows each place has.
struct Rotary {
  TensorView cos, sin;
  bool interleaved = false;
  bool has_batches = false;     // the tables have an axis for the batch
  int64_t sequence = 0;
  std::vector<int64_t> angles;  // [batch, sequence]: rows of the tables
};

// Of inputs `cos_input`, the next one and position_ids behind them, which may be absent. Fails where they do not fit, or a
// position is outside of the tables.
Result<Rotary> rotary_of(const Running& run, int32_t cos_input, int64_t batch, int64_t sequence);

// [batch, head, sequence, channel] in a tensor: strides in elements.
struct Heads {
  TensorView tensor;
  int64_t batch, head, sequence, channel;
};

// How many heads there are of how many channels, in sequences of which batches.
struct HeadCounts {
  int64_t batch, head, channel;
};

// Turns `from` into `to`, where it may lie as well. Rows of batch b go to places from begins[b] on, as far as `to` reaches;
// without begins, all from the first on.
Result<void> turn(const Running& run, const Rotary& rotary, const HeadCounts& counts, const Heads& from, const Heads& to,
                  std::span<const int64_t> begins = {}, int64_t to_length = 0);

}  // namespace heed::cpu
