// conv_integer_fours.glsl: what the kernels of conv_integer.glsl have in common where output channels of a group share what is
// read of x: threads take four positions at once, from a multiple of four on. Positions of all images stand one after the
// other.
#include "conv_integer.glsl"

// How bytes of x are read: one by one; four that lie side by side at once; or as whole words always, where windows are of one
// element, move by one, and lie in x as positions do, in channels of whole words.
layout(constant_id = 4) const uint reading = 0;
const uint one_by_one = 0, in_fours = 1, in_words = 2;

uint position_count() { return batch_count * out_count(); }

struct Four {
  uint count;    // as many as there are
  uvec4 places;  // in y, of output channel 0
  ivec3 windows[4];
  int first_bytes[4];     // where their windows begin in x, in the first channel of the group
  bool are_side_by_side;  // each element of the four windows, in x, and none is in the padding
  uint padding;           // the byte that is read there
};

Four four_at(uint first, uint first_channel) {
  Four four;
  four.count = min(4u, position_count() - first);
  four.are_side_by_side = true;
  four.padding = uint(x_zero_of()) & 0xFFu;
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    uint position = min(first + i, position_count() - 1u), batch = position / out_count(), own = position % out_count();
    ivec3 window = window_of(own);
    four.places[i] = batch * group_count * output_count * out_count() + own;
    four.windows[i] = window;
    four.first_bytes[i] = element_of(image_at(batch, first_channel), window);
    bool is_next = four.first_bytes[i] == four.first_bytes[0] + int(i);
    bool is_whole = is_inside(window) && is_inside(place_in(window, kernel_count() - 1u));
    four.are_side_by_side = four.are_side_by_side && is_next && is_whole;
  }
  return four;
}

// The bytes of an element of four windows; x_zero in the padding.
uint x_four(Four four, Inner at) {
  int further = int(at.channel) * x_channel_stride + element_of(0, place_in(ivec3(0), at.element));
  if (reading == in_words) return x[uint(four.first_bytes[0] + further) >> 2];
  if (reading == in_fours && four.are_side_by_side) return BYTES(x, uint(four.first_bytes[0] + further), 4u);
  uint bytes = 0u;
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    uint byte = four.padding;
    if (is_inside(place_in(four.windows[i], at.element)))
      byte = code_in(x_type, x[uint(four.first_bytes[i] + further) >> 2], four.first_bytes[i] + further);
    bytes |= byte << (8u * i);
  }
  return bytes;
}
