// OneHot: a new axis of `depth` places for each index, the second of the values at the place that it tells and the
// first elsewhere. Negative indices count from the end; those outside have no place.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { indices_input, depth_input, values_input };

Result<void> infer(Inference& node) {
  const auto indices = node.input(indices_input), values = node.input(values_input);
  HEED_TRY(node.require_rank(values_input, 1));
  if (values.has_rank()) HEED_TRY(node.require_equal(values.dim(0), 2, "the values, one for off and one for on,"));
  if (!indices.has_rank()) return node.set_output(0, values.element());
  HEED_ASSIGN(const int32_t axis, node.axis("axis", indices.rank() + 1, -1));
  const auto elements = node.elements(depth_input);
  if (elements && elements->size() != 1)
    return Error{Code::shape_mismatch, "depth has " + std::to_string(elements->size()) + " elements; expected one"};
  const Dim depth = elements ? (*elements)[0] : node.fresh_symbol("depth");
  if (depth.is_number() && depth.number() < 1)
    return Error{Code::invalid_model, "depth is " + to_string(depth) + "; expected at least 1"};
  Dims dims(indices.dims().begin(), indices.dims().end());
  dims.insert(dims.begin() + axis, depth);
  return node.set_output(0, values.element(), dims);
}

// Mirrors shaders/one_hot.comp.
struct Parameters {
  uint32_t count, depth, inner_count, words_per_index;
  int32_t indices_offset, values_offset, y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  const auto indices = node.input(indices_input);
  if (!node.elements(depth_input)) return decline("the depth is known to the run alone");
  if (!indices.has_rank()) return decline("the rank of the indices is not known");
  if (indices.element() != DataType::i32 && indices.element() != DataType::i64)
    return decline("the GPU kernel takes indices of i32 and i64, not " + name_in_reason(indices));
  HEED_ASSIGN(auto variant, moving_variant(node, node.input(values_input), shaders::one_hot));
  return GpuPlan{.variants = {std::move(variant)}, .bindings = {read(indices_input), read(values_input), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto indices = node.input(indices_input), values = node.input(values_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(indices, "the indices"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const int32_t axis, node.axis("axis", y.rank(), -1));
  const Parameters p{.count = static_cast<uint32_t>(y.count()),
                     .depth = static_cast<uint32_t>(y.dim(axis)),
                     .inner_count = static_cast<uint32_t>(y.count(axis + 1, y.rank())),
                     .words_per_index = indices.element() == DataType::i64 ? 2u : 1u,
                     .indices_offset = offset_of(indices),
                     .values_offset = offset_of(values),
                     .y_offset = offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator one_hot{.op_type = "OneHot",
                              .versions = {11, 9},
                              .inputs = {{"indices", "T1"}, {"depth", "T2", HEED_SHAPE_DATA}, {"values", "T3"}},
                              .outputs = {{"output", "T3"}},
                              .types = {{"T1", any_number}, {"T2", any_number}, {"T3", any_type}},
                              .attributes = {attribute("axis", -1)},
                              .infer = infer,
                              .plan = plan,
                              .bind = bind};

}  // namespace heed::ops
