// ArgMax, ArgMin: where along an axis the greatest (least) element stands; of equal ones the first or the last. A NaN
// counts as greater and less than all.
#include "convert.hpp"

namespace heed::cpu {
namespace {

template <bool greatest, class T>
int64_t find(const T* x, int64_t n, bool last) {
  int64_t best = 0;
  for (int64_t i = 1; i < n; ++i) {
    const bool better = greatest ? x[i] > x[best] : x[i] < x[best];
    const bool found_nan = x[i] != x[i] && x[best] == x[best];
    if (better || found_nan || (last && x[i] == x[best])) best = i;
  }
  return best;
}

template <bool greatest>
Result<void> run(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const int32_t axis, run.axis("axis", in.rank()));
  std::vector<int64_t> dims(in.dims().begin(), in.dims().end());
  if (run.integer("keepdims", 1) != 0)
    dims[static_cast<size_t>(axis)] = 1;
  else
    dims.erase(dims.begin() + axis);
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  const bool last = run.integer("select_last_index") != 0;
  const int64_t length = in.dim(axis), inner = in.count(axis + 1, in.rank());
  if (out.count() > 0 && length == 0) return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " is empty"};
  dispatch(in.element(), [&]<class T>(T) {
    run.parallel_for(out.count(), std::max<int64_t>(1, 16384 / std::max<int64_t>(length, 1)),
                     [&](int64_t begin, int64_t end) {
                       RowReader<T> reader(in);
                       for (int64_t row = begin; row < end; ++row) {
                         const T* x = reader.row(row / inner * length * inner + row % inner, length, inner);
                         out.data<int64_t>()[row] = find<greatest>(x, length, last);
                       }
                     });
  });
  return {};
}

}  // namespace

extern const CpuKernel arg_max{.op_type = "ArgMax", .run = run<true>};
extern const CpuKernel arg_min{.op_type = "ArgMin", .run = run<false>};

}  // namespace heed::cpu
