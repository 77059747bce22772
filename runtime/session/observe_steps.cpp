// What a step took and what came out of it, for those who watch a run.
#include <algorithm>

#include "base/clock.hpp"
#include "plan/strides.hpp"
#include "session/bound_node.hpp"
#include "session/frame.hpp"
#include "session/session.hpp"

namespace heed {

// Of the tensors that a step reads and writes, each once.
int64_t Frame::bytes_of(const Step& step) const {
  const auto slot_at = [&](size_t i) {
    return i < step.inputs.size() ? step.inputs[i] : step.outputs[i - step.inputs.size()];
  };
  int64_t bytes = 0;
  for (size_t i = 0; i < step.inputs.size() + step.outputs.size(); ++i) {
    const SlotId slot = slot_at(i);
    bool counts = slot != no_id && plan_.slots[slot].type.kind == Kind::tensor && slots_[slot].tensor.element;
    for (size_t before = 0; before < i; ++before) counts = counts && slot_at(before) != slot;
    if (!counts) continue;
    const auto size_bytes = dense_size_bytes(static_cast<DataType>(slots_[slot].tensor.element), slots_[slot].dims);
    if (size_bytes) bytes += static_cast<int64_t>(*size_bytes);
  }
  return bytes;
}

Result<void> Frame::show_time(uint32_t id, int64_t begin_ns) {
  const Step& step = plan_.steps[id];
  StepTime time{&plan_, id, begin_ns, now_ns(), bytes_of(step), number_of(step.operation_count).value_or(0)};
  if (step.kind == StepKind::gpu) {
    HEED_ASSIGN(const bool device_tells, context_.gpu->mark(time, context_.observe));
    if (device_tells) return {};
  }
  if (step.kind == StepKind::download) time.begin_ns = std::max(begin_ns, context_.gpu->last_mark_ns());  // it waited
  context_.observe(time);
  return {};
}

Result<void> Frame::show_values(uint32_t id) {
  const Step& step = plan_.steps[id];
  std::vector<HostValue> outputs(step.outputs.size());
  for (size_t i = 0; i < outputs.size(); ++i)
    if (step.outputs[i] != no_id) {
      HEED_ASSIGN(outputs[i], host_copy(step.outputs[i]));
    }
  context_.observe_values(plan_, id, outputs);
  return {};
}

// What a slot holds now, wherever and however strided it lies.
Result<HostValue> Frame::host_copy(SlotId slot) {
  HEED_ASSIGN(const SharedValue value, value_in(slot));
  if (value->kind != Kind::tensor) return to_host_value(*value.get());
  heed_tensor tensor = view_of(*value.get());
  std::shared_ptr<void> downloaded;
  const bool empty = std::any_of(value->dims.begin(), value->dims.end(), [](int64_t dim) { return dim == 0; });
  if (value->on_device && !empty) {
    const auto [low, high] = extent_of(value->dims, value->strides).value();
    const int64_t span[] = {high - low + 1};
    HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(value->element, span));
    downloaded = allocate_host_memory(size_bytes);
    if (!downloaded) return Error{Code::out_of_memory, "no memory for a copy of value '" + plan_.slots[slot].name + "'"};
    HEED_TRY(context_.gpu->read(value.get(), value->offset + low, downloaded.get(), size_bytes));
    HEED_TRY(context_.gpu->wait());
    tensor.data = static_cast<std::byte*>(downloaded.get()) - low * bits_of(value->element) / 8;
  }
  HEED_ASSIGN(const SharedValue copy, copy_to_host_tensor(tensor));
  return to_host_value(*copy.get());
}

}  // namespace heed
