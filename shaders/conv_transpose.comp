#version 450
#extension GL_GOOGLE_include_directive : require
// conv_transpose.comp: ConvTranspose-22. A thread gathers an output from the inputs whose windows reach it. w and y are
// dense.
#include "element.glsl"

layout(local_size_x = 64) in;

layout(set = 0, binding = 0, std430) readonly buffer Input { STORED x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Weights { STORED w[]; };  // [channel, output of the group, kernel]
layout(set = 0, binding = 2, std430) readonly buffer Bias { STORED bias[]; };
layout(set = 0, binding = 3, std430) writeonly buffer Output { STORED y[]; };

#define PARAMETERS_BINDING 4
#define MORE_PARAMETERS                                       \
  uint count;                       /* of y; less than 2^31 */ \
  uint channel_count, output_count; /* of a group */           \
  uint group_count, has_bias;                                  \
  int w_offset, bias_offset, y_offset;
#include "windows.glsl"

// Where the input stands along an axis whose window has its element `k` at `at`; false: there is none.
bool find_input(int at, uint axis, uint k, out int place) {
  int from = at + pads[axis] - int(k) * dilations[axis];
  place = from / window_strides[axis];
  return from >= 0 && from % window_strides[axis] == 0 && place < int(in_sizes[axis]);
}

void main() {
  for (uint i = gl_GlobalInvocationID.x; i < count; i += gl_NumWorkGroups.x * gl_WorkGroupSize.x) {
    uint image = i / out_count(), position = i % out_count();
    uint outputs = output_count * group_count;
    uint batch = image / outputs, output_channel = image % outputs;
    uint group = output_channel / output_count, own_output = output_channel % output_count;
    ivec3 at = ivec3(position / (out_sizes[1] * out_sizes[2]), position / out_sizes[2] % out_sizes[1],
                     position % out_sizes[2]);
    float sum = has_bias != 0 ? LOAD(bias[bias_offset + int(output_channel)]) : 0.0;
    ivec3 place;
    for (uint k0 = 0; k0 < kernel_sizes[0]; ++k0) {
      if (!find_input(at.x, 0, k0, place.x)) continue;
      for (uint k1 = 0; k1 < kernel_sizes[1]; ++k1) {
        if (!find_input(at.y, 1, k1, place.y)) continue;
        for (uint k2 = 0; k2 < kernel_sizes[2]; ++k2) {
          if (!find_input(at.z, 2, k2, place.z)) continue;
          uint k = (k0 * kernel_sizes[1] + k1) * kernel_sizes[2] + k2;
          for (uint c = 0; c < channel_count; ++c) {
            uint channel = group * channel_count + c;
            sum += LOAD(w[w_offset + int((channel * output_count + own_output) * kernel_count() + k)]) *
                   LOAD(x[element_of(image_at(batch, channel), place)]);
          }
        }
      }
    }
    y[y_offset + int(i)] = STORE(sum);
  }
}
