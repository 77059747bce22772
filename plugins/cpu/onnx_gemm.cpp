// Gemm: y = alpha * a' * b' + beta * c, row by row: the formula, not the fast way.
#include "walk.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto a = run.input(0), b = run.input(1), c = run.input(2);
  HEED_TRY(check_rank(run, 0, 2));
  HEED_TRY(check_rank(run, 1, 2));
  const bool a_turned = run.integer("transA") != 0, b_turned = run.integer("transB") != 0;
  const int64_t m = a.dim(a_turned ? 1 : 0), n = b.dim(b_turned ? 0 : 1), inner = a.dim(a_turned ? 0 : 1);
  if (b.dim(b_turned ? 1 : 0) != inner)
    return Error{Code::shape_mismatch, "inner sizes " + std::to_string(inner) + " and " +
                                           std::to_string(b.dim(b_turned ? 1 : 0)) + " differ"};
  const int64_t dims[] = {m, n};
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (c.present()) HEED_TRY(check_broadcasts_to(c, dims));
  const float alpha = run.number("alpha", 1), beta = run.number("beta", 1);
  const auto c_strides = c.present() ? broadcast_strides(c, y.dims()) : Strides{0, 0};
  if (y.count() == 0) return {};
  dispatch(y.element(), [&]<class T>(T) {
    using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;  // integers wrap
    run.parallel_for(m, std::max<int64_t>(1, 32768 / (n * inner + 1)), [&](int64_t begin, int64_t end) {
      RowReader<T> a_reader(a), b_reader(b), c_reader(c);
      RowWriter<T> writer(y);
      const T* b_all = b_reader.row(0, b.count());
      std::vector<Sum> sums(static_cast<size_t>(n));
      for (int64_t i = begin; i < end; ++i) {
        const T* row = a_turned ? a_reader.row(i, inner, m) : a_reader.row(i * inner, inner);
        std::fill(sums.begin(), sums.end(), Sum{0});
        if (b_turned) {
          for (int64_t j = 0; j < n; ++j)
            for (int64_t k = 0; k < inner; ++k) sums[static_cast<size_t>(j)] += static_cast<Sum>(row[k]) * static_cast<Sum>(b_all[j * inner + k]);
        } else {
          for (int64_t k = 0; k < inner; ++k)
            for (int64_t j = 0; j < n; ++j) sums[static_cast<size_t>(j)] += static_cast<Sum>(row[k]) * static_cast<Sum>(b_all[k * n + j]);
        }
        T* to = writer.row(i * n, n);
        for (int64_t j = 0; j < n; ++j) {
          const T sum = static_cast<T>(sums[static_cast<size_t>(j)]);
          if constexpr (std::is_integral_v<T>)
            to[j] = alpha == 1 ? sum : static_cast<T>(alpha * static_cast<float>(sum));
          else
            to[j] = static_cast<T>(alpha) * sum;
        }
        if (c.present() && beta != 0) {
          for (int64_t j = 0; j < n; ++j) {
            const T term = *c_reader.row(i * c_strides[0] + j * c_strides[1], 1);
            if constexpr (std::is_integral_v<T>)
              to[j] = static_cast<T>(static_cast<Sum>(to[j]) +
                                     static_cast<Sum>(beta == 1 ? term : static_cast<T>(beta * static_cast<float>(term))));
            else
              to[j] += static_cast<T>(beta) * term;
          }
        }
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel gemm{.op_type = "Gemm", .run = run};

}  // namespace heed::cpu
