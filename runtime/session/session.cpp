// Session: one run at a time over a Model.
#include "session/session.hpp"

#include <algorithm>
#include <numeric>

#include "base/clock.hpp"
#include "session/gpu.hpp"
#include "session/states.hpp"
#include "vulkan/device.hpp"

namespace heed {

// A pair of input and output that is carried from run to run. States that grow in place live in `grown`, those of one
// size that are written in place in `held`; others are swapped: the output of one run is the input of the next.
struct Session::State {
  const StatePair& pair;
  std::optional<GrowingState> grown;
  SharedValue held;             // empty before the first run
  SharedValue past, present;    // lent to the run under way
  bool in_use = false;          // by the run under way
  bool is_overwritten = false;  // by the run under way: `held` stays
  uint32_t growth_symbol = no_id;
};

Session::Session(std::shared_ptr<const Model> model, const SessionOptions& options)
    : model_(std::move(model)), options_(options), seeds_{options.seed}, cpu_run_(&model_->threads(), &seeds_) {}

Session::~Session() = default;

Result<std::unique_ptr<Session>> Session::create(std::shared_ptr<const Model> model, const SessionOptions& options) {
  auto session = std::unique_ptr<Session>(new Session(std::move(model), options));
  const Model& loaded = *session->model_;
  if (loaded.device()) {
    HEED_ASSIGN(session->gpu_, GpuStream::create(loaded.device(), &session->stop_));
  }
  bool spoils_memory = false;
  for (const auto& [name, value] : loaded.options().kernel_options) {
    if (name != "session.fill") continue;
    if (value != "nan") return Error{Code::invalid_argument, "option session.fill=" + value + ": expected nan"};
    spoils_memory = true;
  }
  if (const size_t limit_bytes = loaded.options().memory_limit_bytes; limit_bytes != SIZE_MAX)
    session->budget_ = std::make_shared<MemoryBudget>(limit_bytes);
  session->context_ = {&loaded.registry(),
                       &loaded.threads(),
                       &session->seeds_,
                       &session->cpu_run_,
                       session->gpu_.get(),
                       &session->stop_,
                       loaded.options().memory_limit_bytes,
                       spoils_memory,
                       {},
                       {}};
  session->frame_ = std::make_unique<Frame>(loaded.prepared(), session->context_);
  const Plan& plan = loaded.plan();
  for (const auto& [name, size] : options.sizes)
    if (const DimSymbol* symbol = plan.graph->dims().find_symbol(name))
      session->told_.push_back({symbol->index, size, size});
  for (const StatePair& pair : plan.states) {
    const Slot& input = plan.slots[plan.inputs[pair.input]];
    auto state = std::unique_ptr<State>(new State{pair, {}, {}, {}, {}});
    if (pair.growing_axis >= 0)
      if (const auto* symbol = as_symbol((*input.type.dims)[static_cast<size_t>(pair.growing_axis)]))
        state->growth_symbol = symbol->index;
    if (pair.in_place && pair.growing_axis >= 0)
      state->grown.emplace(*input.type.element, pair.growing_axis,
                           input.location == Location::vulkan ? session->gpu_.get() : nullptr, spoils_memory);
    session->states_.push_back(std::move(state));
  }
  session->arguments_.resize(plan.inputs.size());
  session->results_.resize(plan.outputs.size());
  for (const SlotId input : plan.inputs) {
    const auto& constant = plan.graph->values[plan.slots[input].value].constant;
    session->defaults_.push_back(constant ? value_of(*constant) : SharedValue());
  }
  return session;
}

Result<void> Session::run(std::span<const SharedValue> inputs, std::span<SharedValue> outputs) {
  stop_.begin(options_.limits);
  const MemoryBudget::Scope scope(budget_);
  const Plan& plan = model_->plan();
  if (inputs.size() != plan.inputs.size() || outputs.size() != plan.outputs.size())
    return Error{Code::invalid_argument, "the model has " + std::to_string(plan.inputs.size()) + " inputs and " +
                                             std::to_string(plan.outputs.size()) + " outputs; " +
                                             std::to_string(inputs.size()) + " and " + std::to_string(outputs.size()) +
                                             " were given"};
  auto done = [&]() -> Result<void> {
    try {
      auto attempt = run_once(inputs, outputs);
      const auto& path = model_->file().path;
      if (attempt || path.empty()) return attempt;
      return std::move(attempt).error().within(path);
    } catch (const std::bad_alloc&) {
      (void)cpu_run_.leave();
      return Error{Code::out_of_memory, "out of memory"};  // short: its text takes no memory
    }
  }();
  std::fill(results_.begin(), results_.end(), SharedValue());
  if (!done && gpu_) gpu_->discard();
  bool lost_states = false;
  for (auto& state : states_) {
    state->past = state->present = {};
    if (done || !state->in_use || !frame_started_) continue;
    lost_states |= state->grown ? state->grown->length() > 0 : bool(state->held);
    state->grown ? state->grown->reset() : void(state->held = {});
  }
  if (lost_states) {
    Error error = std::move(done).error();
    error.message += "\n  the states of this session are lost: it begins anew";
    return error;
  }
  return done;
}

namespace {

Result<void> check_memory(const heed_value& result, const heed_value& output) {
  if (result.kind == Kind::tensor && output.element == result.element && output.dims == result.dims &&
      is_dense(output.dims, output.strides))
    return {};
  return Error{Code::shape_mismatch, "the memory for an output is " + std::string(name_of(output.element)) + " " +
                                         to_string(output.dims) + "; the result is " +
                                         std::string(name_of(result.element)) + " " + to_string(result.dims) +
                                         ", dense"};
}

// On the host, into the caller's memory.
Result<void> copy_result(const heed_value& result, heed_value& output) {
  HEED_TRY(check_memory(result, output));
  copy_dense(view_of(result), output.data);
  return {};
}

}  // namespace

Result<void> Session::run_steps() {
  const bool is_timed = !gpu_ && !context_.observe && model_->threads().thread_count() > 1;
  cpu_run_.share_loops(!is_timed || sharing_.is_shared());
  const int64_t begin_ns = is_timed ? now_ns() : 0;
  HEED_TRY(frame_->finish(results_));
  if (is_timed) sharing_.add(now_ns() - begin_ns);
  return {};
}

Result<void> Session::run_once(std::span<const SharedValue> inputs, std::span<SharedValue> outputs) {
  frame_started_ = false;
  for (size_t i = 0; i < inputs.size(); ++i) arguments_[i] = inputs[i] ? inputs[i].get() : defaults_[i].get();
  HEED_TRY(lend_states(inputs, outputs));
  HEED_TRY(frame_->begin(arguments_, known_));
  const Plan& plan = model_->plan();
  const auto on_device = [&](size_t output) { return plan.slots[plan.outputs[output]].location == Location::vulkan; };
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i]) continue;
    const auto& type = plan.slots[plan.outputs[i]].type;
    if (type.kind != Kind::tensor || (type.element && *type.element != outputs[i]->element))
      return Error{Code::invalid_argument, "output '" + plan.graph->output_names[i] + "' is " + to_string(type) +
                                               "; the memory for it is of " +
                                               std::string(name_of(outputs[i]->element))};
    if (!on_device(i)) frame_->set_output_memory(static_cast<uint32_t>(i), outputs[i].get());
  }
  HEED_TRY(make_room());
  frame_started_ = true;
  HEED_TRY(run_steps());
  const auto stays = [&](size_t output) {
    return std::any_of(states_.begin(), states_.end(),
                       [&](const auto& state) { return state->in_use && state->pair.output == output; });
  };
  bool fetches = false;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (on_device(i) && !stays(i)) {
      HEED_TRY(fetch(*results_[i].get(), outputs[i]));
      fetches = true;
    } else if (!outputs[i]) {
      outputs[i] = results_[i];
    } else if (outputs[i]->data != results_[i]->data) {  // a look at an input or a constant, or of a size of its own
      HEED_TRY(copy_result(*results_[i].get(), *outputs[i].get()));
    }
  }
  if (fetches) HEED_TRY(gpu_->wait());
  for (auto& state : states_) {
    if (!state->in_use) continue;
    if (state->grown) {
      state->grown->set_length(state->present->dims[static_cast<size_t>(state->pair.growing_axis)]);
    } else if (!state->is_overwritten) {
      state->held = results_[state->pair.output];
      // A look at an input of the caller's, who may write there what comes next.
      if (const auto& held = *state->held.get(); held.kind == Kind::tensor && !held.on_device && !held.storage) {
        HEED_ASSIGN(state->held, copy_to_host_tensor(view_of(held)));
      }
    }
    outputs[state->pair.output] = {};
  }
  return {};
}

