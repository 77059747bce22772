// Frame: one plan being run.
#include "session/frame.hpp"

#include <algorithm>
#include <cstring>
#include <functional>
#include <numeric>

#include "base/clock.hpp"
#include "plan/strides.hpp"
#include "plan/told_length.hpp"
#include "session/arena_fence.hpp"
#include "session/bound_node.hpp"
#include "session/control_run.hpp"
#include "session/session.hpp"

namespace heed {

Frame::Frame(const PreparedPlan& prepared, const RunContext& context)
    : prepared_(prepared), plan_(*prepared.plan), context_(context) {
  slots_.resize(plan_.slots.size());
  for (SlotId id = 0; id < slots_.size(); ++id) {
    const Slot& slot = plan_.slots[id];
    BoundSlot& bound = slots_[id];
    const size_t rank = slot.type.dims ? slot.type.dims->size() : 0;
    bound.dims.resize(rank);
    bound.strides.resize(rank);
    bound.tensor.element = slot.type.element ? static_cast<int32_t>(*slot.type.element) : 0;
    bound.tensor.rank = static_cast<int32_t>(rank);
    bound.tensor.dims = bound.dims.data();
    bound.tensor.strides = bound.strides.data();
    if (slot.store == Store::constant && prepared.constants[id]) set_tensor(id, *prepared.constants[id].get());
    if (slot.store == Store::constant) bound.borrowed = prepared.constants[id].get();
  }
  steps_.resize(plan_.steps.size());
  for (uint32_t index = 0; index < steps_.size(); ++index) {
    const Step& step = plan_.steps[index];
    BoundStep& bound = steps_[index];
    bound.inputs.resize(step.inputs.size());
    bound.outputs.resize(step.outputs.size());
    bound.input_values.resize(step.inputs.size());
    bound.output_values.resize(step.outputs.size());
    bound.arguments = {sizeof(heed_arguments),
                       bound.inputs.data(),
                       bound.outputs.data(),
                       static_cast<int32_t>(bound.inputs.size()),
                       static_cast<int32_t>(bound.outputs.size()),
                       prepared.steps[index].kept,
                       nullptr,
                       context.cpu_run};
    if (step.op && step.kind != StepKind::view)
      bound.node = std::make_unique<BoundNode>(*plan_.graph, plan_.graph->nodes[step.node], *step.op, bound.inputs,
                                               bound.outputs, context_.threads, context_.gpu);
    bound.is_open = is_open(index);
    if (bound.node) bound.node->has_kept = static_cast<bool>(prepared.steps[index].kept_on_device);
    const auto binds_error_word = [](const KernelVariant& variant) {
      return std::any_of(variant.bindings.begin(), variant.bindings.end(),
                         [](const heed_binding& binding) { return binding.kind == HEED_BIND_ERROR; });
    };
    if (std::any_of(step.variants.begin(), step.variants.end(), binds_error_word))
      bound.error_word = context.gpu->add_error_word(name_of_node(step), step.variants.front().error);
    for (const auto& body : prepared.steps[index].bodies)
      bound.bodies.push_back(std::make_unique<Frame>(*body, context));
  }
  segments_.resize(plan_.segments.size());
  for (uint32_t index = 0; index < segments_.size(); ++index) {
    BoundSegment& segment = segments_[index];
    segment.numbers.resize(plan_.segments[index].dims.slot_count());
    for (const SlotId slot : plan_.segments[index].slots)
      if (plan_.slots[slot].store == Store::arena && plan_.slots[slot].root == slot) segment.roots.push_back(slot);
    for (uint32_t step = plan_.segments[index].begin; step < plan_.segments[index].end; ++step)
      if (plan_.steps[step].kind == StepKind::cpu && plan_.steps[step].cpu->bind) {
        segment.scratch_steps.push_back(step);
      } else if (plan_.steps[step].kind == StepKind::gpu) {
        segment.gpu_steps.push_back(step);
      }
  }
  symbols_.resize(plan_.graph->dims().symbol_count());
  symbol_values_.resize(symbols_.size());
  bucket_values_.resize(symbols_.size());
  output_memory_.resize(plan_.outputs.size());
}

Frame::~Frame() = default;

namespace {

// Of a tensor of one element.
Result<int64_t> integer_in(const heed_value& value, GpuStream* gpu) {
  SharedValue on_host;
  const heed_value* read = &value;
  if (value.on_device) {
    HEED_ASSIGN(on_host, gpu->moved(value, Location::cpu));
    HEED_TRY(gpu->wait());
    read = on_host.get();
  }
  return value.element == DataType::i64 ? *static_cast<const int64_t*>(read->data)
                                        : *static_cast<const int32_t*>(read->data);
}

}  // namespace

// ---- sizes ----------------------------------------------------------------------------------------------------------

Result<void> Frame::begin(std::span<heed_value* const> inputs, std::span<const KnownSymbol> known) {
  ++counts_.runs;
  std::fill(symbols_.begin(), symbols_.end(), std::nullopt);
  std::fill(output_memory_.begin(), output_memory_.end(), nullptr);
  std::fill(symbol_values_.begin(), symbol_values_.end(), 0);
  std::fill(bucket_values_.begin(), bucket_values_.end(), 0);
  for (const auto& symbol : known) symbols_[symbol.symbol] = symbol.value;
  for (uint32_t position = 0; position < plan_.inputs.size(); ++position)
    HEED_TRY(bind_input(position, inputs[position]));
  for (uint32_t position = 0; position < plan_.inputs.size() && !plan_.is_body; ++position)
    if (const DimSymbol* length = told_length(plan_.graph->values[plan_.slots[plan_.inputs[position]].value])) {
      HEED_ASSIGN(const int64_t met, integer_in(*inputs[position], context_.gpu));
      if (met < 0)
        return Error{Code::invalid_argument, "input '" + plan_.slots[plan_.inputs[position]].name + "' is " +
                                                 std::to_string(met) + "; expected a length"};
      symbols_[length->index] = met;
    }
  // Sizes that are expressions: solved where one symbol is left, checked by fill_sizes otherwise.
  for (uint32_t position = 0; position < plan_.inputs.size(); ++position) {
    const Slot& slot = plan_.slots[plan_.inputs[position]];
    if (slot.type.kind != Kind::tensor || !slot.type.dims) continue;
    for (size_t axis = 0; axis < slot.type.dims->size(); ++axis) {
      const Dim dim = (*slot.type.dims)[axis];
      if (!dim.is_expression() || as_symbol(dim)) continue;
      const int64_t met = inputs[position]->dims[axis];
      if (const auto solved = solve_for_symbol(dim, met, symbols_)) {
        symbols_[solved->symbol] = solved->value;
      } else if (const auto expected = number_of(dim); expected && *expected != met) {
        return Error{Code::shape_mismatch, "input '" + slot.name + "' has size " + std::to_string(met) + " on axis " +
                                               std::to_string(axis) + "; expected " + to_string(dim) + ", which is " +
                                               std::to_string(*expected) + " here"};
      }
    }
  }
  for (size_t i = 0; i < symbols_.size(); ++i) bucket_values_[i] = symbol_values_[i] = symbols_[i].value_or(0);
  for (const auto& symbol : known) bucket_values_[symbol.symbol] = symbol.bucket_value;
  return {};
}

Result<void> Frame::bind_input(uint32_t position, heed_value* value) {
  const SlotId id = plan_.inputs[position];
  const Slot& slot = plan_.slots[id];
  BoundSlot& bound = slots_[id];
  bound.borrowed = value;
  if (!value)
    return Error{Code::invalid_argument, "input '" + slot.name + "' is missing; expected " + to_string(slot.type)};
  if (value->kind != slot.type.kind)
    return Error{Code::invalid_argument,
                 "input '" + slot.name + "' is of the wrong kind; expected " + to_string(slot.type)};
  if (value->kind != Kind::tensor) return {};
  if (slot.type.element && value->element != *slot.type.element)
    return Error{Code::invalid_argument, "input '" + slot.name + "' is " + std::string(name_of(value->element)) +
                                             to_string(value->dims) + "; expected " + to_string(slot.type)};
  if (slot.type.dims) {
    const auto& dims = *slot.type.dims;
    if (dims.size() != value->dims.size())
      return Error{Code::shape_mismatch, "input '" + slot.name + "' has rank " + std::to_string(value->dims.size()) +
                                             " " + to_string(value->dims) + "; expected " + to_string(slot.type)};
    for (size_t axis = 0; axis < dims.size(); ++axis) {
      const int64_t met = value->dims[axis];
      if (dims[axis].is_number()) {
        if (dims[axis].number() == met) continue;
        return Error{Code::shape_mismatch, "input '" + slot.name + "' is " + to_string(value->dims) + ": axis " +
                                               std::to_string(axis) + " has size " + std::to_string(met) +
                                               "; expected " + to_string(slot.type)};
      }
      const DimSymbol* symbol = as_symbol(dims[axis]);
      if (!symbol) continue;
      auto& content = symbols_[symbol->index];
      if (content && *content != met && plan_.captures.empty())
        return Error{Code::shape_mismatch, "input '" + slot.name + "' is " + to_string(value->dims) + ": axis " +
                                               std::to_string(axis) + ", '" + symbol->name + "', has size " +
                                               std::to_string(met) + "; another input makes it " +
                                               std::to_string(*content)};
      content = met;
    }
  }
  if (!slot.anywhere && value->on_device != (slot.location == Location::vulkan)) {
    HEED_ASSIGN(bound.value, context_.gpu->moved(*value, slot.location, std::move(bound.value)));
    if (slot.location == Location::cpu) HEED_TRY(context_.gpu->wait());
    bound.borrowed = value = bound.value.get();
  }
  set_tensor(id, *value);
  return {};
}

void Frame::replace_input(uint32_t input, heed_value* value, uint32_t symbol, int64_t bucket_value) {
  const SlotId id = plan_.inputs[input];
  slots_[id].borrowed = value;
  set_tensor(id, *value);
  if (symbol != no_id) bucket_values_[symbol] = std::max(bucket_value, symbol_values_[symbol]);
}

void Frame::set_tensor(SlotId id, const heed_value& value) {
  BoundSlot& bound = slots_[id];
  bound.dims = value.dims;
  bound.strides = value.strides;
  bound.tensor = {value.data,
                  bound.dims.data(),
                  bound.strides.data(),
                  value.offset,
                  static_cast<int32_t>(value.dims.size()),
                  static_cast<int32_t>(value.element)};
}

std::optional<int64_t> Frame::number_of(Dim dim) const {
  if (dim.is_number()) return dim.number();
  if (dim.is_unknown()) return std::nullopt;
  if (const DimSymbol* symbol = as_symbol(dim)) return symbols_[symbol->index];
  for (const uint32_t symbol : symbols_of(dim))
    if (!symbols_[symbol]) return std::nullopt;
  std::vector<int64_t> values;
  for (const auto& symbol : symbols_) values.push_back(symbol.value_or(0));
  const auto number = evaluate(dim, values);
  return number ? std::optional(*number) : std::nullopt;
}

Result<void> Frame::fill_sizes(uint32_t index, const std::vector<int64_t>& symbol_values) {
  const Segment& segment = plan_.segments[index];
  auto& numbers = segments_[index].numbers;
  HEED_TRY(segment.dims.run(symbol_values, numbers));
  for (const auto& check : segment.checks)
    if (&symbol_values == &symbol_values_ && numbers[check.a] != numbers[check.b])
      return Error{Code::shape_mismatch, check.what + ": " + std::to_string(numbers[check.a]) + " and " +
                                             std::to_string(numbers[check.b]) + " should be equal"};
  for (const SlotId id : segment.slots) {
    const Slot& slot = plan_.slots[id];
    if (slot.store == Store::input || slot.store == Store::constant) continue;
    BoundSlot& bound = slots_[id];
    const size_t rank = slot.dim_slots.size();
    bool empty = false;
    for (size_t axis = 0; axis < rank; ++axis) {
      const int64_t size = numbers[slot.dim_slots[axis]];
      if (size < 0)
        return explain_slot(
            {Code::shape_mismatch, "value '" + slot.name + "' " + to_string(slot.type) + " would have size " +
                                       std::to_string(size) + " on axis " + std::to_string(axis)},
            id);
      bound.dims[axis] = size;
      empty |= size == 0;
    }
    if (!fill_strides(id) && !empty)
      return explain_slot({Code::out_of_memory, "value '" + slot.name + "' " + to_string(bound.dims) +
                                                    " has more elements than 64 bits count"},
                          id);
    if (slot.root != id && &symbol_values == &symbol_values_ && !empty)
      HEED_TRY(check_view(id, numbers[slot.offset_slot]));
  }
  return {};
}

// Of the sizes that stand in the slot. False where 64 bits do not hold the number of elements of a dense one.
bool Frame::fill_strides(SlotId id) {
  const Slot& slot = plan_.slots[id];
  BoundSlot& bound = slots_[id];
  if (!slot.stride_slots.empty()) {
    for (size_t axis = 0; axis < bound.strides.size(); ++axis)
      bound.strides[axis] = segments_[slot.segment].numbers[slot.stride_slots[axis]];
    return true;
  }
  bool fits = true;
  int64_t stride = 1;
  for (size_t axis = bound.dims.size(); axis-- > 0;) {
    bound.strides[axis] = stride;
    fits &= !__builtin_mul_overflow(stride, bound.dims[axis], &stride);
  }
  return fits;
}

// An operator's view that leaves its source would read what is not there.
Result<void> Frame::check_view(SlotId id, int64_t offset) const {
  const Slot& slot = plan_.slots[id];
  const BoundSlot &view = slots_[id], &root = slots_[slot.root];
  const auto extent = extent_of(view.dims, view.strides, offset), source = extent_of(root.dims, root.strides);
  const bool is_empty = std::find(root.dims.begin(), root.dims.end(), 0) != root.dims.end();
  if (!is_empty && extent && source && extent->low >= source->low && extent->high <= source->high) return {};
  return explain_slot(
      {Code::shape_mismatch, "value '" + slot.name + "' " + to_string(view.dims) + " looks at elements that '" +
                                 plan_.slots[slot.root].name + "' " + to_string(root.dims) + " does not have"},
      id);
}

Result<void> Frame::bind_segment(uint32_t index) {
  BoundSegment& segment = segments_[index];
  if (segment.bound_for != symbol_values_) {
    ++counts_.binds;
    segment.bound_for.reset();
    if (segment.placed_for != bucket_values_) {
      segment.placed_for.reset();
      // Room to grow may contradict sizes that inputs tell (a mask over past and new tokens): then there is none.
      if (!fill_sizes(index, bucket_values_)) {
        bucket_values_ = symbol_values_;
        HEED_TRY(fill_sizes(index, bucket_values_));
      }
      HEED_TRY(place(index));
      segment.placed_for = bucket_values_;
    }
    HEED_TRY(fill_sizes(index, symbol_values_));
    segment.bound_for = symbol_values_;
  }
  if (context_.spoils_memory) HEED_TRY(spoil_arenas(index));
  HEED_TRY(make_outputs(index));
  point_slots(index);
  point_arguments(index);
  return {};
}

// ---- memory ---------------------------------------------------------------------------------------------------------

// Of the shapes that stand in the slots now.
Result<Frame::Lifetimes> Frame::find_lifetimes(uint32_t index) {
  BoundSegment& segment = segments_[index];
  point_arguments(index);
  Lifetimes lifetimes;
  const auto last = plan_.segments[index].end;
  for (const SlotId root : segment.roots) {
    const Slot& slot = plan_.slots[root];
    HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(*slot.type.element, slots_[root].dims));
    slots_[root].size_bytes = size_bytes;
    const bool on_host = slot.location == Location::cpu;
    lifetimes.host.push_back({slot.first_step, std::min(slot.last_step, last), on_host ? size_bytes : 0});
    lifetimes.device.push_back({slot.first_step, std::min(slot.last_step, last), on_host ? 0 : size_bytes});
  }
  for (const uint32_t id : segment.scratch_steps) {
    const Step& step = plan_.steps[id];
    BoundStep& bound = steps_[id];
    bound.node->scratch_bytes = 0;
    if (auto done =
            call_plugin([&] { return step.cpu->bind(bound.node.get(), prepared_.steps[id].kept, step.cpu->user); });
        !done)
      return explain(std::move(done).error(), id);
    bound.scratch_bytes = bound.node->scratch_bytes;
    lifetimes.host.push_back({id, id, bound.scratch_bytes});
  }
  for (const uint32_t id : segment.gpu_steps) {
    HEED_TRY(bind_gpu(id));
    steps_[id].scratch_bytes = steps_[id].node->scratch_bytes;
    steps_[id].bytes = bytes_of(plan_.steps[id]);
    steps_[id].operation_count = number_of(plan_.steps[id].operation_count).value_or(0);
    lifetimes.device.push_back({id, id, steps_[id].scratch_bytes});
  }
  return lifetimes;
}

