// Which outputs are the later selves of which inputs.
#include "plan/find_states.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "plan/told_length.hpp"

namespace heed {
namespace {

// How exporters name a state before and after a step: what stands for * is the same in both.
struct NamePair {
  std::string_view input, output;
};
constexpr NamePair name_pairs[] = {
    {"past_key_values.*", "present.*"},  // optimum, torch
    {"past_key_values.*", "present_key_values.*"},
    {"past_*", "present_*"},  // onnxruntime's gpt2
    {"past_state.*", "present_state.*"},
    {"past_conv.*", "present_conv.*"},
    {"state", "stateN"},  // silero-vad
    {"h", "hn"},
    {"c", "cn"},
    {"h0", "hn"},
    {"c0", "cn"},
    {"*_in", "*_out"},
};

// What the output of `pair` is called where the input has this name; empty where it has another kind of name.
std::string output_name(const NamePair& pair, std::string_view input) {
  const size_t star = pair.input.find('*');
  if (star == std::string_view::npos) return input == pair.input ? std::string(pair.output) : "";
  const std::string_view before = pair.input.substr(0, star), after = pair.input.substr(star + 1);
  if (input.size() <= before.size() + after.size() || !input.starts_with(before) || !input.ends_with(after)) return "";
  input.remove_prefix(before.size());
  input.remove_suffix(after.size());
  std::string name(pair.output);
  return name.replace(name.find('*'), 1, input);
}

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

constexpr std::string_view given = "given by the caller";

class StateFinder {
 public:
  StateFinder(const Plan& plan, const InPlacePairs& in_place)
      : plan_(plan), in_place_(in_place), input_taken_(plan.inputs.size(), false), output_taken_(plan.outputs.size(), false) {}

  Result<void> add_named(const std::string& input_name, const std::string& output_name) {
    const auto missing = [](const char* what, const std::string& name, const std::string& has) {
      return Error{Code::invalid_argument,
                   std::string("state: the model has no ") + what + " '" + name + "'; it has" + has};
    };
    uint32_t input = 0, output = 0;
    std::string has;
    for (; input < plan_.inputs.size() && plan_.slots[plan_.inputs[input]].name != input_name; ++input)
      has += " '" + plan_.slots[plan_.inputs[input]].name + "'";
    if (input == plan_.inputs.size()) return missing("input", input_name, has);
    has.clear();
    for (; output < plan_.outputs.size() && name_of_output(output) != output_name; ++output)
      has += " '" + name_of_output(output) + "'";
    if (output == plan_.outputs.size()) return missing("output", output_name, has);
    const auto appended = appended_by_contract();
    const auto told = std::find_if(appended.begin(), appended.end(),
                                   [&](const StatePair& pair) { return pair.input == input && pair.output == output; });
    const bool added = told == appended.end()
                           ? add(input, output, growing_axis(plan_, input, output), false, std::string(given))
                           : add(input, output, told->growing_axis, told->in_place, std::string(given));
    if (!added)
      return Error{Code::invalid_argument, "state: input '" + input_name + "' " +
                                               to_string(plan_.slots[plan_.inputs[input]].type) + " and output '" +
                                               output_name + "' " + to_string(plan_.slots[plan_.outputs[output]].type) +
                                               " cannot be one state, or one of them belongs to another"};
    return {};
  }

  void add_by_contract() {
    for (const StatePair& pair : appended_by_contract())
      add(pair.input, pair.output, pair.growing_axis, pair.in_place, pair.why);
  }

  // present = Concat(past, x): a step that only moves data makes an output of an input and more, along one axis.
  void add_by_data_flow() {
    for (const Step& step : plan_.steps) {
      if (!step.op || !step.op->is(HEED_COPIES) || step.inputs.size() < 2 || step.outputs.size() != 1) continue;
      const auto input = position(plan_.inputs, step.inputs[0]);
      const auto output = position(plan_.outputs, step.outputs[0]);
      if (!input || !output) continue;
      if (const int32_t axis = growing_axis(plan_, *input, *output); axis >= 0)
        add(*input, *output, axis, false, std::string(step.op->op_type()) + " of it and more");
    }
  }

  void add_by_name() {
    for (uint32_t input = 0; input < plan_.inputs.size(); ++input) {
      for (const auto& pair : name_pairs) {
        const std::string wanted = output_name(pair, plan_.slots[plan_.inputs[input]].name);
        if (wanted.empty()) continue;
        for (uint32_t output = 0; output < plan_.outputs.size(); ++output)
          if (name_of_output(output) == wanted)
            add(input, output, growing_axis(plan_, input, output), false, "by name");
      }
    }
  }

  std::vector<StatePair> take() { return std::move(states_); }

 private:
  static std::optional<uint32_t> position(const std::vector<SlotId>& list, SlotId slot) {
    const auto found = std::find(list.begin(), list.end(), slot);
    return found == list.end() ? std::nullopt : std::optional(static_cast<uint32_t>(found - list.begin()));
  }

  int64_t reader_count(SlotId root) const {
    int64_t count = 0;
    for (const Step& step : plan_.steps)
      for (const auto* list : {&step.inputs, &step.captured})
        count += std::count_if(list->begin(), list->end(),
                               [&](SlotId slot) { return slot != no_id && plan_.slots[slot].root == root; });
    return count;
  }

  const std::string& name_of_output(uint32_t output) const { return plan_.graph->output_names[output]; }

