// Transpose as a copy: output axis i is input axis perm[i].
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto in = run.input(0);
  const auto perm = run.integers("perm");
  if (perm && static_cast<int32_t>(perm->size()) != in.rank())
    return check_rank(run, 0, static_cast<int32_t>(perm->size()));
  std::vector<int64_t> dims, strides;
  for (int32_t i = 0; i < in.rank(); ++i) {
    const auto axis = perm ? static_cast<int32_t>((*perm)[static_cast<size_t>(i)]) : in.rank() - 1 - i;
    dims.push_back(in.dim(axis));
    strides.push_back(in.stride(axis));
  }
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  move_elements(run, in.element(), dims, {in.c.data, strides}, {out.c.data, out.strides()});
  own_texts(run, 0, out);
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel transpose{.op_type = "Transpose", .plan = plan, .run = run};

}  // namespace heed::cpu
