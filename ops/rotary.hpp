// What GPU kernels that turn by shaders/rotary.glsl share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// [batch, head, sequence, channel] in elements, as these shaders and those of attention see tensors.
struct Layout {
  int32_t offset = 0, batch = 0, head = 0, sequence = 0, channel = 0;
};

// Mirrors shaders/rotary.glsl.
struct RotaryParameters {
  uint32_t pair_count = 0, pair_step = 1, pair_distance = 0;
  int32_t position_count = 0;
  Layout cos, sin;
  int32_t positions_offset = 0, positions_batch = 0, positions_sequence = 0;
  uint32_t words_per_position = 2, counts_on = 0;
};

// Checks a cosine and a sine cache, inputs `cos_input` and the next, and position_ids behind them, which may be absent,
// against what they turn: [batch, sequence, channel of a head], or nothing where that is not known. `counts_on`:
// position_ids may be those of the first of each sequence.
Result<void> infer_rotary(Inference& node, int32_t cos_input, bool counts_on, const Dims& turned);

// Declines what the kernels cannot read; takes these inputs strided.
Result<void> plan_rotary(Planning& node, int32_t cos_input);

// Of heads of `channel_count` channels.
Result<RotaryParameters> bind_rotary(const Binding& node, int32_t cos_input, uint32_t channel_count);

// Mirrors shaders/rotary_embedding.comp, whose variant binds x, cosines, sines, positions, y and the error word.
struct TurnParameters {
  uint32_t batch_count, head_count, sequence_count, channel_count;
  Layout x, y;
  RotaryParameters rotary;
};
constexpr int64_t turn_threads = 64;

}  // namespace heed::ops
