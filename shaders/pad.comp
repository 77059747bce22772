#version 450
#extension GL_GOOGLE_include_directive : require
// pad.comp: Pad-19, y = x where x reaches, and elsewhere a constant, x mirrored at its ends, its ends, or x again.
#include "moved.glsl"

layout(constant_id = 2) const uint padding = 0;
const uint constant = 0;
const uint reflect_ends = 1;
const uint edge = 2;
const uint wrap = 3;

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { ELEMENT x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Value { ELEMENT value[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };

struct Axis {
  uint size;   // of y
  int lead;    // elements of y before those of x
  int kept;    // elements of x
  int stride;  // of x
};
layout(set = 0, binding = 3, std430) readonly buffer Parameters {
  uint count, rank;                      // count: less than 2^31
  uint has_value;
  int x_offset, value_offset, y_offset;  // in elements
  uint fill[2];                          // the bits of the constant where there is no value
  Axis axes[8];
};

// Which of `kept` elements stands at place `at`, which may lie outside.
int chosen(int at, int kept) {
  if (at >= 0 && at < kept) return at;
  if (padding == edge || kept == 1) return clamp(at, 0, kept - 1);
  int period = padding == wrap ? kept : 2 * kept - 2;
  at -= period * int(floor(float(at) / float(period)));
  // A quotient of floats may be off by one.
  at += at < 0 ? period : at >= period ? -period : 0;
  return at < kept ? at : period - at;
}

void main() {
#if BYTES == 8
  HELD otherwise = has_value != 0 ? value[value_offset] : uvec2(fill[0], fill[1]);
#else
  HELD otherwise = has_value != 0 ? HELD(value[value_offset]) : fill[0];
#endif
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += step_size) {
    uint rest = i;
    int from = x_offset;
    bool inside = true;
    for (int k = int(rank) - 1; k >= 0; --k) {
      Axis axis = axes[k];
      uint outer = k == 0 ? 0u : rest / axis.size;
      int at = int(rest - outer * axis.size) - axis.lead;
      if (padding == constant)
        inside = inside && at >= 0 && at < axis.kept;
      else
        at = chosen(at, axis.kept);
      from += at * axis.stride;
      rest = outer;
    }
    HELD element = otherwise;
    if (inside) element = HELD(x[from]);
    y[y_offset + int(i)] = ELEMENT(element);
  }
}
