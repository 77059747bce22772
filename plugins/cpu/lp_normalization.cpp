// LpNormalization: y = x / norm along an axis, where the norm is sum(|x|) or sqrt(sum(x^2)), or 1 where that is 0.
#include <cmath>

#include "convert.hpp"
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
    run.parallel_for(x.count() / length, std::max<int64_t>(1, 16384 / length), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t first = row / inner * length * inner + row % inner;
        const T* from = reader.row(first, length, inner);
        T norm = squares ? std::sqrt(sum<T>(length, [&](int64_t i) { return from[i] * from[i]; }))
                         : sum<T>(length, [&](int64_t i) { return std::abs(from[i]); });
        if (norm == 0) norm = 1;
        T* to = writer.row(first, length, inner);
        for (int64_t i = 0; i < length; ++i) to[i] = from[i] / norm;
        writer.finish();
      }
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
