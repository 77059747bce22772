#version 450
#extension GL_GOOGLE_include_directive : require
// pad.comp: Pad-19, y = x where x reaches, and elsewhere a constant, x mirrored at its ends, its ends, or x again.
#include "indices.glsl"
#include "moved.glsl"

layout(constant_id = 2) const uint padding = 0;
const uint constant = 0;
const uint reflect_ends = 1;
const uint edge = 2;
const uint wrap = 3;

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { ELEMENT x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Value { ELEMENT value[]; };
layout(set = 0, binding = 2, std430) readonly buffer Pads { uvec2 pads[]; };  // i64
layout(set = 0, binding = 3, std430) writeonly buffer Output { ELEMENT y[]; };

struct Axis {
  int size, x_size, x_stride;
  int begin;        // elements of y before those of x, or negative those of x that are left out
  int begin_place;  // among the pads, where they tell it; else negative
};
layout(set = 0, binding = 4, std430) readonly buffer Parameters {
  uint count, rank;  // count: less than 2^31
  uint has_value;
  int x_offset, value_offset, pads_offset, y_offset;  // in elements
  uint fill[2];                                       // the bits of the constant where there is no value
  Axis axes[8];
};

// Which of `kept` elements stands at place `at`, which may lie outside.
int chosen(int at, int kept) {
  if (padding == edge || kept <= 1) return clamp(at, 0, max(kept - 1, 0));
  int period = padding == wrap ? kept : 2 * kept - 2;
  at %= period;
  if (at < 0) at += period;
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
    int rest = int(i);
    int from = x_offset;
    bool inside = true;
    for (int k = int(rank) - 1; k >= 0; --k) {
      Axis axis = axes[k];
      int begin = axis.begin;
      if (axis.begin_place >= 0) {
        uvec2 word = pads[pads_offset + axis.begin_place];
        begin = clamp(heed_index(word.x, word.y), -axis.x_size, axis.size);
      }
      int end = axis.size - axis.x_size - begin;
      int kept = axis.x_size + min(begin, 0) + min(end, 0);
      int outer = k == 0 ? 0 : rest / axis.size;
      int at = rest - outer * axis.size - max(begin, 0);
      if (at < 0 || at >= kept) {
        if (padding == constant)
          inside = false;
        else
          at = chosen(at, kept);
      }
      from += (at - min(begin, 0)) * axis.x_stride;
      rest = outer;
    }
    HELD element = otherwise;
    if (inside) element = HELD(x[from]);
    y[y_offset + int(i)] = ELEMENT(element);
  }
}
