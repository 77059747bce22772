// The GPU half of operators that lengthen or cut a tensor along its axes.
#include "padding.hpp"

#include "rows.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

// Mirrors shaders/pad.comp.
struct Parameters {
  uint32_t count, rank = 0;
  uint32_t has_value;
  int32_t x_offset, value_offset, y_offset;
  std::array<uint32_t, 2> fill;
  struct Axis {
    uint32_t size;
    int32_t lead, kept, stride;
  } axes[most_axes] = {};
};

}  // namespace

Result<GpuPlan> plan_padding(Planning& node, Padding padding, int32_t value) {
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(0), shaders::pad));
  variant.constants = {{2, static_cast<uint32_t>(padding)}};
  node.take_strided(0);
  const bool has_value = value >= 0 && node.has_input(value);
  // Without a value its binding is never read.
  return GpuPlan{.variants = {std::move(variant)}, .bindings = {read(0), read(has_value ? value : 0), write(0)}};
}

Result<Launch> bind_padding(const Binding& node, std::span<const int64_t> begins, int32_t value,
                            std::array<uint32_t, 2> fill) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  const bool has_value = value >= 0 && node.has_input(value);
  Parameters p{.count = static_cast<uint32_t>(y.count()),
               .has_value = has_value,
               .x_offset = offset_of(x),
               .value_offset = has_value ? offset_of(node.input(value)) : 0,
               .y_offset = offset_of(y),
               .fill = fill};
  Parameters::Axis* whole = nullptr;  // the last axis, where all of it is kept
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    const int64_t begin = begins[static_cast<size_t>(axis)], end = y.dim(axis) - x.dim(axis) - begin;
    const auto kept = static_cast<int32_t>(x.dim(axis) + std::min<int64_t>(begin, 0) + std::min<int64_t>(end, 0));
    const int32_t stride = stride_of(x, axis);
    p.x_offset -= static_cast<int32_t>(std::min<int64_t>(begin, 0)) * stride;
    const bool is_whole = begin == 0 && end == 0;
    if (is_whole && kept == 1) continue;
    // Neighbours of which all is kept are one axis.
    if (is_whole && whole && whole->stride == kept * stride) {
      *whole = {whole->size * static_cast<uint32_t>(kept), 0, whole->kept * kept, stride};
      continue;
    }
    auto& next = p.axes[p.rank++];
    next = {static_cast<uint32_t>(y.dim(axis)), static_cast<int32_t>(std::max<int64_t>(begin, 0)), kept, stride};
    whole = is_whole ? &next : nullptr;
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace heed::ops
