// ConstantOfShape: one value, everywhere.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto dims = run.input(0).integers();
  for (const auto dim : dims)
    if (dim < 0) return Error{Code::shape_mismatch, "the shape has a size of " + std::to_string(dim)};
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  const Strides still(dims.size(), 0);
  float zero = 0;
  const auto value = run.tensor("value");
  move_elements(run, out.element(), dims, {value ? value->c.data : &zero, still}, {out.c.data, out.strides()});
  own_texts(run, 0, out);
  return {};
}

}  // namespace

extern const CpuKernel constant_of_shape{.op_type = "ConstantOfShape", .run = run};

}  // namespace heed::cpu
