#version 450
#extension GL_GOOGLE_include_directive : require
// col2im.comp: Col2Im-18, an element of the image a thread: the sum of those of the columns [batch, channel * block, places]
// that it is covered with, in f32. Windows slide over the image ("in"); "out" are their places. y is dense.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS                                          \
  uint count, channel_count; /* count: of y; less than 2^31 */   \
  int columns_offset, columns_strides[3];                        \
  int y_offset;
#include "windows.glsl"

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint at = i % (in_sizes[0] * in_sizes[1] * in_sizes[2]);
    uint image = i / (in_sizes[0] * in_sizes[1] * in_sizes[2]);
    uint channel = image % channel_count;
    ivec3 pixel = ivec3(at / (in_sizes[1] * in_sizes[2]), at / in_sizes[2] % in_sizes[1], at % in_sizes[2]);
    pixel += ivec3(pads[0], pads[1], pads[2]);
    int begin = columns_offset + int(image / channel_count) * columns_strides[0] +
                int(channel * kernel_count()) * columns_strides[1];
    float sum = 0.0;
    for (uint k = 0; k < kernel_count(); ++k, begin += columns_strides[1]) {
      // Where the window begins whose element k lies here.
      ivec3 first = pixel - place_in(ivec3(0), k);
      ivec3 strides = ivec3(window_strides[0], window_strides[1], window_strides[2]);
      ivec3 place = first / strides;
      if (any(lessThan(first, ivec3(0))) || place * strides != first ||
          any(greaterThanEqual(place, ivec3(out_sizes[0], out_sizes[1], out_sizes[2]))))
        continue;
      int column = (place.x * int(out_sizes[1]) + place.y) * int(out_sizes[2]) + place.z;
      sum += LOAD(x[begin + column * columns_strides[2]]);
    }
    y[y_offset + int(i)] = STORE(sum);
  }
}
