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
  int32_t x_offset, value_offset, pads_offset, y_offset;
  std::array<uint32_t, 2> fill;
  struct Axis {
    int32_t size, x_size, x_stride;
    int32_t begin, begin_place;
  } axes[most_axes] = {};
};

}  // namespace

Result<GpuPlan> plan_padding(Planning& node, Padding padding, int32_t value, int32_t pads) {
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(0), shaders::pad));
  variant.constants = {{2, static_cast<uint32_t>(padding)}};
  node.take_strided(0);
  // What is absent is bound to what is there, and never read.
  const auto optional_input = [&](int32_t input) { return read(input >= 0 && node.has_input(input) ? input : 0); };
  return GpuPlan{.variants = {std::move(variant)},
                 .bindings = {read(0), optional_input(value), optional_input(pads), write(0)}};
}

Result<Launch> bind_padding(const Binding& node, std::span<const Begin> begins, int32_t value, int32_t pads,
                            std::array<uint32_t, 2> fill) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  const bool has_value = value >= 0 && node.has_input(value), has_pads = pads >= 0 && node.has_input(pads);
  Parameters p{.count = static_cast<uint32_t>(y.count()),
               .has_value = has_value,
               .x_offset = offset_of(x),
               .value_offset = has_value ? offset_of(node.input(value)) : 0,
               .pads_offset = has_pads ? offset_of(node.input(pads)) : 0,
               .y_offset = offset_of(y),
               .fill = fill};
  Parameters::Axis* whole = nullptr;  // the last axis, where all of it is kept
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    const Begin begin = begins[static_cast<size_t>(axis)];
    if (begin.place < 0 && begin.count < -x.dim(axis))
      return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " has " + std::to_string(x.dim(axis)) +
                                             " elements, and " + std::to_string(-begin.count) + " are to be left out"};
    const auto size = static_cast<int32_t>(y.dim(axis)), x_size = static_cast<int32_t>(x.dim(axis));
    const bool is_whole = begin.place < 0 && begin.count == 0 && size == x_size;
    if (is_whole && size == 1) continue;
    // Neighbours of which all is kept are one axis.
    if (is_whole && whole && whole->x_stride == size * stride_of(x, axis)) {
      *whole = {whole->size * size, whole->x_size * size, stride_of(x, axis), 0, -1};
      continue;
    }
    auto& next = p.axes[p.rank++];
    next = {size, x_size, stride_of(x, axis), static_cast<int32_t>(begin.count), begin.place};
    whole = is_whole ? &next : nullptr;
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace heed::ops
