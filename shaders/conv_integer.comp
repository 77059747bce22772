#version 450
#extension GL_GOOGLE_include_directive : require
// conv_integer.comp: ConvInteger-10, y[n, m, p] = the sum over c and i of (x[n, c, place of i in the window of p] - x_zero) *
// (w[m, c, i] - w_zero[m]), as i32, the channels c being those of m's group; QLinearConv-10, (y + bias[m]) as codes. A thread
// makes a word of y: one sum, or four codes. x may be strided.
#include "codes.glsl"
#include "quotient.glsl"

layout(constant_id = 0) const uint x_type = 0;
layout(constant_id = 1) const uint w_type = 0;
layout(constant_id = 2) const uint y_type = 0;
layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1, std430) readonly buffer W { uint w[]; };
layout(set = 0, binding = 2, std430) readonly buffer XZero { uint x_zero[]; };
layout(set = 0, binding = 3, std430) readonly buffer WZero { uint w_zero[]; };
layout(set = 0, binding = 4, std430) readonly buffer Bias { int bias[]; };
layout(set = 0, binding = 5, std430) readonly buffer XScale { float x_scale[]; };
layout(set = 0, binding = 6, std430) readonly buffer WScale { float w_scale[]; };
layout(set = 0, binding = 7, std430) readonly buffer YScale { float y_scale[]; };
layout(set = 0, binding = 8, std430) readonly buffer YZero { uint y_zero[]; };
layout(set = 0, binding = 9, std430) writeonly buffer Y { uint y[]; };

struct List {
  int offset;  // in elements
  uint count;  // one, or one an output channel; 0: none
};
int at(List list, uint place) { return list.offset + int(place % list.count); }

#define PARAMETERS_BINDING 10
#define MORE_PARAMETERS                                  \
  uint count, group_count; /* count: of y */             \
  uint channel_count, output_count; /* of a group */     \
  int w_offset, y_word_offset;                           \
  List x_zeros, w_zeros, biases, x_scales, w_scales, y_scales, y_zeros;
#include "windows.glsl"

#define BYTE(type, words, index) integer_in(type, words[uint(index) >> 2], index)

// Of output `i`, counted through all of y; gives its channel too.
int sum_of(uint i, out uint output_channel) {
  uint outputs = group_count * output_count;
  output_channel = i / out_count() % outputs;
  int less = x_zeros.count != 0u ? BYTE(x_type, x_zero, x_zeros.offset) : 0;
  int w_less = w_zeros.count != 0u ? BYTE(w_type, w_zero, at(w_zeros, output_channel)) : 0;
  ivec3 window = window_of(i % out_count());
  uint batch = i / out_count() / outputs;
  int weights = w_offset + int(output_channel * channel_count * kernel_count());
  int image = image_at(batch, output_channel / output_count * channel_count);
  int sum = 0;
  for (uint k = 0; k < kernel_count(); ++k) {
    ivec3 place = place_in(window, k);
    if (!is_inside(place)) continue;
    int from = element_of(image, place), weight = weights + int(k);
    for (uint c = 0; c < channel_count; ++c, from += x_channel_stride, weight += int(kernel_count()))
      sum += (BYTE(x_type, x, from) - less) * (BYTE(w_type, w, weight) - w_less);
  }
  return sum;
}

uint made(uint i) {
  uint m;
  int sum = sum_of(i, m);
  if (y_type == i32) return uint(sum);
  if (biases.count != 0u) sum += bias[biases.offset + int(m)];
  precise float scale = x_scale[x_scales.offset] * w_scale[at(w_scales, m)];
  precise float steps = float(sum) * quotient(scale, y_scale[y_scales.offset]);
  float zero = float(BYTE(y_type, y_zero, y_zeros.offset)), least = y_type == i8 ? -128.0 : 0.0;
  return uint(int(clamp(roundEven(steps) + zero, least, least + 255.0))) & 0xFFu;
}

void main() {
  uint elements = y_type == i32 ? 1u : 4u, words = (count + elements - 1u) / elements;
  for (uint word = gl_GlobalInvocationID.x; word < words; word += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value = 0u;
    for (uint i = 0u; i < elements && word * elements + i < count; ++i) value |= made(word * elements + i) << (8u * i);
    y[uint(y_word_offset) + word] = value;
  }
}
