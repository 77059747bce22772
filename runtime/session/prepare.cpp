// What a plan needs once per Model: packed weights, constants on the device, pipelines.
#include "session/prepare.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include "base/mapped_file.hpp"
#include "base/thread_pool.hpp"
#include "registry/phases.hpp"
#include "session/bound_node.hpp"
#include "session/gpu.hpp"

namespace heed {
namespace {

// Memory that kernels keep. Blocks of middling size lie side by side in chunks that are large enough for huge pages; a
// chunk goes with the last of them.
class KeptMemory {
 public:
  // Zeros; null where there is no memory.
  std::shared_ptr<void> take(size_t size_bytes) {
    if (size_bytes < least_bytes || size_bytes > chunk_bytes / 4) return zeroed(allocate_host_memory(size_bytes), size_bytes);
    if (chunk_ == nullptr || size_bytes > chunk_bytes - used_) {
      chunk_ = allocate_host_memory(chunk_bytes);
      used_ = 0;
    }
    if (chunk_ == nullptr) return nullptr;
    std::shared_ptr<void> block(chunk_, static_cast<std::byte*>(chunk_.get()) + used_);
    used_ += (size_bytes + 63) / 64 * 64;
    return zeroed(std::move(block), size_bytes);
  }

 private:
  static constexpr size_t least_bytes = 64 * 1024, chunk_bytes = 8 * 1024 * 1024;

  static std::shared_ptr<void> zeroed(std::shared_ptr<void> block, size_t size_bytes) {
    if (block) std::memset(block.get(), 0, size_bytes);
    return block;
  }

  std::shared_ptr<void> chunk_;
  size_t used_ = 0;
};

// What a kernel's prepare function talks to.
struct PreparingNode : heed_node {
  PreparingNode(const Graph& graph, const Node& node, const OperatorEntry& op, const ThreadPool& threads,
                const std::vector<std::pair<std::string, std::string>>& options, KeptMemory& kept)
      : heed_node(graph, node, op), threads(threads), options(options), kept(kept), replaced(node.inputs.size(), false) {}

  void* prepare_keep(size_t size_bytes) override {
    memory.push_back(kept.take(size_bytes));
    if (memory.back()) bytes += size_bytes;
    return memory.back().get();
  }
  void prepare_replaced(int32_t input) override {
    if (input >= 0 && static_cast<size_t>(input) < replaced.size()) replaced[input] = true;
  }
  int32_t prepare_threads() const override { return threads.thread_count(); }
  int32_t prepare_option(heed_text name, heed_text* value) const override {
    for (const auto& [key, content] : options) {
      if (key != std::string_view(name.data, name.size)) continue;
      *value = {content.data(), content.size()};
      return 1;
    }
    return 0;
  }

  const ThreadPool& threads;
  const std::vector<std::pair<std::string, std::string>>& options;
  KeptMemory& kept;
  std::vector<bool> replaced;
  std::vector<std::shared_ptr<void>> memory;
  size_t bytes = 0;
};

// What a GPU kernel's prepare function talks to.
struct DevicePreparingNode : BoundNode {
  DevicePreparingNode(const Graph& graph, const Node& node, const OperatorEntry& op,
                      const std::vector<heed_tensor>& inputs, const GpuStream& gpu)
      : BoundNode(graph, node, op, inputs, none, nullptr, &gpu), replaced(node.inputs.size(), false) {}

  void prepare_replaced(int32_t input) override {
    if (input >= 0 && static_cast<size_t>(input) < replaced.size()) replaced[input] = true;
  }

  const std::vector<heed_tensor> none;
  std::vector<bool> replaced;
};

using Options = std::vector<std::pair<std::string, std::string>>;

class Preparation {
 public:
  Preparation(Plan& plan, ThreadPool& threads, const std::shared_ptr<vulkan::Device>& device, const Options& options)
      : plan_(plan),
        threads_(threads),
        device_(device),
        options_(options),
        prepared_(std::make_unique<PreparedPlan>()) {}

  Result<std::unique_ptr<PreparedPlan>> run() {
    prepared_->plan = &plan_;
    prepared_->steps.resize(plan_.steps.size());
    count_readers();
    for (size_t index = 0; index < plan_.steps.size(); ++index)
      if (auto done = prepare_step(index); !done) return std::move(done).error().within(name_of_step(index));
    HEED_TRY(build_gpu_kernels());
    HEED_TRY(keep_constants());
    HEED_TRY(keep_on_device());
    return std::move(prepared_);
  }

