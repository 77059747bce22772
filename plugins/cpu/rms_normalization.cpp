// RMSNormalization: y = x / sqrt(mean(x^2) + epsilon) * scale over the axes from `axis` on.
#include <cmath>

#include "normalization.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0), scale = run.input(1);
  HEED_ASSIGN(const auto y, output_like(run));
  HEED_ASSIGN(const int32_t axis, run.axis("axis", x.rank(), -1));
  HEED_TRY(check_broadcasts_to(scale, x.dims()));
  const int64_t rows = x.count(0, axis), length = x.count(axis, x.rank());
  if (rows == 0 || length == 0) return {};
  const float epsilon = run.number("epsilon", 1e-5f);
  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(rows, std::max<int64_t>(1, 8192 / length), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      Parameter<T> scales(scale, x, axis);
      for (int64_t row = begin; row < end; ++row) {
        const T* from = reader.row(row * length, length);
        const T square = sum<T>(length, [&](int64_t i) { return from[i] * from[i]; }) / static_cast<T>(length);
        const T inverse = 1 / std::sqrt(square + static_cast<T>(epsilon));
        const T* s = scales.row(row, length);
        T* to = writer.row(row * length, length);
        for (int64_t i = 0; i < length; ++i) to[i] = from[i] * inverse * s[i];
        writer.finish();
      }
    });
  });
  return {};
}

Result<void> plan(Planning& node) {
  if (node.input(0).c.element == node.output(0).c.element) node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel rms_normalization{.op_type = "RMSNormalization", .plan = plan, .run = run};

}  // namespace heed::cpu
