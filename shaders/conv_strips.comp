#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// conv_strips.comp: Conv-22 of groups of one channel, where windows are small, lie dense and move by one or two along some
// axis: a thread makes a strip of outputs along it, for which it reads each element of x once for each place of the window along
// the other axes, and each weight once.
#include "conv.glsl"

layout(constant_id = 0) const uint strip_axis = 1;
layout(constant_id = 1) const uint kernel_length = 3;  // along it
layout(constant_id = 2) const uint stride = 1;         // along it
layout(constant_id = 3) const uint strip_length = 4;
layout(local_size_x = 64) in;

const uint span = (strip_length - 1) * stride + kernel_length;

void main() {
  uvec3 strips = uvec3(out_sizes[0], out_sizes[1], out_sizes[2]);
  strips[strip_axis] = (strips[strip_axis] + strip_length - 1) / strip_length;
  uvec3 places = uvec3(kernel_sizes[0], kernel_sizes[1], kernel_sizes[2]);  // of the windows of a strip along the other axes
  places[strip_axis] = 1;
  uint weight_step = strip_axis == 2 ? 1 : kernel_sizes[2];
  uint image_size = strips.x * strips.y * strips.z;
  uint outputs = group_count * output_count, count = batch_count * outputs * image_size;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint output_channel = i / image_size % outputs, batch = i / image_size / outputs, own = i % image_size;
    uvec3 first = uvec3(own / (strips.y * strips.z), own / strips.z % strips.y, own % strips.z);
    first[strip_axis] *= strip_length;
    ivec3 window = window_of(first);
    int image = image_at(batch, output_channel / output_count);
    float sums[strip_length];
    [[unroll]] for (uint s = 0; s < strip_length; ++s) sums[s] = 0.0;
    uvec3 element = uvec3(0);
    for (element.x = 0; element.x < places.x; ++element.x)
      for (element.y = 0; element.y < places.y; ++element.y)
        for (element.z = 0; element.z < places.z; ++element.z) {
          ivec3 place = place_in(window, element);
          int begin = place[strip_axis], from = element_of(image, place);
          place[strip_axis] = 0;
          float elements[span];
          [[unroll]] for (uint j = 0; j < span; ++j) {
            elements[j] = 0.0;
            if (is_inside(place) && uint(begin + int(j)) < in_sizes[strip_axis])
              elements[j] = LOAD(x[from + int(j) * x_strides[strip_axis]]);
          }
          uint k0 = ((output_channel * kernel_sizes[0] + element.x) * kernel_sizes[1] + element.y) * kernel_sizes[2] + element.z;
          [[unroll]] for (uint k = 0; k < kernel_length; ++k) {
            float weight = LOAD(w[w_offset + int(k0 + k * weight_step)]);
            [[unroll]] for (uint s = 0; s < strip_length; ++s) sums[s] += weight * elements[s * stride + k];
          }
        }
    [[unroll]] for (uint s = 0; s < strip_length; ++s) {
      uvec3 at = first;
      at[strip_axis] += s;
      if (at[strip_axis] < out_sizes[strip_axis])
        store(batch, output_channel, (at.x * out_sizes[1] + at.y) * out_sizes[2] + at.z, sums[s]);
    }
  }
}
