#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// conv_winograd_output.comp: A^T m A of Winograd's F(4x4, 3x3) (conv_winograd.glsl), and what Conv and FusedConv do with
// their sums. A thread makes the 4 x 4 outputs of a tile in one channel.
#include "conv_winograd.glsl"

layout(local_size_x = 64) in;

float[4] transform(float m0, float m1, float m2, float m3, float m4, float m5) {
  float sum1 = m1 + m2, sum2 = m3 + m4, difference1 = m1 - m2, difference2 = m3 - m4;
  return float[4](m0 + sum1 + sum2, half_root * difference1 + root * difference2, 0.5 * sum1 + 2.0 * sum2,
                  0.5 * half_root * difference1 + 2.0 * root * difference2 + m5);
}

void main() {
  uint outputs = group_count * output_count, pitch = outputs * tile_pitch, count = outputs * tile_count;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint output_channel = i / tile_count;
    uint from = sums_offset + output_channel * tile_pitch + i % tile_count;
    float rows[4][6];
    [[unroll]] for (int column = 0; column < 6; ++column) {
      float m[6];
      [[unroll]] for (int row = 0; row < 6; ++row) m[row] = laid_out[from + uint(row * 6 + column) * pitch];
      float made[4] = transform(m[0], m[1], m[2], m[3], m[4], m[5]);
      [[unroll]] for (int row = 0; row < 4; ++row) rows[row][column] = made[row];
    }
    uvec3 tile = place_of_tile(i % tile_count);
    [[unroll]] for (uint row = 0; row < tile_size; ++row) {
      if (tile.y + row >= out_sizes[1]) continue;
      float made[4] = transform(rows[row][0], rows[row][1], rows[row][2], rows[row][3], rows[row][4], rows[row][5]);
      [[unroll]] for (uint column = 0; column < tile_size; ++column)
        if (tile.z + column < out_sizes[2])
          store(tile.x, output_channel, (tile.y + row) * out_sizes[2] + tile.z + column, made[column]);
    }
  }
}
