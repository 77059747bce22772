// Hardmax-13: 1 where the first of the greatest elements along an axis stands, and 0 elsewhere; before 13 over all axes
// from `axis` on, as one.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

int64_t default_axis(int32_t version) { return version < 13 ? 1 : -1; }

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  const int64_t otherwise = default_axis(node.version());
  // Before 13 the axis may also be the rank: rows of one element.
  const bool past_the_end = node.version() < 13 && x.has_rank() && node.integer("axis", otherwise) == x.rank();
  if (x.has_rank() && !past_the_end) HEED_TRY(node.axis("axis", x.rank(), otherwise));
  return like_input(node);
}

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::hardmax));
  node.take_strided(0);
  node.in_place(0, 0);
  return GpuPlan{.variants = row_variants(node, shader), .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  const int64_t given = node.integer("axis", default_axis(node.version()));
  const auto axis = static_cast<int32_t>(given < 0 ? given + x.rank() : given);
  auto within_row = last_axes(x.rank(), x.rank() - axis);
  if (node.version() >= 13) std::fill(within_row.begin() + axis + 1, within_row.end(), false);
  const auto rows = rows_of(x.dims(), within_row, std::array{x, y});
  return Launch{.dispatches = {row_dispatch(rows, bytes_of(rows))}};
}

}  // namespace

extern const Operator hardmax{.op_type = "Hardmax",
                              .versions = {13, 11, 1},
                              .inputs = {{"input", "T"}},
                              .outputs = {{"output", "T"}},
                              .types = {{"T", any_float}},
                              .attributes = {optional("axis", HEED_ATTRIBUTE_INT)},
                              .infer = infer,
                              .plan = plan,
                              .bind = bind};

}  // namespace heed::ops
