// CumSum, CumProd: running sums (products) along an axis, of neighbouring lines together.
#include "convert.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <bool product>
Result<void> run(Running& run) {
  const auto x = run.input(0);
  if (run.input(1).count() != 1)
    return Error{Code::shape_mismatch,
                 "the axis has " + std::to_string(run.input(1).count()) + " elements; expected one"};
  HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(run.input(1).integers()[0], x.rank()));
  HEED_ASSIGN(const auto y, output_like(run));
  const bool exclusive = run.integer("exclusive") != 0, backwards = run.integer("reverse") != 0;
  const int64_t length = x.dim(axis), inner = x.count(axis + 1, x.rank());
  if (x.count() == 0) return {};

  // Lines beside each other, 64 at a time, so that memory is read as it lies.
  const int64_t width = std::min<int64_t>(inner, 64), blocks = (inner + width - 1) / width;
  dispatch(x.element(), [&]<class T>(T) {
    using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;  // integers wrap
    run.parallel_for(x.count(0, axis) * blocks, std::max<int64_t>(1, 16384 / (length * width)),
                     [&](int64_t begin, int64_t end) {
                       RowReader<T> reader(x);
                       RowWriter<T> writer(y);
                       std::vector<Sum> sums(static_cast<size_t>(width));
                       for (int64_t block = begin; block < end; ++block) {
                         const int64_t column = block % blocks * width, n = std::min(width, inner - column);
                         std::fill(sums.begin(), sums.end(), Sum{product});
                         for (int64_t k = 0; k < length; ++k) {
                           const int64_t place = backwards ? length - 1 - k : k;
                           const int64_t first = (block / blocks * length + place) * inner + column;
                           const T* from = reader.row(first, n);
                           T* to = writer.row(first, n);
                           for (int64_t i = 0; i < n; ++i) {
                             const Sum before = sums[static_cast<size_t>(i)], next = static_cast<Sum>(from[i]);
                             const Sum here = product ? before * next : before + next;
                             to[i] = static_cast<T>(exclusive ? before : here);
                             sums[static_cast<size_t>(i)] = here;
                           }
                           writer.finish();
                         }
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

extern const CpuKernel cum_sum{.op_type = "CumSum", .plan = plan, .run = run<false>};
extern const CpuKernel cum_prod{.op_type = "CumProd", .plan = plan, .run = run<true>};

}  // namespace heed::cpu
