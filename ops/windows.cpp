// What convolution and pooling share: windows that slide over the spatial axes.
#include "windows.hpp"

#include "shapes.hpp"

namespace heed::ops {

Result<Windows> windows_of(const NodeView& node, std::span<const Dim> spatial, std::vector<int64_t> kernel) {
  const size_t rank = spatial.size();
  const auto list = [&](std::string_view name, size_t count, int64_t otherwise,
                        int64_t least) -> Result<std::vector<int64_t>> {
    const auto given = node.integers(name);
    if (!given) return std::vector<int64_t>(count, otherwise);
    if (given->size() != count)
      return Error{Code::invalid_model, "attribute '" + std::string(name) + "' has " + std::to_string(given->size()) +
                                            " numbers; expected " + std::to_string(count)};
    for (const auto value : *given)
      if (value < least || value > INT32_MAX)
        return Error{Code::invalid_model, "attribute '" + std::string(name) + "' holds " + std::to_string(value)};
    return std::vector<int64_t>(given->begin(), given->end());
  };
  Windows windows;
  windows.kernel = std::move(kernel);
  if (windows.kernel.size() != rank)
    return Error{Code::shape_mismatch, "a kernel of rank " + std::to_string(windows.kernel.size()) + " over " +
                                           std::to_string(rank) + " spatial axes"};
  for (const auto size : windows.kernel)
    if (size < 1 || size > INT32_MAX) return Error{Code::invalid_model, "a kernel size is " + std::to_string(size)};
  HEED_ASSIGN(windows.strides, list("strides", rank, 1, 1));
  HEED_ASSIGN(windows.dilations, list("dilations", rank, 1, 1));
  HEED_ASSIGN(const auto pads, list("pads", 2 * rank, 0, 0));
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID" && !auto_pad.empty())
    return Error{Code::invalid_model, "attribute 'auto_pad' is '" + std::string(auto_pad) + "'"};

  for (size_t i = 0; i < rank; ++i) {
    const int64_t reach = (windows.kernel[i] - 1) * windows.dilations[i] + 1;
    if (same) {
      windows.output.push_back(ceil_divide(spatial[i], windows.strides[i]));
      continue;
    }
    const int64_t padding = auto_pad == "VALID" ? 0 : pads[i] + pads[rank + i];
    const Dim room = spatial[i] + padding - reach;
    if (room.is_number() && room.number() < 0)
      return Error{Code::shape_mismatch, "a window of " + std::to_string(reach) + " does not fit a size of " +
                                             to_string(spatial[i]) + " with padding " + std::to_string(padding)};
    if (node.integer("ceil_mode") == 0) {
      windows.output.push_back(floor_divide(room, windows.strides[i]) + 1);
    } else {
      // A last window that would begin in the padding after the data is left out.
      const Dim count = ceil_divide(room, windows.strides[i]) + 1;
      const Dim last = (count - 1) * windows.strides[i];
      windows.output.push_back(count - (1 - less(last, spatial[i] + (auto_pad == "VALID" ? 0 : pads[i]))));
    }
  }
  return windows;
}

}  // namespace heed::ops
