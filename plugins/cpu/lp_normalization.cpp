// LpNormalization: y = x / norm along an axis, where the norm is sum(|x|) or sqrt(sum(x^2)), or 1 where that is 0.
#include <cmath>

#include "axis_rows.hpp"
#include "normalization.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0);
  HEED_ASSIGN(const auto y, output_like(run));
  HEED_ASSIGN(const int32_t axis, run.axis("axis", x.rank(), -1));
  if (x.count() == 0) return {};
  const bool squares = run.integer("p", 2) == 2;
  const int64_t length = x.dim(axis), inner = x.count(axis + 1, x.rank());
  dispatch_float(x.element(), [&]<class T>(T) {
    for_each_row<T>(run, x, y, length, inner, 16384, [&](const T* from, T* to, int64_t n) {
      T norm = squares ? std::sqrt(sum<T>(n, [&](int64_t i) { return from[i] * from[i]; }))
                       : sum<T>(n, [&](int64_t i) { return std::abs(from[i]); });
      if (norm == 0) norm = 1;
      for (int64_t i = 0; i < n; ++i) to[i] = from[i] / norm;
    });
  });
  return {};
}

Result<void> plan(Planning& node) {
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel lp_normalization{.op_type = "LpNormalization", .plan = plan, .run = run};

}  // namespace heed::cpu
