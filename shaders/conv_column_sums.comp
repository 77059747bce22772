#version 450
#extension GL_GOOGLE_include_directive : require
// conv_column_sums.comp: what Conv and FusedConv do with their sums where these are a product with columns
// (conv_products.glsl). A thread finishes an output.
#include "conv_products.glsl"

layout(local_size_x = 64) in;

void main() {
  uint count = group_count * output_count * tile_count;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint output_channel = i / tile_count, pixel = first_tile + i % tile_count;
    store(pixel / out_count(), output_channel, pixel % out_count(),
          laid_out[sums_offset + output_channel * tile_pitch + i % tile_count]);
  }
}
