// CumSum, CumProd: along an axis the sum (product) of all elements up to each; exclusive: without the element itself;
// reverse: from the end.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto axis = numbers_of(node.elements(1));
  if (axis && axis->size() != 1)
    return Error{Code::shape_mismatch, "the axis has " + std::to_string(axis->size()) + " elements; expected one"};
  if (axis && node.input(0).has_rank()) HEED_TRY(NodeView::checked_axis((*axis)[0], node.input(0).rank()));
  return like_input(node);
}

template <bool product>
Result<GpuPlan> plan(Planning& node) {
  if (!numbers_of(node.elements(1))) return decline("the axis is known to the run alone");
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::cumulate));
  node.take_strided(0);
  node.in_place(0, 0);
  const uint32_t exclusive = node.integer("exclusive") != 0, backwards = node.integer("reverse") != 0;
  return GpuPlan{.variants = row_variants(node, shader, {{2, product}, {3, exclusive}, {4, backwards}}),
                 .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const int32_t axis, NodeView::checked_axis((*numbers_of(node.elements(1)))[0], x.rank()));
  std::vector<bool> within_row(static_cast<size_t>(x.rank()));
  within_row[static_cast<size_t>(axis)] = true;
  const auto rows = rows_of(x.dims(), within_row, std::array{x, y});
  return Launch{.dispatches = {row_dispatch(rows, bytes_of(rows))}};
}

Operator cumulative(std::string_view op_type, std::vector<int32_t> versions, Result<GpuPlan> (*plan)(Planning&)) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"x", "T"}, {"axis", "I", HEED_SHAPE_DATA}},
          .outputs = {{"y", "T"}},
          .types = {{"T", any_number}, {"I", {DataType::i32, DataType::i64}}},
          .attributes = {attribute("exclusive", 0), attribute("reverse", 0)},
          .infer = infer,
          .plan = plan,
          .bind = bind};
}

}  // namespace

extern const Operator cum_sum = cumulative("CumSum", {14, 11}, plan<false>);
extern const Operator cum_prod = cumulative("CumProd", {26}, plan<true>);

}  // namespace heed::ops
