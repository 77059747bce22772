// windows.glsl: windows that slide over three spatial axes; where the data has fewer, the first ones have size 1. Mirrored
// by ops/windows.hpp. Before it is included stand the binding of the parameters, and what they hold beside the windows:
//   #define PARAMETERS_BINDING 2
//   #define MORE_PARAMETERS int y_offset;

layout(set = 0, binding = PARAMETERS_BINDING, std430) readonly buffer Parameters {
  uint in_sizes[3], out_sizes[3], kernel_sizes[3];
  int window_strides[3], dilations[3], pads[3];    // pads: before the data
  int x_offset, x_batch_stride, x_channel_stride;  // in elements
  int x_strides[3];
  MORE_PARAMETERS
};

uint out_count() { return out_sizes[0] * out_sizes[1] * out_sizes[2]; }
uint kernel_count() { return kernel_sizes[0] * kernel_sizes[1] * kernel_sizes[2]; }

// Where the window begins that makes an output of an image, perhaps in the padding; as a number it is counted row-major.
ivec3 window_of(uvec3 at) {
  return ivec3(at) * ivec3(window_strides[0], window_strides[1], window_strides[2]) - ivec3(pads[0], pads[1], pads[2]);
}
ivec3 window_of(uint position) {
  return window_of(uvec3(position / (out_sizes[1] * out_sizes[2]), position / out_sizes[2] % out_sizes[1],
                         position % out_sizes[2]));
}

// Where an element of a window stands in an image; as a number it is counted row-major.
ivec3 place_in(ivec3 window, uvec3 element) {
  return window + ivec3(element) * ivec3(dilations[0], dilations[1], dilations[2]);
}
uvec3 element_at(uint i) {
  return uvec3(i / (kernel_sizes[1] * kernel_sizes[2]), i / kernel_sizes[2] % kernel_sizes[1], i % kernel_sizes[2]);
}
ivec3 place_in(ivec3 window, uint i) { return place_in(window, element_at(i)); }

bool is_inside(ivec3 place) {
  return uint(place.x) < in_sizes[0] && uint(place.y) < in_sizes[1] && uint(place.z) < in_sizes[2];
}

// Where a channel of an image, counted from the first of all, lies in x.
int image_at(uint batch, uint channel) {
  return x_offset + int(batch) * x_batch_stride + int(channel) * x_channel_stride;
}
int element_of(int image, ivec3 place) {
  return image + place.x * x_strides[0] + place.y * x_strides[1] + place.z * x_strides[2];
}

// An element of the window in a channel of a group, counted row-major along [channel, window].
struct Inner {
  uint channel;
  uvec3 element;
};
Inner inner_at(uint i) { return Inner(i / kernel_count(), element_at(i % kernel_count())); }

// As many further as `by` is behind the first one, without dividing.
void advance(inout Inner at, Inner by) {
  at.channel += by.channel;
  at.element += by.element;
  if (at.element.z >= kernel_sizes[2]) at.element.z -= kernel_sizes[2], ++at.element.y;
  if (at.element.y >= kernel_sizes[1]) at.element.y -= kernel_sizes[1], ++at.element.x;
  if (at.element.x >= kernel_sizes[0]) at.element.x -= kernel_sizes[0], ++at.channel;
}
