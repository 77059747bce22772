// Trilu-14: keeps the upper (upper = 1) or lower triangle of the last two axes, shifted by k, and zeroes the rest.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  if (node.input(0).has_rank() && node.input(0).rank() < 2)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(node.input(0).rank()) +
                                           "; expected a matrix or a stack of them"};
  return like_input(node);
}

// Mirrors shaders/trilu.comp.
struct Parameters {
  Rows rows;
  uint32_t matrix_rows, matrix_columns, upper, has_k;
  int32_t k_offset, y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(0), shaders::trilu));
  node.take_strided(0);
  node.in_place(0, 0);
  // Without k its binding is never read.
  return GpuPlan{.variants = {std::move(variant)}, .bindings = {read(0), read(node.has_input(1) ? 1 : 0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  Parameters p{.rows = rows_of(x.dims(), last_axes(x.rank(), 0), std::array{x}),
               .matrix_rows = static_cast<uint32_t>(x.dim(-2)),
               .matrix_columns = static_cast<uint32_t>(x.dim(-1)),
               .upper = node.integer("upper", 1) != 0,
               .has_k = node.has_input(1),
               .k_offset = 0,
               .y_offset = offset_of(y)};
  if (node.has_input(1)) {
    const auto k = node.input(1);
    if (k.count() != 1)
      return Error{Code::shape_mismatch, "k has " + std::to_string(k.count()) + " elements; expected one"};
    p.k_offset = offset_of(k);
  }
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), row_threads), 1, 1}}}};
}

}  // namespace

extern const Operator trilu{.op_type = "Trilu",
                            .versions = {14},
                            .inputs = {{"input", "T"}, {"k", "I", HEED_OPTIONAL_PARAMETER}},
                            .outputs = {{"output", "T"}},
                            .types = {{"T", any_type}, {"I", {DataType::i64}}},
                            .attributes = {attribute("upper", 1)},
                            .infer = infer,
                            .plan = plan,
                            .bind = bind};

}  // namespace heed::ops
