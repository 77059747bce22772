// NonZero: finds first, then writes one row of the output per axis.
#include "convert.hpp"

namespace heed::cpu {
namespace {

std::vector<int64_t> find(const TensorView& x) {
  std::vector<int64_t> found;
  if (x.element() == DataType::string) {
    for (int64_t i = 0; i < x.count(); ++i)
      if (x.data<heed_text>()[i].size > 0) found.push_back(i);
    return found;
  }
  dispatch(x.element(), [&]<class T>(T) {
    RowReader<T> reader(x);
    const T* values = reader.row(0, x.count());
    for (int64_t i = 0; i < x.count(); ++i)
      if (values[i] != 0) found.push_back(i);
  });
  return found;
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto found = find(x);
  const auto columns = static_cast<int64_t>(found.size());
  const int64_t dims[] = {x.rank(), columns};
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    const int64_t after = x.count(axis + 1, x.rank());
    for (int64_t i = 0; i < columns; ++i)
      out.data<int64_t>()[axis * columns + i] = found[static_cast<size_t>(i)] / after % x.dim(axis);
  }
  return {};
}

}  // namespace

extern const CpuKernel non_zero{.op_type = "NonZero", .run = run};

}  // namespace heed::cpu
