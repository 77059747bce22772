#version 450
// copy.comp: y = x over up to 8 axes, each side with strides of its own. ELEMENT is any type of the element's size.
#extension GL_EXT_shader_8bit_storage : require
#extension GL_EXT_shader_16bit_storage : require

#ifndef ELEMENT
#define ELEMENT uint
#endif

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { ELEMENT x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { ELEMENT y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters {
  uint count;  // of elements; less than 2^31
  uint rank;
  int x_offset;  // all offsets and strides in elements
  int y_offset;
  uint dims[8];
  int x_strides[8];
  int y_strides[8];
};

void main() {
  uint step_size = gl_NumWorkGroups.x * gl_WorkGroupSize.x;
  for (uint index = gl_GlobalInvocationID.x; index < count; index += step_size) {
    uint rest = index;
    int from = x_offset;
    int to = y_offset;
    for (int axis = int(rank) - 1; axis >= 0; --axis) {
      uint outer = axis == 0 ? 0u : rest / dims[axis];
      int i = int(rest - outer * dims[axis]);
      rest = outer;
      from += i * x_strides[axis];
      to += i * y_strides[axis];
    }
    y[to] = x[from];
  }
}
