// Steps with inputs of whose shapes the plan knew nothing: their operators' contracts are asked again, with those of
// the run, so that kernels meet only what the contract accepts.
#include "passes/infer_shapes.hpp"
#include "session/bound_node.hpp"
#include "session/frame.hpp"

namespace heed {

bool Frame::is_open(uint32_t id) const {
  const Step& step = plan_.steps[id];
  return step.op && (step.kind == StepKind::cpu || step.kind == StepKind::gpu) &&
         std::any_of(step.inputs.begin(), step.inputs.end(), [&](SlotId input) {
           return input != no_id && plan_.slots[input].type.kind == Kind::tensor && !plan_.slots[input].type.dims;
         });
}

namespace {

// Whether shapes are the ranks and sizes of these tensors.
bool are_of(const std::vector<int64_t>& shapes, const std::vector<heed_tensor>& tensors) {
  auto at = shapes.begin();
  const auto is_next = [&](int64_t number) { return at != shapes.end() && *at++ == number; };
  for (const heed_tensor& tensor : tensors) {
    if (!is_next(tensor.rank)) return false;
    for (int32_t axis = 0; axis < tensor.rank; ++axis)
      if (!is_next(tensor.dims[axis])) return false;
  }
  return at == shapes.end();
}

}  // namespace

Result<void> Frame::check_contract(uint32_t id) {
  BoundStep& bound = steps_[id];
  if (are_of(bound.checked_shapes, bound.inputs)) return {};
  const Step& step = plan_.steps[id];
  Graph alone(std::make_shared<DimPool>());
  Node node = plan_.graph->nodes[step.node];
  for (size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == no_id) continue;
    Value value = plan_.graph->values[node.inputs[i]];
    value.producer = value.captured = no_id;
    value.is_input = false;
    value.elements.reset();  // sizes of another pool
    const SlotId slot = i < step.inputs.size() ? step.inputs[i] : no_id;
    if (value.type.kind == Kind::tensor && slot != no_id && bound.inputs[i].rank >= 0)
      value.type.dims.emplace(bound.inputs[i].dims, bound.inputs[i].dims + bound.inputs[i].rank);
    else if (!value.constant)
      value.type.dims.reset();
    alone.values.push_back(std::move(value));
    node.inputs[i] = static_cast<ValueId>(alone.values.size() - 1);
  }
  for (ValueId& output : node.outputs)
    if (output != no_id) output = alone.add_value(plan_.graph->values[output].name);
  HEED_TRY(infer_node(alone, alone.add_node(std::move(node)), *context_.registry));
  bound.checked_shapes.clear();
  for (const heed_tensor& input : bound.inputs) {
    bound.checked_shapes.push_back(input.rank);
    bound.checked_shapes.insert(bound.checked_shapes.end(), input.dims, input.dims + std::max(input.rank, 0));
  }
  return {};
}

}  // namespace heed
