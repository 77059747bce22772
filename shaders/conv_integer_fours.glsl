// conv_integer_fours.glsl: what the kernels of conv_integer.glsl share where output channels of a group share what is read of x:
// threads take four positions at once, from a multiple of four on. Positions of all images stand one after the other.
#include "conv_integer.glsl"

// How bytes of x are read: one by one; four that lie side by side at once; or as whole words always, where windows are of one
// element, move by one, and lie in x as positions do, in channels of whole words.
layout(constant_id = 4) const uint reading = 0;
const uint one_by_one = 0, in_fours = 1, in_words = 2;

uint position_count() { return batch_count * out_count(); }

struct Four {
  uint count;           // of the four, as many as there are
  uint places[4];       // in y, of output channel 0
  ivec3 windows[4];
  int first_bytes[4];   // where their windows begin in x, in the first channel of the group
  bool is_side_by_side;  // each element of their windows, in x, and none is in the padding
  uint padding, y_zero;
};

Four four_at(uint first, uint first_channel) {
  Four four;
  four.count = min(4u, position_count() - first);
  four.is_side_by_side = true;
  four.padding = uint(x_zero_of()) & 0xFFu;
  four.y_zero = uint(y_zero_of());
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    uint position = min(first + i, position_count() - 1u), batch = position / out_count(), own = position % out_count();
    ivec3 window = window_of(own);
    four.places[i] = batch * group_count * output_count * out_count() + own;
    four.windows[i] = window;
    four.first_bytes[i] = element_of(image_at(batch, first_channel), window);
    bool is_next = four.first_bytes[i] == four.first_bytes[0] + int(i);
    four.is_side_by_side = four.is_side_by_side && is_next && is_inside(window) && is_inside(place_in(window, kernel_count() - 1u));
  }
  return four;
}

// The bytes of an element of four windows; x_zero in the padding.
uint x_four(Four four, Inner at) {
  int further = int(at.channel) * x_channel_stride + element_of(0, place_in(ivec3(0), at.element));
  if (reading == in_words) return x[uint(four.first_bytes[0] + further) >> 2];
  if (reading == in_fours && four.is_side_by_side) return BYTES(x, uint(four.first_bytes[0] + further), 4u);
  uint bytes = 0u;
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    uint byte = four.padding;
    if (is_inside(place_in(four.windows[i], at.element)))
      byte = code_in(x_type, x[uint(four.first_bytes[i] + further) >> 2], four.first_bytes[i] + further);
    bytes |= byte << (8u * i);
  }
  return bytes;
}

// Of an output channel, counted from the first of all groups. Words of codes are written whole where four positions are a
// word; else each code on its own, whoever writes those beside it.
void put(Four four, uint output_channel, ivec4 sums, Finish finish) {
  uint place = output_channel * out_count();
  if (y_type == i32) {
    [[unroll]] for (uint i = 0u; i < 4u; ++i)
      if (i < four.count) y[uint(y_word_offset) + four.places[i] + place] = uint(sums[i]);
    return;
  }
  uvec4 codes;
  [[unroll]] for (uint i = 0u; i < 4u; ++i) codes[i] = code_of(sums[i], finish, int(four.y_zero));
  if (reading == in_words || out_count() % 4u == 0u) {
    y[uint(y_word_offset) + (four.places[0] + place) / 4u] = codes[0] | codes[1] << 8 | codes[2] << 16 | codes[3] << 24;
    return;
  }
  [[unroll]] for (uint i = 0u; i < 4u; ++i) {
    uint index = four.places[i] + place, word = uint(y_word_offset) + index / 4u, bit = index % 4u * 8u;
    if (i >= four.count) continue;
    atomicAnd(y[word], ~(0xFFu << bit));
    atomicOr(y[word], codes[i] << bit);
  }
}