 private:
  std::string name_of_step(size_t index) const {
    const Node& node = plan_.graph->nodes[plan_.steps[index].node];
    return "node '" + node.name + "' (" + node.op_type + ")";
  }

  // On all threads: a driver takes milliseconds for each pipeline.
  Result<void> build_gpu_kernels() {
    std::vector<size_t> indices;
    for (size_t index = 0; index < plan_.steps.size(); ++index)
      if (plan_.steps[index].kind == StepKind::gpu) indices.push_back(index);
    std::vector<std::optional<Error>> errors(indices.size());
    threads_.parallel_for(static_cast<int64_t>(indices.size()), 1, [&](int64_t begin, int64_t end) {
      for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
        auto kernel = make_gpu_kernel(device_, plan_.steps[indices[i]]);
        if (kernel)
          prepared_->steps[indices[i]].gpu = *std::move(kernel);
        else
          errors[i] = std::move(kernel).error();
      }
    });
    for (size_t i = 0; i < indices.size(); ++i)
      if (errors[i]) return std::move(*errors[i]).within(name_of_step(indices[i]));
    return {};
  }

  // How many steps read the bytes of each constant, also through views of it.
  void count_readers() {
    readers_.assign(plan_.slots.size(), 0);
    for (const Step& step : plan_.steps) {
      for (const SlotId slot : step.inputs)
        if (slot != no_id) ++readers_[plan_.slots[slot].root];
      for (const SlotId slot : step.captured) ++readers_[plan_.slots[slot].root];
    }
    for (const SlotId slot : plan_.outputs) ++readers_[plan_.slots[slot].root];
  }

  Result<void> prepare_step(size_t index) {
    const Step& step = plan_.steps[index];
    PreparedStep& prepared = prepared_->steps[index];
    for (const auto& body : step.bodies) {
      HEED_ASSIGN(auto ready, prepare(*body, threads_, device_, options_));
      prepared_->bytes += ready->bytes;
      prepared.bodies.push_back(std::move(ready));
    }
    if (step.kind != StepKind::cpu || !step.cpu->prepare) return {};
    PreparingNode node(*plan_.graph, plan_.graph->nodes[step.node], *step.op, threads_, options_, kept_);
    void* kept = nullptr;
    HEED_TRY(call_plugin([&] { return step.cpu->prepare(&node, &kept, step.cpu->user); }));
    prepared.kept = kept;
    prepared.memory = std::move(node.memory);
    prepared_->bytes += node.bytes;
    for (size_t input = 0; input < node.replaced.size(); ++input) {
      const SlotId slot = step.inputs[input];
      if (!node.replaced[input] || slot == no_id || plan_.slots[slot].store != Store::constant) continue;
      if (--readers_[slot] == 0) let_go(slot);
    }
    return {};
  }

  // Pages of a mapped file are dropped; memory of its own goes with its last owner.
  void let_go(SlotId slot) {
    auto& constant = plan_.graph->values[plan_.slots[slot].value].constant;
    if (constant->mapped && shared_bytes(*constant) == 1)
      MappedFile::drop_mapped_pages({constant->data, constant->size_bytes});
    Tensor shell = *constant;
    shell.owner.reset();
    shell.data = nullptr;
    shell.size_bytes = 0;
    if (shared_bytes(*constant) == 1) constant = std::make_shared<const Tensor>(std::move(shell));
  }

  // How many constant slots with readers look at these bytes.
  int32_t shared_bytes(const Tensor& tensor) const {
    int32_t count = 1;
    for (const Slot& slot : plan_.slots) {
      if (slot.store != Store::constant || readers_[slot.root] == 0) continue;
      const auto& other = plan_.graph->values[slot.value].constant;
      if (other && other->data == tensor.data) ++count;
    }
    return count;
  }