// A result on the device, into the caller's memory where there is some; it is there after gpu_->wait().
Result<void> Session::fetch(const heed_value& result, SharedValue& output) {
  if (!output) {
    HEED_ASSIGN(output, gpu_->moved(result, Location::cpu));
    return {};
  }
  HEED_TRY(check_memory(result, *output.get()));
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(result.element, result.dims));
  return gpu_->read(&result, result.offset, output->data, size_bytes);
}

// Puts states where inputs were not given, and tells the sizes that they bring.
Result<void> Session::lend_states(std::span<const SharedValue> inputs, std::span<const SharedValue> outputs) {
  const Plan& plan = model_->plan();
  known_ = told_;
  for (auto& state : states_) {
    state->in_use = options_.use_states && !inputs[state->pair.input] && !outputs[state->pair.output];
    if (!state->in_use) continue;
    const int64_t length = state->grown ? state->grown->length()
                           : state->held && state->pair.growing_axis >= 0
                               ? state->held->dims[static_cast<size_t>(state->pair.growing_axis)]
                               : 0;
    if (state->growth_symbol != no_id) {
      const auto same = std::find_if(known_.begin(), known_.end(),
                                     [&](const auto& known) { return known.symbol == state->growth_symbol; });
      if (same == known_.end())
        known_.push_back(
            {state->growth_symbol, length, state->grown ? GrowingState::capacity_for(length + 1) : length});
    }
  }
  for (auto& state : states_) {
    if (!state->in_use) continue;
    const Slot& slot = plan.slots[plan.inputs[state->pair.input]];
    if (!state->grown && state->held) {
      arguments_[state->pair.input] = state->held.get();
      continue;
    }
    // Sizes that only the other inputs tell, such as the batch; 1 where nothing tells.
    HEED_ASSIGN(const auto dims, state_dims(slot, inputs));
    if (state->grown) {
      HEED_TRY(state->grown->reserve(dims, std::max<int64_t>(state->grown->length(), 1)));
      state->past = state->grown->look(state->grown->length());
    } else if (state->pair.in_place) {
      HEED_ASSIGN(state->past, zeros(*slot.type.element, dims, slot.location));
      state->held = state->past;
    } else {
      HEED_ASSIGN(state->past, zeros(*slot.type.element, dims, Location::cpu));
    }
    arguments_[state->pair.input] = state->past.get();
  }
  return {};
}

