// Softmax-13: y = exp(x - max) / sum(exp(x - max)) along one axis; before 13 over all axes from `axis` on, as one.
// LogSoftmax: its logarithm, x - max - log(sum(exp(x - max))). Hardmax: 1 where the first of the greatest elements
// stands, and 0 elsewhere.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

int64_t default_axis(int32_t version) { return version < 13 ? 1 : -1; }

template <bool takes_numbers>
Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  const int64_t otherwise = default_axis(node.version());
  // Before 13 the axis may also be the rank: rows of one element.
  const bool past_the_end = node.version() < 13 && input.has_rank() && node.integer("axis", otherwise) == input.rank();
  if (input.has_rank() && !past_the_end) HEED_TRY(node.axis("axis", std::max<int32_t>(input.rank(), takes_numbers), otherwise));
  return like_input(node);
}

template <bool logarithm>
Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::softmax));
  node.take_strided(0);
  node.in_place(0, 0);
  return GpuPlan{.variants = row_variants(node, shader, {{2, logarithm}}), .bindings = {read(0), write(0)}};
}

Result<GpuPlan> plan_hardmax(Planning& node) {
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
  // A number is a row of its own.
  std::vector<bool> within_row = last_axes(x.rank(), x.rank() == 0 ? 0 : x.rank() - axis);
  if (node.version() >= 13 && x.rank() > 0) std::fill(within_row.begin() + axis + 1, within_row.end(), false);
  const auto rows = rows_of(x.dims(), within_row, std::array{x, y});  // what the shaders take, and no more
  return Launch{.dispatches = {row_dispatch(rows, bytes_of(rows))}};
}

Operator softmax_like(std::string_view op_type, Result<void> (*infer)(Inference&), Result<GpuPlan> (*plan)(Planning&)) {
  return {.op_type = op_type,
          .versions = {13, 11, 1},
          .inputs = {{"input", "T"}},
          .outputs = {{"output", "T"}},
          .types = {{"T", any_float}},
          .attributes = {optional("axis", HEED_ATTRIBUTE_INT)},
          .infer = infer,
          .plan = plan,
          .bind = bind};
}

}  // namespace

extern const Operator softmax = softmax_like("Softmax", infer<true>, plan<false>);
extern const Operator log_softmax = softmax_like("LogSoftmax", infer<true>, plan<true>);
extern const Operator hardmax = softmax_like("Hardmax", infer<false>, plan_hardmax);

}  // namespace heed::ops
