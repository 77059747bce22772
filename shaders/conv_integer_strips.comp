#version 450
#extension GL_GOOGLE_include_directive : require
// conv_integer_strips.comp: convolutions of bytes in groups of one channel, where windows are small, lie dense and move by one
// or two along the last axis, along which x lies side by side: a thread makes a strip of four positions along it, and reads
// the bytes under it in words, once for each place of the window along the other axes.
#include "conv_integer.glsl"

layout(constant_id = 3) const uint kernel_length = 3;  // along the last axis
layout(constant_id = 4) const uint stride = 1;         // along it
layout(local_size_x = 64) in;

const uint strip_length = 4, span = (strip_length - 1) * stride + kernel_length, span_words = (span + 3) / 4;

void main() {
  uint strips = (out_sizes[2] + strip_length - 1u) / strip_length, rows = out_sizes[0] * out_sizes[1];
  uint outputs = group_count * output_count, count = batch_count * outputs * rows * strips;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint image = i / (rows * strips), output_channel = image % outputs, row = i / strips % rows;
    uvec3 first = uvec3(row / out_sizes[1], row % out_sizes[1], i % strips * strip_length);
    ivec3 window = window_of(first);
    int x_image = image_at(image / outputs, output_channel / output_count);
    int x_less = x_zero_of(), w_less = w_zero_of(output_channel);
    ivec4 sums = ivec4(0);
    uvec3 element = uvec3(0u);
    for (element.x = 0u; element.x < kernel_sizes[0]; ++element.x)
      for (element.y = 0u; element.y < kernel_sizes[1]; ++element.y) {
        ivec3 place = ivec3(place_in(window, element).xy, 0);
        bool has_row = is_inside(place);
        int x_row = has_row ? element_of(x_image, place) : x_image;
        // Words of the row, shifted so that the first byte of the strip is the first; bytes beside the row are not told.
        int from = x_row + window.z, first_word = from >> 2, least = x_row >> 2, most = (x_row + int(in_sizes[2]) - 1) >> 2;
        uint bit = uint(from & 3) * 8u, ahead = x[clamp(first_word, least, most)], words[span_words];
        [[unroll]] for (uint j = 0u; j < span_words; ++j) {
          uint next = x[clamp(first_word + int(j) + 1, least, most)];
          words[j] = ahead >> bit | next << 1 << (31u - bit);
          ahead = next;
        }
        int bytes[span];
        [[unroll]] for (uint j = 0u; j < span; ++j) {
          bool is_there = has_row && uint(window.z + int(j)) < in_sizes[2];
          bytes[j] = is_there ? integer_in(x_type, words[j / 4u], int(j % 4u)) - x_less : 0;
        }
        uint w_row = (output_channel * kernel_sizes[0] + element.x) * kernel_sizes[1] + element.y;
        int weights = w_offset + int(w_row * kernel_length);
        [[unroll]] for (uint k = 0u; k < kernel_length; ++k) {
          int weight = BYTE(w_type, w, weights + int(k)) - w_less;
          [[unroll]] for (uint s = 0u; s < strip_length; ++s) sums[s] += bytes[s * stride + k] * weight;
        }
      }
    uint place = (image * rows + row) * out_sizes[2] + first.z;
    put(place + uvec4(0u, 1u, 2u, 3u), min(strip_length, out_sizes[2] - first.z), sums, finish_of(output_channel),
        y_zero_of());
  }
}
