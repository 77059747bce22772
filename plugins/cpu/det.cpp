// Det: the product of the pivots of Gaussian elimination with partial pivoting, in f64.
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// Of a matrix [size, size], which is lost.
double determinant(double* a, int64_t size) {
  double product = 1;
  for (int64_t k = 0; k < size; ++k) {
    int64_t pivot = k;
    for (int64_t row = k + 1; row < size; ++row)
      if (std::abs(a[row * size + k]) > std::abs(a[pivot * size + k])) pivot = row;
    if (a[pivot * size + k] == 0) return 0;
    if (pivot != k) {
      std::swap_ranges(a + k * size, a + (k + 1) * size, a + pivot * size);
      product = -product;
    }
    product *= a[k * size + k];
    for (int64_t row = k + 1; row < size; ++row) {
      const double factor = a[row * size + k] / a[k * size + k];
      for (int64_t column = k + 1; column < size; ++column) a[row * size + column] -= factor * a[k * size + column];
    }
  }
  return product;
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  if (x.rank() < 2 || x.dim(x.rank() - 1) != x.dim(x.rank() - 2))
    return Error{Code::shape_mismatch, "the input is no square matrix"};
  HEED_ASSIGN(const auto out, run.allocate(0, x.dims().first(x.dims().size() - 2)));
  const int64_t size = x.dim(x.rank() - 1);
  run.parallel_for(out.count(), std::max<int64_t>(1, 32768 / (size * size * size + 1)),
                   [&](int64_t begin, int64_t end) {
                     std::vector<double> matrix(static_cast<size_t>(size * size));
                     for (int64_t i = begin; i < end; ++i) {
                       read_elements(x.element(), x.c.data, i * size * size, 1, size * size, matrix.data());
                       const double y = determinant(matrix.data(), size);
                       write_elements(out.element(), &y, 1, out.c.data, i);
                     }
                   });
  return {};
}

}  // namespace

extern const CpuKernel det{.op_type = "Det", .run = run};

}  // namespace heed::cpu