Result<void> Frame::place(uint32_t index) {
  ++counts_.placements;
  BoundSegment& segment = segments_[index];
  HEED_ASSIGN(const Lifetimes lifetimes, find_lifetimes(index));
  HEED_ASSIGN(segment.placement, place_tensors(lifetimes.host, context_.memory_limit_bytes));
  if (segment.placement.size_bytes > segment.arena_size_bytes) {
    segment.arena.reset();
    segment.arena_size_bytes = 0;
    segment.arena = allocate_host_memory(segment.placement.size_bytes);
    if (!segment.arena)
      return Error{Code::out_of_memory,
                   "no memory for the tensors of a run: " + std::to_string(segment.placement.size_bytes) + " bytes" +
                       memory_limit_note()};
    segment.arena_size_bytes = segment.placement.size_bytes;
  }
  if (context_.gpu) HEED_TRY(context_.gpu->place(segment.gpu_arena, lifetimes.device));
  return {};
}

size_t Frame::arena_bytes() const {
  size_t bytes = 0;
  for (const auto& segment : segments_) bytes += segment.arena_size_bytes;
  for (const auto& step : steps_)
    for (const auto& body : step.bodies) bytes += body->arena_bytes();
  return bytes;
}

// Whether a result lies in the memory that the caller gave for it, or for the one output that looks at all of it in
// another shape; what is given for other looks is filled when the run is done.
Result<bool> Frame::take_output_memory(SlotId id) {
  const uint32_t segment = plan_.slots[id].segment;
  BoundSlot& bound = slots_[id];
  size_t count = 0;  // outputs that look at it
  SlotId look = no_id;
  heed_value *given = nullptr, *given_for_look = nullptr;
  for (size_t output = 0; output < plan_.outputs.size(); ++output) {
    const SlotId each = plan_.outputs[output];
    if (plan_.slots[each].root != id) continue;
    ++count;
    heed_value* const memory = output_memory_[output];
    if (!memory || plan_.slots[each].segment != segment) continue;
    if (memory->dims != slots_[each].dims)
      return Error{Code::shape_mismatch, "the memory for output '" + plan_.slots[each].name + "' is " +
                                             to_string(memory->dims) + "; the result is " +
                                             to_string(slots_[each].dims)};
    if (each == id)
      given = memory;
    else
      given_for_look = memory, look = each;
  }
  if (given) {
    bound.value = SharedValue::borrow(given);
    bound.strides = given->strides;
    bound.tensor.strides = bound.strides.data();
    return true;
  }
  const auto elements = [](std::span<const int64_t> dims) {
    return std::accumulate(dims.begin(), dims.end(), int64_t{1}, std::multiplies<>());
  };
  const auto is_whole = [&] {
    const BoundSlot& seen = slots_[look];
    const int64_t offset = segments_[segment].numbers[plan_.slots[look].offset_slot];
    return offset == 0 && is_dense(seen.dims, seen.strides) &&
           is_dense(given_for_look->dims, given_for_look->strides) && elements(seen.dims) == elements(bound.dims);
  };
  if (count != 1 || !given_for_look || !is_whole()) return false;
  bound.value = SharedValue::own(new heed_value);
  bound.value->element = given_for_look->element;
  bound.value->dims = bound.dims;
  bound.value->strides = bound.strides;
  bound.value->data = given_for_look->data;
  bound.value->storage = given_for_look->storage;
  return true;
}

