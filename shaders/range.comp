#version 450
#extension GL_GOOGLE_include_directive : require
// range.comp: Range-11, y[i] = start + i delta, in integers.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Start { ELEMENT start[]; };
layout(set = 0, binding = 1, std430) readonly buffer Delta { ELEMENT delta[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Output { ELEMENT y[]; };
layout(set = 0, binding = 3, std430) readonly buffer Parameters {
  uint count, has_delta;
  int start_offset, delta_offset, y_offset;  // in elements
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += step_size)
    y[y_offset + int(i)] = start[start_offset] + ELEMENT(i) * (has_delta != 0 ? delta[delta_offset] : ELEMENT(1));
}
