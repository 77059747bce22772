// Hardmax: finds the first of the greatest elements of each row, then writes the row. A NaN is greater than all.
#include "convert.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0);
  HEED_ASSIGN(const auto y, output_like(run));
  const bool flattens = run.version() < 13;
  const int64_t given = run.integer("axis", flattens ? 1 : -1);
  const auto axis = static_cast<int32_t>(given < 0 ? given + x.rank() : given);
  if (axis < 0 || axis >= x.rank() + flattens)
    return Error{Code::shape_mismatch,
                 "there is no axis " + std::to_string(given) + " in a tensor of rank " + std::to_string(x.rank())};
  if (x.count() == 0) return {};
  const int64_t length = flattens ? x.count(axis, x.rank()) : x.dim(axis);
  const int64_t inner = flattens ? 1 : x.count(axis + 1, x.rank());
  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(x.count() / length, std::max<int64_t>(1, 16384 / length), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t first = row / inner * length * inner + row % inner;
        const T* from = reader.row(first, length, inner);
        int64_t best = 0;
        for (int64_t i = 1; i < length && from[best] == from[best]; ++i)
          if (!(from[i] <= from[best])) best = i;
        T* to = writer.row(first, length, inner);
        std::fill_n(to, length, T{0});
        to[best] = 1;
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

extern const CpuKernel hardmax{.op_type = "Hardmax", .plan = plan, .run = run};

}  // namespace heed::cpu
