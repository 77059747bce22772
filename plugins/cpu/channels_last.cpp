// Images of f32 that lie channels last.
#include "channels_last.hpp"

#include "ranks.hpp"

namespace heed::cpu {

bool lies_channels_last(const TensorView& tensor) {
  int64_t expected = 1;
  const auto fits = [&](int32_t axis) {
    const bool does = tensor.dim(axis) == 1 || tensor.stride(axis) == expected;
    expected *= tensor.dim(axis);
    return does;
  };
  if (!fits(1)) return false;
  for (int32_t axis = tensor.rank() - 1; axis > 1; --axis)
    if (!fits(axis)) return false;
  return fits(0);
}

Result<void> check_images(const Planning& node, std::span<const int64_t> kernel) {
  constexpr int64_t most_numbers = 1 << 24;
  HEED_TRY(require_ranks(node));
  const auto x = node.input(0), y = node.output(0);
  if (x.rank() > 4) return decline("more than 2 spatial axes");
  std::vector<int64_t> sizes;  // of x and y, but batches
  for (const TypeView image : {x, y}) {
    sizes.push_back(1);
    for (const Dim dim : image.dims().subspan(1)) {
      if (!dim.is_number() || dim.number() == 0) return decline("only the run tells the sizes of its images");
      sizes.push_back(dim.number());
    }
  }
  HEED_TRY(check_stripes(node, x, kernel));
  const auto rank = static_cast<size_t>(x.rank());
  const Windows w =
      windows_of(window_attributes_of(node, kernel), std::span(sizes).first(rank), std::span(sizes).last(rank));
  int64_t count = sizes[1];
  for (int axis = depth; axis < most_window_axes; ++axis) {
    const int64_t padded = w.in[axis] + w.pads[axis] + w.pads_behind[axis];
    if (w.pads[axis] < 0 || w.pads_behind[axis] < 0 || padded > most_numbers ||
        count > most_numbers / std::max<int64_t>(padded, 1))
      return decline("its images are large, with their padding");
    count *= padded;
  }
  return {};
}

}  // namespace heed::cpu
