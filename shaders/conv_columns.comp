#version 450
#extension GL_GOOGLE_include_directive : require
// conv_columns.comp: the windows of a convolution as columns of a matrix, [channel and element of the window, pixel]
// (conv_products.glsl). A thread takes a channel of four neighbouring columns: divisions take longer than all else.
#include "conv_products.glsl"

layout(local_size_x = 64) in;

const uint columns_per_thread = 4;  // which divides tile_pitch

// Goes on to the window of the next output; whether it is the first of another image.
bool advance(inout ivec3 window) {
  ivec3 step = ivec3(window_strides[0], window_strides[1], window_strides[2]), begin = window_of(uvec3(0));
  ivec3 end = window_of(uvec3(out_sizes[0], out_sizes[1], out_sizes[2]));
  for (int axis = 2; axis >= 0; --axis) {
    window[axis] += step[axis];
    if (window[axis] < end[axis]) return false;
    window[axis] = begin[axis];
  }
  return true;
}

void main() {
  uint fours = tile_pitch / columns_per_thread, count = group_count * channel_count * fours, kernel = kernel_count();
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint channel = i / fours, column = i % fours * columns_per_thread, end = column + columns_per_thread;
    uint batch = (first_tile + column) / out_count();
    ivec3 window = window_of((first_tile + column) % out_count());
    for (; column < end && batch < batch_count; ++column) {  // what is behind the last pixel is never looked at
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
      if (advance(window)) ++batch;
    }
  }
}
