// From a typed graph to a plan: which nodes need no step, which are views, which kernel takes each, where copies go.
#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>

#include "plan/choose_kernel.hpp"
#include "plan/cost_model.hpp"
#include "plan/expand_refused.hpp"
#include "plan/find_channels_last.hpp"
#include "plan/find_states.hpp"
#include "plan/place_nodes.hpp"
#include "plan/plan.hpp"
#include "plan/strides.hpp"
#include "plan/told_length.hpp"

namespace heed {
namespace {

Result<std::unique_ptr<Plan>> plan_graph(std::shared_ptr<Graph> graph, const Registry& registry,
                                         const PlanOptions& options, bool is_body);

class Planner {
 public:
  Planner(std::shared_ptr<Graph> graph, const Registry& registry, const PlanOptions& options, bool is_body)
      : graph_(*graph), registry_(registry), options_(options), is_body_(is_body), plan_(std::make_unique<Plan>()) {
    plan_->graph = std::move(graph);
    plan_->is_body = is_body;
  }

  Result<std::unique_ptr<Plan>> run() {
    HEED_TRY(find_operators());
    find_needed();
    HEED_TRY(find_counting());
    HEED_TRY(find_places());
    find_layouts();
    begin_segment();
    HEED_TRY(add_inputs());
    const size_t node_count = graph_.nodes.size();  // planning appends copies
    for (NodeId id = 0; id < node_count; ++id) {
      if (!live_[id]) continue;
      if (auto done = add_node(id); !done) {
        const Node& node = graph_.nodes[id];
        return std::move(done).error().within("node '" + node.name + "' (" + node.op_type + ")");
      }
    }
    HEED_TRY(add_outputs());
    end_segment();
    for (SlotId id = 0; id < open_.size(); ++id) plan_->slots[id].anywhere = open_[id];
    find_lifetimes();
    merge_in_place();
    HEED_TRY(compile_sizes());
    if (!is_body_) {
      HEED_ASSIGN(plan_->states, find_states(*plan_, in_place_, options_.states));
    }
    return std::move(plan_);
  }

 private:
  // ---- what is needed
  // -------------------------------------------------------------------------------------------------

  Result<void> find_operators() {
    for (const Node& node : graph_.nodes) {
      const auto* op = node.removed ? nullptr : registry_.find_operator(node.domain, node.op_type);
      if (!op && !node.removed)
        return Error{Code::unsupported,
                     "node '" + node.name + "' (" + node.op_type + "): no plugin brings this operator"};
      operators_.push_back(op);
    }
    return {};
  }

  bool sized(const ValueType& type) const {
    return type.kind == Kind::tensor && type.element && type.dims &&
           std::none_of(type.dims->begin(), type.dims->end(), [](Dim dim) { return dim.is_unknown(); });
  }

  // What a step makes has its size before it runs only where inference, not the model alone, tells it.
  bool sized(const Value& value) const { return !value.sizes_declared && sized(value.type); }

  // A value whose elements follow from sizes: no step makes it.
  bool is_sizes(ValueId id) const {
    const Value& value = graph_.values[id];
    if (value.constant || value.producer == no_id || !value.elements || !sized(value.type)) return false;
    const auto element = *value.type.element;
    if (element != DataType::i64 && element != DataType::i32 && element != DataType::boolean) return false;
    return std::none_of(value.elements->begin(), value.elements->end(), [](Dim dim) { return dim.is_unknown(); }) &&
           std::all_of(value.type.dims->begin(), value.type.dims->end(), [](Dim dim) { return dim.is_number(); });
  }

  static bool is_sub_byte(const ValueType& type) { return type.element && bits_of(*type.element) < 8; }

  // Whether a node can be a look at its first input, as far as its contract goes.
  bool is_view(const Node& node, const OperatorEntry& op) const {
    if (!op.is_view() || node.inputs.empty() || node.inputs[0] == no_id) return false;
    const ValueType& source = graph_.values[node.inputs[0]].type;
    if (!sized(source)) return false;
    for (const ValueId output : node.outputs)
      if (output != no_id && !sized(graph_.values[output])) return false;
    if (op.is(HEED_VIEW_DENSE)) return true;
    return !is_sub_byte(source) && ask_view(graph_, node, op, dense_strides(*source.dims)).has_value();
  }

  // Which value's making tells the number of a symbol that no input tells.
  void find_tellers() {
    const auto tell = [&](ValueId value, ValueId teller) {
      if (value == no_id || !graph_.values[value].type.dims) return;
      for (const Dim dim : *graph_.values[value].type.dims)
        if (!dim.is_unknown())
          for (const uint32_t symbol : symbols_of(dim)) tellers_.emplace(symbol, teller);
    };
    for (const ValueId input : graph_.inputs) {
      tell(input, no_id);
      if (const DimSymbol* length = told_length(graph_.values[input])) tellers_.emplace(length->index, no_id);
    }
    for (ValueId id = 0; id < graph_.values.size(); ++id)
      if (graph_.values[id].captured != no_id) tell(id, no_id);
    for (const Node& node : graph_.nodes)
      if (!node.removed)
        for (const ValueId output : node.outputs) tell(output, output);
  }

