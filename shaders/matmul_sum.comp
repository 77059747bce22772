#version 450
#extension GL_GOOGLE_include_directive : require
// matmul_sum.comp: c = a b where matmul.comp or matmul_rows.comp summed pieces of the inner axis: adds them in order.
#include "matmul.glsl"

layout(local_size_x = 128) in;

void main() {
  uint count = batch_count * rows * columns;
  for (uint index = gl_GlobalInvocationID.x; index < count; index += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    float sum = 0.0;
    for (uint split = 0; split < partial_count; ++split) sum += partials[split * count + index];
    finish(index / columns / rows, index / columns % rows, index % columns, sum);
  }
}