// Results of the graph have memory of their own: made here, where the caller gave none.
Result<void> Frame::make_outputs(uint32_t index) {
  for (const SlotId id : plan_.segments[index].slots) {
    const Slot& slot = plan_.slots[id];
    const bool text = slot.store == Store::dynamic && slot.type.element == DataType::string;
    if ((slot.store != Store::output && !text) || slot.root != id) continue;
    BoundSlot& bound = slots_[id];
    fill_strides(id);  // memory that was given to an earlier run may have others
    HEED_ASSIGN(const bool is_given, take_output_memory(id));
    if (!is_given) {
      const auto fits = [&] { return !text && may_write_again(bound.value, *slot.type.element, bound.dims); };
      // What an iteration carries to the next is written in turns with what was carried to it.
      if (!fits() && plan_.is_body) std::swap(bound.value, bound.spare);
      if (!fits()) {
        auto made = slot.location == Location::vulkan ? context_.gpu->new_tensor(*slot.type.element, bound.dims)
                                                      : new_host_tensor(*slot.type.element, bound.dims);
        if (!made) return explain_slot(std::move(made).error(), id);
        bound.value = std::move(*made);
      }
    }
    bound.tensor.data = bound.value->data;
    bound.tensor.offset = bound.value->offset;
    if (context_.spoils_memory && !text && !is_given) HEED_TRY(spoil(*bound.value.get(), context_.gpu));
  }
  return {};
}

