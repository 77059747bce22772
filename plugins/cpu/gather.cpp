// Gather: copies the slices of the data that the indices choose along an axis.
#include <algorithm>

#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto data = run.input(0), indices = run.input(1);
  HEED_ASSIGN(const int32_t axis, run.axis("axis", data.rank()));
  std::vector<int64_t> dims(data.dims().begin(), data.dims().begin() + axis);
  dims.insert(dims.end(), indices.dims().begin(), indices.dims().end());
  dims.insert(dims.end(), data.dims().begin() + axis + 1, data.dims().end());
  HEED_ASSIGN(const auto out, run.allocate(0, dims));

  const int64_t size = data.dim(axis), outer = data.count(0, axis), chosen = indices.count();
  const int64_t slice = data.count(axis + 1, data.rank());
  const auto index_at = [&](int64_t i) {
    return indices.element() == DataType::i64 ? indices.data<int64_t>()[i] : int64_t{indices.data<int32_t>()[i]};
  };
  for (int64_t i = 0; i < chosen; ++i)
    if (index_at(i) < -size || index_at(i) >= size)
      return Error{Code::invalid_argument, "index " + std::to_string(index_at(i)) + " at position " +
                                               std::to_string(i) + " is outside of [" + std::to_string(-size) + ", " +
                                               std::to_string(size - 1) + "], the positions on axis " +
                                               std::to_string(axis)};

  if (is_packed(data.element())) {
    const int64_t one = 1;
    for (int64_t at = 0; at < outer * chosen; ++at) {
      const int64_t index = index_at(at % chosen), row = at / chosen * size + (index < 0 ? index + size : index);
      move_elements(run, data.element(), {&slice, 1}, {data.c.data, {&one, 1}, row * slice},
                    {out.c.data, {&one, 1}, at * slice});
    }
    return {};
  }
  const size_t bytes = bytes_of_elements(data.element(), slice);
  const auto* from = data.data<std::byte>();
  auto* to = out.data<std::byte>();
  run.parallel_for(
      outer * chosen, std::max<int64_t>(1, 65536 / static_cast<int64_t>(bytes + 1)), [&](int64_t begin, int64_t end) {
        for (int64_t at = begin; at < end; ++at) {
          const int64_t index = index_at(at % chosen), row = at / chosen * size + (index < 0 ? index + size : index);
          std::copy_n(from + static_cast<size_t>(row) * bytes, bytes, to + static_cast<size_t>(at) * bytes);
        }
      });
  own_texts(run, 0, out);
  return {};
}

}  // namespace

extern const CpuKernel gather{.op_type = "Gather", .run = run};

}  // namespace heed::cpu
