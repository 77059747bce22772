// EyeLike: zeros, then ones along the diagonal.
#include "convert.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  HEED_TRY(check_rank(run, 0, 2));
  HEED_ASSIGN(const auto y, run.allocate(0, run.input(0).dims()));
  const int64_t rows = y.dim(0), columns = y.dim(1), k = std::clamp(run.integer("k"), -rows, columns);
  if (y.count() == 0) return {};
  std::memset(y.c.data, 0, static_cast<size_t>(y.count() * bits_of(y.element()) / 8));
  const int64_t first_row = std::max<int64_t>(-k, 0), first_column = std::max<int64_t>(k, 0);
  const int64_t length = std::min(rows - first_row, columns - first_column);
  if (length <= 0) return {};
  dispatch(y.element(), [&]<class T>(T) {
    const std::vector<T> ones(static_cast<size_t>(length), T{1});
    write_elements(y.element(), ones.data(), length, y.c.data, first_row * columns + first_column, columns + 1);
  });
  return {};
}

}  // namespace

extern const CpuKernel eye_like{.op_type = "EyeLike", .run = run};

}  // namespace heed::cpu