Result<void> Frame::spoil_arenas(uint32_t index) {
  BoundSegment& segment = segments_[index];
  if (segment.arena) std::memset(segment.arena.get(), 0xFF, segment.arena_size_bytes);
  return segment.gpu_arena ? context_.gpu->spoil(segment.gpu_arena) : Result<void>();
}

void Frame::point_slots(uint32_t index) {
  BoundSegment& segment = segments_[index];
  auto* arena = static_cast<std::byte*>(segment.arena.get());
  for (size_t i = 0; i < segment.roots.size(); ++i) {
    BoundSlot& bound = slots_[segment.roots[i]];
    if (plan_.slots[segment.roots[i]].location == Location::cpu) {
      bound.tensor.data = bound.size_bytes ? arena + segment.placement.offsets[i] : nullptr;
    } else {
      bound.borrowed = context_.gpu->placed(segment.gpu_arena, i);
      bound.borrowed->element = static_cast<DataType>(bound.tensor.element);
      bound.tensor.offset = 0;
    }
  }
  for (size_t i = 0; i < segment.scratch_steps.size(); ++i) {
    BoundStep& bound = steps_[segment.scratch_steps[i]];
    bound.arguments.scratch =
        bound.scratch_bytes ? arena + segment.placement.offsets[segment.roots.size() + i] : nullptr;
  }
  for (size_t i = 0; i < segment.gpu_steps.size(); ++i) {
    BoundStep& bound = steps_[segment.gpu_steps[i]];
    bound.gpu_scratch = bound.scratch_bytes
                            ? SharedValue::borrow(context_.gpu->placed(segment.gpu_arena, segment.roots.size() + i))
                            : SharedValue();
  }
  for (const SlotId id : plan_.segments[index].slots) {
    const Slot& slot = plan_.slots[id];
    BoundSlot& bound = slots_[id];
    if (slot.store == Store::sizes) {
      // A shape tensor's elements, at most some hundred numbers: in memory of their own.
      if (!bound.value || bound.value->dims != bound.dims || bound.value->shared()) {
        auto made = new_host_tensor(*slot.type.element, bound.dims);
        if (!made) continue;
        bound.value = std::move(*made);
      }
      for (size_t i = 0; i < slot.element_slots.size(); ++i) {
        const int64_t number = segment.numbers[slot.element_slots[i]];
        if (*slot.type.element == DataType::i64) static_cast<int64_t*>(bound.value->data)[i] = number;
        if (*slot.type.element == DataType::i32)
          static_cast<int32_t*>(bound.value->data)[i] = static_cast<int32_t>(number);
        if (*slot.type.element == DataType::boolean) static_cast<uint8_t*>(bound.value->data)[i] = number != 0;
      }
      bound.tensor.data = bound.value->data;
    } else if (slot.root != id) {
      const BoundSlot& root = slots_[slot.root];
      const int64_t offset = segment.numbers[slot.offset_slot];
      if (is_on_device(id)) {
        bound.tensor.offset = root.tensor.offset + offset;
      } else {
        const int64_t element_bits = bits_of(static_cast<DataType>(bound.tensor.element));
        auto* data = static_cast<std::byte*>(root.tensor.data);
        bound.tensor.data = data ? data + offset * element_bits / 8 : nullptr;
      }
    }
  }
}

