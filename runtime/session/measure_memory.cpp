// What the tensors of a run would take, from sizes alone.
#include <algorithm>

#include "session/bound_node.hpp"
#include "session/frame.hpp"

namespace heed {

Result<MemoryNeed> Frame::measure(std::vector<std::optional<int64_t>> symbols) {
  MemoryNeed need;
  const Graph& graph = *plan_.graph;
  symbols.resize(symbols_.size());
  std::vector<int64_t> values(symbols.size());
  for (uint32_t index = 0; index < symbols.size(); ++index) {  // a bound is told in symbols older than its own
    if (!symbols[index]) {
      const int64_t upper = graph.dims().symbol_info(index).upper;
      if (const auto bound = graph.bounds.find(index); bound != graph.bounds.end()) {
        const auto reads = symbols_of(bound->second);
        if (std::all_of(reads.begin(), reads.end(), [&](uint32_t read) { return symbols[read].has_value(); })) {
          HEED_ASSIGN(symbols[index], evaluate(bound->second, values));
        }
      } else if (upper != INT64_MAX) {
        symbols[index] = upper;
      }
      need.is_bound |= symbols[index].has_value();
    }
    values[index] = symbols[index].value_or(0);
  }
  const auto is_known = [&](Dim dim) {
    const auto reads = dim.is_unknown() ? std::vector<uint32_t>{} : symbols_of(dim);
    return !dim.is_unknown() &&
           std::all_of(reads.begin(), reads.end(), [&](uint32_t symbol) { return symbols[symbol].has_value(); });
  };
  for (const SlotId input : plan_.inputs) {  // scratch may depend on them
    BoundSlot& bound = slots_[input];
    bound.borrowed = nullptr;  // the last run's
    if (!plan_.slots[input].type.dims) continue;
    for (size_t axis = 0; axis < bound.dims.size(); ++axis) {
      const Dim dim = (*plan_.slots[input].type.dims)[axis];
      if (!is_known(dim)) continue;
      HEED_ASSIGN(bound.dims[axis], evaluate(dim, values));
    }
    bound.strides = dense_strides(std::span<const int64_t>(bound.dims));
    bound.tensor.dims = bound.dims.data();
    bound.tensor.strides = bound.strides.data();
  }
  const auto add = [&](size_t size_bytes, bool on_host) {
    on_host ? void(need.host_bytes += size_bytes) : need.device_buffers.push_back(size_bytes);
  };
  for (const Slot& slot : plan_.slots) {
    if (slot.store != Store::dynamic || slot.type.kind != Kind::tensor || !slot.type.dims || !slot.type.element)
      continue;
    Dim count = 1;
    for (const Dim dim : *slot.type.dims) count *= dim;
    if (!is_known(count)) {
      need.unbounded.push_back(slot.name);
      continue;
    }
    HEED_ASSIGN(const int64_t elements, evaluate(count, values));
    const int64_t dims[] = {elements};
    HEED_ASSIGN(const size_t size_bytes, dense_size_bytes(*slot.type.element, dims));
    add(size_bytes, slot.location == Location::cpu);
  }
  for (uint32_t index = 0; index < segments_.size(); ++index) {
    const auto& required = plan_.segments[index].dims.required_symbols();
    if (!std::all_of(required.begin(), required.end(), [&](uint32_t symbol) { return symbols[symbol].has_value(); }))
      continue;
    HEED_TRY(fill_sizes(index, values));
    HEED_ASSIGN(const Lifetimes lifetimes, find_lifetimes(index));
    HEED_ASSIGN(const Placement host, place_tensors(lifetimes.host));
    HEED_ASSIGN(const Placement device, place_tensors(lifetimes.device));
    add(host.size_bytes, true);
    add(device.size_bytes, false);
    for (const uint32_t id : segments_[index].gpu_steps)
      for (const auto& dispatch : steps_[id].node->dispatches) need.parameter_sizes.push_back(dispatch.parameters.size());
    segments_[index].bound_for.reset();
    segments_[index].placed_for.reset();
  }
  for (const auto& step : steps_)
    for (const auto& body : step.bodies) {
      HEED_ASSIGN(const MemoryNeed inner, body->measure(symbols));
      need.host_bytes += inner.host_bytes;
      need.device_buffers.insert(need.device_buffers.end(), inner.device_buffers.begin(), inner.device_buffers.end());
      need.parameter_sizes.insert(need.parameter_sizes.end(), inner.parameter_sizes.begin(),
                                  inner.parameter_sizes.end());
      need.is_bound |= inner.is_bound;
      need.unbounded.insert(need.unbounded.end(), inner.unbounded.begin(), inner.unbounded.end());
    }
  return need;
}

}  // namespace heed
