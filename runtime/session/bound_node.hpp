// A node as a kernel's bind and run functions see it: sizes as its frame has bound them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/thread_pool.hpp"
#include "registry/phases.hpp"
#include "session/gpu.hpp"

namespace heed {

class BoundNode : public heed_node {
 public:
  BoundNode(const Graph& graph, const Node& node, const OperatorEntry& op, const std::vector<heed_tensor>& inputs,
            const std::vector<heed_tensor>& outputs, const ThreadPool* threads, const GpuStream* gpu)
      : heed_node(graph, node, op), inputs_(inputs), outputs_(outputs), threads_(threads), gpu_(gpu) {}

  // How many threads scratch is for.
  int32_t prepare_threads() const override { return threads_ ? threads_->thread_count() : 1; }

  heed_tensor bind_input(int32_t input) const override { return at(inputs_, input); }
  heed_tensor bind_output(int32_t output) const override { return at(outputs_, output); }
  bool bind_in_place(int32_t input, int32_t output) const override {
    const heed_tensor a = at(inputs_, input), b = at(outputs_, output);
    if (a.rank != b.rank || !std::equal(a.strides, a.strides + a.rank, b.strides)) return false;
    if (a.data || b.data) return a.data == b.data;
    const heed_value *from = at(input_memory, input), *to = at(output_memory, output);
    return from && to && a.offset == b.offset && same_memory(*from, *to);
  }
  void bind_scratch(size_t size_bytes) override { scratch_bytes = std::max(scratch_bytes, size_bytes); }
  int32_t bind_dispatch(int32_t variant, const void* parameters, size_t size_bytes,
                        const uint32_t workgroups[3], std::span<const heed_window> windows) override {
    const auto* bytes = static_cast<const std::byte*>(parameters);
    dispatches.push_back({variant,
                          {bytes, bytes + size_bytes},
                          {workgroups[0], workgroups[1], workgroups[2]},
                          {windows.begin(), windows.end()}});
    return HEED_OK;
  }
  bool bind_has_kept() const override { return has_kept; }
  uint64_t gpu_capability(heed_text name) const override {
    return gpu_ ? gpu_->capability({name.data, name.size}) : 0;
  }

  size_t scratch_bytes = 0;
  bool has_kept = false;  // on the device
  std::vector<GpuDispatch> dispatches;
  std::vector<heed_value*> input_memory, output_memory;  // of a GPU step: what the tensors lie in; null: absent

 private:
  template <class T>
  static T at(const std::vector<T>& list, int32_t index) {
    return index >= 0 && static_cast<size_t>(index) < list.size() ? list[static_cast<size_t>(index)] : T{};
  }
  const std::vector<heed_tensor>& inputs_;
  const std::vector<heed_tensor>& outputs_;
  const ThreadPool* threads_;
  const GpuStream* gpu_;
};

}  // namespace heed
