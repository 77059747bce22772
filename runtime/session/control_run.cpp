// One execution of a control kernel.
#include "session/control_run.hpp"

#include <algorithm>
#include <cstring>

#include "session/gpu.hpp"

namespace heed {
namespace {

// Of so many elements side by side, a string's texts as what points at them.
size_t bytes_of(DataType element, int64_t count) {
  const size_t bits = element == DataType::string ? 8 * sizeof(heed_text) : static_cast<size_t>(bits_of(element));
  return static_cast<size_t>(count) * bits / 8;
}

}  // namespace

ControlRun::ControlRun(Frame& frame, uint32_t step)
    : frame_(frame),
      step_(frame.plan_.steps[step]),
      inputs_(step_.inputs.size()),
      outputs_(step_.outputs.size()),
      captured_(step_.captured.size()) {
  bodies_ = &frame.steps_[step].bodies;
  results_ = &frame.steps_[step].output_values;
}

heed_value* ControlRun::nothing(Error error) {
  fail(error);
  failed_ = std::move(error);
  return nullptr;
}

Result<void> ControlRun::require(const heed_value* value) const {
  if (value) return {};
  return failed_.value_or(Error{Code::invalid_argument, "a value was expected, and there is none"});
}

Result<void> ControlRun::require_tensor(const heed_value* value) const {
  HEED_TRY(require(value));
  if (value->kind != Kind::tensor) return Error{Code::invalid_argument, "a tensor was expected, and this is none"};
  return {};
}

heed_run* ControlRun::run() { return frame_.context_.cpu_run; }
int32_t ControlRun::input_count() const { return static_cast<int32_t>(inputs_.size()); }
int32_t ControlRun::output_count() const { return static_cast<int32_t>(outputs_.size()); }

heed_value* ControlRun::input(int32_t input) {
  if (input < 0 || input >= input_count() || step_.inputs[input] == no_id) return nullptr;
  auto& value = inputs_[input];
  if (!value) {
    auto made = frame_.value_in(step_.inputs[input]);
    if (!made) return fail(made.error()), nullptr;
    value = std::move(*made);
  }
  return value.get();
}

Result<SharedValue> ControlRun::on_host(heed_value* value) {
  if (!value->on_device) return SharedValue::borrow(value);
  HEED_ASSIGN(auto host, frame_.context_.gpu->moved(*value, Location::cpu));
  HEED_TRY(frame_.context_.gpu->wait());
  return host;
}

int32_t ControlRun::read_scalar(heed_value* value, int64_t* i, double* f) {
  if (const auto is_one = require_tensor(value); !is_one) return fail(is_one.error());
  auto host = on_host(value);
  if (!host) return fail(host.error());
  int64_t count = 1;
  for (const int64_t dim : (*host)->dims) count *= dim;
  if (count != 1) return fail(Code::shape_mismatch, "one number was expected; met " + to_string((*host)->dims));
  const void* data = (*host)->data;
  switch ((*host)->element) {
    case DataType::boolean:
    case DataType::u8:
      *i = *static_cast<const uint8_t*>(data);
      break;
    case DataType::i8:
      *i = *static_cast<const int8_t*>(data);
      break;
    case DataType::i16:
      *i = *static_cast<const int16_t*>(data);
      break;
    case DataType::i32:
      *i = *static_cast<const int32_t*>(data);
      break;
    case DataType::i64:
      *i = *static_cast<const int64_t*>(data);
      break;
    case DataType::f32:
      *f = *static_cast<const float*>(data);
      *i = static_cast<int64_t>(*f);
      return HEED_OK;
    case DataType::f64:
      *f = *static_cast<const double*>(data);
      *i = static_cast<int64_t>(*f);
      return HEED_OK;
    default:
      return fail(Code::unsupported,
                  "a number of type " + std::string(name_of((*host)->element)) + " cannot be read here");
  }
  *f = static_cast<double>(*i);
  return HEED_OK;
}

heed_value* ControlRun::scalar(int32_t element, int64_t i) {
  auto made = new_host_tensor(static_cast<DataType>(element), {});
  if (!made) return nothing(made.error());
  void* data = (*made)->data;
  switch (static_cast<DataType>(element)) {
    case DataType::boolean:
      *static_cast<uint8_t*>(data) = i != 0;
      break;
    case DataType::i32:
      *static_cast<int32_t*>(data) = static_cast<int32_t>(i);
      break;
    case DataType::i64:
      *static_cast<int64_t*>(data) = i;
      break;
    case DataType::f32:
      *static_cast<float*>(data) = static_cast<float>(i);
      break;
    default:
      return nothing({Code::unsupported, "no scalar of this type"});
  }
  return made->release();
}

Result<SharedValue> ControlRun::kept(SharedValue value) {
  if (!value->lent) return value;
  if (!value->on_device) return copy_to_host_tensor(view_of(*value.get()));
  return frame_.context_.gpu->moved(*value.get(), Location::vulkan);
}

int32_t ControlRun::call(int32_t subgraph, heed_value* const* arguments, size_t argument_count, heed_value** results,
                         size_t result_count) {
  if (subgraph < 0 || static_cast<size_t>(subgraph) >= bodies_->size())
    return fail(Code::invalid_model, "there is no such subgraph");
  Frame& body = *(*bodies_)[static_cast<size_t>(subgraph)];
  if (const auto& contradiction = body.plan_.graph->contradiction) return fail(*contradiction);
  const size_t own_inputs = body.plan_.inputs.size() - body.plan_.captures.size();
  if (argument_count != own_inputs || result_count > body.plan_.outputs.size())
    return fail(Code::invalid_model, "the subgraph takes " + std::to_string(own_inputs) + " inputs and gives " +
                                         std::to_string(body.plan_.outputs.size()) + " outputs; it was called with " +
                                         std::to_string(argument_count) + " and " + std::to_string(result_count));
  if (failed_ && std::count(arguments, arguments + argument_count, nullptr) != 0) return fail(*failed_);
  const auto attempt = [&]() -> Result<void> {
    std::vector<heed_value*> inputs(arguments, arguments + argument_count);
    std::vector<SharedValue> held;
    size_t first_captured = 0;
    for (int32_t before = 0; before < subgraph; ++before) first_captured += step_.bodies[before]->captures.size();
    for (size_t i = 0; i < body.plan_.captures.size(); ++i) {
      const Slot& reader = body.plan_.slots[body.plan_.inputs[own_inputs + i]];
      HEED_ASSIGN(auto value, captured(first_captured + i, reader));
      inputs.push_back(value.get());
      held.push_back(std::move(value));
    }
    std::vector<Frame::KnownSymbol> known;
    for (uint32_t symbol = 0; symbol < frame_.symbols_.size(); ++symbol)
      if (const auto& content = frame_.symbols_[symbol]) known.push_back({symbol, *content, *content});
    HEED_TRY(body.begin(inputs, known));
    std::vector<SharedValue> made(body.plan_.outputs.size());
    HEED_TRY(body.finish(made));
    for (size_t i = 0; i < result_count; ++i) results[i] = made[i].release();
    return {};
  };
  for (size_t i = 0; i < result_count; ++i) results[i] = nullptr;
  auto done = attempt();
  return done ? HEED_OK : fail(std::move(done).error().within("in its body"));
}

Result<SharedValue> ControlRun::captured(size_t place, const Slot& reader) {
  if (captured_[place]) return captured_[place];
  HEED_ASSIGN(auto value, frame_.value_in(step_.captured[place]));
  if (value->kind != Kind::tensor || reader.anywhere || value->on_device == (reader.location == Location::vulkan))
    return value;
  if (value->on_device) {
    HEED_ASSIGN(captured_[place], on_host(value.get()));
  } else {
    HEED_ASSIGN(captured_[place], frame_.context_.gpu->moved(*value.get(), Location::vulkan));
  }
  return captured_[place];
}

heed_value* ControlRun::stack(int32_t axis, heed_value* const* values, size_t count, int32_t output) {
  const auto attempt = [&]() -> Result<SharedValue> {
    if (output < 0 || output >= output_count() || step_.outputs[output] == no_id)
      return Error{Code::invalid_argument, "there is no such output to stack"};
    const Slot& slot = frame_.plan_.slots[step_.outputs[output]];
    for (size_t i = 0; i < count; ++i) HEED_TRY(require_tensor(values[i]));
    std::vector<int64_t> dims;
    Stacking stacking{slot.type.element.value_or(DataType::f32), {}};
    if (count) {
      dims = values[0]->dims;
      stacking.element = values[0]->element;
    } else if (slot.type.dims) {
      // Nothing was stacked: sizes that only an iteration would tell are empty.
      for (size_t i = 0; i < slot.type.dims->size(); ++i)
        if (static_cast<int32_t>(i) != axis) dims.push_back(frame_.number_of((*slot.type.dims)[i]).value_or(0));
    }
    const int32_t rank = static_cast<int32_t>(dims.size()) + 1;
    const size_t place = static_cast<size_t>(axis < 0 ? axis + rank : axis);
    if (place > dims.size())
      return Error{Code::invalid_model, "axis " + std::to_string(axis) + " of a stack of rank " + std::to_string(rank)};
    for (size_t i = 0; i < count; ++i)
      if (values[i]->dims != dims)
        return Error{Code::shape_mismatch, "iteration " + std::to_string(i) + " gave " + to_string(values[i]->dims) +
                                               "; the first gave " + to_string(dims) + ", and they cannot be stacked"};
    stacking.dims = dims;
    stacking.dims.insert(stacking.dims.begin() + static_cast<ptrdiff_t>(place), static_cast<int64_t>(count));
    for (size_t i = 0; i < place; ++i) stacking.outer *= static_cast<size_t>(dims[i]);
    for (size_t i = place; i < dims.size(); ++i) stacking.inner_elements *= dims[i];
    if (is_packed(stacking.element) && stacking.inner_elements * bits_of(stacking.element) % 8 != 0)
      return Error{Code::unsupported, "a stack of " + std::string(name_of(stacking.element)) + " " + to_string(dims) +
                                          ", whose elements share bytes"};
    const std::span all(values, count);
    const bool on_device =
        std::any_of(all.begin(), all.end(), [](const heed_value* value) { return value->on_device; });
    return on_device ? stacked_on_device(stacking, all) : stacked_on_host(stacking, all);
  };
  auto made = attempt();
  return made ? made->release() : nothing(made.error());
}

Result<SharedValue> ControlRun::stacked_on_host(const Stacking& stacking, std::span<heed_value* const> values) {
  HEED_ASSIGN(SharedValue whole, new_host_tensor(stacking.element, stacking.dims));
  const size_t inner_bytes = bytes_of(stacking.element, stacking.inner_elements);
  for (size_t i = 0; i < values.size() && inner_bytes > 0; ++i) {
    auto value = SharedValue::borrow(values[i]);
    for (const auto& text : value->texts) whole->texts.push_back(text);
    if (!is_dense(value->dims, value->strides)) {
      HEED_ASSIGN(value, copy_to_host_tensor(view_of(*value.get())));
    }
    for (size_t o = 0; o < stacking.outer; ++o)
      std::memcpy(static_cast<std::byte*>(whole->data) + (o * values.size() + i) * inner_bytes,
                  static_cast<const std::byte*>(value->data) + o * inner_bytes, inner_bytes);
  }
  return whole;
}

Result<SharedValue> ControlRun::stacked_on_device(const Stacking& stacking, std::span<heed_value* const> values) {
  GpuStream& gpu = *frame_.context_.gpu;
  HEED_ASSIGN(SharedValue whole, gpu.new_tensor(stacking.element, stacking.dims));
  const int64_t inner = stacking.inner_elements;
  const size_t inner_bytes = bytes_of(stacking.element, inner);
  for (size_t i = 0; i < values.size(); ++i) {
    auto value = SharedValue::borrow(values[i]);
    if (!value->on_device) {
      HEED_ASSIGN(value, gpu.moved(*value.get(), Location::vulkan));
    }
    for (size_t o = 0; o < stacking.outer; ++o)
      HEED_TRY(gpu.copy(value.get(), value->offset + static_cast<int64_t>(o) * inner, whole.get(),
                        static_cast<int64_t>(o * values.size() + i) * inner, inner_bytes));
  }
  return whole;
}

// A look at the value where its elements lie side by side, else a copy, both where the value is.
heed_value* ControlRun::slice(heed_value* value, int32_t axis, int64_t index) {
  const auto attempt = [&]() -> Result<SharedValue> {
    HEED_TRY(require_tensor(value));
    const int32_t rank = static_cast<int32_t>(value->dims.size());
    const int32_t place = axis < 0 ? axis + rank : axis;
    if (place < 0 || place >= rank || index < 0 || index >= value->dims[static_cast<size_t>(place)])
      return Error{Code::shape_mismatch, "slice " + std::to_string(index) + " along axis " + std::to_string(axis) +
                                             " of " + to_string(value->dims)};
    if (is_packed(value->element)) return Error{Code::unsupported, "slices of packed types"};
    auto look = SharedValue::own(new heed_value);
    const int64_t skip = index * value->strides[static_cast<size_t>(place)];
    look->element = value->element;
    look->dims = value->dims;
    look->strides = value->strides;
    look->dims.erase(look->dims.begin() + place);
    look->strides.erase(look->strides.begin() + place);
    look->on_device = value->on_device;
    look->lent = value->lent;
    look->storage = value->storage;
    look->texts = value->texts;
    if (value->on_device)
      look->offset = value->offset + skip;
    else
      look->data = static_cast<std::byte*>(value->data) + skip * static_cast<int64_t>(bytes_of(value->element, 1));
    if (is_dense(look->dims, look->strides)) return look;
    if (!value->on_device) return copy_to_host_tensor(view_of(*look.get()));
    // Rows that lie side by side are copied one by one: those of the axes behind the one that goes.
    GpuStream& gpu = *frame_.context_.gpu;
    HEED_ASSIGN(auto copy, gpu.new_tensor(look->element, look->dims));
    int64_t row_count = 1, row_elements = 1;
    for (int32_t i = 0; i < rank - 1; ++i) (i < place ? row_count : row_elements) *= look->dims[static_cast<size_t>(i)];
    const int64_t pitch = row_elements * value->dims[static_cast<size_t>(place)];
    for (int64_t row = 0; row < row_count; ++row)
      HEED_TRY(gpu.copy(look.get(), look->offset + row * pitch, copy.get(), row * row_elements,
                        bytes_of(look->element, row_elements)));
    return copy;
  };
  auto made = attempt();
  return made ? made->release() : nothing(made.error());
}

// What a body gave may lie on a device, or in memory of this step: a sequence holds tensors of their own on the host.
Result<void> ControlRun::settle_elements(std::vector<heed_value*>& elements) {
  for (heed_value*& element : elements) {
    if (!element->on_device && !element->lent) continue;
    const auto given = SharedValue::borrow(element);
    if (given->on_device) leaving_.push_back(given);
    HEED_ASSIGN(auto settled, given->on_device ? frame_.context_.gpu->moved(*given.get(), Location::cpu) : kept(given));
    const auto replaced = SharedValue::own(std::exchange(element, settled.release()));
  }
  return {};
}

int32_t ControlRun::set_output(int32_t output, heed_value* value) {
  auto given = SharedValue::own(value);
  if (output < 0 || output >= output_count())
    return fail(Code::invalid_argument, "there is no output " + std::to_string(output));
  if (step_.outputs[output] == no_id) return HEED_OK;
  if (const auto is_given = require(given.get()); !is_given) return fail(is_given.error());
  const Slot& slot = frame_.plan_.slots[step_.outputs[output]];
  const auto attempt = [&]() -> Result<SharedValue> {
    if (given->kind == Kind::sequence) HEED_TRY(settle_elements(given->elements));
    if (given->kind != Kind::tensor || slot.anywhere || given->on_device == (slot.location == Location::vulkan))
      return kept(std::move(given));
    if (given->on_device) leaving_.push_back(given);
    return frame_.context_.gpu->moved(*given.get(), slot.location);
  };
  auto settled = attempt();
  if (!settled) return fail(settled.error());
  outputs_[output] = std::move(*settled);
  return HEED_OK;
}

Result<void> ControlRun::give_outputs() {
  for (size_t i = 0; i < outputs_.size(); ++i) {
    if (step_.outputs[i] == no_id) continue;
    if (!outputs_[i])
      return Error{Code::invalid_argument, "the kernel left output " + std::to_string(i) + " without a value"};
    (*results_)[i].value = std::move(outputs_[i]);
  }
  if (!leaving_.empty()) HEED_TRY(frame_.context_.gpu->wait());
  return {};
}

}  // namespace heed
