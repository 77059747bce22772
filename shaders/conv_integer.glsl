// conv_integer.glsl: what the kernels of convolutions of bytes share: ConvInteger-10, y[n, m, p] = the sum over c and i of
// (x[n, c, place of i in the window of p] - x_zero) * (w[m, c, i] - w_zero[m]), as i32, the channels c being those of m's
// group; QLinearConv-10, (y + bias[m]) as codes. x may be strided.
#include "codes.glsl"
#include "dot_four.glsl"
#include "quotient.glsl"

layout(constant_id = 0) const uint x_type = 0;
layout(constant_id = 1) const uint w_type = 0;
layout(constant_id = 2) const uint y_type = 0;

layout(set = 0, binding = 0, std430) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1, std430) readonly buffer W { uint w[]; };
layout(set = 0, binding = 2, std430) readonly buffer XZero { uint x_zero[]; };
layout(set = 0, binding = 3, std430) readonly buffer WZero { uint w_zero[]; };
layout(set = 0, binding = 4, std430) readonly buffer Bias { int bias[]; };
layout(set = 0, binding = 5, std430) readonly buffer XScale { float x_scale[]; };
layout(set = 0, binding = 6, std430) readonly buffer WScale { float w_scale[]; };
layout(set = 0, binding = 7, std430) readonly buffer YScale { float y_scale[]; };
layout(set = 0, binding = 8, std430) readonly buffer YZero { uint y_zero[]; };
layout(set = 0, binding = 9, std430) buffer Y { uint y[]; };

struct List {
  int offset;  // in elements
  uint count;  // one, or one an output channel; 0: none
};
int at(List list, uint place) { return list.offset + int(place % list.count); }

#define PARAMETERS_BINDING 10
#define MORE_PARAMETERS                              \
  uint batch_count, group_count;                     \
  uint channel_count, output_count; /* of a group */ \
  int w_offset, y_word_offset;                       \
  List x_zeros, w_zeros, biases, x_scales, w_scales, y_scales, y_zeros;
#include "windows.glsl"

#define BYTE(type, words, index) integer_in(type, words[uint(index) >> 2], index)
int x_zero_of() { return x_zeros.count != 0u ? BYTE(x_type, x_zero, x_zeros.offset) : 0; }
int w_zero_of(uint output_channel) {
  return w_zeros.count != 0u ? BYTE(w_type, w_zero, at(w_zeros, output_channel)) : 0;
}

uint inner_count() { return channel_count * kernel_count(); }

// What becomes of the sums of an output channel where y are codes.
struct Finish {
  int bias;
  float ratio;
};
Finish finish_of(uint output_channel) {
  if (y_type == i32) return Finish(0, 1.0);
  precise float scale = x_scale[x_scales.offset] * w_scale[at(w_scales, output_channel)];
  return Finish(biases.count != 0u ? bias[biases.offset + int(output_channel)] : 0,
                quotient(scale, y_scale[y_scales.offset]));
}
int y_zero_of() { return y_type == i32 ? 0 : BYTE(y_type, y_zero, y_zeros.offset); }

uint code_of(int sum, Finish finish, int zero) {
  precise float steps = float(sum + finish.bias) * finish.ratio;
  float least = y_type == i8 ? -128.0 : 0.0;
  return uint(int(clamp(roundEven(steps) + float(zero), least, least + 255.0))) & 0xFFu;
}

// Puts sums of an output channel at four places in y, as many as there are. A word of codes that is all theirs is written
// whole; else each code on its own, whoever writes those beside it.
void put(uvec4 places, uint there, ivec4 sums, Finish finish, int zero) {
  if (y_type == i32) {
    [[unroll]] for (uint i = 0u; i < 4u; ++i)
      if (i < there) y[uint(y_word_offset) + places[i]] = uint(sums[i]);
    return;
  }
  uvec4 codes;
  [[unroll]] for (uint i = 0u; i < 4u; ++i) codes[i] = code_of(sums[i], finish, zero);
  if (there == 4u && places[0] % 4u == 0u && places[3] == places[0] + 3u) {
    y[uint(y_word_offset) + places[0] / 4u] = codes[0] | codes[1] << 8 | codes[2] << 16 | codes[3] << 24;
    return;
  }
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    if (i >= there) continue;
    uint word = uint(y_word_offset) + places[i] / 4u, bit = places[i] % 4u * 8u;
    atomicAnd(y[word], ~(0xFFu << bit));
    atomicOr(y[word], codes[i] << bit);
  }
}