Result<SharedValue> Session::zeros(DataType element, std::span<const int64_t> dims, Location location) {
  HEED_ASSIGN(auto value, new_host_tensor(element, dims));
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(element, dims));
  if (size_bytes) std::fill_n(static_cast<std::byte*>(value->data), size_bytes, std::byte{0});
  if (location == Location::cpu) return value;
  return gpu_->moved(*value.get(), location);
}

Result<std::vector<int64_t>> Session::state_dims(const Slot& state, std::span<const SharedValue> inputs) const {
  const Plan& plan = model_->plan();
  std::vector<int64_t> dims;
  for (const Dim dim : *state.type.dims) {
    if (dim.is_number()) {
      dims.push_back(dim.number());
      continue;
    }
    const DimSymbol* symbol = as_symbol(dim);
    int64_t size = 1;
    for (const auto& known : known_)
      if (symbol && known.symbol == symbol->index) size = known.value;
    for (size_t i = 0; i < inputs.size(); ++i) {
      const auto& type = plan.slots[plan.inputs[i]].type;
      if (!inputs[i] || !type.dims || type.dims->size() != inputs[i]->dims.size()) continue;
      for (size_t axis = 0; axis < type.dims->size(); ++axis)
        if ((*type.dims)[axis] == dim) size = inputs[i]->dims[axis];
    }
    dims.push_back(size);
  }
  return dims;
}

// Room for what this run appends: the growing states' blocks, which outputs are then written into.
Result<void> Session::make_room() {
  const Plan& plan = model_->plan();
  for (auto& state : states_) {
    if (!state->in_use || !state->pair.in_place) continue;
    const Slot& output = plan.slots[plan.outputs[state->pair.output]];
    std::vector<int64_t> dims;
    for (const Dim dim : *output.type.dims)
      if (const auto number = frame_->number_of(dim)) dims.push_back(*number);
    const bool is_known = dims.size() == output.type.dims->size();
    if (!state->grown) {
      state->is_overwritten = is_known;  // else swapped
      if (!is_known) continue;
      if (dims != state->held->dims)
        return Error{Code::invalid_argument, "the state '" + state->pair.input_name + "' is a buffer of " +
                                                 to_string(state->held->dims) + ", and this run needs " +
                                                 to_string(dims) + ": there is no room for more"};
      frame_->set_output_memory(state->pair.output, state->held.get());
      continue;
    }
    if (!is_known)
      return Error{Code::unsupported, "the size of state '" + output.name + "' " + to_string(output.type) +
                                          " is not known before the run"};
    const int64_t wanted = dims[static_cast<size_t>(state->pair.growing_axis)];
    const int64_t before = state->grown->capacity();
    HEED_TRY(state->grown->reserve(dims, wanted));
    if (state->grown->capacity() != before || state->growth_symbol != no_id) {
      state->past = state->grown->look(state->grown->length());
      frame_->replace_input(state->pair.input, state->past.get(), state->growth_symbol, state->grown->capacity());
    }
    state->present = state->grown->look(wanted);
    frame_->set_output_memory(state->pair.output, state->present.get());
  }
  return {};
}

