// quantized.glsl: what quantize.comp and dequantize.comp share: scales and zero points. Types are constants. Before it is
// included may stand the binding of the parameters, and what they hold beside:
//   #define PARAMETERS_BINDING 6
//   #define MORE_PARAMETERS uint slice_size;
#include "codes.glsl"

#ifndef PARAMETERS_BINDING
#define PARAMETERS_BINDING 4
#define MORE_PARAMETERS
#endif

layout(constant_id = 0) const uint x_type = 0;
layout(constant_id = 1) const uint scale_type = 0;
layout(constant_id = 2) const uint y_type = 0;
layout(local_size_x = 128) in;

layout(set = 0, binding = 0, std430) readonly buffer X { uint x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Scale { uint scale[]; };
layout(set = 0, binding = 2, std430) readonly buffer ZeroPoint { uint zero_point[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Y { uint y[]; };
layout(set = 0, binding = PARAMETERS_BINDING, std430) readonly buffer Parameters {
  uint word_count, count;  // of y
  int x_offset, scale_offset, zero_point_offset, y_word_offset;  // in elements, but for y's
  uint axis_size, inner_size, block_size;
  uint outer_stride, axis_stride, inner_stride;  // of the scale of element [outer, axis, inner]
  uint has_zero_point;
  MORE_PARAMETERS
};

// Which scale element `index` has.
int scale_index(uint index) {
  uint inner = index % inner_size, along = index / inner_size;
  return int(along / axis_size * outer_stride + along % axis_size / block_size * axis_stride + inner * inner_stride);
}
float scale_at(int index) {
  index += scale_offset;
  return float_of(scale_type, code_in(scale_type, scale[word_of(scale_type, index)], index));
}
