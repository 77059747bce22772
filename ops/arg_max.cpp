// ArgMax, ArgMin: where along an axis the greatest (least) element stands; of equal ones the first, or with
// select_last_index the last.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  if (!input.has_rank()) return node.set_output(0, DataType::i64);
  HEED_ASSIGN(const int32_t axis, node.axis("axis", input.rank()));
  Dims dims(input.dims().begin(), input.dims().end());
  if (dims[axis].is_number(0))
    return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " of " + text_of(dims) + " is empty"};
  if (node.integer("keepdims") != 0)
    dims[axis] = 1;
  else
    dims.erase(dims.begin() + axis);
  return node.set_output(0, DataType::i64, dims);
}

// Mirrors shaders/arg_max.comp.
struct Parameters {
  Rows rows;
  int32_t y_offset;
};

template <bool greatest>
Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::arg_max));
  node.take_strided(0);
  const uint32_t select_last = node.integer("select_last_index") != 0;
  return GpuPlan{.variants = row_variants(node, shader, {{2, greatest}, {3, select_last}}),
                 .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank()));
  if (x.dim(axis) == 0) return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " is empty"};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  std::vector<bool> within_row(static_cast<size_t>(x.rank()));
  within_row[static_cast<size_t>(axis)] = true;
  const Parameters p{rows_of(x.dims(), within_row, std::array{x}), offset_of(y)};
  return Launch{.dispatches = {row_dispatch(p.rows, bytes_of(p))}};
}

Operator arg_extreme(std::string_view op_type, Result<GpuPlan> (*plan)(Planning&)) {
  return {.op_type = op_type,
          .versions = {13, 12, 11, 1},
          .inputs = {{"data", "T"}},
          .outputs = {{"reduced", "I"}},
          .types = {{"T", any_number}, {"I", {DataType::i64}}},
          .attributes = {attribute("axis", 0), attribute("keepdims", 1), attribute("select_last_index", 0)},
          .infer = infer,
          .plan = plan,
          .bind = bind};
}

}  // namespace

extern const Operator arg_max = arg_extreme("ArgMax", plan<true>);
extern const Operator arg_min = arg_extreme("ArgMin", plan<false>);

}  // namespace heed::ops
