// heed.Embedding: y[..., :] = table[ids[...], :]. Rows are moved by their size in bytes, whatever the type.
#include <cstring>

#include "ranks.hpp"

namespace heed::cpu {
namespace {

// Where the table is strided, an element at a time.
void move_row(const std::byte* from, int64_t from_stride, std::byte* to, int64_t count, size_t element_bytes) {
  if (from_stride == 1 || count == 1) {
    std::memcpy(to, from, static_cast<size_t>(count) * element_bytes);
    return;
  }
  const auto step = static_cast<int64_t>(element_bytes);
  for (int64_t i = 0; i < count; ++i) std::memcpy(to + i * step, from + i * from_stride * step, element_bytes);
}

Result<void> run(Running& run) {
  const auto table = run.input(0), ids = run.input(1), y = run.output(0);
  const int64_t vocab = table.dim(0), width = table.dim(1), count = ids.count();
  const auto id_at = [&](int64_t i) {
    return ids.element() == DataType::i64 ? ids.data<int64_t>()[i] : int64_t{ids.data<int32_t>()[i]};
  };
  for (int64_t i = 0; i < count; ++i)
    if (id_at(i) < -vocab || id_at(i) >= vocab)
      return Error{Code::invalid_argument, "id " + std::to_string(id_at(i)) + " at position " + std::to_string(i) +
                                               " is outside of [" + std::to_string(-vocab) + ", " +
                                               std::to_string(vocab - 1) + "], the rows of the table"};
  if (width == 0) return {};
  const auto element_bytes = static_cast<size_t>(bits_of(table.element()) / 8);
  const auto* from = table.data<std::byte>();
  auto* to = y.data<std::byte>();
  const int64_t grain = std::max<int64_t>(1, 65536 / (width * static_cast<int64_t>(element_bytes)));
  run.parallel_for(count, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t id = id_at(i) < 0 ? id_at(i) + vocab : id_at(i);
      move_row(from + id * table.stride(0) * static_cast<int64_t>(element_bytes), table.stride(1),
               to + static_cast<size_t>(i * width) * element_bytes, width, element_bytes);
    }
  });
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  return require_ranks(node);
}

}  // namespace

extern const CpuKernel heed_embedding{.domain = "heed", .op_type = "Embedding", .plan = plan, .run = run};

}  // namespace heed::cpu
