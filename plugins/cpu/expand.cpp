// Expand as a copy: sizes of 1 are repeated, on both sides.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto in = run.input(0);
  const auto shape = run.input(1).integers();
  std::vector<int64_t> dims(std::max(shape.size(), in.dims().size()), 1);
  std::copy(shape.begin(), shape.end(), dims.end() - static_cast<int64_t>(shape.size()));
  for (size_t i = 0; i < in.dims().size(); ++i) {
    auto& dim = dims[dims.size() - 1 - i];
    const int64_t size = in.dims()[in.dims().size() - 1 - i];
    if (dim != size && dim != 1 && size != 1)
      return Error{Code::shape_mismatch,
                   "sizes " + std::to_string(size) + " and " + std::to_string(dim) + " do not broadcast"};
    if (dim == 1) dim = size;
  }
  for (const auto dim : dims)
    if (dim < 0) return Error{Code::shape_mismatch, "the shape has a size of " + std::to_string(dim)};
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  move_elements(run, in.element(), dims, {in.c.data, broadcast_strides(in, dims)}, {out.c.data, out.strides()});
  own_texts(run, 0, out);
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel expand{.op_type = "Expand", .plan = plan, .run = run};

}  // namespace heed::cpu
