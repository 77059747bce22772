#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
// conv_winograd_input.comp: B^T d B of Winograd's F(4x4, 3x3) (conv_winograd.glsl). A thread makes the 36 positions of a tile
// in one channel, neighbours those of neighbouring tiles.
#include "conv_winograd.glsl"

layout(local_size_x = 64) in;

void transform(inout float d[6]) {
  float even1 = d[4] - 2.0 * d[2], even2 = d[4] - 0.5 * d[2];
  float odd1 = half_root * d[3] - root * d[1], odd2 = root * d[3] - half_root * d[1];
  d = float[6](d[0] + d[4] - 2.5 * d[2], even1 + odd1, even1 - odd1, even2 + odd2, even2 - odd2,
               d[1] + d[5] - 2.5 * d[3]);
}

void main() {
  uint channels = group_count * channel_count, count = channels * tile_pitch;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint channel = i / tile_pitch;
    uvec3 tile = place_of_tile(min(i % tile_pitch, tile_count - 1));  // what is behind the last is never looked at
    int image = image_at(tile.x, channel);
    ivec2 first = ivec2(tile.yz) - ivec2(pads[1], pads[2]);
    float rows[6][6];
    [[unroll]] for (int row = 0; row < 6; ++row)
      [[unroll]] for (int column = 0; column < 6; ++column) {
        ivec3 place = ivec3(0, first + ivec2(row, column));
        rows[row][column] = 0.0;
        if (is_inside(place)) rows[row][column] = LOAD(x[element_of(image, place)]);
      }
    [[unroll]] for (int row = 0; row < 6; ++row) transform(rows[row]);
    [[unroll]] for (int column = 0; column < 6; ++column) {
      float d[6];
      [[unroll]] for (int row = 0; row < 6; ++row) d[row] = rows[row][column];
      transform(d);
      [[unroll]] for (int row = 0; row < 6; ++row) laid_out[uint(row * 6 + column) * count + i] = d[row];
    }
  }
}