void Frame::point_arguments(uint32_t index) {
  for (uint32_t id = plan_.segments[index].begin; id < plan_.segments[index].end; ++id) {
    const Step& step = plan_.steps[id];
    BoundStep& bound = steps_[id];
    for (size_t i = 0; i < step.inputs.size(); ++i) {
      if (step.inputs[i] == no_id) continue;
      BoundSlot& slot = slots_[step.inputs[i]];
      bound.inputs[i] = slot.tensor;
      bound.input_values[i].value = slot.borrowed                                        ? slot.borrowed
                                    : plan_.slots[step.inputs[i]].root == step.inputs[i] ? slot.value.get()
                                                                                         : nullptr;
    }
    for (size_t i = 0; i < step.outputs.size(); ++i) {
      if (step.outputs[i] == no_id) continue;
      const Slot& slot = plan_.slots[step.outputs[i]];
      bound.outputs[i] = slots_[step.outputs[i]].tensor;
      if (slot.store == Store::dynamic &&
          (slot.unsized || slot.type.kind != Kind::tensor || !slots_[step.outputs[i]].value)) {
        bound.outputs[i].data = nullptr;
        bound.outputs[i].rank = -1;
      }
    }
  }
}

// ---- running --------------------------------------------------------------------------------------------------------

Result<void> Frame::finish(std::span<SharedValue> outputs) {
  for (uint32_t index = 0; index < segments_.size(); ++index) {
    HEED_TRY(bind_segment(index));
    HEED_TRY(run_segment(index));
  }
  for (uint32_t output = 0; output < outputs.size(); ++output) {
    HEED_ASSIGN(outputs[output], value_in(plan_.outputs[output]));
  }
  return {};
}