  void find_needed() {
    find_tellers();
    const size_t node_count = graph_.nodes.size();
    live_.assign(node_count, false);
    view_.assign(node_count, false);
    needed_.assign(graph_.values.size(), false);
    feeds_only_shapes_.assign(graph_.values.size(), true);
    use_count_.assign(graph_.values.size(), 0);
    for (const ValueId output : graph_.outputs) need(output, false);
    for (NodeId id = static_cast<NodeId>(node_count); id-- > 0;) {
      const Node& node = graph_.nodes[id];
      if (node.removed) continue;
      const OperatorEntry& op = *operators_[id];
      bool live = false, only_shapes = true;
      for (const ValueId output : node.outputs) {
        if (output == no_id || !needed_[output]) continue;
        if (!is_sizes(output)) live = true;
        if (!feeds_only_shapes_[output]) only_shapes = false;
      }
      if (!live) continue;
      live_[id] = true;
      view_[id] = is_view(node, op);
      const size_t input_count = view_[id] ? 1 : node.inputs.size();
      for (size_t i = 0; i < input_count; ++i) {
        if (node.inputs[i] == no_id) continue;
        const bool shape_data = parameter_flags(op, i) & HEED_SHAPE_DATA;
        need(node.inputs[i], only_shapes || shape_data);
      }
      for (const auto& body : subgraphs_of(node))
        for (const Value& value : body->values)
          if (value.captured != no_id) need(value.captured, false);
    }
  }

  void need(ValueId value, bool for_shapes) {
    ++use_count_[value];
    if (!for_shapes) feeds_only_shapes_[value] = false;
    if (needed_[value]) return;
    needed_[value] = true;
    if (graph_.values[value].type.dims) need_tellers(*graph_.values[value].type.dims);
    if (graph_.values[value].elements) need_tellers(*graph_.values[value].elements);
  }

  void need_tellers(std::span<const Dim> dims) {
    for (const Dim dim : dims) {
      if (dim.is_unknown()) continue;
      for (const uint32_t symbol : symbols_of(dim)) {
        const auto found = tellers_.find(symbol);
        if (found != tellers_.end() && found->second != no_id && !needed_[found->second]) need(found->second, true);
      }
    }
  }

  static uint32_t parameter_flags(const OperatorEntry& op, size_t input) {
    if (op.c->input_count == 0) return 0;
    return op.c->inputs[std::min(input, op.c->input_count - 1)].flags;
  }

  bool only_feeds_shapes(const Node& node) const {
    return std::none_of(node.outputs.begin(), node.outputs.end(), [&](ValueId output) {
      return output != no_id && needed_[output] && !feeds_only_shapes_[output];
    });
  }

  // ---- where nodes run
  // ---------------------------------------------------------------------------------------------------

  // Asks the GPU's kernels for all nodes at once: whether a node is worth its copies depends on its neighbours.
  Result<void> find_places() {
    answers_.resize(graph_.nodes.size());
    locations_.assign(graph_.nodes.size(), Location::cpu);
    if (!options_.use_gpu) return {};
    const CostModel costs(graph_, options_.size_hints);
    std::vector<NodeCost> nodes(graph_.nodes.size());
    for (NodeId id = 0; id < nodes.size(); ++id) {
      const Node& node = graph_.nodes[id];
      if (!live_[id] || view_[id] || operators_[id]->is(HEED_CONTROL)) continue;
      if (auto asked = ask_gpu(id); !asked)
        return std::move(asked).error().within("node '" + node.name + "' (" + node.op_type + ")");
      nodes[id].reach = Reach::cpu_only;
      if (!answers_[id].choice) continue;
      HEED_ASSIGN(const bool on_cpu_too, has_cpu_kernel(id));
      nodes[id].reach = on_cpu_too ? Reach::both : Reach::gpu_only;
      nodes[id].cpu_ns = costs.cpu_ns(node, answers_[id].choice->operation_count);
    }
    std::map<ValueId, ValueCost> values;  // by what is looked at: views cross as what they look at
    for (NodeId reader = 0; reader < nodes.size(); ++reader) {
      if (nodes[reader].reach == Reach::nowhere) continue;
      for (const ValueId input : graph_.nodes[reader].inputs) {
        const ValueId source = input == no_id ? no_id : looked_at(input);
        if (source == no_id || graph_.values[source].producer == no_id || is_sizes(source)) continue;
        ValueCost& value = values[source];
        value.producer = graph_.values[source].producer;
        value.readers.push_back(reader);
        value.crossing_ns = std::max(value.crossing_ns, costs.crossing_ns(graph_.values[input].type));
      }
    }
    std::vector<ValueCost> crossings;
    for (auto& [id, value] : values) crossings.push_back(std::move(value));
    locations_ = place_nodes(nodes, crossings);
    for (NodeId id = 0; id < nodes.size(); ++id)
      if (nodes[id].reach == Reach::both && locations_[id] == Location::cpu)
        answers_[id].declined.push_back({"vulkan", "between steps on the CPU: its copies cost more than it does"});
    return {};
  }

  // Control kernels make and read their counters and conditions on the host: what a body reckons from these alone, one
  // integer or boolean from others, stays there.
  Result<void> find_counting() {
    counts_.assign(graph_.nodes.size(), false);
    if (!is_body_) return {};
    std::vector<bool> on_host(graph_.values.size(), false);  // such numbers that no node makes from others
    for (ValueId id = 0; id < graph_.values.size(); ++id)
      on_host[id] = graph_.values[id].producer == no_id || is_sizes(id);
    const auto is_number = [&](ValueId id) {
      const ValueType& type = graph_.values[id].type;
      return sized(type) && (*type.element == DataType::i64 || *type.element == DataType::boolean) &&
             std::all_of(type.dims->begin(), type.dims->end(), [](Dim dim) { return dim.is_number(1); });
    };
    for (NodeId id = 0; id < graph_.nodes.size(); ++id) {
      const Node& node = graph_.nodes[id];
      if (!live_[id] || operators_[id]->is(HEED_CONTROL) || node.inputs.empty()) continue;
      const auto all = [](const std::vector<ValueId>& values, const auto& good) {
        return std::all_of(values.begin(), values.end(), [&](ValueId value) { return value == no_id || good(value); });
      };
      if (!all(node.inputs, [&](ValueId input) { return on_host[input] && is_number(input); }) ||
          !all(node.outputs, is_number))
        continue;
      HEED_ASSIGN(counts_[id], has_cpu_kernel(id));
      for (const ValueId output : node.outputs)
        if (output != no_id) on_host[output] = counts_[id];
    }
    return {};
  }

