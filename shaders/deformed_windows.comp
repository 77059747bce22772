#version 450
#extension GL_GOOGLE_include_directive : require
// deformed_windows.comp: heed.DeformedWindows, what each element of the windows of DeformConv-22 reads between the elements
// of x, beyond which zeros stand; times the mask. offset, mask and y are dense.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Offset { STORED offset[]; };  // [batch, group, kernel, axis, places]
layout(set = 0, binding = 2, std430) readonly buffer Mask { STORED mask[]; };      // [batch, group, kernel, places]
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };      // [batch, channel, kernel, places]

#define PARAMETERS_BINDING 4
#define MORE_PARAMETERS                                                                   \
  uint count, channel_count, group_channels; /* count: of y; less than 2^31 */            \
  uint axis_count; /* spatial axes that there are: the last ones */                       \
  uint has_mask;                                                                          \
  int offset_offset, mask_offset, y_offset;
#include "windows.glsl"

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint position = i % out_count();
    uint k = i / out_count() % kernel_count();
    uint channel = i / out_count() / kernel_count() % channel_count;
    uint batch = i / out_count() / kernel_count() / channel_count;
    uint group = batch * (channel_count / group_channels) + channel / group_channels;
    uint element = group * kernel_count() + k;

    vec3 place = vec3(place_in(window_of(position), k));
    for (uint axis = 0; axis < axis_count; ++axis)
      place[axis + 3 - axis_count] +=
          LOAD(offset[offset_offset + int((element * axis_count + axis) * out_count() + position)]);
    // A place far away is as good as any outside.
    vec3 ends = vec3(in_sizes[0], in_sizes[1], in_sizes[2]);
    place = clamp(place, vec3(-2.0), ends + 1.0);
    vec3 low = floor(place);
    vec3 across = place - low;
    int image = image_at(batch, channel);
    float sum = 0.0;
    for (int corner = 0; corner < 8; ++corner) {
      ivec3 far = ivec3(corner >> 2, corner >> 1 & 1, corner & 1);
      ivec3 at = ivec3(low) + far;
      if (!is_inside(at)) continue;
      vec3 weights = mix(1.0 - across, across, vec3(far));
      sum += weights.x * weights.y * weights.z * LOAD(x[element_of(image, at)]);
    }
    if (has_mask != 0) sum *= LOAD(mask[mask_offset + int(element * out_count() + position)]);
    y[y_offset + int(i)] = STORE(sum);
  }
}
