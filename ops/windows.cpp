// What convolution and pooling share: windows that slide over the spatial axes.
#include "windows.hpp"

#include "launch.hpp"
#include "shapes.hpp"

namespace heed::ops {

Result<void> infer_pooling(Inference& node) {
  const auto x = node.input(0);
  const auto kernel = *node.integers("kernel_shape");
  for (int32_t output = 0; output < node.output_count(); ++output) {
    if (!node.has_output(output)) continue;
    const auto element = output == 0 ? x.element() : DataType::i64;  // where each maximum stands
    if (!x.has_rank()) {
      HEED_TRY(node.set_output(output, element));
      continue;
    }
    if (x.rank() < 3)
      return Error{Code::shape_mismatch, "data " + text_of(x.dims()) + "; expected [batch, channel, spatial...]"};
    HEED_ASSIGN(const auto counts, window_counts(node, x.dims().subspan(2), Dims(kernel.begin(), kernel.end())));
    Dims dims{x.dim(0), x.dim(1)};
    dims.insert(dims.end(), counts.begin(), counts.end());
    HEED_TRY(node.set_output(output, element, dims));
  }
  return {};
}

Result<std::vector<int64_t>> axis_numbers(const NodeView& node, std::string_view name, size_t count, int64_t otherwise,
                                          int64_t least) {
  const auto given = node.integers(name);
  if (!given) return std::vector<int64_t>(count, otherwise);
  if (given->size() != count)
    return Error{Code::invalid_model, "attribute '" + std::string(name) + "' has " + std::to_string(given->size()) +
                                          " numbers; expected " + std::to_string(count)};
  for (const auto value : *given)
    if (value < least || value > INT32_MAX)
      return Error{Code::invalid_model, "attribute '" + std::string(name) + "' holds " + std::to_string(value)};
  return std::vector<int64_t>(given->begin(), given->end());
}

Result<Dims> window_counts(const NodeView& node, std::span<const Dim> spatial, std::span<const Dim> kernel) {
  const size_t rank = spatial.size();
  const auto list = [&](std::string_view name, size_t count, int64_t otherwise, int64_t least) {
    return axis_numbers(node, name, count, otherwise, least);
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

namespace {

// Before and behind the data along a spatial axis.
struct Pads {
  int64_t before = 0, behind = 0;
};
Pads pads_of(const Binding& node, size_t axis, size_t axis_count, int64_t in, int64_t reach) {
  const auto auto_pad = node.text("auto_pad", "NOTSET");
  if (auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER") {
    const int64_t padding = std::max<int64_t>(0, reach - in);
    const int64_t less = padding / 2, more = padding - less;
    return auto_pad == "SAME_UPPER" ? Pads{less, more} : Pads{more, less};
  }
  const auto pads = node.integers("pads");
  if (auto_pad == "VALID" || !pads) return {};
  return {(*pads)[axis], (*pads)[axis_count + axis]};
}

}  // namespace

Sliding sliding_of(const Binding& node, const TensorView& x, const TensorView& y, std::span<const int64_t> kernel) {
  const auto strides = node.integers("strides"), dilations = node.integers("dilations");
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
    const int64_t reach = (out - 1) * given(strides) + (size - 1) * given(dilations) + 1;
    const Pads pads = own < 0 ? Pads{} : pads_of(node, static_cast<size_t>(own), kernel.size(), in, reach);
    s.in[i] = static_cast<uint32_t>(in);
    s.out[i] = static_cast<uint32_t>(out);
    s.kernel[i] = static_cast<uint32_t>(size);
    s.strides[i] = static_cast<int32_t>(given(strides));
    s.dilations[i] = static_cast<int32_t>(given(dilations));
    s.pads[i] = static_cast<int32_t>(pads.before);
    s.x_strides[i] = own < 0 ? 0 : stride_of(x, own + 2);
  }
  return s;
}

PaddedEnds padded_ends_of(const Binding& node, const Sliding& windows) {
  PaddedEnds padded{};
  const auto axis_count = static_cast<int32_t>(node.integers("kernel_shape")->size());
  for (int32_t i = 0; i < most_window_axes; ++i) {
    const int32_t own = i - (most_window_axes - axis_count);
    const auto in = static_cast<int64_t>(windows.in[i]);
    const int64_t reach = (int64_t{windows.out[i]} - 1) * windows.strides[i] +
                          (int64_t{windows.kernel[i]} - 1) * windows.dilations[i] + 1;
    const Pads pads =
        own < 0 ? Pads{} : pads_of(node, static_cast<size_t>(own), static_cast<size_t>(axis_count), in, reach);
    padded.ends[i] = static_cast<int32_t>(in + pads.behind);
  }
  return padded;
}

}  // namespace heed::ops
