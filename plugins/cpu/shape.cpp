// Shape and Size: what the runtime knows of a tensor, as numbers.
#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

Result<void> run_shape(Running& run) {
  const auto in = run.input(0);
  const auto bound = [&](std::string_view name, int64_t otherwise) {
    const int64_t given = run.integer(name, otherwise);
    return std::clamp<int64_t>(given < 0 ? given + in.rank() : given, 0, in.rank());
  };
  const int64_t start = bound("start", 0), end = std::max(start, bound("end", in.rank()));
  const int64_t count = end - start;
  HEED_ASSIGN(const auto out, run.allocate(0, {&count, 1}));
  std::copy(in.c.dims + start, in.c.dims + end, out.data<int64_t>());
  return {};
}

Result<void> run_size(Running& run) {
  *run.output(0).data<int64_t>() = run.input(0).count();
  return {};
}

// The data itself is not read: it may lie in any way.
Result<void> plan(Planning& node) {
  node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel shape{.op_type = "Shape", .plan = plan, .run = run_shape};
extern const CpuKernel size{.op_type = "Size", .plan = plan, .run = run_size};

}  // namespace heed::cpu
