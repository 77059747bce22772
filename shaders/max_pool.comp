#version 450
#extension GL_GOOGLE_include_directive : require
// max_pool.comp: MaxPool-22, the greatest element of each window, the first of equal ones; padding never wins. Where it
// stands is counted through all of the input, column-major within an image where asked for. y and indices are dense.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Output { STORED y[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Indices { uvec2 indices[]; };  // i64, low word first

#define PARAMETERS_BINDING 3
#define MORE_PARAMETERS                                           \
  uint count, channel_count; /* count: of y; less than 2^31 */    \
  uint has_indices, column_major;                                 \
  int y_offset, indices_offset;
#include "windows.glsl"

int index_in_image(ivec3 place) {
  ivec3 sizes = ivec3(in_sizes[0], in_sizes[1], in_sizes[2]);
  if (column_major != 0) return (place.z * sizes.y + place.y) * sizes.x + place.x;
  return (place.x * sizes.y + place.y) * sizes.z + place.z;
}

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint image = i / out_count();
    int begin = image_at(image / channel_count, image % channel_count);
    ivec3 window = window_of(i % out_count());
    bool found = false;
    ELEMENT greatest = least_element;
    ivec3 best = ivec3(0);
    for (uint k = 0; k < kernel_count(); ++k) {
      ivec3 place = place_in(window, k);
      if (!is_inside(place)) continue;
      ELEMENT element = LOAD(x[element_of(begin, place)]);
      if (found && !(element > greatest)) continue;
      found = true;
      greatest = element;
      best = place;
    }
    y[y_offset + int(i)] = STORE(greatest);
    if (has_indices != 0)
      indices[indices_offset + int(i)] =
          uvec2(image * in_sizes[0] * in_sizes[1] * in_sizes[2] + uint(index_in_image(best)), 0);
  }
}
