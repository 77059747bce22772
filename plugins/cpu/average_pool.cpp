// AveragePool: the mean of each window's elements; those in the padding count as zeros where count_include_pad is set,
// else not at all. LpPool, and GlobalLpPool with one window over all spatial axes: the p-th root of the sum of |x|^p.
// Sums are f32 (f64 for f64).
#include <cmath>

#include "sliding.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

// How many elements of a window stand in the data or its padding: not behind it, where ceil_mode lets a window reach.
int64_t padded_count(const Sliding& s, const Window& window) {
  int64_t count = 1;
  for (size_t axis = 0; axis < s.in.size(); ++axis) {
    const int64_t room = s.in[axis] + s.pads_behind[axis] - window.origin[axis];
    count *= std::min(s.kernel[axis], (room + s.dilations[axis] - 1) / s.dilations[axis]);
  }
  return count;
}

// pool(from, window) makes an output of the image at `from`.
template <class Pool>
Result<void> pool_images(const Running& run, Pool&& pool) {
  const auto x = run.input(0);
  std::vector<int64_t> kernel;
  if (const auto given = run.integers("kernel_shape"))
    kernel.assign(given->begin(), given->end());
  else
    for (int32_t axis = 2; axis < x.rank(); ++axis) kernel.push_back(x.dim(axis));
  HEED_TRY(check_rank(run, 0, std::max<int32_t>(static_cast<int32_t>(kernel.size()) + 2, 3)));
  HEED_ASSIGN(const auto s, sliding_of(run, x, kernel));
  std::vector<int64_t> dims{x.dim(0), x.dim(1)};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  dispatch_float(x.element(), [&]<class T>(T) {
    const int64_t work = s.out_count * s.kernel_count + 1;
    run.parallel_for(x.dim(0) * x.dim(1), std::max<int64_t>(1, 16384 / work), [&](int64_t begin, int64_t end) {
      RowReader<T> reader(x);
      RowWriter<T> writer(y);
      for (int64_t image = begin; image < end; ++image) {
        const T* from = reader.row(image * s.in_count, s.in_count);
        T* to = writer.row(image * s.out_count, s.out_count);
        for_each_window(s, [&](const Window& window) { *to++ = pool(s, from, window); });
        writer.finish();
      }
    });
  });
  return {};
}

Result<void> run_average(Running& run) {
  const bool include_pad = run.integer("count_include_pad") != 0;
  return pool_images(run, [&]<class T>(const Sliding& s, const T* x, const Window& window) {
    T sum = 0;
    int64_t count = 0;
    window.for_each_inside(s, [&](int64_t offset, const auto&) { sum += x[offset], ++count; });
    return sum / static_cast<T>(include_pad ? padded_count(s, window) : count);
  });
}

Result<void> run_lp(Running& run) {
  const float p = run.number("p", static_cast<float>(run.integer("p")));  // a float in version 1
  return pool_images(run, [&]<class T>(const Sliding& s, const T* x, const Window& window) {
    T sum = 0;
    if (p == 2) {
      window.for_each_inside(s, [&](int64_t offset, const auto&) { sum += x[offset] * x[offset]; });
      return std::sqrt(sum);
    }
    window.for_each_inside(
        s, [&](int64_t offset, const auto&) { sum += std::pow(std::abs(x[offset]), static_cast<T>(p)); });
    return std::pow(sum, 1 / static_cast<T>(p));
  });
}

}  // namespace

extern const CpuKernel average_pool{.op_type = "AveragePool", .run = run_average};
extern const CpuKernel lp_pool{.op_type = "LpPool", .run = run_lp};
extern const CpuKernel global_lp_pool{.op_type = "GlobalLpPool", .run = run_lp};

}  // namespace heed::cpu
