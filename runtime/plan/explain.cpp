// What a plan does, told step by step.
#include "plan/explain.hpp"

#include <algorithm>

namespace heed {
namespace {

std::string kernel_of(const Step& step) {
  if (step.kind == StepKind::gpu) return step.variants.empty() ? "" : step.variants.front().name;
  return step.cpu ? std::string(step.cpu->name.data, step.cpu->name.size) : "";
}

std::string why(const Plan& plan, const Step& step) {
  std::string text;
  const auto add = [&](const std::string& reason) { text += (text.empty() ? "" : "; ") + reason; };
  if (const std::string& origin = plan.graph->nodes[step.node].origin; !origin.empty()) add("from " + origin);
  for (const auto& state : plan.states)
    if (state.in_place &&
        std::find(step.outputs.begin(), step.outputs.end(), plan.outputs[state.output]) != step.outputs.end())
      add("'" + state.input_name + "' in place");
  for (const auto& state : plan.states)
    if (state.in_place && step.op->is(HEED_COPIES) && !step.inputs.empty() &&
        step.inputs[0] == plan.inputs[state.input])
      add("state '" + state.input_name + "' made dense for a reader that takes no strides");
  for (const auto& declined : step.declined)
    if (step.computes || declined.kernel != "vulkan") add(declined.kernel + " declined: " + declined.reason);
  return text;
}

void add_steps(const Plan& plan, int depth, std::vector<ExplainedStep>& steps) {
  for (uint32_t index = 0; index < plan.steps.size(); ++index) {
    const Step& step = plan.steps[index];
    if (step.kind == StepKind::view) continue;
    ExplainedStep told;
    told.step = index;
    told.depth = depth;
    told.computes = step.computes;
    const auto first =
        std::find_if(step.outputs.begin(), step.outputs.end(), [](SlotId slot) { return slot != no_id; });
    if (first != step.outputs.end()) told.output = to_string(plan.slots[*first].type);
    if (step.node == no_id) {
      told.crosses = true;
      told.node = plan.slots[step.inputs[0]].name;
      told.op_type = step.kind == StepKind::upload ? "upload" : "download";
      told.on = "vulkan";
    } else {
      const Node& node = plan.graph->nodes[step.node];
      told.node = node.name;
      told.op_type = node.op_type;
      told.on = step.kind == StepKind::gpu ? "vulkan" : step.kind == StepKind::control ? "control" : "cpu";
      told.kernel = kernel_of(step);
      told.why = why(plan, step);
    }
    steps.push_back(std::move(told));
    for (const auto& body : step.bodies) add_steps(*body, depth + 1, steps);
  }
}

}  // namespace

std::vector<ExplainedStep> explain(const Plan& plan) {
  std::vector<ExplainedStep> steps;
  add_steps(plan, 0, steps);
  return steps;
}

PlanCounts count_steps(const Plan& plan) {
  PlanCounts counts;
  counts.segments = static_cast<int64_t>(plan.segments.size());
  for (const Step& step : plan.steps) {
    if (step.computes) ++(step.kind == StepKind::gpu ? counts.vulkan : counts.cpu);
    if (step.kind == StepKind::upload || step.kind == StepKind::download) ++counts.transfers;
    if (step.kind == StepKind::view) ++counts.views;
    if (!step.computes && (step.kind == StepKind::cpu || step.kind == StepKind::gpu)) ++counts.copies;
    for (const auto& body : step.bodies) {
      const PlanCounts inner = count_steps(*body);
      counts.cpu += inner.cpu;
      counts.vulkan += inner.vulkan;
      counts.transfers += inner.transfers;
      counts.views += inner.views;
      counts.copies += inner.copies;
    }
  }
  return counts;
}

}  // namespace heed
