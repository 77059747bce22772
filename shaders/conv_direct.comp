#version 450
#extension GL_GOOGLE_include_directive : require
// conv_direct.comp: Conv-22, an output a thread, for groups that share little.
#include "conv.glsl"

layout(local_size_x = 64) in;

void main() {
  uint image_size = out_count();
  uint outputs = group_count * output_count;
  uint count = batch_count * outputs * image_size;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint output_channel = i / image_size % outputs;
    uint batch = i / image_size / outputs;
    uint first_channel = output_channel / output_count * channel_count;
    ivec3 window = window_of(i % image_size);
    int weight = w_offset + int(output_channel * channel_count * kernel_count());
    float sum = 0.0;
    for (uint c = 0; c < channel_count; ++c) {
      int image = image_at(batch, first_channel + c);
      for (uint k = 0; k < kernel_count(); ++k, ++weight) {
        ivec3 place = place_in(window, k);
        if (is_inside(place)) sum += LOAD(w[weight]) * LOAD(x[element_of(image, place)]);
      }
    }
    store(batch, output_channel, i % image_size, sum);
  }
}
