// LRN: y = x / (bias + alpha / size * sum of x^2 over the `size` channels around)^beta, a channel of a batch at a time.
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// x^0.75, in a quarter of the time that a power takes.
template <class T>
T power_of_usual(T x) {
  const T root = std::sqrt(x);
  return root * std::sqrt(root);
}

template <class T>
void run_of(const Running& run, const TensorView& x, const TensorView& y) {
  const int64_t channel_count = x.dim(1), inner = x.count(2, x.rank());
  const int64_t size = run.integer("size"), before = (size - 1) / 2, behind = size - 1 - before;
  const T alpha = static_cast<T>(run.number("alpha")) / static_cast<T>(size), beta = static_cast<T>(run.number("beta")),
          bias = static_cast<T>(run.number("bias"));
  const bool is_usual = beta == T{0.75};
  run.parallel_for(x.dim(0) * channel_count, std::max<int64_t>(1, 4096 / std::max<int64_t>(inner, 1)),
                   [&](int64_t begin, int64_t end) {
                     RowReader<T> reader(x);
                     RowWriter<T> writer(y);
                     std::vector<T> sums(static_cast<size_t>(inner));
                     for (int64_t row = begin; row < end; ++row) {
                       const int64_t channel = row % channel_count;
                       const int64_t first = row - std::min(channel, before),
                                     last = row + std::min(channel_count - 1 - channel, behind);
                       std::fill(sums.begin(), sums.end(), T{0});
                       for (int64_t around = first; around <= last; ++around) {
                         const T* in = reader.row(around * inner, inner);
                         for (int64_t i = 0; i < inner; ++i) sums[static_cast<size_t>(i)] += in[i] * in[i];
                       }
                       const T* in = reader.row(row * inner, inner);
                       T* out = writer.row(row * inner, inner);
                       for (int64_t i = 0; i < inner; ++i) {
                         const T number = bias + alpha * sums[static_cast<size_t>(i)];
                         out[i] = in[i] / (is_usual ? power_of_usual(number) : std::pow(number, beta));
                       }
                       writer.finish();
                     }
                   });
}

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  if (run.input(0).rank() < 2) return Error{Code::shape_mismatch, "the input has no channels, axis 1"};
  dispatch_float(out.element(), [&]<class T>(T) { run_of<T>(run, run.input(0), out); });
  return {};
}

}  // namespace

extern const CpuKernel lrn{.op_type = "LRN", .run = run};

}  // namespace heed::cpu
