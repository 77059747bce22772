// Pad: what is left of the input after negative pads, with a constant around it or continued by its own elements.
#include <numeric>

#include "convert.hpp"
#include "pick.hpp"

namespace heed::cpu {
namespace {

// Calls write(at, place) for places from begin to end, which lie outside of `kept` elements: which one stands there,
// `nothing` for the constant.
template <class Write>
void choose_outside(std::string_view mode, int64_t begin, int64_t end, int64_t kept, Write&& write) {
  const bool is_constant = mode == "constant", is_edge = mode == "edge" || kept == 1;
  const int64_t period = mode == "wrap" ? kept : 2 * kept - 2;
  for (int64_t at = begin; at < end; ++at) {
    if (is_constant) {
      write(at, nothing);
    } else if (is_edge) {
      write(at, std::clamp<int64_t>(at, 0, kept - 1));
    } else {
      const int64_t rest = at >= 0 && at < period ? at : (at % period + period) % period;
      write(at, rest < kept ? rest : period - rest);
    }
  }
}

// The pads of one axis.
struct Pads {
  int64_t begin = 0, end = 0;
};

Result<int64_t> padded_size(int64_t size, Pads pads, std::string_view mode) {
  constexpr int64_t most = int64_t{1} << 40;
  const bool in_range = std::min(pads.begin, pads.end) >= -most && std::max(pads.begin, pads.end) <= most;
  const int64_t kept = in_range ? size + std::min<int64_t>(pads.begin, 0) + std::min<int64_t>(pads.end, 0) : -1;
  if (kept < 0 || (kept == 0 && std::max(pads.begin, pads.end) > 0 && mode != "constant"))
    return Error{Code::shape_mismatch, "a size of " + std::to_string(size) + " cannot take pads of " +
                                           std::to_string(pads.begin) + " and " + std::to_string(pads.end)};
  return size + pads.begin + pads.end;
}

std::vector<int64_t> places_along(int64_t size, Pads pads, std::string_view mode) {
  const int64_t left_out = -std::min<int64_t>(pads.begin, 0), kept = size - left_out + std::min<int64_t>(pads.end, 0);
  const int64_t before = std::max<int64_t>(pads.begin, 0), behind = std::max<int64_t>(pads.end, 0);
  std::vector<int64_t> places(static_cast<size_t>(before + kept + behind));
  const auto first = places.begin() + before;
  const auto write = [&](int64_t at, int64_t place) { first[at] = place == nothing ? nothing : place + left_out; };
  choose_outside(mode, -before, 0, kept, write);
  std::iota(first, first + kept, left_out);
  choose_outside(mode, kept, kept + behind, kept, write);
  return places;
}

Result<void> run(Running& run) {
  const auto x = run.input(0), value = run.input(2);
  std::vector<int64_t> pads, axes;
  if (run.version() < 11) {
    const auto given = run.integers(run.version() < 2 ? "paddings" : "pads");
    pads.assign(given->begin(), given->end());
  } else {
    pads = run.input(1).integers();
  }
  if (run.input(3).present()) {
    axes = run.input(3).integers();
  } else {
    for (int32_t axis = 0; axis < x.rank(); ++axis) axes.push_back(axis);
  }
  if (pads.size() != 2 * axes.size())
    return Error{Code::shape_mismatch, "there are " + std::to_string(pads.size()) + " pads; expected two for each of " +
                                           std::to_string(axes.size()) + " axes"};
  if (value.present() && value.count() != 1)
    return Error{Code::shape_mismatch,
                 "constant_value has " + std::to_string(value.count()) + " elements; expected one"};
  const auto mode = run.text("mode", "constant");
  std::vector<Pads> pads_along(x.dims().size());
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  for (size_t i = 0; i < axes.size(); ++i) {
    HEED_ASSIGN(const int32_t given, NodeView::checked_axis(axes[i], x.rank(), "axes"));
    const auto axis = static_cast<size_t>(given);
    pads_along[axis] = {pads[i], pads[axes.size() + i]};
    HEED_ASSIGN(dims[axis], padded_size(x.dim(given), pads_along[axis], mode));
  }
  HEED_ASSIGN(const auto y, run.allocate(0, dims));  // what there is no room for needs no places
  if (y.count() == 0) return {};
  Places places;
  for (size_t axis = 0; axis < dims.size(); ++axis)
    places.push_back(places_along(x.dims()[axis], pads_along[axis], mode));
  if (run.version() >= 11) return pick_elements(run, x, places, value);

  // The attribute of Pad-2, as an element of x's type.
  const float given = run.number("value");
  double bits = 0;
  write_elements(x.element(), &given, 1, &bits, 0);
  TensorView fill = x;
  fill.c.data = &bits;
  return pick_elements(run, x, places, fill);
}

}  // namespace

extern const CpuKernel pad{.op_type = "Pad", .run = run};

}  // namespace heed::cpu
