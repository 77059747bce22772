#version 450
#extension GL_GOOGLE_include_directive : require
// affine_grid.comp: AffineGrid-20. A thread makes the point of a place: theta (x, y, 1) or theta (x, y, z, 1).
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Theta { STORED theta[]; };  // [batch, spatial, spatial + 1]
layout(set = 0, binding = 1, std430) writeonly buffer Grid { STORED grid[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint count, place_count, spatial_count;  // count: places of all batches; less than 2^31
  uint align_corners;
  int theta_offset, grid_offset;
  uint sizes[3];
};

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint rest = i % place_count;
    float point[4];
    for (uint k = 0; k < spatial_count; ++k) {  // x is the last axis
      uint size = sizes[spatial_count - 1 - k];
      float at = float(rest % size);
      rest /= size;
      point[k] = align_corners == 0 ? (2.0 * at + 1.0) / float(size) - 1.0
                                    : size == 1 ? 0.0 : 2.0 * at / float(size - 1) - 1.0;
    }
    point[spatial_count] = 1.0;
    int row = theta_offset + int(i / place_count * spatial_count * (spatial_count + 1));
    for (uint k = 0; k < spatial_count; ++k) {
      float sum = 0.0;
      for (uint j = 0; j <= spatial_count; ++j) sum += LOAD(theta[row + int(k * (spatial_count + 1) + j)]) * point[j];
      grid[grid_offset + int(i * spatial_count + k)] = STORE(sum);
    }
  }
}