Result<void> Frame::run_segment(uint32_t index) {
  for (uint32_t id = plan_.segments[index].begin; id < plan_.segments[index].end; ++id) {
    if (context_.stop && context_.stop->before_step()) return context_.stop->error();
    if (steps_[id].is_open) HEED_TRY(check_contract(id));
    const int64_t begin_ns = context_.observe ? now_ns() : 0;
    switch (plan_.steps[id].kind) {
      case StepKind::cpu:
        HEED_TRY(run_cpu(id));
        break;
      case StepKind::gpu:
        HEED_TRY(run_gpu(id));
        break;
      case StepKind::control:
        HEED_TRY(run_control(id));
        break;
      case StepKind::upload:
      case StepKind::download:
        HEED_TRY(run_transfer(id));
        break;
      case StepKind::view:
        continue;
    }
    if (context_.observe) HEED_TRY(show_time(id, begin_ns));
    if (context_.observe_values) HEED_TRY(show_values(id));
  }
  return {};
}

Result<void> Frame::run_cpu(uint32_t id) {
  const Step& step = plan_.steps[id];
  BoundStep& bound = steps_[id];
  CpuRun& run = *context_.cpu_run;
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    CpuOutput& output = bound.output_values[i];
    if (output.value || output.texts) output = {};
    const bool has_place = bound.outputs[i].rank >= 0;
    if (!has_place && step.outputs[i] != no_id && plan_.slots[step.outputs[i]].store == Store::dynamic)
      output.before = std::move(slots_[step.outputs[i]].value);
  }
  run.enter({&bound.arguments, bound.input_values, bound.output_values});
  if constexpr (fences_arenas) fence_arenas(bound);
  const int32_t code = step.cpu->run(&bound.arguments, bound.node.get(), step.cpu->user);
  if constexpr (fences_arenas) open_arenas();
  auto left = run.leave();
  if (code != HEED_OK) [[unlikely]]
    return explain(failure_of(code), id);
  if (!left) [[unlikely]]
    return explain(std::move(left).error(), id);
  return take_results(id);
}