  Result<void> keep_constants() {
    std::unique_ptr<GpuStream> gpu;
    size_t device_bytes = 0;
    for (SlotId id = 0; id < plan_.slots.size(); ++id)
      if (const Slot& slot = plan_.slots[id]; slot.store == Store::constant && slot.location == Location::vulkan)
        device_bytes += readers_[id] ? plan_.graph->values[slot.value].constant->size_bytes : 0;
    if (device_) HEED_TRY(check_room(*device_, "the weights", device_bytes));
    prepared_->constants.resize(plan_.slots.size());
    for (SlotId id = 0; id < plan_.slots.size(); ++id) {
      const Slot& slot = plan_.slots[id];
      if (slot.store != Store::constant || readers_[id] == 0) continue;
      const Tensor& tensor = *plan_.graph->values[slot.value].constant;
      prepared_->bytes += tensor.size_bytes;
      SharedValue value = value_of(tensor);
      if (slot.location == Location::vulkan) {
        if (!gpu) {
          HEED_ASSIGN(gpu, GpuStream::create(device_));
        }
        HEED_ASSIGN(const Tensor dense, tensor_of(*value.get()));
        HEED_ASSIGN(value, gpu->moved(*value_of(dense).get(), Location::vulkan));
      }
      prepared_->constants[id] = std::move(value);
    }
    return gpu ? gpu->wait() : Result<void>();
  }

  // What GPU kernels make of constants.
  Result<void> keep_on_device() {
    std::unique_ptr<GpuStream> gpu;
    for (size_t index = 0; index < plan_.steps.size(); ++index) {
      const Step& step = plan_.steps[index];
      if (step.kind != StepKind::gpu || !step.gpu->prepare) continue;
      if (!gpu) {
        HEED_ASSIGN(gpu, GpuStream::create(device_));
      }
      if (auto done = keep_of_step(index, *gpu); !done) return std::move(done).error().within(name_of_step(index));
    }
    if (!gpu) return {};
    HEED_TRY(gpu->wait());
    for (SlotId id = 0; id < plan_.slots.size(); ++id)
      if (heed_value* unread = readers_[id] == 0 ? prepared_->constants[id].get() : nullptr; unread && unread->on_device) {
        unread->storage.reset();  // its sizes stay
        prepared_->bytes -= plan_.graph->values[plan_.slots[id].value].constant->size_bytes;
      }
    return {};
  }

  Result<void> keep_of_step(size_t index, GpuStream& gpu) {
    const Step& step = plan_.steps[index];
    std::vector<heed_tensor> inputs;
    std::vector<heed_value*> memory;
    for (const SlotId slot : step.inputs) {
      heed_value* value = slot == no_id ? nullptr : prepared_->constants[slot].get();
      memory.push_back(value);
      inputs.push_back(!value ? heed_tensor{}
                              : heed_tensor{nullptr, value->dims.data(), value->strides.data(), value->offset,
                                            static_cast<int32_t>(value->dims.size()),
                                            static_cast<int32_t>(value->element)});
    }
    DevicePreparingNode node(*plan_.graph, plan_.graph->nodes[step.node], *step.op, inputs, gpu);
    HEED_TRY(call_plugin([&] { return step.gpu->prepare(&node, step.gpu->user); }));
    if (node.scratch_bytes == 0) return {};
    HEED_TRY(check_room(*device_, "what is made of the weights", node.scratch_bytes));
    const int64_t dims[] = {static_cast<int64_t>(node.scratch_bytes)};
    HEED_ASSIGN(SharedValue kept, gpu.new_tensor(DataType::u8, dims));
    HEED_TRY(gpu.run(*prepared_->steps[index].gpu, node.dispatches, memory, {}, nullptr, kept.get(), no_id,
                     static_cast<int64_t>(node.scratch_bytes), 0));
    prepared_->steps[index].kept_on_device = std::move(kept);
    prepared_->bytes += node.scratch_bytes;
    for (size_t input = 0; input < node.replaced.size(); ++input)
      if (node.replaced[input] && memory[input]) --readers_[step.inputs[input]];
    return {};
  }

  Plan& plan_;
  ThreadPool& threads_;
  const std::shared_ptr<vulkan::Device>& device_;
  const Options& options_;
  KeptMemory kept_;
  std::unique_ptr<PreparedPlan> prepared_;
  std::vector<int32_t> readers_;  // by slot
};

}  // namespace

PreparedStep::PreparedStep() = default;
PreparedStep::PreparedStep(PreparedStep&&) noexcept = default;
PreparedStep::~PreparedStep() = default;

Result<std::unique_ptr<PreparedPlan>> prepare(Plan& plan, ThreadPool& threads,
                                              const std::shared_ptr<vulkan::Device>& device,
                                              const Options& kernel_options) {
  return Preparation(plan, threads, device, kernel_options).run();
}

}  // namespace heed
