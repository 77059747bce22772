// Windows that slide over spatial axes, with numbers.
#include "sliding.hpp"

namespace heed::cpu {

Result<Sliding> sliding_of(const NodeView& node, const TensorView& data, std::vector<int64_t> kernel) {
  Sliding s;
  s.in.assign(data.dims().begin() + 2, data.dims().end());
  s.kernel = std::move(kernel);
  const size_t rank = s.in.size();
  const auto list = [&](std::string_view name, int64_t otherwise, size_t count) {
    const auto given = node.integers(name);
    return given ? std::vector<int64_t>(given->begin(), given->end()) : std::vector<int64_t>(count, otherwise);
  };
  s.strides = list("strides", 1, rank);
  s.dilations = list("dilations", 1, rank);
  const auto pads = list("pads", 0, 2 * rank);
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  if (s.kernel.size() != rank || s.strides.size() != rank || s.dilations.size() != rank || pads.size() != 2 * rank)
    return Error{Code::shape_mismatch,
                 "kernel, strides, dilations or pads do not fit " + std::to_string(rank) + " spatial axes"};
  const auto are_within = [](const std::vector<int64_t>& numbers, int64_t least) {
    return std::all_of(numbers.begin(), numbers.end(), [&](int64_t n) { return n >= least && n <= INT32_MAX; });
  };
  if (!are_within(s.kernel, 1) || !are_within(s.strides, 1) || !are_within(s.dilations, 1) || !are_within(pads, 0))
    return Error{Code::invalid_model, "kernel, strides, dilations or pads hold a number that is out of range"};
  constexpr int64_t largest_image = int64_t{1} << 61;  // sums with pads and windows do not overflow
  const auto too_large = Error{Code::invalid_model, "an image or a kernel has more elements than 64 bits count"};
  for (size_t axis = 0; axis < rank; ++axis) {
    if (s.in[axis] > largest_image) return too_large;
    const int64_t reach = (s.kernel[axis] - 1) * s.dilations[axis] + 1, stride = s.strides[axis];
    int64_t before = pads[axis], after = pads[rank + axis], out = 0;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      out = (s.in[axis] + stride - 1) / stride;
      const int64_t total = std::max<int64_t>(0, (out - 1) * stride + reach - s.in[axis]);
      before = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
      after = total - before;
    } else {
      if (auto_pad == "VALID") before = after = 0;
      const int64_t room = s.in[axis] + before + after - reach;
      if (room < 0)
        return Error{Code::shape_mismatch, "a window of " + std::to_string(reach) + " does not fit a size of " +
                                               std::to_string(s.in[axis]) + " with its padding"};
      out = room / stride + 1;
      // A last window that would begin in the padding after the data is left out.
      if (node.integer("ceil_mode") != 0 && room % stride != 0 && out * stride < s.in[axis] + before) ++out;
    }
    s.out.push_back(out);
    s.pads.push_back(before);
    s.pads_behind.push_back(after);
    if (__builtin_mul_overflow(s.in_count, s.in[axis], &s.in_count) ||
        __builtin_mul_overflow(s.out_count, out, &s.out_count) ||
        __builtin_mul_overflow(s.kernel_count, s.kernel[axis], &s.kernel_count))
      return too_large;
  }
  return s;
}

}  // namespace heed::cpu