  Result<void> ask_gpu(NodeId id) {
    if (counts_[id]) {
      answers_[id].declined.push_back({"vulkan", "it counts for a control kernel, on the host"});
      return {};
    }
    if (only_feeds_shapes(graph_.nodes[id])) {
      answers_[id].declined.push_back({"vulkan", "it feeds shapes alone"});
      return {};
    }
    HEED_ASSIGN(answers_[id], ask_gpu_kernels(graph_, graph_.nodes[id], *operators_[id], registry_, options_));
    return {};
  }

  Result<bool> has_cpu_kernel(NodeId id) const {
    const OperatorEntry& op = *operators_[id];
    const int32_t version = op.version_at(graph_.nodes[id].opset).value_or(1);
    HEED_ASSIGN(const auto kernels, registry_.cpu_kernels(op.domain(), op.op_type(), version));
    return !kernels.empty();
  }

  // Whether a value may lie channels last: an image with sizes that are known before the run.
  bool may_lie_channels_last(ValueId id) const {
    const Value& value = graph_.values[id];
    return sized(value) && !is_sub_byte(value.type) && value.type.dims->size() >= 3 && use_count_[id] > 0 &&
           std::all_of(value.type.dims->begin() + 1, value.type.dims->end(), [](Dim dim) { return dim.is_number(); });
  }

  void find_layouts() {
    std::vector<bool> may(graph_.values.size(), false);
    std::vector<NodeId> nodes;
    for (NodeId id = 0; id < graph_.nodes.size(); ++id) {
      const Node& node = graph_.nodes[id];
      if (!live_[id] || view_[id] || locations_[id] != Location::cpu || operators_[id]->is(HEED_CONTROL)) continue;
      bool concerns = false;
      for (const ValueId input : node.inputs) concerns = concerns || (input != no_id && may[input]);
      for (const ValueId output : node.outputs)
        if (output != no_id && may_lie_channels_last(output)) concerns = may[output] = true;
      if (concerns) nodes.push_back(id);
    }
    channels_last_ = find_channels_last(
        {graph_, std::move(nodes), std::move(may), use_count_, [&](NodeId id, const std::vector<bool>& channels_last) {
           return choose_cpu_kernel(graph_, graph_.nodes[id], *operators_[id], registry_, options_, &channels_last);
         }});
  }

  // The value whose memory a value may be a look at.
  ValueId looked_at(ValueId value) const {
    for (NodeId producer = graph_.values[value].producer; producer != no_id && live_[producer] && view_[producer];
         producer = graph_.values[value].producer)
      value = graph_.nodes[producer].inputs[0];
    return value;
  }

  Result<Choice> choose_kernel(NodeId id) {
    if (options_.use_gpu && view_[id]) {  // no view after all: where its kernel is
      HEED_TRY(ask_gpu(id));
      if (answers_[id].choice) locations_[id] = Location::vulkan;
    }
    if (locations_[id] == Location::vulkan) return std::move(*answers_[id].choice);
    return choose_cpu_kernel(graph_, graph_.nodes[id], *operators_[id], registry_, options_, &channels_last_,
                             std::move(answers_[id].declined));
  }

  // ---- segments
  // ---------------------------------------------------------------------------------------------------------

  void begin_segment() {
    plan_->segments.emplace_back();
    plan_->segments.back().begin = static_cast<uint32_t>(plan_->steps.size());
  }
  void end_segment() { plan_->segments.back().end = static_cast<uint32_t>(plan_->steps.size()); }

  void learn(const ValueType& type) {
    if (!type.dims) return;
    for (const Dim dim : *type.dims)
      if (!dim.is_unknown())
        for (const uint32_t symbol : symbols_of(dim)) learn(symbol);
  }
  void learn(uint32_t symbol) {
    if (symbol >= known_.size()) known_.resize(symbol + 1);
    known_[symbol] = true;
  }
  bool is_known(Dim dim) const {
    if (dim.is_number()) return true;
    if (dim.is_unknown()) return false;
    const auto symbols = symbols_of(dim);
    return std::all_of(symbols.begin(), symbols.end(), [&](uint32_t s) { return s < known_.size() && known_[s]; });
  }
  bool is_known(const ValueType& type) const {
    return sized(type) && std::all_of(type.dims->begin(), type.dims->end(), [&](Dim dim) { return is_known(dim); });
  }
  bool is_known(const Value& value) const { return !value.sizes_declared && is_known(value.type); }

  // ---- slots
  // ------------------------------------------------------------------------------------------------------------

