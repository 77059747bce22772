// rotary.glsl: rotary embedding (ONNX's RotaryEmbedding-23): of a pair of channels x1, x2 of a head become cos x1 - sin x2 and
// sin x1 + cos x2; channels past the pairs stay. Mirrored by ops/rotary.hpp. Before it is included stand the bindings of
// the cosines, the sines and the positions; its parameters, ROTARY_PARAMETERS, stand among those of the shader, which
// defines STORED numbers (element.glsl), tell_error (error_word.glsl) and Layout:
//   #define COS_BINDING 1
//   #define SIN_BINDING 2
//   #define POSITIONS_BINDING 3

layout(set = 0, binding = COS_BINDING, std430) readonly buffer Cos { STORED cosines[]; };
layout(set = 0, binding = SIN_BINDING, std430) readonly buffer Sin { STORED sines[]; };
layout(set = 0, binding = POSITIONS_BINDING, std430) readonly buffer Positions { uint positions[]; };  // i32 or i64

#define ROTARY_PARAMETERS                                                                                     \
  uint pair_count;                                                                                            \
  uint pair_step, pair_distance; /* in channels: between pairs, and between the two of a pair */              \
  int position_count; /* rows of the caches; 0: they have a row for each batch and place of the sequence */   \
  Layout cos_layout, sin_layout; /* sequence: along the rows, which positions choose */                       \
  int positions_offset, positions_batch, positions_sequence;                                                  \
  uint words_per_position;                                                                                    \
  uint counts_on; /* 1: positions are those of the first of each sequence */

// Behind the parameters. angle_of: the row of the caches for a place of a sequence; a position outside of them is told as
// number `told`, and taken as the nearest that is not. turned: the pair `pair` of x1 and x2, in that row.
#define ROTARY_FUNCTIONS                                                                                      \
  uint angle_of(uint batch, uint sequence, uint told) {                                                       \
    if (position_count == 0) return sequence;                                                                 \
    uint i = words_per_position *                                                                             \
             uint(positions_offset + int(batch) * positions_batch + int(sequence) * positions_sequence);      \
    int row = words_per_position == 2 ? heed_index(positions[i], positions[i + 1]) : int(positions[i]);       \
    if (counts_on != 0 && row >= 0) row = min(row, position_count) + int(sequence);                           \
    if (row < 0 || row >= position_count) tell_error(told);                                                   \
    return uint(clamp(row, 0, position_count - 1));                                                           \
  }                                                                                                           \
  vec2 turned(float x1, float x2, uint batch, uint angle, uint pair) {                                        \
    int cos_at = cos_layout.offset + int(batch) * cos_layout.batch + int(angle) * cos_layout.sequence;        \
    int sin_at = sin_layout.offset + int(batch) * sin_layout.batch + int(angle) * sin_layout.sequence;        \
    float c = LOAD(cosines[cos_at + int(pair) * cos_layout.channel]);                                         \
    float s = LOAD(sines[sin_at + int(pair) * sin_layout.channel]);                                           \
    return vec2(c * x1 - s * x2, s * x1 + c * x2);                                                            \
  }
