#version 450
#extension GL_GOOGLE_include_directive : require
// eye_like.comp: EyeLike-9, 1 on the k-th diagonal of a matrix and 0 elsewhere.
#include "moved.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) writeonly buffer Output { ELEMENT y[]; };
layout(set = 0, binding = 1, std430) readonly buffer Parameters {
  uint count, column_count;  // count: less than 2^31
  int k, y_offset;
  uint one[2];  // its bits
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint i = gl_GlobalInvocationID.x; i < count; i += step_size) {
    HELD element = HELD(0);
    if (int(i % column_count) - int(i / column_count) == k)
#if BYTES == 8
      element = uvec2(one[0], one[1]);
#else
      element = one[0];
#endif
    y[y_offset + int(i)] = ELEMENT(element);
  }
}