  SlotId add_slot(ValueId value, Store store, Location location) {
    const SlotId id = static_cast<SlotId>(plan_->slots.size());
    Slot slot;
    slot.name = graph_.values[value].name;
    slot.type = graph_.values[value].type;
    slot.store = store;
    slot.location = location;
    slot.value = value;
    slot.root = id;
    slot.segment = static_cast<uint32_t>(plan_->segments.size() - 1);
    plan_->slots.push_back(std::move(slot));
    open_.push_back(false);
    if (value >= slots_of_.size()) slots_of_.resize(graph_.values.size(), {no_id, no_id});
    slots_of_[value][static_cast<size_t>(location)] = id;
    return id;
  }

  // A slot whose location the first reader chooses.
  void leave_open(SlotId slot) {
    if (options_.use_gpu) open_[slot] = true;
  }

  // The location of an open slot and of all that look at the same memory.
  void settle(SlotId decided, Location location) {
    if (!open_[decided]) return;
    for (SlotId id = 0; id < plan_->slots.size(); ++id) {
      Slot& slot = plan_->slots[id];
      if (slot.root != plan_->slots[decided].root) continue;
      open_[id] = false;
      slot.location = location;
      slots_of_[slot.value] = {no_id, no_id};
      slots_of_[slot.value][static_cast<size_t>(location)] = id;
    }
  }

  Result<SlotId> slot_at(ValueId value, Location location) {
    if (value >= slots_of_.size()) slots_of_.resize(graph_.values.size(), {no_id, no_id});
    auto& slots = slots_of_[value];
    if (const SlotId slot = slots[static_cast<size_t>(location)]; slot != no_id) {
      settle(slot, location);
      return slot;
    }
    if (const auto& constant = graph_.values[value].constant) {
      const SlotId slot = add_slot(value, Store::constant, location);
      set_constant_strides(slot, *constant);
      return slot;
    }
    if (is_sizes(value) && location == Location::cpu) return add_slot(value, Store::sizes, location);
    const Location other = location == Location::cpu ? Location::vulkan : Location::cpu;
    if (slots[static_cast<size_t>(other)] == no_id) {
      if (!is_sizes(value))
        return Error{Code::invalid_model, "value '" + graph_.values[value].name + "' is read before it is made"};
      add_slot(value, Store::sizes, Location::cpu);
    }
    SlotId from = slots_of_[value][static_cast<size_t>(other)];
    if (open_[from]) {
      settle(from, location);
      return from;
    }
    HEED_ASSIGN(from, dense(from));
    const SlotId to = add_slot(value, Store::arena, location);
    Step step;
    step.kind = location == Location::cpu ? StepKind::download : StepKind::upload;
    step.inputs = {from};
    step.outputs = {to};
    push_step(std::move(step));
    return to;
  }

  // The slot in which a value was made, wherever that is.
  Result<SlotId> slot_of(ValueId value) {
    if (value < slots_of_.size())
      for (const SlotId slot : slots_of_[value])
        if (slot != no_id) return slot;
    return slot_at(value, Location::cpu);
  }

  void set_constant_strides(SlotId id, const Tensor& constant) {
    Slot& slot = plan_->slots[id];
    slot.type.dims = std::vector<Dim>(constant.dims.begin(), constant.dims.end());
    slot.strides.assign(constant.strides.begin(), constant.strides.end());
    slot.strided = !constant.strides.empty();
  }

  void push_step(Step step) {
    plan_->steps.push_back(std::move(step));
    in_place_.emplace_back();
  }

  // The same elements in a slot that is dense at every run.
  Result<SlotId> dense(SlotId id) {
    const Slot slot = plan_->slots[id];
    if (!slot.strided) return id;
    if (const auto found = dense_of_.find(id); found != dense_of_.end()) return found->second;
    if (slot.store == Store::constant) {
      HEED_ASSIGN(Tensor copy, dense_copy(*graph_.values[slot.value].constant));
      const ValueId value = graph_.add_constant(graph_.unique_name(slot.name + "/dense"), std::move(copy));
      HEED_ASSIGN(const SlotId constant, slot_at(value, slot.location));
      return dense_of_[id] = constant;
    }
    HEED_ASSIGN(const SlotId copy, copy_of(id));
    return dense_of_[id] = copy;
  }

  // A step of the operator that copies, from a slot to a new dense one beside it.
  Result<SlotId> copy_of(SlotId from) {
    const auto* op = registry_.find_role("copy");
    if (!op) return Error{Code::unsupported, "no plugin brings the operator of role 'copy'"};
    const Slot source = plan_->slots[from];
    const ValueId value = graph_.add_value(graph_.unique_name(source.name + "/copy"), source.type);
    Node node;
    const NodeId producer = graph_.values[source.value].producer;
    node.name = (producer == no_id ? source.name : graph_.nodes[producer].name) + "/copy";
    node.domain = std::string(op->domain());
    node.op_type = std::string(op->op_type());
    node.opset = 1;
    node.inputs = {source.value};
    node.outputs = {value};
    const NodeId id = graph_.add_node(std::move(node));
    GpuAnswer answer;
    if (open_[from] || source.location == Location::vulkan) {
      HEED_ASSIGN(answer, ask_gpu_kernels(graph_, graph_.nodes[id], *op, registry_, options_));
    }
    settle(from, answer.choice ? Location::vulkan : Location::cpu);  // where it is open
    const Location location = plan_->slots[from].location;
    Choice choice;
    if (location == Location::vulkan) {
      if (!answer.choice)
        return Error{Code::unsupported, "'copy' has no kernel on vulkan for " + to_string(source.type) + ": " +
                                            answer.declined.front().reason};
      choice = std::move(*answer.choice);
    } else {
      HEED_ASSIGN(choice, choose_cpu_kernel(graph_, graph_.nodes[id], *op, registry_, options_));
    }
    Step step = step_of(id, *op, choice);
    step.inputs = {from};
    step.outputs = {add_slot(value, Store::arena, location)};
    push_step(std::move(step));
    return plan_->steps.back().outputs[0];
  }

