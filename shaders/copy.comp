#version 450
#extension GL_GOOGLE_include_directive : require
// copy.comp: y = x over up to 8 axes, each side with strides of its own.
#include "moved.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { ELEMENT x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { ELEMENT y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint count;  // of elements; less than 2^31
  uint rank;
  uint dims[8];
  ivec2 offsets;  // of x and y; all offsets and strides in elements
  ivec2 strides[8];
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint index = gl_GlobalInvocationID.x; index < count; index += step_size) {
    uint rest = index;
    ivec2 at = offsets;
    for (int axis = int(rank) - 1; axis >= 0; --axis) {
      uint outer = axis == 0 ? 0u : rest / dims[axis];
      at += int(rest - outer * dims[axis]) * strides[axis];
      rest = outer;
    }
    y[at.y] = x[at.x];
  }
}
