#version 450
#extension GL_GOOGLE_include_directive : require
// conv_winograd_weights.comp: G g G^T of Winograd's F(4x4, 3x3), once per Model (conv_winograd.glsl). w is [output, channel,
// 3, 3], dense; what is made is [position, output, channel]. A thread makes the 36 positions of one window.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Weights { STORED w[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Transformed { float transformed[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint window_count;
  int w_offset;
};

const float root = 1.41421356237309505, half_root = 0.70710678118654752;

float[6] transform(float g0, float g1, float g2) {
  float near = g0 + 0.5 * g2, far = g0 + 2.0 * g2;
  return float[6](g0, -(near + half_root * g1) / 1.5, -(near - half_root * g1) / 1.5, (far + root * g1) / 6.0,
                  (far - root * g1) / 6.0, g2);
}

void main() {
  for (uint window = gl_GlobalInvocationID.x; window < window_count;
       window += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    float rows[6][3];
    for (int column = 0; column < 3; ++column) {
      int at = w_offset + int(window) * 9 + column;
      float made[6] = transform(LOAD(w[at]), LOAD(w[at + 3]), LOAD(w[at + 6]));
      for (int row = 0; row < 6; ++row) rows[row][column] = made[row];
    }
    for (uint row = 0; row < 6; ++row) {
      float made[6] = transform(rows[row][0], rows[row][1], rows[row][2]);
      for (uint column = 0; column < 6; ++column)
        transformed[(row * 6 + column) * window_count + window] = made[column];
    }
  }
}
