// Slice as a copy, numpy's way: positions may count from the end, are clamped, and steps may be negative.
#include "move.hpp"

namespace heed::cpu {
namespace {

using Sizes = std::vector<int64_t>;

Result<void> run(Running& run) {
  const auto in = run.input(0);
  Sizes starts, ends, axes, steps;
  if (run.version() < 10) {
    starts.assign(run.integers("starts")->begin(), run.integers("starts")->end());
    ends.assign(run.integers("ends")->begin(), run.integers("ends")->end());
    if (const auto given = run.integers("axes")) axes.assign(given->begin(), given->end());
  } else {
    starts = run.input(1).integers();
    ends = run.input(2).integers();
    if (run.input(3).present()) axes = run.input(3).integers();
    if (run.input(4).present()) steps = run.input(4).integers();
  }
  if (axes.empty())
    for (size_t i = 0; i < starts.size(); ++i) axes.push_back(static_cast<int64_t>(i));
  if (steps.empty()) steps.assign(starts.size(), 1);
  if (ends.size() != starts.size() || axes.size() != starts.size() || steps.size() != starts.size())
    return Error{Code::shape_mismatch, "starts, ends, axes and steps differ in length"};

  Sizes dims(in.dims().begin(), in.dims().end()), strides(in.strides().begin(), in.strides().end());
  int64_t first = 0;
  std::vector<bool> is_cut(dims.size());
  for (size_t i = 0; i < starts.size(); ++i) {
    HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(axes[i], in.rank(), "axes"));
    if (is_cut[static_cast<size_t>(axis)])
      return Error{Code::invalid_argument, "'axes' names axis " + std::to_string(axis) + " twice"};
    is_cut[static_cast<size_t>(axis)] = true;
    const int64_t size = in.dim(axis), step = steps[i];
    if (step == 0 || step == INT64_MIN) return Error{Code::shape_mismatch, "a step is " + std::to_string(step)};
    const auto position = [&](int64_t given) {
      const int64_t there = given < 0 ? given + size : given;
      return step > 0 ? std::clamp<int64_t>(there, 0, size) : std::clamp<int64_t>(there, -1, size - 1);
    };
    const int64_t start = position(starts[i]), end = position(ends[i]);
    const int64_t span = step > 0 ? end - start : start - end, stride = step > 0 ? step : -step;
    const int64_t count = span > 0 ? (span - 1) / stride + 1 : 0;
    dims[static_cast<size_t>(axis)] = count;
    if (count > 0) first += start * strides[static_cast<size_t>(axis)];
    if (count > 1) strides[static_cast<size_t>(axis)] *= step;
  }
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  move_elements(run, in.element(), dims, {in.c.data, strides, first}, {out.c.data, out.strides()});
  own_texts(run, 0, out);
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel slice{.op_type = "Slice", .plan = plan, .run = run};

}  // namespace heed::cpu
