// CpuRun: answers a running CPU kernel.
#include "registry/cpu_run.hpp"

#include <algorithm>
#include <atomic>
#include <new>
#include <string>

namespace heed {
namespace {

int32_t no_such_output(int32_t output) {
  return fail(Code::invalid_argument,
              "the kernel gives output " + std::to_string(output) + ", which this node does not have");
}

bool same_dims(const heed_tensor& tensor, std::span<const int64_t> dims) {
  return tensor.rank == static_cast<int32_t>(dims.size()) && std::equal(dims.begin(), dims.end(), tensor.dims);
}

bool is_placed(const heed_tensor& tensor) { return tensor.rank >= 0; }

}  // namespace

uint64_t RandomSeeds::next() {
  // SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
  uint64_t z = (state += 0x9E3779B97F4A7C15u);
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
  return z ^ (z >> 31);
}

Result<void> CpuRun::run(const heed_cpu_kernel& kernel, const heed_node& node, const CpuStep& step) {
  for (CpuOutput& output : step.outputs) output = {};
  enter(step);
  step.arguments->run = this;
  auto result = call_plugin([&] { return kernel.run(step.arguments, &node, kernel.user); });
  const auto left = leave();
  if (!result) return result;
  HEED_TRY(left);
  for (int32_t output = 0; output < step.arguments->output_count; ++output) {
    const heed_tensor& tensor = step.arguments->outputs[output];
    const bool has_slot = static_cast<size_t>(output) < step.outputs.size();
    if (tensor.element == 0 || is_placed(tensor) || (has_slot && step.outputs[static_cast<size_t>(output)].value))
      continue;
    return Error{Code::invalid_argument,
                 "the kernel left output " + std::to_string(output) +
                     " without a value: it calls neither allocate_output nor run_set_output for it"};
  }
  return {};
}

void CpuRun::parallel_for(int64_t count, int64_t grain, heed_loop function, void* context) {
  if (pool_ != nullptr) {
    // Built-in kernels that find no memory for a scratch of their own: told on the thread that asked for the loop.
    std::atomic<bool> lacks_memory{false};
    const auto guarded = [&](int64_t begin, int64_t end, int32_t thread) {
      try {
        function(context, begin, end, thread);
      } catch (const std::bad_alloc&) {
        lacks_memory.store(true, std::memory_order_relaxed);
      }
    };
    pool_->parallel_for(count, grain, guarded, shares_loops_ ? ThreadPool::Who::all : ThreadPool::Who::caller);
    if (lacks_memory.load(std::memory_order_relaxed)) throw std::bad_alloc();
  } else if (count > 0) {
    function(context, 0, count, 0);
  }
}

int32_t CpuRun::thread_count() const { return pool_ && shares_loops_ ? pool_->thread_count() : 1; }

uint64_t CpuRun::random_seed() { return seeds_ ? seeds_->next() : RandomSeeds{}.next(); }

CpuOutput* CpuRun::output_slot(int32_t output) {
  if (output < 0 || output >= step_.arguments->output_count) return nullptr;
  return static_cast<size_t>(output) < step_.outputs.size() ? &step_.outputs[static_cast<size_t>(output)] : nullptr;
}

int32_t CpuRun::allocate_output(int32_t output, const int64_t* dims, int32_t rank, heed_tensor* tensor) {
  if (output < 0 || output >= step_.arguments->output_count || rank < 0) return no_such_output(output);
  heed_tensor& argument = step_.arguments->outputs[output];
  const std::span wanted(dims, static_cast<size_t>(rank));
  if (is_placed(argument)) {
    if (!same_dims(argument, wanted)) {
      return fail(Code::shape_mismatch, "the kernel makes output " + std::to_string(output) + " of " +
                                            to_string(wanted) + "; inference said " +
                                            to_string(std::span(argument.dims, static_cast<size_t>(argument.rank))));
    }
    *tensor = argument;
    return HEED_OK;
  }
  CpuOutput* slot = output_slot(output);
  if (slot == nullptr || argument.element == 0) return no_such_output(output);
  const auto element = static_cast<DataType>(argument.element);
  if (element != DataType::string && may_write_again(slot->before, element, wanted) &&
      !slot->before->on_device) {
    slot->value = std::move(slot->before);
  } else {
    auto value = new_host_tensor(element, wanted);
    if (!value) return fail(value.error());
    slot->value = std::move(*value);
  }
  *tensor = view_of(*slot->value.get());
  return HEED_OK;
}

heed_text CpuRun::store_text(int32_t output, heed_text bytes) {
  CpuOutput* slot = output_slot(output);
  if (slot == nullptr) return no_such_output(output), heed_text{nullptr, 0};
  try {
    if (slot->value) return slot->value->store_text(bytes);
    if (!slot->texts) slot->texts = std::make_shared<TextArena>();
    return slot->texts->store(bytes);
  } catch (const std::bad_alloc&) {
    lacks_memory_ = true;
    return {nullptr, 0};
  }
}

heed_value* CpuRun::input(int32_t input) {
  if (input < 0 || input >= step_.arguments->input_count) return nullptr;
  const auto index = static_cast<size_t>(input);
  if (index < step_.inputs.size() && step_.inputs[index].value) return step_.inputs[index].value;
  for (const auto& [position, copy] : copies_) {
    if (position == input) return copy.get();
  }
  const heed_tensor& tensor = step_.arguments->inputs[index];
  if (tensor.element == 0) return nullptr;
  // The tensor's memory is the plan's to reuse, and whoever takes the value may keep it: it gets memory of its own.
  auto copy = copy_to_host_tensor(tensor);
  if (!copy) return fail(copy.error()), nullptr;
  copies_.emplace_back(input, std::move(*copy));
  return copies_.back().second.get();
}

int32_t CpuRun::set_output(int32_t output, heed_value* given) {
  SharedValue value = SharedValue::own(given);
  if (!value) return fail(Code::invalid_argument, "the kernel gives no value for output " + std::to_string(output));
  if (output < 0 || output >= step_.arguments->output_count) return no_such_output(output);
  const heed_tensor& argument = step_.arguments->outputs[output];
  CpuOutput* slot = output_slot(output);
  const bool is_tensor = value->kind == Kind::tensor;
  if (is_tensor && argument.element != 0 && argument.element != static_cast<int32_t>(value->element)) {
    return fail(Code::invalid_argument, "the kernel gives output " + std::to_string(output) + " as " +
                                            std::string(name_of(value->element)) + "; inference said " +
                                            std::string(name_of(static_cast<DataType>(argument.element))));
  }
  if (is_tensor && is_placed(argument)) {
    if (!same_dims(argument, value->dims)) {
      return fail(Code::shape_mismatch, "the kernel gives output " + std::to_string(output) + " of " +
                                            to_string(value->dims) + "; inference said " +
                                            to_string(std::span(argument.dims, static_cast<size_t>(argument.rank))));
    }
    if (value->on_device)
      return fail(Code::invalid_argument, "a tensor that lies on a device, as output of a kernel of the host");
    copy_dense(view_of(*value.get()), argument.data);
    if (value->element == DataType::string) {
      if (slot == nullptr) return no_such_output(output);
      slot->texts = std::make_shared<TextArena>();
      auto* texts = static_cast<heed_text*>(argument.data);
      int64_t count = 1;
      for (const int64_t dim : value->dims) count *= dim;
      for (int64_t i = 0; i < count; ++i) texts[i] = slot->texts->store(texts[i]);
    }
    return HEED_OK;
  }
  if (slot == nullptr) return no_such_output(output);
  slot->value = std::move(value);
  return HEED_OK;
}

heed_value* CpuRun::sequence_copy(int32_t input) {
  heed_value* source = this->input(input);
  if (source == nullptr || source->kind != Kind::sequence) {
    return fail(Code::invalid_argument, "input " + std::to_string(input) + " is no sequence"), nullptr;
  }
  CpuInput& slot = step_.inputs[static_cast<size_t>(input)];
  if (slot.last_use && !source->shared()) return std::exchange(slot.value, nullptr);
  auto copy = SharedValue::own(new heed_value);
  copy->kind = Kind::sequence;
  copy->element = source->element;
  copy->elements.reserve(source->elements.size() + 1);
  for (heed_value* element : source->elements) {
    copy->elements.push_back(element);
    element->retain();
  }
  return copy.release();
}

}  // namespace heed
