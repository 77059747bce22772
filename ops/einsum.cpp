// Einsum: y[output labels] = sum over all other labels of the product of the inputs, each at its own labels; a label
// that stands twice in a term is a diagonal. The GPU kernel serves what rewrites/einsum.cpp makes no product of
// matrices of.
#include "heed/einsum.hpp"

#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

constexpr int32_t most_inputs = 4;  // that a shader walks

bool has_ranks(const NodeView& node) {
  for (int32_t k = 0; k < node.input_count(); ++k)
    if (!node.input(k).has_rank()) return false;
  return true;
}

Result<EinsumEquation> equation_of(const NodeView& node) {
  std::vector<int32_t> ranks;
  for (int32_t k = 0; k < node.input_count(); ++k) ranks.push_back(node.input(k).rank());
  return parse_einsum(node.text("equation"), ranks);
}

Result<void> infer(Inference& node) {
  if (!has_ranks(node)) return node.set_output(0, node.input(0).element());
  HEED_ASSIGN(const auto equation, equation_of(node));
  std::vector<Dims> sizes(static_cast<size_t>(equation.label_count), Dims{1});
  for (int32_t k = 0; k < node.input_count(); ++k) {
    const auto& labels = equation.inputs[static_cast<size_t>(k)];
    for (size_t axis = 0; axis < labels.size(); ++axis) {
      auto& size = sizes[static_cast<size_t>(labels[axis])];
      HEED_ASSIGN(size, checked_broadcast(node, size, node.input(k).dims().subspan(axis, 1)));
    }
  }
  Dims dims;
  for (const int32_t label : equation.output) dims.push_back(sizes[static_cast<size_t>(label)][0]);
  return node.set_output(0, node.input(0).element(), dims);
}

// ---- on the GPU -----------------------------------------------------------------------------------------------------

// Mirrors shaders/einsum.comp.
struct Parameters {
  Rows rows;  // of the inputs: output labels choose a row
  int32_t y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  const int32_t count = node.input_count();
  if (!has_ranks(node)) return decline("the ranks are known to the run alone");
  if (count > most_inputs) return decline("more than " + std::to_string(most_inputs) + " inputs");
  HEED_ASSIGN(const auto equation, equation_of(node));
  std::vector<bool> used(static_cast<size_t>(equation.label_count));
  for (const auto& labels : equation.inputs)
    for (const int32_t label : labels) used[static_cast<size_t>(label)] = true;
  if (std::count(used.begin(), used.end(), true) > most_axes)
    return decline("more than " + std::to_string(most_axes) + " labels");
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::einsum));
  GpuPlan plan;
  plan.variants = row_variants(node, shader, {{2, static_cast<uint32_t>(count)}});
  for (int32_t k = 0; k < most_inputs; ++k) {
    if (k < count) node.take_strided(k);
    plan.bindings.push_back(read(k < count ? k : 0));  // what is absent is bound to the first, and never touched
  }
  plan.bindings.push_back(write(0));
  return plan;
}

Result<Launch> bind(const Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const auto equation, equation_of(node));
  // All labels that are used, those of the output first.
  std::vector<int32_t> order = equation.output;
  for (const auto& labels : equation.inputs)
    for (const int32_t label : labels)
      if (std::find(order.begin(), order.end(), label) == order.end()) order.push_back(label);
  const size_t rank = order.size();
  std::vector<int64_t> dims(rank, 1), own_dims[most_inputs], own_strides[most_inputs];
  std::vector<TensorView> walked;
  for (int32_t k = 0; k < node.input_count(); ++k) {
    const auto x = node.input(k);
    HEED_TRY(check_addressable(x, "input " + std::to_string(k)));
    own_dims[k].assign(rank, 1);
    own_strides[k].assign(rank, 0);
    for (int32_t axis = 0; axis < x.rank(); ++axis) {
      const int32_t label = equation.inputs[static_cast<size_t>(k)][static_cast<size_t>(axis)];
      const auto at = static_cast<size_t>(std::find(order.begin(), order.end(), label) - order.begin());
      if (x.dim(axis) == 1) continue;
      dims[at] = own_dims[k][at] = x.dim(axis);
      own_strides[k][at] += x.stride(axis);
    }
    TensorView looked_at = x;
    looked_at.c.dims = own_dims[k].data();
    looked_at.c.strides = own_strides[k].data();
    looked_at.c.rank = static_cast<int32_t>(rank);
    walked.push_back(looked_at);
  }
  const Parameters p{
      rows_of(dims, last_axes(static_cast<int32_t>(rank), static_cast<int32_t>(rank - equation.output.size())), walked),
      offset_of(y)};
  return Launch{.dispatches = {row_dispatch(p.rows, bytes_of(p))}};
}

}  // namespace

extern const Operator einsum{.op_type = "Einsum",
                             .versions = {12},
                             .inputs = {{"Inputs", "T", HEED_VARIADIC}},
                             .outputs = {{"Output", "T"}},
                             .types = {{"T", any_number}},
                             .attributes = {required("equation", HEED_ATTRIBUTE_STRING)},
                             .infer = infer,
                             .plan = plan,
                             .bind = bind};

}  // namespace heed::ops
