#version 450
#extension GL_GOOGLE_include_directive : require
// rotary_embedding.comp: RotaryEmbedding-23, a thread a pair of channels, or a channel that stays. x and the caches are
// strided, y is dense in one order or the other and may lie where x lies.
#include "element.glsl"
#include "indices.glsl"

layout(constant_id = 0) const bool tells_batch = false;  // of a position that is outside; else which one it is
layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
#define COS_BINDING 1
#define SIN_BINDING 2
#define POSITIONS_BINDING 3
#include "rotary.glsl"
layout(set = 0, binding = 4, std430) writeonly buffer Output { STORED y[]; };
#define ERROR_BINDING 5
#include "error_word.glsl"

// In elements.
struct Layout {
  int offset, batch, head, sequence, channel;
};
layout(set = 0, binding = 6, std430) readonly buffer Parameters {
  uint batch_count, head_count, sequence_count, channel_count;
  Layout x_layout, y_layout;
  ROTARY_PARAMETERS
};
ROTARY_FUNCTIONS

int at(Layout l, uint batch, uint head, uint sequence, uint channel) {
  return l.offset + int(batch) * l.batch + int(head) * l.head + int(sequence) * l.sequence + int(channel) * l.channel;
}

void main() {
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
    uint angle = angle_of(batch, sequence, tells_batch ? batch : batch * sequence_count + sequence);
    uint channel = item * pair_step;
    vec2 pair = turned(LOAD(x[at(x_layout, batch, head, sequence, channel)]),
                       LOAD(x[at(x_layout, batch, head, sequence, channel + pair_distance)]), batch, angle, item);
    y[at(y_layout, batch, head, sequence, channel)] = STORE(pair.x);
    y[at(y_layout, batch, head, sequence, channel + pair_distance)] = STORE(pair.y);
  }
}
