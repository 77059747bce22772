// Tile: the input again and again along each axis.
#include <cmath>

#include "convert.hpp"
#include "pick.hpp"

namespace heed::cpu {
namespace {

// One for each axis; before opset 6 `tiles` along `axis`, numbers of any type.
Result<std::vector<int64_t>> repeats_of(const Running& run) {
  if (run.version() >= 6) return run.input(1).integers();
  if (run.input(1).count() != 1 || run.input(2).count() != 1)
    return Error{Code::shape_mismatch, "tiles or axis has not one element"};
  const double tiles = read_element<double>(run.input(1)), axis = read_element<double>(run.input(2));
  if (!(axis >= 0 && axis < run.input(0).rank() && std::abs(tiles) < 0x1p40))
    return Error{Code::invalid_argument, "axis " + std::to_string(axis) + " is to be repeated " + std::to_string(tiles) +
                                             " times, of " + std::to_string(run.input(0).rank()) + " axes"};
  std::vector<int64_t> repeats(run.input(0).dims().size(), 1);
  repeats[static_cast<size_t>(axis)] = static_cast<int64_t>(tiles);
  return repeats;
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  HEED_ASSIGN(const auto repeats, repeats_of(run));
  if (repeats.size() != x.dims().size())
    return Error{Code::shape_mismatch,
                 "there are " + std::to_string(repeats.size()) + " repeats for " + std::to_string(x.rank()) + " axes"};
  std::vector<int64_t> dims(repeats.size());
  for (size_t axis = 0; axis < dims.size(); ++axis)
    if (repeats[axis] < 0 || __builtin_mul_overflow(repeats[axis], x.dims()[axis], &dims[axis]))
      return Error{Code::invalid_argument,
                   "axis " + std::to_string(axis) + " is to be repeated " + std::to_string(repeats[axis]) + " times"};
  HEED_ASSIGN(const auto y, run.allocate(0, dims));  // what there is no room for needs no places
  if (y.count() == 0) return {};
  Places places;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    places.emplace_back();
    for (int64_t i = 0; i < dims[axis]; ++i) places.back().push_back(i % x.dims()[axis]);
  }
  return pick_elements(run, x, places);
}

}  // namespace

extern const CpuKernel tile{.op_type = "Tile", .run = run};

}  // namespace heed::cpu
