// MaxPool: the greatest element of each window; padding never wins. Indices count through the whole flattened input,
// column-major within an image where storage_order is 1.
#include "sliding.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto kernel = *run.integers("kernel_shape");
  HEED_TRY(check_rank(run, 0, static_cast<int32_t>(kernel.size()) + 2));
  HEED_ASSIGN(const auto s, sliding_of(run, x, {kernel.begin(), kernel.end()}));
  std::vector<int64_t> dims{x.dim(0), x.dim(1)};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  TensorView indices{};
  if (run.output_count() > 1 && run.has_output(1)) {
    HEED_ASSIGN(indices, run.allocate(1, dims));
  }
  const bool column_major = run.integer("storage_order") != 0;
  const size_t rank = s.in.size();

  dispatch(x.element(), [&]<class T>(T) {
    const int64_t work = s.out_count * s.kernel_count + 1;
    run.parallel_for(x.dim(0) * x.dim(1), std::max<int64_t>(1, 16384 / work), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      std::vector<int64_t> best(rank);
      for (int64_t image = begin; image < end; ++image) {
        const T* from = reader.row(image * s.in_count, s.in_count);
        T* to = writer.row(image * s.out_count, s.out_count);
        int64_t at = 0;
        for_each_window(s, [&](const Window& window) {
          bool found = false;
          T greatest = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                            : std::numeric_limits<T>::lowest();
          window.for_each_inside(s, [&](int64_t offset, const std::vector<int64_t>& place) {
            if (found && !(from[offset] > greatest)) return;
            found = true;
            greatest = from[offset];
            if (indices.present()) best = place;
          });
          if (indices.present()) {
            int64_t index = 0;
            if (column_major)
              for (size_t axis = rank; axis-- > 0;) index = index * s.in[axis] + best[axis];
            else
              for (size_t axis = 0; axis < rank; ++axis) index = index * s.in[axis] + best[axis];
            indices.data<int64_t>()[image * s.out_count + at] = image * s.in_count + index;
          }
          to[at++] = greatest;
        });
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel max_pool{.op_type = "MaxPool", .run = run};

}  // namespace heed::cpu