  // ---- nodes
  // ------------------------------------------------------------------------------------------------------------

  Result<void> add_inputs() {
    for (const ValueId input : graph_.inputs) learn(graph_.values[input].type);
    for (ValueId id = 0; id < graph_.values.size(); ++id)
      if (graph_.values[id].captured != no_id) learn(graph_.values[id].type);
    for (const ValueId input : graph_.inputs) {
      if (const DimSymbol* length = told_length(graph_.values[input])) learn(length->index);
      add_input(input);
    }
    if (!is_body_) return {};
    for (ValueId id = 0; id < graph_.values.size(); ++id) {
      if (graph_.values[id].captured == no_id || graph_.values[id].constant) continue;
      plan_->captures.push_back(graph_.values[id].captured);
      add_input(id);
    }
    return {};
  }

  void add_input(ValueId value) {
    const auto keeper = is_body_ ? std::nullopt : keeper_of(value);
    const SlotId slot = add_slot(value, Store::input, keeper ? locations_[keeper->node] : Location::cpu);
    plan_->slots[slot].unsized = !is_known(graph_.values[value].type);
    plan_->slots[slot].strided = keeper && keeper->appends;
    if (is_body_) leave_open(slot);
    plan_->inputs.push_back(slot);
  }

  // The node to whose kernel this input may be given as a state: there it lives. One that is appended to has room to
  // grow, and is not dense.
  struct Keeper {
    NodeId node;
    bool appends;
  };
  std::optional<Keeper> keeper_of(ValueId value) const {
    for (NodeId id = 0; id < live_.size(); ++id) {
      if (!live_[id]) continue;
      const Node& node = graph_.nodes[id];
      for (size_t output = 0; output < node.outputs.size(); ++output)
        if (state_input(id, output) == value) return Keeper{id, operators_[id]->c->outputs[output].state_axis >= 0};
    }
    return std::nullopt;
  }

  // The input of which an output is the later self; no_id where it is none.
  ValueId state_input(NodeId id, size_t output) const {
    const Node& node = graph_.nodes[id];
    const heed_operator& op = *operators_[id]->c;
    if (output >= op.output_count) return no_id;
    const auto& parameter = op.outputs[output];
    const bool is_state = parameter.state_of >= 0 && static_cast<size_t>(parameter.state_of) < node.inputs.size();
    return is_state ? node.inputs[static_cast<size_t>(parameter.state_of)] : no_id;
  }

  // Whether an output of the graph is the later self of an input that lives on the device: it stays there.
  bool is_state_on_device(ValueId output) const {
    const NodeId producer = graph_.values[output].producer;
    if (producer == no_id || producer >= live_.size() || locations_[producer] == Location::cpu) return false;
    const auto& outputs = graph_.nodes[producer].outputs;
    const auto place = std::find(outputs.begin(), outputs.end(), output);
    const ValueId input = state_input(producer, static_cast<size_t>(place - outputs.begin()));
    return input != no_id && std::find(graph_.inputs.begin(), graph_.inputs.end(), input) != graph_.inputs.end();
  }

  Result<void> add_node(NodeId id) {
    if (view_[id]) {
      HEED_ASSIGN(const bool done, add_view(id));
      if (done) return {};
    }
    return add_kernel(id);
  }

  Result<bool> add_view(NodeId id) {
    const Node node = graph_.nodes[id];  // a copy: planning may append nodes
    const OperatorEntry& op = *operators_[id];
    for (const ValueId output : node.outputs)
      if (output != no_id && !is_known(graph_.values[output])) return false;
    HEED_ASSIGN(SlotId source, slot_of(node.inputs[0]));
    if (plan_->slots[source].unsized && !is_known(plan_->slots[source].type)) return false;
    const bool unknown_strides = plan_->slots[source].strided && plan_->slots[source].strides.empty();
    if (unknown_strides) {
      HEED_ASSIGN(source, dense(source));
    }
    auto strides = strides_of(source);
    ViewOfSource view;
    view.outputs.resize(node.outputs.size());
    if (op.is(HEED_VIEW_DENSE)) {
      if (node.outputs[0] == no_id) return true;
      const std::vector<Dim> dims = *graph_.values[node.outputs[0]].type.dims;  // a copy: dense() adds values
      if (plan_->slots[source].strided) {
        if (const auto reshaped = reshape_strides(*plan_->slots[source].type.dims, strides, dims)) {
          view.outputs[0].strides = *reshaped;
        } else {
          HEED_ASSIGN(source, dense(source));
          view.outputs[0].strides = dense_strides(dims);
        }
      } else {
        view.outputs[0].strides = dense_strides(dims);
      }
    } else {
      const auto answer = ask_view(graph_, node, op, strides);
      if (!answer) return false;
      view = *answer;
    }
    Step step;
    step.kind = StepKind::view;
    step.node = id;
    step.op = &op;
    step.inputs = {source};
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      step.outputs.push_back(no_id);
      if (node.outputs[i] == no_id || !needed_[node.outputs[i]] || is_sizes(node.outputs[i])) continue;
      HEED_ASSIGN(step.outputs.back(), add_view_slot(node.outputs[i], source, view.outputs[i]));
    }
    push_step(std::move(step));
    return true;
  }