bool Session::may_be_left_out(size_t input) const {
  if (defaults_[input]) return true;
  return options_.use_states &&
         std::any_of(states_.begin(), states_.end(), [&](const auto& state) { return state->pair.input == input; });
}

void Session::reset_states() {
  for (auto& state : states_) {
    if (state->grown) state->grown->reset();
    state->held = {};
  }
}

Result<void> Session::truncate_states(int64_t length) {
  for (auto& state : states_) {
    if (state->grown) {
      if (length < 0 || length > state->grown->length())
        return Error{Code::invalid_argument, "state '" + state->pair.input_name + "' holds " +
                                                 std::to_string(state->grown->length()) +
                                                 " entries; it cannot be cut to " + std::to_string(length)};
      state->grown->truncate(length);
    } else if (length == 0) {
      state->held = {};
    } else {
      return Error{Code::unsupported, "state '" + state->pair.input_name + "' cannot be cut, only reset"};
    }
  }
  return {};
}

int64_t Session::state_length() const {
  for (const auto& state : states_) {
    if (state->grown) return state->grown->length();
    if (state->held && state->pair.growing_axis >= 0)
      return state->held->dims[static_cast<size_t>(state->pair.growing_axis)];
  }
  return 0;
}

size_t Session::state_bytes() const {
  size_t bytes = 0;
  for (const auto& state : states_) {
    if (state->grown) bytes += state->grown->size_bytes();
    if (!state->pair.in_place || !state->held) continue;
    const auto size_bytes = dense_size_bytes(state->held->element, state->held->dims);
    if (size_bytes) bytes += *size_bytes;
  }
  return bytes;
}

Result<Session::Need> Session::measure(const std::vector<std::pair<std::string, int64_t>>& sizes) {
  const Plan& plan = model_->plan();
  DimPool& pool = plan.graph->dims();
  std::vector<std::optional<int64_t>> symbols(pool.symbol_count());
  for (const auto& [name, value] : sizes)
    if (const DimSymbol* symbol = pool.find_symbol(name)) symbols[symbol->index] = value;
  for (const auto& told : told_)
    if (!symbols[told.symbol]) symbols[told.symbol] = told.value;
  for (const auto& state : states_)
    if (state->growth_symbol != no_id && !symbols[state->growth_symbol]) symbols[state->growth_symbol] = 0;
  std::string open;
  for (const SlotId input : plan.inputs) {
    if (!plan.slots[input].type.dims) continue;
    for (const Dim dim : *plan.slots[input].type.dims)
      if (const DimSymbol* symbol = as_symbol(dim); symbol && !symbols[symbol->index]) {
        open += (open.empty() ? "" : ", ") + symbol->name;
        symbols[symbol->index] = 0;  // told once
      }
  }
  if (!open.empty()) return Error{Code::invalid_argument, "these sizes are open: " + open};
  Need need;
  std::vector<int64_t> values;
  for (const auto& symbol : symbols) values.push_back(symbol.value_or(0));
  std::vector<size_t> others;  // on the device
  for (const auto& state : states_) {
    if (!state->pair.in_place) continue;
    const Slot& output = plan.slots[plan.outputs[state->pair.output]];
    std::vector<int64_t> dims;
    for (const Dim dim : *output.type.dims) {
      HEED_ASSIGN(const int64_t size, evaluate(dim, values));
      dims.push_back(size);
    }
    if (state->grown) {
      auto& length = dims[static_cast<size_t>(state->pair.growing_axis)];
      length = GrowingState::capacity_for(length);
    }
    HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(*output.type.element, dims));
    need.state_bytes += size_bytes;
    if (output.location == Location::vulkan) others.push_back(size_bytes);
  }
  HEED_ASSIGN(static_cast<MemoryNeed&>(need), frame_->measure(symbols));
  need.device_bytes = std::accumulate(need.device_buffers.begin(), need.device_buffers.end(), size_t{0});
  if (!gpu_) return need;
  // What has a buffer of its own there, and what crosses.
  size_t largest_upload = 0, largest_read = 0;
  const auto size_of = [&](SlotId id) -> size_t {
    const Slot& slot = plan.slots[id];
    if (slot.type.kind != Kind::tensor || !slot.type.dims || !slot.type.element) return 0;
    std::vector<int64_t> dims;
    for (const Dim dim : *slot.type.dims) {
      const auto size = dim.is_unknown() ? Result<int64_t>(0) : evaluate(dim, values);
      dims.push_back(size ? *size : 0);
    }
    const auto size_bytes = dense_size_bytes(*slot.type.element, dims);
    return size_bytes ? *size_bytes : 0;
  };
  const auto is_state = [&](uint32_t StatePair::*side, size_t position) {
    return std::any_of(states_.begin(), states_.end(),
                       [&](const auto& state) { return state->pair.in_place && state->pair.*side == position; });
  };
  for (size_t i = 0; i < plan.inputs.size(); ++i)
    if (plan.slots[plan.inputs[i]].location == Location::vulkan && !is_state(&StatePair::input, i)) {
      others.push_back(size_of(plan.inputs[i]));
      largest_upload = std::max(largest_upload, others.back());
    }
  for (size_t i = 0; i < plan.outputs.size(); ++i)
    if (plan.slots[plan.outputs[i]].location == Location::vulkan && !is_state(&StatePair::output, i)) {
      others.push_back(size_of(plan.outputs[i]));
      largest_read = std::max(largest_read, others.back());
    }
  bool computes = false, uploads_between = false;
  for (const Step& step : plan.steps) {
    if (step.kind == StepKind::upload) largest_upload = std::max(largest_upload, size_of(step.inputs[0]));
    if (step.kind == StepKind::download) largest_read = std::max(largest_read, size_of(step.inputs[0]));
    computes |= step.kind == StepKind::gpu;
    uploads_between |= step.kind == StepKind::upload && computes;
  }
  others.insert(others.end(), need.device_buffers.begin(), need.device_buffers.end());
  need.device_peak_bytes =
      std::max<size_t>(model_->device()->most_held_bytes(),
                       gpu_->held_with(others, need.parameter_sizes, largest_upload, largest_read, uploads_between));
  return need;
}