void Frame::fence_arenas(const BoundStep& step) const {
  for (const auto& segment : segments_)
    if (segment.arena) close_memory(segment.arena.get(), segment.arena_size_bytes);
  for (const auto* tensors : {&step.inputs, &step.outputs})
    for (const heed_tensor& tensor : *tensors) {
      if (tensor.data == nullptr || tensor.rank < 0) continue;
      const auto rank = static_cast<size_t>(tensor.rank);
      const std::span<const int64_t> dims(tensor.dims, rank);
      if (std::find(dims.begin(), dims.end(), 0) != dims.end()) continue;
      const auto extent = extent_of(dims, {tensor.strides, rank});
      if (!extent) continue;
      const auto element = static_cast<DataType>(tensor.element);
      const int64_t bits = element == DataType::string ? int64_t{8 * sizeof(heed_text)} : bits_of(element);
      open_memory(static_cast<const std::byte*>(tensor.data) + extent->low * bits / 8,
                  static_cast<size_t>(((extent->high - extent->low + 1) * bits + 7) / 8));
    }
  if (step.arguments.scratch) open_memory(step.arguments.scratch, step.scratch_bytes);
}

void Frame::open_arenas() const {
  for (const auto& segment : segments_)
    if (segment.arena) open_memory(segment.arena.get(), segment.arena_size_bytes);
}

// Values that the step itself made: their sizes are known from here on.
Result<void> Frame::take_results(uint32_t id) {
  const Step& step = plan_.steps[id];
  BoundStep& bound = steps_[id];
  for (size_t i = 0; i < step.outputs.size(); ++i) {
    const SlotId output = step.outputs[i];
    if (output == no_id || plan_.slots[output].store != Store::dynamic) continue;
    BoundSlot& slot = slots_[output];
    bound.output_values[i].before = {};
    if (bound.output_values[i].value) slot.value = std::move(bound.output_values[i].value);
    if (bound.output_values[i].texts && slot.value)
      slot.value->texts.push_back(std::move(bound.output_values[i].texts));
    if (!slot.value)
      return explain(Error{Code::invalid_argument, "the kernel left output " + std::to_string(i) + " without a value"},
                     id);
    const Slot& planned = plan_.slots[output];
    if (slot.value->kind != Kind::tensor) continue;
    set_tensor(output, *slot.value.get());
    if (!planned.type.dims) continue;
    if (planned.type.dims->size() != slot.dims.size())
      return explain(
          Error{Code::shape_mismatch, "output " + std::to_string(i) + " came out as " + to_string(slot.dims) +
                                          "; inference said " + to_string(planned.type)},
          id);
    for (size_t axis = 0; axis < slot.dims.size(); ++axis) {
      const Dim dim = (*planned.type.dims)[axis];
      if (const auto solved = solve_for_symbol(dim, slot.dims[axis], symbols_)) {
        symbols_[solved->symbol] = solved->value;
        symbol_values_[solved->symbol] = bucket_values_[solved->symbol] = solved->value;
      } else if (const auto expected = number_of(dim); expected && *expected != slot.dims[axis]) {
        return explain(
            Error{Code::shape_mismatch, "output " + std::to_string(i) + " came out as " + to_string(slot.dims) +
                                            "; inference said " + to_string(planned.type)},
            id);
      }
    }
  }
  return {};
}

Result<void> Frame::run_control(uint32_t id) {
  const Step& step = plan_.steps[id];
  ControlRun control(*this, id);
  if (auto done = call_plugin([&] { return step.control->run(&control, steps_[id].node.get(), step.control->user); });
      !done)
    return explain(std::move(done).error(), id);
  HEED_TRY(control.give_outputs());
  return take_results(id);
}

// What a GPU kernel makes of the sizes that its tensors have now.
Result<void> Frame::bind_gpu(uint32_t id) {
  const Step& step = plan_.steps[id];
  BoundNode& node = *steps_[id].node;
  node.dispatches.clear();
  node.scratch_bytes = 0;
  const auto find_memory = [&](const std::vector<SlotId>& list, std::vector<heed_value*>& memory) {
    memory.clear();
    for (const SlotId slot : list) {
      const BoundSlot* root = slot == no_id ? nullptr : &slots_[plan_.slots[slot].root];
      memory.push_back(!root ? nullptr : root->borrowed ? root->borrowed : root->value.get());
    }
  };
  find_memory(step.inputs, node.input_memory);
  find_memory(step.outputs, node.output_memory);
  if (auto done = call_plugin([&] { return step.gpu->bind(&node, step.gpu->user); }); !done)
    return explain(std::move(done).error(), id);
  return {};
}

