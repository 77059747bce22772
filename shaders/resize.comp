#version 450
#extension GL_GOOGLE_include_directive : require
// resize.comp: Resize-19. An element of the output is a sum over taps of all axes, as tables tell for each of them.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };  // dense

struct Axis {
  uint size, tap_count, first_tap;
  int stride;
};
struct Tap {
  int index;  // -1: outside
  float weight;
};
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint count, rank, tap_count;  // count: less than 2^31
  int x_offset, y_offset;
  float extrapolation;
  Axis axes[8];
  Tap taps[];
};

// Sums for integers are rounded to even and kept within the type.
ELEMENT rounded(float sum) {
#ifdef FLOATING
  return ELEMENT(sum);
#else
  return ELEMENT(clamp(roundEven(sum), float(least_element), float(greatest_element)));
#endif
}

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint rest = i, position[8];
    for (int k = int(rank) - 1; k >= 0; --k) {
      position[k] = rest % axes[k].size;
      rest /= axes[k].size;
    }
    float sum = 0;
    bool is_outside = false;
    for (uint t = 0; t < tap_count; ++t) {
      uint choice = t;
      int from = x_offset;
      float weight = 1;
      for (uint k = 0; k < rank; ++k) {
        Axis axis = axes[k];
        Tap tap = taps[axis.first_tap + position[k] * axis.tap_count + choice % axis.tap_count];
        choice /= axis.tap_count;
        is_outside = is_outside || tap.index < 0;
        from += max(tap.index, 0) * axis.stride;
        weight *= tap.weight;
      }
      sum += weight * float(LOAD(x[from]));
    }
    y[y_offset + int(i)] = STORE(rounded(is_outside ? extrapolation : sum));
  }
}
