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
  Places places;
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    const int64_t repeat = repeats[static_cast<size_t>(axis)];
    int64_t size = 0;
    if (repeat < 0 || __builtin_mul_overflow(repeat, x.dim(axis), &size) || size > int64_t{1} << 40)
      return Error{Code::invalid_argument,
                   "axis " + std::to_string(axis) + " is to be repeated " + std::to_string(repeat) + " times"};
    places.emplace_back();
    for (int64_t i = 0; i < size; ++i) places.back().push_back(i % x.dim(axis));
  }
  return pick_elements(run, x, places);
}

}  // namespace

extern const CpuKernel tile{.op_type = "Tile", .run = run};

}  // namespace heed::cpu
