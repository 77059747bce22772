#version 450
#extension GL_GOOGLE_include_directive : require
// rotary_embedding.comp: RotaryEmbedding-23, y1 = cos x1 - sin x2 and y2 = sin x1 + cos x2 for each pair of channels of a
// head; channels past the pairs stay. x and the caches are strided, y is dense in one order or the other and may lie where
// x lies. A position outside of the caches is told, and read as the nearest that is not.
#include "element.glsl"
#include "indices.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Cos { STORED cosines[]; };
layout(set = 0, binding = 2, std430) readonly buffer Sin { STORED sines[]; };
layout(set = 0, binding = 3, std430) readonly buffer Positions { uint positions[]; };  // i32 or i64 [batch, sequence] or [batch]
layout(set = 0, binding = 4, std430) writeonly buffer Output { STORED y[]; };
#define ERROR_BINDING 5
#include "error_word.glsl"

// In elements.
struct Layout {
  int offset, batch, head, sequence, channel;
};
layout(set = 0, binding = 6, std430) readonly buffer Parameters {
  uint batch_count, head_count, sequence_count, channel_count;
  uint pair_count;
  uint pair_step, pair_distance;  // in channels: between pairs, and between the two of a pair
  int position_count;             // rows of the caches; 0: they have a row for each batch and place of the sequence
  Layout x_layout, y_layout;
  Layout cos_layout, sin_layout;  // sequence: along the rows, chosen by position
  int positions_offset, positions_batch, positions_sequence;
  uint words_per_position;
  uint counts_on;  // 1: positions are those of the first of each sequence
};

int at(Layout l, uint batch, uint head, uint sequence, uint channel) {
  return l.offset + int(batch) * l.batch + int(head) * l.head + int(sequence) * l.sequence + int(channel) * l.channel;
}

void main() {
  // A pair, or a channel that stays.
  uint item_count = channel_count - pair_count;
  uint count = batch_count * head_count * sequence_count * item_count;
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint index = gl_GlobalInvocationID.x; index < count; index += step_size) {
    uint item = index % item_count;
    uint row = index / item_count;
    uint sequence = row % sequence_count;
    uint head = row / sequence_count % head_count;
    uint batch = row / sequence_count / head_count;
    if (item >= pair_count) {
      uint channel = item + pair_count;
      y[at(y_layout, batch, head, sequence, channel)] = x[at(x_layout, batch, head, sequence, channel)];
      continue;
    }
    uint place = sequence;
    if (position_count > 0) {
      uint at_position = words_per_position *
                         uint(positions_offset + int(batch) * positions_batch + int(sequence) * positions_sequence);
      int cache_row = int(positions[at_position]);
      if (words_per_position == 2) cache_row = heed_index(positions[at_position], positions[at_position + 1]);
      if (counts_on != 0 && cache_row >= 0) cache_row = min(cache_row, position_count) + int(sequence);
      if (cache_row < 0 || cache_row >= position_count) tell_error(batch * sequence_count + sequence);
      place = uint(clamp(cache_row, 0, position_count - 1));
    }
    float c = LOAD(cosines[at(cos_layout, batch, 0, place, item)]);
    float s = LOAD(sines[at(sin_layout, batch, 0, place, item)]);
    uint channel = item * pair_step;
    float a = LOAD(x[at(x_layout, batch, head, sequence, channel)]);
    float b = LOAD(x[at(x_layout, batch, head, sequence, channel + pair_distance)]);
    y[at(y_layout, batch, head, sequence, channel)] = STORE(c * a - s * b);
    y[at(y_layout, batch, head, sequence, channel + pair_distance)] = STORE(s * a + c * b);
  }
}
