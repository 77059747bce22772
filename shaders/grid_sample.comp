#version 450
#extension GL_GOOGLE_include_directive : require
// grid_sample.comp: GridSample-22. A thread takes a place of the grid, and all channels there; y and grid are dense.
#include "element.glsl"

layout(constant_id = 0) const uint mode = 1;
const uint nearest = 0;
const uint linear = 1;
const uint cubic = 2;
layout(constant_id = 1) const uint padding = 0;
const uint zeros = 0;
const uint border = 1;
const uint reflection = 2;

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Grid { STORED grid[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 3, std430) readonly buffer Parameters {
  uint place_count, batch_count, channel_count, spatial_count;
  uint align_corners;
  int x_offset, grid_offset, y_offset;
  int x_batch_stride, x_channel_stride;
  int sizes[3], strides[3];
};

const int tap_count = mode == nearest ? 1 : mode == linear ? 2 : 4;

float reflected(float at, float least, float greatest) {
  float range = greatest - least;
  if (range <= 0.0) return least;
  float beyond = at < least ? least - at : at > greatest ? at - greatest : 0.0;
  float turns = floor(beyond / range), rest = beyond - turns * range;
  bool is_even = mod(turns, 2.0) == 0.0;
  if (at < least) return is_even ? least + rest : greatest - rest;
  if (at > greatest) return is_even ? greatest - rest : least + rest;
  return at;
}

// Keys' kernel with a = -0.75, at a distance.
float cubic_weight(float distance) {
  const float a = -0.75;
  float d = abs(distance);
  if (d <= 1.0) return ((a + 2.0) * d - (a + 3.0)) * d * d + 1.0;
  return d < 2.0 ? ((a * d - 5.0 * a) * d + 8.0 * a) * d - 4.0 * a : 0.0;
}

// The elements along an axis that make the value at `told`, from -1 to 1, and their weights; -1: a zero of the padding.
void find_taps(float told, int size, out int indices[4], out float weights[4]) {
  float least = align_corners != 0 ? 0.0 : -0.5, greatest = align_corners != 0 ? float(size - 1) : float(size) - 0.5;
  float at = align_corners != 0 ? (told + 1.0) / 2.0 * float(size - 1) : ((told + 1.0) * float(size) - 1.0) / 2.0;
  at = isnan(at) ? least : clamp(at, -1e8, 1e8);
  if (mode == nearest) at = roundEven(at);
  if (at < least || at > greatest) {
    if (padding == border) at = clamp(at, 0.0, float(size - 1));
    if (padding == reflection) at = reflected(at, least, greatest);
  }
  float left = mode == nearest ? trunc(at) : floor(at);
  for (int i = 0; i < tap_count; ++i) {
    int index = int(left) + i - (mode == cubic ? 1 : 0);
    float distance = at - float(index);
    weights[i] = mode == nearest ? 1.0 : mode == linear ? 1.0 - abs(distance) : cubic_weight(distance);
    if (padding == border) index = clamp(index, 0, size - 1);
    if (padding == reflection) index = clamp(int(reflected(float(index), least, greatest)), 0, size - 1);
    indices[i] = index < 0 || index >= size ? -1 : index;
  }
}

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < place_count * batch_count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint batch = i / place_count, place = i % place_count;
    int indices[3][4];
    float weights[3][4];
    for (int axis = 0; axis < 3; ++axis) {
      int own = axis - (3 - int(spatial_count));
      indices[axis][0] = 0;
      weights[axis][0] = 1.0;
      for (int tap = 1; tap < 4; ++tap) indices[axis][tap] = -1;
      // The grid tells the last axis first.
      if (own >= 0)
        find_taps(float(LOAD(grid[grid_offset + int(i * spatial_count) + int(spatial_count) - 1 - own])), sizes[axis],
                  indices[axis], weights[axis]);
    }
    for (uint channel = 0; channel < channel_count; ++channel) {
      int begin = x_offset + int(batch) * x_batch_stride + int(channel) * x_channel_stride;
      float sum = 0.0;
      for (int a = 0; a < tap_count; ++a) {
        if (indices[0][a] < 0) continue;
        for (int b = 0; b < tap_count; ++b) {
          if (indices[1][b] < 0) continue;
          for (int c = 0; c < tap_count; ++c) {
            if (indices[2][c] < 0) continue;
            int from = begin + indices[0][a] * strides[0] + indices[1][b] * strides[1] + indices[2][c] * strides[2];
            sum += weights[0][a] * weights[1][b] * weights[2][c] * float(LOAD(x[from]));
          }
        }
      }
      y[y_offset + int((batch * channel_count + channel) * place_count + place)] = STORE(sum);
    }
  }
}
