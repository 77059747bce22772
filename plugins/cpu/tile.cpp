// Tile: the input again and again along each axis.
#include "pick.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto repeats = run.input(1).integers();
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
