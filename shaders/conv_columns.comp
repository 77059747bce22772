#version 450
#extension GL_GOOGLE_include_directive : require
// conv_columns.comp: the windows of a convolution as columns of a matrix, [channel and element of the window, pixel]
// (conv_products.glsl). A thread takes a channel of four neighbouring columns: divisions take longer than all else.
#include "conv_products.glsl"

layout(local_size_x = 64) in;

const uint columns_per_thread = 4;  // which divides tile_pitch

// The window of the next output of an image.
ivec3 next(ivec3 window) {
  ivec3 step = ivec3(window_strides[0], window_strides[1], window_strides[2]);
  ivec3 begin = -ivec3(pads[0], pads[1], pads[2]);
  ivec3 end = begin + ivec3(out_sizes[0], out_sizes[1], out_sizes[2]) * step;
  window.z += step.z;
  if (window.z < end.z) return window;
  window.z = begin.z;
  window.y += step.y;
  if (window.y < end.y) return window;
  window.y = begin.y;
  window.x += step.x;
  return window.x < end.x ? window : begin;
}

void main() {
  uint fours = tile_pitch / columns_per_thread, count = group_count * channel_count * fours, kernel = kernel_count();
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint channel = i / fours, column = i % fours * columns_per_thread;
    uint batch = (first_tile + column) / out_count();
    ivec3 window = window_of((first_tile + column) % out_count());
    for (uint last = column + columns_per_thread; column < last; ++column, window = next(window)) {
      if (window == -ivec3(pads[0], pads[1], pads[2]) && column + columns_per_thread != last) ++batch;
      if (batch >= batch_count) break;  // what is behind the last pixel is never looked at
      int image = image_at(batch, channel);
      uint at = channel * kernel * tile_pitch + column;
      ivec3 place = window;
      for (uint d = 0; d < kernel_sizes[0]; ++d, place.x += dilations[0]) {
        place.y = window.y;
        for (uint h = 0; h < kernel_sizes[1]; ++h, place.y += dilations[1]) {
          place.z = window.z;
          for (uint w = 0; w < kernel_sizes[2]; ++w, place.z += dilations[2], at += tile_pitch) {
            float element = 0.0;
            if (is_inside(place)) element = LOAD(x[element_of(image, place)]);
            laid_out[at] = element;
          }
        }
      }
    }
  }
}