  std::vector<StatePair> appended_by_contract() const {
    std::vector<StatePair> pairs;
    for (uint32_t index = 0; index < plan_.steps.size(); ++index) {
      const Step& step = plan_.steps[index];
      if (!step.op) continue;
      for (size_t i = 0; i < std::min(step.outputs.size(), step.op->c->output_count); ++i) {
        const auto& parameter = step.op->c->outputs[i];
        if (parameter.state_of < 0 || static_cast<size_t>(parameter.state_of) >= step.inputs.size() ||
            step.outputs[i] == no_id)
          continue;
        const auto input = position(plan_.inputs, step.inputs[parameter.state_of]);
        const auto output = position(plan_.outputs, step.outputs[i]);
        if (!input || !output) continue;
        // Appending in place needs the axis that grows to be bound by nothing but the state itself, or room in it.
        const ValueType &before = plan_.slots[plan_.inputs[*input]].type,
                        &after = plan_.slots[plan_.outputs[*output]].type;
        const bool appends = parameter.state_axis >= 0;
        if (appends && !before.dims) continue;
        const bool grows = appends && as_symbol((*before.dims)[static_cast<size_t>(parameter.state_axis)]);
        if (appends && !grows && !may_have_room(before, after, parameter.state_axis)) continue;
        const bool in_place =
            grows ? is_told(after)
                  : may_overwrite(index, parameter.state_of, static_cast<int32_t>(i), parameter.state_axis);
        pairs.push_back({"", "", *input, *output, grows ? parameter.state_axis : -1, in_place,
                         std::string(step.op->op_type()) + (grows ? " appends to it" : " writes it")});
      }
    }
    return pairs;
  }

  // Whether an axis stays as long as it was where little is appended, as max(32, total) does.
  bool may_have_room(const ValueType& before, const ValueType& after, int32_t axis) const {
    if (!after.dims || after.dims->size() != before.dims->size()) return false;
    const std::vector<int64_t> little(plan_.graph->dims().symbol_count(), 1);
    const auto size = evaluate((*after.dims)[static_cast<size_t>(axis)], little);
    return size && (*before.dims)[static_cast<size_t>(axis)].is_number(*size);
  }

  // Whether what is given tells the sizes of this type, before the run.
  bool is_told(const ValueType& type) const {
    const auto tells = [&](uint32_t symbol) {
      return std::any_of(plan_.inputs.begin(), plan_.inputs.end(), [&](SlotId input) {
        const DimSymbol* length = told_length(plan_.graph->values[plan_.slots[input].value]);
        if (length && length->index == symbol) return true;
        const auto& dims = plan_.slots[input].type.dims;
        return dims && std::any_of(dims->begin(), dims->end(), [&](Dim dim) {
                 const DimSymbol* met = as_symbol(dim);
                 return met && met->index == symbol;
               });
      });
    };
    return type.dims && std::all_of(type.dims->begin(), type.dims->end(), [&](Dim dim) {
             const auto symbols = symbols_of(dim);
             return !dim.is_unknown() && std::all_of(symbols.begin(), symbols.end(), tells);
           });
  }

  // Whether a step can write an output where its input lies, for want of anything else that reads the input: by its
  // contract, where that names an axis that it appends along, else by its kernel.
  bool may_overwrite(uint32_t index, int32_t input, int32_t output, int32_t axis) const {
    const SlotId before = plan_.steps[index].inputs[static_cast<size_t>(input)];
    const SlotId after = plan_.steps[index].outputs[static_cast<size_t>(output)];
    const auto& allowed = in_place_[index];
    const bool kernel_allows = std::find(allowed.begin(), allowed.end(), std::pair(input, output)) != allowed.end();
    const Slot &from = plan_.slots[before], &to = plan_.slots[after];
    if (axis < 0 && (!kernel_allows || from.type.dims != to.type.dims)) return false;
    if (from.location != to.location || to.root != after || to.strided) return false;
    return reader_count(before) == 1;
  }

  bool add(uint32_t input, uint32_t output, int32_t axis, bool in_place, std::string why) {
    if (input_taken_[input] || output_taken_[output]) return false;
    const Slot &before = plan_.slots[plan_.inputs[input]], &after = plan_.slots[plan_.outputs[output]];
    // Of what a caller names, the run tells whether an output of unknown rank may go in again.
    const bool is_left_to_run = why == given && before.type.element == after.type.element &&
                                before.type.kind == after.type.kind && !(before.type.dims && after.type.dims);
    if (!is_left_to_run && !same_type(before.type, after.type, axis)) return false;
    input_taken_[input] = output_taken_[output] = true;
    states_.push_back({before.name, name_of_output(output), input, output, axis, in_place, std::move(why)});
    return true;
  }

  const Plan& plan_;
  const InPlacePairs& in_place_;
  std::vector<bool> input_taken_, output_taken_;
  std::vector<StatePair> states_;
};

}  // namespace

Result<std::vector<StatePair>> find_states(const Plan& plan, const InPlacePairs& in_place,
                                           const std::vector<std::pair<std::string, std::string>>& named) {
  StateFinder finder(plan, in_place);
  for (const auto& [input, output] : named) HEED_TRY(finder.add_named(input, output));
  finder.add_by_contract();
  finder.add_by_data_flow();
  finder.add_by_name();
  return finder.take();
}

}  // namespace heed
