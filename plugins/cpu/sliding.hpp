// Windows that slide over spatial axes, with numbers: what convolution and pooling share.
#pragma once

#include "heed/plugin.hpp"

namespace heed::cpu {

// One entry per spatial axis.
struct Sliding {
  std::vector<int64_t> in, out, kernel, strides, dilations;
  std::vector<int64_t> pads, pads_behind;  // before the data, and behind it
  int64_t in_count = 1, out_count = 1, kernel_count = 1;

  // The position k of the window, one number per axis.
  void window_at(int64_t k, std::vector<int64_t>& position) const {
    for (size_t axis = kernel.size(); axis-- > 0; k /= kernel[axis]) position[axis] = k % kernel[axis];
  }
};

// One place of the window.
struct Window {
  std::vector<int64_t> origin;      // where its first element stands along each axis; perhaps in the padding
  std::vector<int64_t> begin, end;  // along each axis, which of its elements stand inside of the data

  // Calls body(offset, place) for the elements inside: where they lie in the image, row-major, and along each axis.
  template <class Body>
  void for_each_inside(const Sliding& s, Body&& body) const {
    const size_t rank = origin.size();
    for (size_t axis = 0; axis < rank; ++axis)
      if (begin[axis] >= end[axis]) return;
    std::vector<int64_t> element = begin, place(rank);
    for (;;) {
      int64_t offset = 0;
      for (size_t axis = 0; axis < rank; ++axis) {
        place[axis] = origin[axis] + element[axis] * s.dilations[axis];
        offset = offset * s.in[axis] + place[axis];
      }
      for (; element[rank - 1] < end[rank - 1]; ++element[rank - 1]) {
        body(offset, place);
        offset += s.dilations[rank - 1];
        place[rank - 1] += s.dilations[rank - 1];
      }
      size_t axis = rank - 1;
      do {
        element[axis] = begin[axis];
        if (axis-- == 0) return;
      } while (++element[axis] >= end[axis]);
    }
  }
};
// Calls body(window) for the places of the window over an image, in the order of the outputs.
template <class Body>
void for_each_window(const Sliding& s, Body&& body) {
  const size_t rank = s.in.size();
  Window window{std::vector<int64_t>(rank), std::vector<int64_t>(rank), std::vector<int64_t>(rank)};
  std::vector<int64_t> position(rank, 0);
  const auto move_to = [&](size_t axis) {
    const int64_t dilation = s.dilations[axis], origin = position[axis] * s.strides[axis] - s.pads[axis];
    const auto count_up_to = [&](int64_t place) { return place <= 0 ? 0 : (place + dilation - 1) / dilation; };
    window.origin[axis] = origin;
    window.begin[axis] = count_up_to(-origin);
    window.end[axis] = std::min(s.kernel[axis], count_up_to(s.in[axis] - origin));
  };
  for (size_t axis = 0; axis < rank; ++axis) move_to(axis);
  for (int64_t output = 0; output < s.out_count; ++output) {
    body(static_cast<const Window&>(window));
    for (size_t axis = rank; axis-- > 0;) {
      const bool is_over = ++position[axis] == s.out[axis];
      if (is_over) position[axis] = 0;
      move_to(axis);
      if (!is_over) break;
    }
  }
}

// For data [batch, channel, spatial...] and the node's strides, dilations, pads, auto_pad and ceil_mode.
Result<Sliding> sliding_of(const NodeView& node, const TensorView& data, std::vector<int64_t> kernel);

}  // namespace heed::cpu
