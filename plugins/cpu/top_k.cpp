// TopK: the k greatest (least) elements along an axis in order, and where they stand. A NaN is greater than all.
#include <numeric>

#include "convert.hpp"

namespace heed::cpu {
namespace {

template <class T>
bool less(T a, T b) {
  return a < b || (b != b && a == a);
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  HEED_ASSIGN(const int32_t axis, run.axis("axis", x.rank(), -1));
  if (run.version() >= 10 && run.input(1).count() != 1)
    return Error{Code::shape_mismatch, "k has " + std::to_string(run.input(1).count()) + " elements; expected one"};
  const int64_t k = run.version() < 10 ? run.integer("k") : run.input(1).integers()[0], length = x.dim(axis);
  if (k < 0 || k > length)
    return Error{Code::invalid_argument, "k is " + std::to_string(k) + ", axis " + std::to_string(axis) + " has " +
                                             std::to_string(length) + " elements"};
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  dims[static_cast<size_t>(axis)] = k;
  TensorView values{}, places{};
  if (run.has_output(0)) {
    HEED_ASSIGN(values, run.allocate(0, dims));
  }
  if (run.has_output(1)) {
    HEED_ASSIGN(places, run.allocate(1, dims));
  }
  if (k == 0) return {};

  const bool greatest = run.integer("largest", 1) != 0;
  const int64_t inner = x.count(axis + 1, x.rank());
  dispatch(x.element(), [&]<class T>(T) {
    run.parallel_for(x.count(0, axis) * inner, std::max<int64_t>(1, 4096 / length), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      std::vector<int64_t> order(static_cast<size_t>(length));
      std::vector<T> best(static_cast<size_t>(k));
      for (int64_t row = begin; row < end; ++row) {
        const int64_t outer = row / inner, column = row % inner;
        const T* from = reader.row(outer * length * inner + column, length, inner);
        const auto stands_before = [&](int64_t a, int64_t b) {
          const T first = greatest ? from[b] : from[a], second = greatest ? from[a] : from[b];
          return less(first, second) || (!less(second, first) && a < b);
        };
        std::iota(order.begin(), order.end(), 0);
        if (k < length) std::nth_element(order.begin(), order.begin() + k, order.end(), stands_before);
        std::sort(order.begin(), order.begin() + k, stands_before);
        const int64_t first = outer * k * inner + column;
        for (int64_t i = 0; i < k; ++i) best[static_cast<size_t>(i)] = from[order[static_cast<size_t>(i)]];
        if (values.present()) write_elements(values.element(), best.data(), k, values.c.data, first, inner);
        for (int64_t i = 0; places.present() && i < k; ++i)
          places.data<int64_t>()[first + i * inner] = order[static_cast<size_t>(i)];
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel top_k{.op_type = "TopK", .run = run};

}  // namespace heed::cpu
