// Softmax: y = exp(x - max) / sum(exp(x - max)) along an axis; before 13 over all axes from it on, as one.
// LogSoftmax: y = x - max - log(sum(exp(x - max))).
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

template <class T>
void softmax_row(const T* x, T* y, int64_t n) {
  T greatest = x[0];
  for (int64_t i = 1; i < n; ++i) greatest = std::max(greatest, x[i]);
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    y[i] = std::exp(x[i] - greatest);
    sum += y[i];
  }
  for (int64_t i = 0; i < n; ++i) y[i] /= sum;
}

template <class T>
void log_softmax_row(const T* x, T* y, int64_t n) {
  T greatest = x[0];
  for (int64_t i = 1; i < n; ++i) greatest = std::max(greatest, x[i]);
  T sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += std::exp(x[i] - greatest);
  const T logarithm = std::log(sum);
  for (int64_t i = 0; i < n; ++i) y[i] = x[i] - greatest - logarithm;
}

template <bool logarithm>
Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto in = run.input(0);
  const bool flat = run.version() < 13;
  const int64_t given = run.integer("axis", flat ? 1 : -1);
  const auto axis = static_cast<int32_t>(given < 0 ? given + std::max(in.rank(), 1) : given);
  if (axis < 0 || axis > in.rank() || (axis == in.rank() && !flat && in.rank() > 0))
    return Error{Code::shape_mismatch,
                 "there is no axis " + std::to_string(given) + " in a tensor of rank " + std::to_string(in.rank())};
  const int64_t length = in.rank() == 0 ? 1 : flat ? in.count(std::min(axis, in.rank()), in.rank()) : in.dim(axis);
  const int64_t inner = in.rank() == 0 || flat ? 1 : in.count(axis + 1, in.rank());
  if (in.count() == 0) return {};
  dispatch_float(in.element(), [&]<class T>(T) {
    run.parallel_for(in.count() / length, std::max<int64_t>(1, 4096 / length), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(in);
      RowWriter<T> writer(out);
      for (int64_t row = begin; row < end; ++row) {
        const int64_t first = row / inner * length * inner + row % inner;
        const T* x = reader.row(first, length, inner);
        T* y = writer.row(first, length, inner);
        logarithm ? log_softmax_row(x, y, length) : softmax_row(x, y, length);
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

extern const CpuKernel softmax{.op_type = "Softmax", .plan = plan, .run = run<false>};
extern const CpuKernel log_softmax{.op_type = "LogSoftmax", .plan = plan, .run = run<true>};

}  // namespace heed::cpu
