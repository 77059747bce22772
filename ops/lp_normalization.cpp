// LpNormalization-1: y = x / (sum(|x|^p))^(1/p) along an axis, for p of 1 or 2; where all is 0 it stays.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  if (const int64_t p = node.integer("p"); p != 1 && p != 2)
    return Error{Code::invalid_model, "attribute 'p' is " + std::to_string(p) + "; expected 1 or 2"};
  if (node.input(0).has_rank()) HEED_TRY(node.axis("axis", node.input(0).rank()));
  return like_input(node);
}

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::lp_normalization));
  node.take_strided(0);
  node.in_place(0, 0);
  const uint32_t squares = node.integer("p") == 2;
  return GpuPlan{.variants = row_variants(node, shader, {{2, squares}}), .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank()));
  std::vector<bool> within_row(static_cast<size_t>(x.rank()));
  within_row[static_cast<size_t>(axis)] = true;
  const auto rows = rows_of(x.dims(), within_row, std::array{x, y});
  return Launch{.dispatches = {row_dispatch(rows, bytes_of(rows))}};
}

}  // namespace

extern const Operator lp_normalization{.op_type = "LpNormalization",
                                       .versions = {22, 1},
                                       .inputs = {{"input", "T"}},
                                       .outputs = {{"output", "T"}},
                                       .types = {{"T", any_float}},
                                       .attributes = {attribute("axis", -1), attribute("p", 2)},
                                       .infer = infer,
                                       .plan = plan,
                                       .bind = bind};

}  // namespace heed::ops
