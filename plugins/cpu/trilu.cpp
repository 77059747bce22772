// Trilu: copies, and zeroes what lies below (upper) or above (lower) the k-th diagonal of each matrix.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto in = run.input(0);
  if (in.rank() < 2) return check_rank(run, 0, 2);
  HEED_ASSIGN(const auto out, output_like(run));
  if (is_packed(in.element()) || in.element() == DataType::string)
    return Error{Code::unsupported, "Trilu of " + std::string(name_of(in.element()))};
  const bool upper = run.integer("upper", 1) != 0;
  if (in.count() == 0) return {};
  const int64_t rows = in.dim(-2), columns = in.dim(-1);
  if (run.input(1).present() && run.input(1).count() != 1)
    return Error{Code::shape_mismatch, "k has " + std::to_string(run.input(1).count()) + " elements; expected one"};
  const int64_t given = run.input(1).present() ? run.input(1).integers()[0] : 0;
  const int64_t k = std::clamp(given, -rows - 1, columns + 1);
  const size_t size = bytes_of_elements(in.element(), 1);
  const auto* from = in.data<std::byte>();
  auto* to = out.data<std::byte>();
  run.parallel_for(
      in.count(0, in.rank() - 1), std::max<int64_t>(1, 16384 / (columns + 1)), [&](int64_t begin, int64_t end) {
        for (int64_t line = begin; line < end; ++line) {
          // Columns [kept_from, kept_to) of this row stay.
          const int64_t diagonal = std::clamp<int64_t>(line % rows + k + (upper ? 0 : 1), 0, columns);
          const auto kept_from = static_cast<size_t>(upper ? diagonal : 0),
                     kept_to = static_cast<size_t>(upper ? columns : diagonal);
          const size_t row = static_cast<size_t>(line * columns);
          if (to != from)
            std::memcpy(to + (row + kept_from) * size, from + (row + kept_from) * size, (kept_to - kept_from) * size);
          std::memset(to + row * size, 0, kept_from * size);
          std::memset(to + (row + kept_to) * size, 0, (static_cast<size_t>(columns) - kept_to) * size);
        }
      });
  return {};
}

Result<void> plan(Planning& node) {
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel trilu{.op_type = "Trilu", .plan = plan, .run = run};

}  // namespace heed::cpu
