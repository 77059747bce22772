#version 450
#extension GL_GOOGLE_include_directive : require
// conv_integer.comp: convolutions of bytes, a word of y a thread: one sum, or four codes; for groups whose output channels
// share little.
#include "conv_integer.glsl"

layout(local_size_x = 64) in;

// Of output `i`, counted through all of y.
uint made(uint i) {
  uint outputs = group_count * output_count, output_channel = i / out_count() % outputs;
  int less = x_zero_of(), w_less = w_zero_of(output_channel);
  ivec3 window = window_of(i % out_count());
  uint batch = i / out_count() / outputs;
  int weights = w_offset + int(output_channel * inner_count());
  int image = image_at(batch, output_channel / output_count * channel_count);
  int sum = 0;
  for (uint k = 0; k < kernel_count(); ++k) {
    ivec3 place = place_in(window, k);
    if (!is_inside(place)) continue;
    int from = element_of(image, place), weight = weights + int(k);
    for (uint c = 0; c < channel_count; ++c, from += x_channel_stride, weight += int(kernel_count()))
      sum += (BYTE(x_type, x, from) - less) * (BYTE(w_type, w, weight) - w_less);
  }
  return y_type == i32 ? uint(sum) : code_of(sum, finish_of(output_channel), y_zero_of());
}

void main() {
  uint count = batch_count * group_count * output_count * out_count();
  uint elements = y_type == i32 ? 1u : 4u, words = (count + elements - 1u) / elements;
  for (uint word = gl_GlobalInvocationID.x; word < words; word += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint value = 0u;
    for (uint i = 0u; i < elements && word * elements + i < count; ++i) value |= made(word * elements + i) << (8u * i);
    y[uint(y_word_offset) + word] = value;
  }
}
