// Which outputs are the later selves of which inputs.
#include "plan/find_states.hpp"

#include <algorithm>
#include <optional>
#include <regex>

namespace heed {
namespace {

// How exporters name a state before and after a step.
struct NamePair {
  const char* input;   // a regular expression
  const char* output;  // what the output is then called
};
constexpr NamePair name_pairs[] = {
    {R"(past_key_values\.(.+))", "present.$1"},  // optimum, torch
    {R"(past_key_values\.(.+))", "present_key_values.$1"},
    {R"(past_key_(.+))", "present_key_$1"},
    {R"(past_value_(.+))", "present_value_$1"},
    {R"(past_(.+))", "present_$1"},  // onnxruntime's gpt2
    {R"(past_state\.(.+))", "present_state.$1"},
    {R"(past_conv\.(.+))", "present_conv.$1"},
    {R"(state)", "stateN"},  // silero-vad
    {R"((h|c)0?)", "$1n"},
    {R"((h|c)_in)", "$1_out"},
    {R"((.+)_in)", "$1_out"},
};

bool same_type(const ValueType& a, const ValueType& b, int32_t growing_axis) {
  if (a.kind != b.kind || a.element != b.element || !a.dims || !b.dims || a.dims->size() != b.dims->size())
    return false;
  for (size_t axis = 0; axis < a.dims->size(); ++axis)
    if (static_cast<int32_t>(axis) != growing_axis && (*a.dims)[axis].is_number() && (*b.dims)[axis].is_number() &&
        (*a.dims)[axis] != (*b.dims)[axis])
      return false;
  return true;
}

// The one axis along which an input and an output differ, where the input's size is a symbol of its own; -1: none.
int32_t growing_axis(const Plan& plan, uint32_t input, uint32_t output) {
  const auto &before = plan.slots[plan.inputs[input]].type.dims, &after = plan.slots[plan.outputs[output]].type.dims;
  if (!before || !after || before->size() != after->size()) return -1;
  int32_t axis = -1;
  for (size_t i = 0; i < before->size(); ++i) {
    if ((*before)[i] == (*after)[i]) continue;
    if (axis >= 0 || !as_symbol((*before)[i])) return -1;
    axis = static_cast<int32_t>(i);
  }
  return axis;
}

}  // namespace

std::vector<StatePair> find_states(const Plan& plan) {
  std::vector<StatePair> states;
  std::vector<bool> input_taken(plan.inputs.size(), false), output_taken(plan.outputs.size(), false);
  const auto position = [](const std::vector<SlotId>& list, SlotId slot) -> std::optional<uint32_t> {
    const auto found = std::find(list.begin(), list.end(), slot);
    return found == list.end() ? std::nullopt : std::optional(static_cast<uint32_t>(found - list.begin()));
  };
  const auto add = [&](uint32_t input, uint32_t output, int32_t axis, bool in_place, std::string why) {
    if (input_taken[input] || output_taken[output]) return;
    const Slot &before = plan.slots[plan.inputs[input]], &after = plan.slots[plan.outputs[output]];
    if (!same_type(before.type, after.type, axis)) return;
    input_taken[input] = output_taken[output] = true;
    states.push_back({before.name, after.name, input, output, axis, in_place, std::move(why)});
  };

  for (const Step& step : plan.steps) {
    if (!step.op) continue;
    for (size_t i = 0; i < std::min(step.outputs.size(), step.op->c->output_count); ++i) {
      const auto& parameter = step.op->c->outputs[i];
      if (parameter.state_of < 0 || static_cast<size_t>(parameter.state_of) >= step.inputs.size() ||
          step.outputs[i] == no_id)
        continue;
      const auto input = position(plan.inputs, step.inputs[parameter.state_of]);
      const auto output = position(plan.outputs, step.outputs[i]);
      // Appending in place needs the axis that grows to be bound by nothing but the state itself.
      if (!input || !output) continue;
      const auto& dims = plan.slots[plan.inputs[*input]].type.dims;
      const bool grows = parameter.state_axis >= 0;
      if (grows && (!dims || !as_symbol((*dims)[static_cast<size_t>(parameter.state_axis)]))) continue;
      add(*input, *output, parameter.state_axis, grows, std::string(step.op->op_type()) + " appends to it");
    }
  }
  // present = Concat(past, x): a step that only moves data makes an output of an input and more, along one axis.
  for (const Step& step : plan.steps) {
    if (!step.op || !step.op->is(HEED_COPIES) || step.inputs.size() < 2 || step.outputs.size() != 1) continue;
    const auto input = position(plan.inputs, step.inputs[0]);
    const auto output = position(plan.outputs, step.outputs[0]);
    if (!input || !output) continue;
    if (const int32_t axis = growing_axis(plan, *input, *output); axis >= 0)
      add(*input, *output, axis, false, std::string(step.op->op_type()) + " of it and more");
  }
  for (uint32_t input = 0; input < plan.inputs.size(); ++input) {
    const std::string& name = plan.slots[plan.inputs[input]].name;
    for (const auto& pair : name_pairs) {
      const std::regex pattern(pair.input);
      if (!std::regex_match(name, pattern)) continue;
      const std::string wanted = std::regex_replace(name, pattern, pair.output);
      for (uint32_t output = 0; output < plan.outputs.size(); ++output) {
        if (plan.graph->values[plan.graph->outputs[output]].name != wanted) continue;
        add(input, output, growing_axis(plan, input, output), false, "by name");
      }
    }
  }
  return states;
}

}  // namespace heed
