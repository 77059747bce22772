#version 450
#extension GL_GOOGLE_include_directive : require
// expert_matmul.comp: heed.ExpertMatMul, y[row, choice, n] = sum over k of x[row, (choice,) k] * weights[expert, n, k] +
// bias[expert, n], where experts[row, choice] chooses the expert; in f32. Weights are elements, or codes of `bits` bits,
// packed along k from the lowest bits on: (code - zero_point) * scale, one of each for a block along k.
// A workgroup makes a few columns of one choice, several lanes along k for each.
#include "element.glsl"
#include "indices.glsl"

layout(constant_id = 0) const uint bits = 0;  // of a code; 0: weights are elements
layout(local_size_x = 128) in;
const uint lanes = 16u, columns_at_once = 128u / lanes;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Weights { STORED weights[]; };
layout(set = 0, binding = 1, std430) readonly buffer Codes { uint codes[]; };
layout(set = 0, binding = 2, std430) readonly buffer Experts { uint experts[]; };
layout(set = 0, binding = 3, std430) readonly buffer Bias { STORED bias[]; };
layout(set = 0, binding = 4, std430) readonly buffer Scales { STORED scales[]; };
layout(set = 0, binding = 5, std430) readonly buffer ZeroPoints { uint zero_points[]; };
layout(set = 0, binding = 6, std430) writeonly buffer Output { STORED y[]; };
#define ERROR_BINDING 7
#include "error_word.glsl"

layout(set = 0, binding = 8, std430) readonly buffer Parameters {
  uint rows, choice_count, columns, inner;
  uint is_shared;  // a row of x is that of all its choices
  uint expert_count, words_per_index;
  uint block_size, block_count;
  uint zero_row_bits, has_zero_points, has_bias;  // zero points: of all columns of an expert, or of the blocks of one
  uint in_words;                                  // rows of codes begin at words
  int x_offset, weights_offset, experts_offset, bias_offset, scales_offset, zero_offset, y_offset;
};

shared float sums[128];

uint code_at(uint bit) { return bitfieldExtract(zero_points[bit / 32u], int(bit % 32u), int(bits)); }

// The part of a lane in the product of a row of x and a row of weights.
float part_of_elements(uint lane, int x_first, uint line) {
  float sum = 0.0;
  int first = weights_offset + int(line * inner);
  for (uint i = lane; i < inner; i += lanes) sum += LOAD(x[x_first + int(i)]) * LOAD(weights[first + int(i)]);
  return sum;
}

float part_of_codes(uint lane, int x_first, uint expert, uint column) {
  uint line = expert * columns + column, first_byte = uint(weights_offset) + line * (inner * bits / 8u);
  uint step_bits = in_words != 0u ? 32u : 8u, codes_in_step = step_bits / bits, steps = inner / codes_in_step;
  float sum = 0.0;
  for (uint s = lane; s < steps; s += lanes) {
    uint chunk;
    if (in_words != 0u) {
      chunk = codes[first_byte / 4u + s];
    } else {
      uint byte = first_byte + s;
      chunk = codes[byte / 4u] >> (byte % 4u * 8u);
    }
    uint block = s * codes_in_step / block_size;  // blocks hold whole words
    float scale = LOAD(scales[scales_offset + int(line * block_count + block)]);
    float zero = float(1u << (bits - 1u));
    if (has_zero_points != 0u) {
      uint row = block_count == 1u ? expert : line, at = block_count == 1u ? column : block;
      zero = float(code_at(uint(zero_offset) * 8u + row * zero_row_bits + at * bits));
    }
    float part = 0.0;
    for (uint c = 0u; c < codes_in_step; ++c) {
      float code = float(bitfieldExtract(chunk, int(c * bits), int(bits)));
      part += LOAD(x[x_first + int(s * codes_in_step + c)]) * (code - zero);
    }
    sum += part * scale;
  }
  return sum;
}

void main() {
  uint lane = gl_LocalInvocationIndex % lanes, column_in_tile = gl_LocalInvocationIndex / lanes;
  uint tiles = (columns + columns_at_once - 1u) / columns_at_once, tile_count = rows * choice_count * tiles;
  for (uint tile = gl_WorkGroupID.x; tile < tile_count; tile += gl_NumWorkGroups.x) {
    uint place = tile / tiles, column = tile % tiles * columns_at_once + column_in_tile;
    uint word = (uint(experts_offset) + place) * words_per_index;
    uint low = experts[word];
    int expert = heed_index(low, words_per_index == 2u ? experts[word + 1u] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
    if (expert < 0 || uint(expert) >= expert_count) tell_error(place);
    expert = clamp(expert, 0, int(expert_count) - 1);
    float sum = 0.0;
    if (column < columns) {
      int x_first = x_offset + int((is_shared != 0u ? place / choice_count : place) * inner);
      sum = bits == 0u ? part_of_elements(lane, x_first, uint(expert) * columns + column)
                       : part_of_codes(lane, x_first, uint(expert), column);
    }
    sums[gl_LocalInvocationIndex] = sum;
    barrier();
    for (uint step = lanes / 2u; step > 0u; step /= 2u) {
      if (lane < step) sums[gl_LocalInvocationIndex] += sums[gl_LocalInvocationIndex + step];
      barrier();
    }
    if (lane == 0u && column < columns) {
      float value = sums[gl_LocalInvocationIndex];
      if (has_bias != 0u) value += LOAD(bias[bias_offset + expert * int(columns) + int(column)]);
      y[y_offset + int(place * columns + column)] = STORE(value);
    }
    barrier();
  }
}
