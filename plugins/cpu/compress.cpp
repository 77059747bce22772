// Compress: picks the slices for which the condition is true.
#include "pick.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  TensorView x = run.input(0);
  const auto condition = run.input(1);
  const int64_t count = x.count();
  int32_t axis = 0;
  if (run.has_attribute("axis")) {
    HEED_ASSIGN(axis, run.axis("axis", x.rank()));
  } else {
    x.c.dims = &count;
    x.c.rank = 1;
  }
  std::vector<int64_t> chosen;
  for (int64_t i = 0; i < condition.count(); ++i)
    if (condition.data<uint8_t>()[i]) chosen.push_back(i);
  if (!chosen.empty() && chosen.back() >= x.dim(axis))
    return Error{Code::invalid_argument, "the condition is true at position " + std::to_string(chosen.back()) +
                                             ", but there are " + std::to_string(x.dim(axis)) + " to choose from"};
  return pick_along(run, x, axis, std::move(chosen));
}

}  // namespace

extern const CpuKernel compress{.op_type = "Compress", .run = run};

}  // namespace heed::cpu