  std::vector<Dim> strides_of(SlotId id) const {
    const Slot& slot = plan_->slots[id];
    return slot.strides.empty() ? dense_strides(*slot.type.dims) : slot.strides;
  }

  Result<SlotId> add_view_slot(ValueId value, SlotId source_id, const ViewOfSource::Output& view) {
    const Slot source = plan_->slots[source_id];
    const auto& dims = *graph_.values[value].type.dims;
    const bool is_row_major = is_dense(dims, view.strides);
    if (source.store == Store::constant) {
      const auto& constant = graph_.values[source.value].constant;
      const auto numbers = [](std::span<const Dim> list) {
        std::vector<int64_t> out;
        for (const Dim dim : list) out.push_back(dim.is_number() ? dim.number() : -1);
        return out;
      };
      const auto all_numbers = [](std::span<const Dim> list) {
        return std::all_of(list.begin(), list.end(), [](Dim dim) { return dim.is_number(); });
      };
      if (all_numbers(dims) && all_numbers(view.strides) && view.offset.is_number()) {
        Tensor looked = *constant;
        looked.dims = numbers(dims);
        looked.strides = is_row_major ? std::vector<int64_t>{} : numbers(view.strides);
        if (looked.data)
          looked.data += view.offset.number() * static_cast<int64_t>(std::max(bits_of(looked.type) / 8, 1));
        if (is_row_major) {
          HEED_ASSIGN(looked.size_bytes, dense_size_bytes(looked.type, looked.dims));
        }
        graph_.values[value].constant = std::make_shared<const Tensor>(std::move(looked));
        const SlotId slot = add_slot(value, Store::constant, source.location);
        set_constant_strides(slot, *graph_.values[value].constant);
        return slot;
      }
    }
    const SlotId id = add_slot(value, Store::view, source.location);
    Slot& slot = plan_->slots[id];
    slot.root = source.root;
    slot.offset = source.offset + view.offset;
    slot.strided = !is_row_major;
    if (slot.strided) slot.strides = view.strides;
    open_[id] = open_[source_id];
    return id;
  }

  Step step_of(NodeId id, const OperatorEntry& op, Choice& choice) {
    Step step;
    step.kind = choice.gpu ? StepKind::gpu : choice.control ? StepKind::control : StepKind::cpu;
    step.node = id;
    step.op = &op;
    step.version = op.version_at(graph_.nodes[id].opset).value_or(1);
    step.cpu = choice.cpu;
    step.gpu = choice.gpu;
    step.control = choice.control;
    step.variants = std::move(choice.variants);
    step.declined = std::move(choice.declined);
    step.operation_count = choice.operation_count;
    return step;
  }

  Result<void> add_kernel(NodeId id) {
    const OperatorEntry& op = *operators_[id];
    HEED_ASSIGN(Choice choice, choose_kernel(id));
    const Node node = graph_.nodes[id];
    const Location location = choice.gpu ? Location::vulkan : Location::cpu;
    Step step = step_of(id, op, choice);
    step.computes = !choice.control && !op.is(HEED_COPIES) && !op.is_view() && !only_feeds_shapes(node) && !counts_[id];

    for (size_t i = 0; i < node.inputs.size(); ++i) {
      step.inputs.push_back(no_id);
      if (node.inputs[i] == no_id) continue;
      if (choice.control) {
        HEED_ASSIGN(step.inputs.back(), slot_of(node.inputs[i]));
        HEED_ASSIGN(step.inputs.back(), dense(step.inputs.back()));
        continue;
      }
      if (choice.gpu && !binds_input(step, static_cast<int32_t>(i))) continue;
      HEED_ASSIGN(SlotId slot, slot_at(node.inputs[i], location));
      const bool lies_as_taken =
          choice.strided_inputs[i] || (choice.channels_last_inputs[i] && channels_last_[node.inputs[i]]);
      if (!lies_as_taken) {
        HEED_ASSIGN(slot, dense(slot));
      }
      step.inputs.back() = slot;
    }
    if (choice.control) HEED_TRY(add_bodies(node, step));

    bool learns = false;
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      const ValueId output = node.outputs[i];
      step.outputs.push_back(no_id);
      if (output == no_id) continue;
      const ValueType& type = graph_.values[output].type;
      const bool known = is_known(graph_.values[output]);
      const bool dynamic = choice.control || !known || type.element == DataType::string;
      const SlotId slot = add_slot(output, dynamic ? Store::dynamic : Store::arena, location);
      plan_->slots[slot].unsized = !known;
      step.outputs.back() = slot;
      learns |= dynamic;
      if (choice.control) leave_open(slot);
      if (!dynamic && choice.strided_outputs[i]) suit_reader(slot);
      channels_last_[output] = channels_last_[output] && !dynamic && choice.channels_last_outputs[i];
      if (channels_last_[output]) lay_channels_last(slot);
    }
    push_step(std::move(step));
    if (!choice.control) in_place_.back() = std::move(choice.in_place);
    if (learns) {
      end_segment();
      begin_segment();
      for (const ValueId output : node.outputs)
        if (output != no_id) learn(graph_.values[output].type);
    }
    return {};
  }

  static bool binds_input(const Step& step, int32_t input) {
    for (const auto& variant : step.variants)
      for (const auto& binding : variant.bindings)
        if (binding.kind == HEED_BIND_INPUT && binding.index == input) return true;
    return false;
  }

