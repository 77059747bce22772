// AffineGrid: the points of an image's or a volume's places, from -1 to 1 along each axis, turned by theta.
#include "convert.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto theta = run.input(0);
  const auto sizes = run.input(1).integers();
  const int64_t spatial = std::ssize(sizes) - 2, columns = spatial + 1;
  if ((spatial != 2 && spatial != 3) || theta.rank() != 3 || theta.dim(1) != spatial || theta.dim(2) != columns ||
      theta.dim(0) != sizes[0])
    return Error{Code::shape_mismatch,
                 "theta and size do not fit; expected [batch, 2, 3] and 4 sizes, or [batch, 3, 4] and 5"};
  std::vector<int64_t> dims{sizes[0]};
  for (size_t axis = 2; axis < sizes.size(); ++axis) {
    if (sizes[axis] < 0) return Error{Code::invalid_argument, "a size is " + std::to_string(sizes[axis])};
    dims.push_back(sizes[axis]);
  }
  dims.push_back(spatial);
  HEED_ASSIGN(const auto grid, run.allocate(0, dims));
  const int64_t places = grid.count(1, grid.rank() - 1);
  const bool align_corners = run.integer("align_corners") != 0;
  dispatch_float(theta.element(), [&]<class T>(T) {
    run.parallel_for(theta.dim(0) * places, 4096, [&](int64_t begin, int64_t end) {
      RowReader<T> reader(theta);
      RowWriter<T> writer(grid);
      for (int64_t i = begin; i < end; ++i) {
        T point[4];
        int64_t rest = i % places;
        for (int64_t k = 0; k < spatial; ++k) {  // x is the last axis
          const int64_t size = sizes[static_cast<size_t>(spatial + 1 - k)], at = rest % size;
          rest /= size;
          point[k] = !align_corners ? static_cast<T>(2 * at + 1) / static_cast<T>(size) - 1
                     : size == 1    ? 0
                                    : static_cast<T>(2 * at) / static_cast<T>(size - 1) - 1;
        }
        point[spatial] = 1;
        const T* weights = reader.row(i / places * spatial * columns, spatial * columns);
        T* to = writer.row(i * spatial, spatial);
        for (int64_t k = 0; k < spatial; ++k) {
          to[k] = 0;
          for (int64_t j = 0; j < columns; ++j) to[k] += weights[k * columns + j] * point[j];
        }
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel affine_grid{.op_type = "AffineGrid", .run = run};

}  // namespace heed::cpu
