#version 450
#extension GL_GOOGLE_include_directive : require
// average_pool.comp: AveragePool-22, the mean of each window's elements, and LpPool-22, the p-th root of the sum of
// their sizes' p-th powers. y is dense.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };

#define PARAMETERS_BINDING 2
#define MORE_PARAMETERS                                                                 \
  uint count, channel_count;  /* count: of y; less than 2^31 */                         \
  uint power;                 /* 0: the mean */                                         \
  uint include_pad;           /* the mean counts what stands in the padding, as 0 */    \
  int padded_ends[3];         /* where the padding behind the data ends */              \
  int y_offset;
#include "windows.glsl"

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint image = i / out_count();
    int begin = image_at(image / channel_count, image % channel_count);
    ivec3 window = window_of(i % out_count());
    ELEMENT sum = 0;
    uint inside = 0;
    for (uint k = 0; k < kernel_count(); ++k) {
      ivec3 place = place_in(window, k);
      if (is_inside(place)) {
        ELEMENT element = LOAD(x[element_of(begin, place)]);
        if (power == 2)
          element *= element;
        else if (power != 0)
          element = pow(abs(element), float(power));
        sum += element;
        ++inside;
      } else if (include_pad != 0 && all(lessThan(place, ivec3(padded_ends[0], padded_ends[1], padded_ends[2])))) {
        ++inside;
      }
    }
    if (power == 0)
      sum /= ELEMENT(inside);
    else
      sum = power == 2 ? sqrt(sum) : pow(sum, 1.0 / float(power));
    y[y_offset + int(i)] = STORE(sum);
  }
}