Result<void> Frame::run_gpu(uint32_t id) {
  HEED_TRY(bind_gpu(id));
  const BoundStep& bound = steps_[id];
  const BoundNode& node = *bound.node;
  SharedValue larger;  // where this run asks for more than its bucket did
  if (node.scratch_bytes > bound.scratch_bytes) {
    const int64_t dims[] = {static_cast<int64_t>(node.scratch_bytes)};
    auto made = context_.gpu->new_tensor(DataType::u8, dims);
    if (!made) return explain(std::move(made).error(), id);
    larger = std::move(*made);
  }
  const PreparedStep& prepared = prepared_.steps[id];
  if (auto done = context_.gpu->run(*prepared.gpu, node.dispatches, node.input_memory, node.output_memory,
                                    larger ? larger.get() : bound.gpu_scratch.get(), prepared.kept_on_device.get(),
                                    bound.error_word, bound.bytes, bound.operation_count);
      !done)
    return explain(std::move(done).error(), id);
  return {};
}

Result<void> Frame::run_transfer(uint32_t id) {
  const Step& step = plan_.steps[id];
  BoundSlot &from = slots_[step.inputs[0]], &to = slots_[step.outputs[0]];
  const BoundSlot &from_root = slots_[plan_.slots[step.inputs[0]].root],
                  &to_root = slots_[plan_.slots[step.outputs[0]].root];
  HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(static_cast<DataType>(to.tensor.element), to.dims));
  if (step.kind == StepKind::upload)
    return context_.gpu->upload(from.tensor.data, to_root.borrowed ? to_root.borrowed : to_root.value.get(),
                                to.tensor.offset, size_bytes);
  HEED_TRY(context_.gpu->read(from_root.borrowed ? from_root.borrowed : from_root.value.get(), from.tensor.offset,
                              to.tensor.data, size_bytes));
  return context_.gpu->wait();
}

bool Frame::is_on_device(SlotId id) const {
  const BoundSlot& root = slots_[plan_.slots[id].root];
  if (!plan_.slots[id].anywhere) return plan_.slots[id].location == Location::vulkan;
  const heed_value* holder = root.borrowed ? root.borrowed : root.value.get();
  return holder && holder->on_device;
}

Result<SharedValue> Frame::value_in(SlotId id) {
  const Slot& slot = plan_.slots[id];
  BoundSlot& bound = slots_[id];
  if (bound.borrowed && slot.root == id && slot.store != Store::arena) return SharedValue::borrow(bound.borrowed);
  if (bound.value && slot.root == id) return SharedValue::borrow(bound.value.get());
  auto value = SharedValue::own(new heed_value);
  const BoundSlot& root = slots_[slot.root];
  value->element = static_cast<DataType>(bound.tensor.element);
  value->dims = bound.dims;
  value->strides = bound.strides;
  value->data = bound.tensor.data;
  value->offset = bound.tensor.offset;
  value->on_device = is_on_device(id);
  value->lent = plan_.slots[slot.root].store == Store::arena;
  if (const heed_value* holder = root.borrowed ? root.borrowed : root.value.get()) {
    value->storage = holder->storage;
    value->texts = holder->texts;
    value->lent |= holder->lent;
  }
  return value;
}

std::string Frame::name_of_node(const Step& step) const {
  const Node& node = plan_.graph->nodes[step.node];
  return "node '" + node.name + "' (" + node.op_type + ")";
}

// The error, told of the node that makes a value.
Error Frame::explain_slot(Error error, SlotId id) const {
  for (uint32_t step = 0; step < plan_.steps.size(); ++step)
    for (const SlotId output : plan_.steps[step].outputs)
      if (output == id && plan_.steps[step].op) return std::move(error).within(name_of_node(plan_.steps[step]));
  return error;
}

Error Frame::explain(Error error, uint32_t id) const {
  const Step& step = plan_.steps[id];
  if (!step.op) return error;
  Error told = std::move(error).within(name_of_node(step));
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i] == no_id) continue;
    const Slot& slot = plan_.slots[step.inputs[i]];
    told.message += "\n  input " + std::to_string(i) + "  '" + slot.name + "'  " + to_string(slot.type);
    if (slot.type.kind == Kind::tensor) told.message += ", here " + to_string(slots_[step.inputs[i]].dims);
  }
  return told;
}

}  // namespace heed