  Result<void> add_bodies(const Node& node, Step& step) {
    for (const auto& body : subgraphs_of(node)) {
      HEED_ASSIGN(auto plan, plan_graph(body, registry_, options_, true));
      const size_t own_inputs = plan->inputs.size() - plan->captures.size(), first_captured = step.captured.size();
      for (const ValueId outer : plan->captures) {
        const Slot& inner = plan->slots[plan->inputs[own_inputs + step.captured.size() - first_captured]];
        HEED_ASSIGN(SlotId slot, slot_of(outer));
        if (const SlotId there = slots_of_[outer][static_cast<size_t>(inner.location)];
            there != no_id && !inner.anywhere)
          slot = there;
        HEED_ASSIGN(slot, dense(slot));
        if (!inner.anywhere) settle(slot, inner.location);
        step.captured.push_back(slot);
      }
      step.bodies.push_back(std::move(plan));
    }
    return {};
  }

  void lay_channels_last(SlotId id) {
    Slot& slot = plan_->slots[id];
    std::vector<Dim> dims = *slot.type.dims;
    std::rotate(dims.begin() + 1, dims.begin() + 2, dims.end());
    std::vector<Dim> strides = dense_strides(dims);
    std::rotate(strides.begin() + 1, strides.end() - 1, strides.end());
    if (is_dense(*slot.type.dims, strides)) return;
    slot.strides = std::move(strides);
    slot.strided = true;
  }

  // Where the only reader of an output is a view that permutes its axes, the kernel writes it so that the view is
  // dense.
  void suit_reader(SlotId id) {
    const ValueId value = plan_->slots[id].value;
    if (use_count_[value] != 1) return;
    for (NodeId reader = 0; reader < view_.size(); ++reader) {
      const Node& node = graph_.nodes[reader];
      if (!live_[reader] || !view_[reader] || node.inputs[0] != value || node.outputs.size() != 1) continue;
      const OperatorEntry& op = *operators_[reader];
      if (!op.is(HEED_VIEW_STRIDED)) return;
      const auto& dims = *graph_.values[value].type.dims;
      const auto& view_dims = *graph_.values[node.outputs[0]].type.dims;
      if (dims.size() != view_dims.size()) return;
      // Ask with strides that are names of axes, and see where they come out.
      constexpr int64_t first_name = 1'000'003;
      std::vector<Dim> names;
      for (size_t axis = 0; axis < dims.size(); ++axis) names.push_back(first_name + static_cast<int64_t>(axis));
      const auto view = ask_view(graph_, node, op, names);
      if (!view || !view->outputs[0].offset.is_number(0)) return;
      const auto wanted = dense_strides(view_dims);
      std::vector<Dim> strides(dims.size(), Dim{0});
      std::vector<bool> seen(dims.size(), false);
      for (size_t axis = 0; axis < dims.size(); ++axis) {
        const Dim name = view->outputs[0].strides[axis];
        if (!name.is_number()) return;
        const int64_t source_axis = name.number() - first_name;
        if (source_axis < 0 || source_axis >= static_cast<int64_t>(dims.size()) || seen[source_axis]) return;
        if (dims[source_axis] != view_dims[axis]) return;
        seen[source_axis] = true;
        strides[source_axis] = wanted[axis];
      }
      if (is_dense(dims, strides)) return;
      plan_->slots[id].strides = std::move(strides);
      plan_->slots[id].strided = true;
      return;
    }
  }

  // ---- outputs and lifetimes
  // --------------------------------------------------------------------------------------------

  Result<void> add_outputs() {
    for (const ValueId output : graph_.outputs) {
      SlotId slot = no_id;
      if (is_body_ || is_state_on_device(output)) {
        HEED_ASSIGN(slot, slot_of(output));
      } else {
        HEED_ASSIGN(slot, slot_at(output, Location::cpu));
      }
      HEED_ASSIGN(slot, dense(slot));
      const Slot& root = plan_->slots[plan_->slots[slot].root];
      const bool whole = plan_->slots[slot].offset.is_number(0);
      if (root.store == Store::arena && whole) {
        plan_->slots[root_of(slot)].store = Store::output;
      } else if (root.store == Store::arena ||
                 (root.store == Store::input && plan_->slots[slot].store == Store::view && !is_body_) ||
                 (root.store == Store::output && !whole)) {
        HEED_ASSIGN(slot, copy_of(slot));
        plan_->slots[slot].store = Store::output;
      }
      plan_->outputs.push_back(slot);
    }
    return {};
  }

  SlotId root_of(SlotId slot) const { return plan_->slots[slot].root; }

  void find_lifetimes() {
    const auto touch = [&](SlotId slot, uint32_t step) {
      if (slot == no_id) return;
      Slot& root = plan_->slots[root_of(slot)];
      root.last_step = std::max(root.last_step, step);
    };
    for (auto& slot : plan_->slots) slot.first_step = no_id;
    for (uint32_t index = 0; index < plan_->steps.size(); ++index) {
      const Step& step = plan_->steps[index];
      for (const SlotId output : step.outputs)
        if (output != no_id) {
          Slot& root = plan_->slots[root_of(output)];
          root.first_step = std::min(root.first_step, index);
        }
      for (const SlotId slot : step.inputs) touch(slot, index);
      for (const SlotId slot : step.outputs) touch(slot, index);
      for (const SlotId slot : step.captured) touch(slot, index);
    }
    for (const SlotId output : plan_->outputs) plan_->slots[root_of(output)].last_step = no_id;
  }

  static Dim count_of(const ValueType& type) {
    Dim count = 1;
    for (const Dim dim : *type.dims) count *= dim;
    return count;
  }

