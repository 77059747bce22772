// Softmax: y = exp(x - max) / sum(exp(x - max)) along an axis; before 13 over all axes from it on, as one.
// LogSoftmax: y = x - max - log(sum(exp(x - max))). Hardmax: 1 where the first of the greatest elements stands, 0
// elsewhere; a NaN is greater than all.
#include <cmath>

#include "axis_rows.hpp"

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

template <class T>
void hardmax_row(const T* x, T* y, int64_t n) {
  int64_t best = 0;
  for (int64_t i = 1; i < n && x[best] == x[best]; ++i)
    if (!(x[i] <= x[best])) best = i;
  std::fill_n(y, n, T{0});
  y[best] = 1;
}

enum class Kind : uint8_t { softmax, log_softmax, hardmax };

template <Kind kind>
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
    for_each_row<T>(run, in, out, length, inner, 4096, kind == Kind::softmax       ? softmax_row<T>
                                                      : kind == Kind::log_softmax ? log_softmax_row<T>
                                                                                  : hardmax_row<T>);
  });
  return {};
}

Result<void> plan(Planning& node) {
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel softmax{.op_type = "Softmax", .plan = plan, .run = run<Kind::softmax>};
extern const CpuKernel log_softmax{.op_type = "LogSoftmax", .plan = plan, .run = run<Kind::log_softmax>};
extern const CpuKernel hardmax{.op_type = "Hardmax", .plan = plan, .run = run<Kind::hardmax>};

}  // namespace heed::cpu