int64_t Session::recorded_count() const { return gpu_ ? gpu_->recorded_count() : 0; }
int64_t Session::submission_count() const { return gpu_ ? gpu_->submission_count() : 0; }
int64_t Session::dispatch_count() const { return gpu_ ? gpu_->dispatch_count() : 0; }
int64_t Session::barrier_count() const { return gpu_ ? gpu_->barrier_count() : 0; }
int64_t Session::upload_count() const { return gpu_ ? gpu_->upload_count() : 0; }
int64_t Session::download_count() const { return gpu_ ? gpu_->download_count() : 0; }

void Session::observe(StepObserver observer) { context_.observe = std::move(observer); }

void Session::observe_values(std::function<void(const Plan&, uint32_t, std::span<const HostValue>)> observer) {
  context_.observe_values = std::move(observer);
}

// ---- by name
// ----------------------------------------------------------------------------------------------------------

Result<Session::NamedValues> Session::run(const NamedValues& inputs) {
  const Plan& plan = model_->plan();
  std::vector<SharedValue> values(plan.inputs.size()), outputs(plan.outputs.size());
  const auto expected = [&] {
    std::string text;
    for (const SlotId input : plan.inputs)
      text += "\n  " + plan.slots[input].name + "  " + to_string(plan.slots[input].type);
    return text;
  };
  for (const auto& [name, value] : inputs) {
    size_t position = 0;
    while (position < plan.inputs.size() && plan.slots[plan.inputs[position]].name != name) ++position;
    if (position == plan.inputs.size())
      return Error{Code::invalid_argument, "the model has no input '" + name + "'; it has" + expected()};
    if (values[position]) return Error{Code::invalid_argument, "input '" + name + "' is given twice"};
    HEED_ASSIGN(values[position], to_run_value(value));
  }
  std::string missing;
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i]) continue;
    if (!may_be_left_out(i))
      missing += "\n  " + plan.slots[plan.inputs[i]].name + "  " + to_string(plan.slots[plan.inputs[i]].type);
  }
  if (!missing.empty()) return Error{Code::invalid_argument, "inputs are missing:" + missing};
  HEED_TRY(run(values, outputs));
  NamedValues named;
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i]) continue;
    HEED_ASSIGN(auto value, to_host_value(*outputs[i].get()));
    named.emplace_back(plan.graph->output_names[i], std::move(value));
  }
  return named;
}

}  // namespace heed
