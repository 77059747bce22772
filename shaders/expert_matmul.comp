#version 450
#extension GL_GOOGLE_include_directive : require
// expert_matmul.comp: heed.ExpertMatMul, y[row, choice, n] = sum over k of x[row, (choice,) k] * weights[expert, n, k]
// + bias[expert, n], where experts[row, choice] chooses the expert; in f32. Weights are elements, or codes of `bits`
// bits, packed along k from the lowest bits on: (code - zero_point) * scale, one of each for a block along k.
// A workgroup makes a few columns, several lanes along k for each: of one choice, or of all that chose an expert, some
// at once, for which it reads the weights once.
#include "element.glsl"
#include "indices.glsl"

layout(constant_id = 0) const uint bits = 0;          // of a code; 0: weights are elements
layout(constant_id = 1) const uint rows_at_once = 1;  // 1: a workgroup is one choice's; else an expert's
layout(local_size_x = 128) in;
const uint threads = 128u, lanes = 16u, columns_at_once = threads / lanes;

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

shared float sums[rows_at_once * threads];
const uint window = 1024u;  // choices that are looked through at once
shared uint listed[window];  // those of the expert
shared uint listed_count;

uint code_at(uint bit) { return bitfieldExtract(zero_points[bit / 32u], int(bit % 32u), int(bits)); }

uint expert_at(uint place) {
  uint word = (uint(experts_offset) + place) * words_per_index;
  uint low = experts[word];
  int expert = heed_index(low, words_per_index == 2u ? experts[word + 1u] : int(low) < 0 ? 0xFFFFFFFFu : 0u);
  if (expert < 0 || uint(expert) >= expert_count) tell_error(place);
  return uint(clamp(expert, 0, int(expert_count) - 1));
}

// Add a lane's part in the products of rows of x, which begin at x_first, and a row of weights.
void add_elements(uint lane, int x_first[rows_at_once], uint line, inout float sum[rows_at_once]) {
  int first = weights_offset + int(line * inner);
  for (uint i = lane; i < inner; i += lanes) {
    float weight = LOAD(weights[first + int(i)]);
    for (uint r = 0u; r < rows_at_once; ++r) sum[r] += LOAD(x[x_first[r] + int(i)]) * weight;
  }
}

void add_codes(uint lane, int x_first[rows_at_once], uint expert, uint column, inout float sum[rows_at_once]) {
  uint line = expert * columns + column, first_byte = uint(weights_offset) + line * (inner * bits / 8u);
  uint step_bits = in_words != 0u ? 32u : 8u, codes_in_step = step_bits / bits, steps = inner / codes_in_step;
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
    for (uint c = 0u; c < codes_in_step; ++c) {
      float weight = (float(bitfieldExtract(chunk, int(c * bits), int(bits))) - zero) * scale;
      for (uint r = 0u; r < rows_at_once; ++r) sum[r] += LOAD(x[x_first[r] + int(s * codes_in_step + c)]) * weight;
    }
  }
}

// Of the listed choices from `first` on, as many as are made at once.
void make_rows(uint expert, uint column, uint first, uint count) {
  uint thread = gl_LocalInvocationIndex, lane = thread % lanes;
  float sum[rows_at_once];
  int x_first[rows_at_once];
  for (uint r = 0u; r < rows_at_once; ++r) {
    uint place = listed[min(first + r, count - 1u)];
    x_first[r] = x_offset + int((is_shared != 0u ? place / choice_count : place) * inner);
    sum[r] = 0.0;
  }
  if (column < columns) {
    if (bits == 0u)
      add_elements(lane, x_first, expert * columns + column, sum);
    else
      add_codes(lane, x_first, expert, column, sum);
  }
  for (uint r = 0u; r < rows_at_once; ++r) sums[r * threads + thread] = sum[r];
  barrier();
  for (uint step = lanes / 2u; step > 0u; step /= 2u) {
    if (lane < step)
      for (uint r = 0u; r < rows_at_once; ++r) sums[r * threads + thread] += sums[r * threads + thread + step];
    barrier();
  }
  if (lane == 0u && column < columns) {
    float shift = has_bias != 0u ? LOAD(bias[bias_offset + int(expert * columns + column)]) : 0.0;
    for (uint r = 0u; r < rows_at_once && first + r < count; ++r)
      y[y_offset + int(listed[first + r] * columns + column)] = STORE(sums[r * threads + thread] + shift);
  }
  barrier();
}

void main() {
  uint thread = gl_LocalInvocationIndex, place_count = rows * choice_count;
  uint tiles = (columns + columns_at_once - 1u) / columns_at_once;
  uint tile_count = (rows_at_once == 1u ? place_count : expert_count) * tiles;
  for (uint tile = gl_WorkGroupID.x; tile < tile_count; tile += gl_NumWorkGroups.x) {
    uint column = tile % tiles * columns_at_once + thread / lanes;
    if (rows_at_once == 1u) {
      if (thread == 0u) listed[0] = tile / tiles;
      barrier();
      make_rows(expert_at(tile / tiles), column, 0u, 1u);
      continue;
    }
    uint expert = tile / tiles;
    for (uint begin = 0u; begin < place_count; begin += window) {
      if (thread == 0u) listed_count = 0u;
      barrier();
      for (uint place = begin + thread; place < min(begin + window, place_count); place += threads)
        if (expert_at(place) == expert) listed[atomicAdd(listed_count, 1u)] = place;
      barrier();
      uint count = listed_count;
      for (uint first = 0u; first < count; first += rows_at_once) make_rows(expert, column, first, count);
      barrier();
    }
  }
}
