// What convolution and pooling share: windows that slide over the spatial axes.
#include "windows.hpp"

#include "launch.hpp"
#include "shapes.hpp"

namespace heed::ops {

Result<Dims> window_counts(const NodeView& node, std::span<const Dim> spatial, std::span<const Dim> kernel) {
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
  if (kernel.size() != rank)
    return Error{Code::shape_mismatch, "a kernel of rank " + std::to_string(kernel.size()) + " over " +
                                           std::to_string(rank) + " spatial axes"};
  for (const auto size : kernel)
    if (size.is_number() && (size.number() < 1 || size.number() > INT32_MAX))
      return Error{Code::invalid_model, "a kernel size is " + to_string(size)};
  HEED_ASSIGN(const auto strides, list("strides", rank, 1, 1));
  HEED_ASSIGN(const auto dilations, list("dilations", rank, 1, 1));
  HEED_ASSIGN(const auto pads, list("pads", 2 * rank, 0, 0));
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  if (!same && auto_pad != "NOTSET" && auto_pad != "VALID" && !auto_pad.empty())
    return Error{Code::invalid_model, "attribute 'auto_pad' is '" + std::string(auto_pad) + "'"};

  Dims counts;
  for (size_t i = 0; i < rank; ++i) {
    const Dim reach = (kernel[i] - 1) * dilations[i] + 1;
    if (same) {
      counts.push_back(ceil_divide(spatial[i], strides[i]));
      continue;
    }
    const int64_t padding = auto_pad == "VALID" ? 0 : pads[i] + pads[rank + i];
    const Dim room = spatial[i] + padding - reach;
    if (room.is_number() && room.number() < 0)
      return Error{Code::shape_mismatch, "a window of " + to_string(reach) + " does not fit a size of " +
                                             to_string(spatial[i]) + " with padding " + std::to_string(padding)};
    if (node.integer("ceil_mode") == 0) {
      counts.push_back(floor_divide(room, strides[i]) + 1);
    } else {
      // A last window that would begin in the padding after the data is left out.
      const Dim count = ceil_divide(room, strides[i]) + 1;
      const Dim last = (count - 1) * strides[i];
      counts.push_back(count - (1 - less(last, spatial[i] + (auto_pad == "VALID" ? 0 : pads[i]))));
    }
  }
  return counts;
}

Result<void> check_windows(TypeView x) {
  if (!x.has_rank()) return decline("the rank is not known");
  if (x.rank() > most_window_axes + 2)
    return decline("more than " + std::to_string(most_window_axes) + " spatial axes");
  return {};
}

Sliding sliding_of(const Binding& node, const TensorView& x, const TensorView& y, std::span<const int64_t> kernel) {
  const auto strides = node.integers("strides"), dilations = node.integers("dilations"), pads = node.integers("pads");
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  Sliding s{};
  s.x_offset = offset_of(x);
  s.x_batch_stride = stride_of(x, 0);
  s.x_channel_stride = stride_of(x, 1);
  const auto count = static_cast<int32_t>(kernel.size());
  for (int32_t i = 0; i < most_window_axes; ++i) {
    const int32_t own = i - (most_window_axes - count);
    const auto given = [&](const auto& list) { return own >= 0 && list ? (*list)[static_cast<size_t>(own)] : 1; };
    const int64_t in = own < 0 ? 1 : x.dim(own + 2), out = own < 0 ? 1 : y.dim(own + 2);
    const int64_t size = own < 0 ? 1 : kernel[static_cast<size_t>(own)];
    int64_t before = 0;
    if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
      const int64_t reach = (out - 1) * given(strides) + (size - 1) * given(dilations) + 1;
      const int64_t padding = std::max<int64_t>(0, reach - in);
      before = auto_pad == "SAME_UPPER" ? padding / 2 : padding - padding / 2;
    } else if (auto_pad != "VALID" && own >= 0 && pads) {
      before = (*pads)[static_cast<size_t>(own)];
    }
    s.in[i] = static_cast<uint32_t>(in);
    s.out[i] = static_cast<uint32_t>(out);
    s.kernel[i] = static_cast<uint32_t>(size);
    s.strides[i] = static_cast<int32_t>(given(strides));
    s.dilations[i] = static_cast<int32_t>(given(dilations));
    s.pads[i] = static_cast<int32_t>(before);
    s.x_strides[i] = own < 0 ? 0 : stride_of(x, own + 2);
  }
  return s;
}

}  // namespace heed::ops