  // An output takes over the memory of an input that nobody reads afterwards.
  void merge_in_place() {
    for (uint32_t index = 0; index < plan_->steps.size(); ++index) {
      for (const auto& [input, output] : in_place_[index]) {
        const Step& step = plan_->steps[index];
        const SlotId from = step.inputs[input], to = step.outputs[output];
        if (from == no_id || to == no_id) continue;
        const SlotId from_root = root_of(from), to_root = root_of(to);
        Slot& old_root = plan_->slots[from_root];
        Slot& new_root = plan_->slots[to_root];
        const Slot& source = plan_->slots[from];
        const bool lie_alike = source.strided == new_root.strided && source.strides == new_root.strides &&
                               source.strided == !source.strides.empty();
        if (from_root == to_root || to_root != to || old_root.store != Store::arena || !lie_alike ||
            (new_root.store != Store::arena && new_root.store != Store::output) || old_root.last_step != index ||
            old_root.location != new_root.location || old_root.segment != new_root.segment)
          continue;
        const ValueType &old_type = plan_->slots[from].type, &new_type = new_root.type;
        if (bits_of(*old_type.element) != bits_of(*new_type.element) || count_of(old_type) != count_of(new_type) ||
            !plan_->slots[from].offset.is_number(0) || count_of(old_root.type) != count_of(new_type))
          continue;
        bool read_elsewhere = false;
        for (size_t other = 0; other < step.inputs.size(); ++other)
          if (static_cast<int32_t>(other) != input && step.inputs[other] != no_id &&
              root_of(step.inputs[other]) == from_root)
            read_elsewhere = true;
        if (read_elsewhere) continue;
        old_root.last_step = new_root.last_step;
        old_root.store = new_root.store;
        for (auto& slot : plan_->slots)
          if (slot.root == to_root) slot.root = from_root;
        plan_->slots[to].store = Store::view;
        break;
      }
    }
  }

  // ---- sizes
  // ------------------------------------------------------------------------------------------------------------

  Result<void> compile_sizes() {
    for (SlotId id = 0; id < plan_->slots.size(); ++id) {
      Slot& slot = plan_->slots[id];
      if (slot.unsized || slot.type.kind != Kind::tensor || !slot.type.dims) continue;
      Segment& segment = plan_->segments[slot.segment];
      segment.slots.push_back(id);
      if (std::any_of(slot.strides.begin(), slot.strides.end(), [](Dim stride) { return stride.is_unknown(); }) ||
          slot.offset.is_unknown())
        return Error{Code::invalid_model, "'" + graph_.values[slot.value].name + "' is " + to_string(slot.type) +
                                              ": too large to be counted"};
      for (const Dim dim : *slot.type.dims) slot.dim_slots.push_back(segment.dims.add(dim));
      for (const Dim stride : slot.strides) slot.stride_slots.push_back(segment.dims.add(stride));
      slot.offset_slot = segment.dims.add(slot.offset);
      if (slot.store == Store::sizes)
        for (const Dim element : *graph_.values[slot.value].elements)
          slot.element_slots.push_back(segment.dims.add(element));
    }
    compile_checks();
    return {};
  }

  // Each constraint in the first segment that knows its symbols.
  void compile_checks() {
    known_.clear();
    for (const SlotId input : plan_->inputs) learn(plan_->slots[input].type);
    std::vector<bool> done(graph_.constraints.size(), false);
    for (auto& segment : plan_->segments) {
      for (size_t i = 0; i < graph_.constraints.size(); ++i) {
        const Constraint& constraint = graph_.constraints[i];
        if (done[i] || !is_known(constraint.a) || !is_known(constraint.b)) continue;
        segment.checks.push_back({segment.dims.add(constraint.a), segment.dims.add(constraint.b), constraint.what});
        done[i] = true;
      }
      for (uint32_t step = segment.begin; step < segment.end; ++step)
        for (const SlotId output : plan_->steps[step].outputs)
          if (output != no_id) learn(plan_->slots[output].type);
    }
  }

  Graph& graph_;
  const Registry& registry_;
  const PlanOptions& options_;
  bool is_body_;
  std::unique_ptr<Plan> plan_;
  std::vector<const OperatorEntry*> operators_;   // by node
  std::vector<bool> live_, view_;                 // by node
  std::vector<bool> counts_;                      // by node
  std::vector<GpuAnswer> answers_;                // by node, where the GPU was asked
  std::vector<Location> locations_;               // by node
  std::vector<bool> needed_, feeds_only_shapes_;  // by value
  std::vector<bool> channels_last_;               // by value
  std::vector<int32_t> use_count_;                // by value, of live nodes and outputs
  std::vector<std::array<SlotId, 2>> slots_of_;   // by value, at each location
  std::vector<bool> open_;                        // by slot: its first reader chooses the location
  InPlacePairs in_place_;                         // by step
  std::map<SlotId, SlotId> dense_of_;
  std::vector<bool> known_;                        // by symbol
  std::unordered_map<uint32_t, ValueId> tellers_;  // by symbol; no_id: an input
};

Result<std::unique_ptr<Plan>> plan_graph(std::shared_ptr<Graph> graph, const Registry& registry,
                                         const PlanOptions& options, bool is_body) {
  HEED_TRY(expand_refused(*graph, registry, options));
  return Planner(std::move(graph), registry, options, is_body).run();
}

}  // namespace

Result<std::unique_ptr<Plan>> make_plan(std::shared_ptr<Graph> graph, const Registry& registry,
                                        const PlanOptions& options) {
  return plan_graph(std::move(graph), registry, options, false);
}

}  // namespace heed
