// Recording: command buffers, their descriptor sets, parameters and barriers.
#include "vulkan/recording.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_set>
#include <vector>

#include "vulkan/device_content.hpp"
#include "vulkan/hazards.hpp"
#include "vulkan/pipeline.hpp"

namespace heed::vulkan {
namespace {

constexpr uint32_t sets_per_pool = 128;
constexpr uint32_t buffers_per_set = 8;  // on average
constexpr uint64_t parameter_chunk_bytes = 64 << 10;
constexpr uint64_t staging_piece_bytes = uint64_t{8} << 20;
constexpr uint64_t spare_bytes = binding_alignment_bytes;  // bound where a tensor is empty

// Host memory that the device reads, handed out from front to back and all taken back at once.
class HostBytes {
 public:
  explicit HostBytes(MemoryUse use) : use_(use) {}

  Result<BufferRange> take(const std::shared_ptr<Device>& device, uint64_t size_bytes) {
    while (current_ < chunks_.size() && chunks_[current_]->size_bytes() - used_bytes_ < size_bytes) {
      ++current_;
      used_bytes_ = 0;
    }
    if (current_ == chunks_.size()) {
      HEED_ASSIGN(auto chunk, Buffer::create(device, std::max(size_bytes, parameter_chunk_bytes), use_));
      chunks_.push_back(std::move(chunk));
      used_bytes_ = 0;
    }
    const BufferRange range{chunks_[current_].get(), used_bytes_, size_bytes};
    used_bytes_ += (size_bytes + binding_alignment_bytes - 1) / binding_alignment_bytes * binding_alignment_bytes;
    used_bytes_ = std::min(used_bytes_, chunks_[current_]->size_bytes());
    return range;
  }
  void reset() {
    // Large chunks served one upload; the first small one serves every run.
    std::erase_if(chunks_, [](const auto& chunk) { return chunk->size_bytes() > parameter_chunk_bytes; });
    current_ = 0;
    used_bytes_ = 0;
  }

 private:
  MemoryUse use_;
  std::vector<std::shared_ptr<Buffer>> chunks_;
  size_t current_ = 0;
  uint64_t used_bytes_ = 0;
};

struct Read {
  BufferRange from;
  std::span<std::byte> to;
};

// One command buffer with all that must live until it has been executed.
struct Batch {
  VkCommandBuffer commands = VK_NULL_HANDLE;
  uint64_t value = 0;  // of the timeline, when it has been executed; 0: not submitted
  std::vector<VkDescriptorPool> pools;
  size_t current_pool = 0;
  HostBytes parameters{MemoryUse::parameters};
  HostBytes staging{MemoryUse::upload};
  std::unordered_set<const Buffer*> kept_once;
  std::vector<std::shared_ptr<const void>> kept;
};

}  // namespace

struct Recording::Content {
  explicit Content(const std::shared_ptr<Device>& shared) : device(shared), gpu(shared->content()), vk(gpu.vk) {}
  ~Content();

  std::shared_ptr<Device> device;
  Device::Content& gpu;
  const DeviceFunctions& vk;
  VkCommandPool command_pool = VK_NULL_HANDLE;
  std::vector<std::unique_ptr<Batch>> batches;
  Batch* open = nullptr;  // being recorded
  uint64_t last_value = 0;  // of the last submission
  Hazards hazards;
  std::vector<Read> reads;      // device ranges that the next wait() fetches
  std::shared_ptr<Buffer> spare;
  std::vector<Access> accesses;  // of the command being recorded; kept for its memory
  std::vector<VkDescriptorBufferInfo> buffer_infos;
  std::vector<VkWriteDescriptorSet> set_writes;
  uint64_t dispatches = 0, barriers = 0, submissions = 0;

  Result<Batch*> begin();
  Result<void> recycle(Batch& batch);
  void keep(Batch& batch, const Buffer& buffer);
  Result<void> check_range(BufferRange range, const char* what) const;
  Access access(BufferRange range, bool reads, bool writes) const;
  void order(VkCommandBuffer commands, std::span<const Access> command);
  void barrier(VkCommandBuffer commands, VkPipelineStageFlags to_stages, VkAccessFlags to);
  Result<VkDescriptorSet> take_set(Batch& batch, VkDescriptorSetLayout layout);
  Result<void> add_pool(Batch& batch);
  Result<void> copy(BufferRange from, BufferRange to);
  Result<void> fetch();
  Result<void> submit();
};

Recording::Content::~Content() {
  // A device that is lost answers at once; there is nobody left to tell.
  if (last_value) (void)gpu.wait_for(last_value);
  for (auto& batch : batches)
    for (const auto pool : batch->pools) vk.DestroyDescriptorPool(gpu.handle, pool, nullptr);
  if (command_pool) vk.DestroyCommandPool(gpu.handle, command_pool, nullptr);
}

// ---- batches ----------------------------------------------------------------------------------------------------------

Result<void> Recording::Content::recycle(Batch& batch) {
  for (const auto pool : batch.pools)
    HEED_TRY(check(vk.ResetDescriptorPool(gpu.handle, pool, 0), "vkResetDescriptorPool"));
  batch.current_pool = 0;
  batch.parameters.reset();
  batch.staging.reset();
  batch.kept_once.clear();
  batch.kept.clear();
  batch.value = 0;
  return {};
}

// The batch that is being recorded: one whose commands have been executed, or a new one.
Result<Batch*> Recording::Content::begin() {
  if (open) return open;
  Batch* batch = nullptr;
  uint64_t executed = 0;
  HEED_TRY(check(vk.GetSemaphoreCounterValue(gpu.handle, gpu.timeline, &executed), "vkGetSemaphoreCounterValue"));
  for (auto& candidate : batches)
    if (candidate->value <= executed) {
      batch = candidate.get();
      break;
    }
  if (!batch) {
    auto fresh = std::make_unique<Batch>();
    const VkCommandBufferAllocateInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, nullptr, command_pool,
                                           VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    HEED_TRY(check(vk.AllocateCommandBuffers(gpu.handle, &info, &fresh->commands), "vkAllocateCommandBuffers"));
    batches.push_back(std::move(fresh));
    batch = batches.back().get();
  }
  HEED_TRY(recycle(*batch));
  const VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, nullptr,
                                      VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, nullptr};
  HEED_TRY(check(vk.BeginCommandBuffer(batch->commands, &info), "vkBeginCommandBuffer"));
  open = batch;
  // Behind all that was submitted before, by any recording of the device.
  barrier(batch->commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
          VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
              VK_ACCESS_TRANSFER_WRITE_BIT);
  hazards.clear();
  return batch;
}

void Recording::Content::keep(Batch& batch, const Buffer& buffer) {
  if (batch.kept_once.insert(&buffer).second) batch.kept.push_back(buffer.shared_from_this());
}

void Recording::Content::barrier(VkCommandBuffer commands, VkPipelineStageFlags to_stages, VkAccessFlags to) {
  const VkMemoryBarrier memory{VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr,
                               VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, to};
  vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, to_stages, 0, 1,
                        &memory, 0, nullptr, 0, nullptr);
}

// Puts a barrier before a command that needs one.
void Recording::Content::order(VkCommandBuffer commands, std::span<const Access> command) {
  if (!hazards.add(command)) return;
  ++barriers;
  barrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT,
          VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_READ_BIT |
              VK_ACCESS_TRANSFER_WRITE_BIT);
}

Result<void> Recording::Content::check_range(BufferRange range, const char* what) const {
  if (!range.buffer || range.size_bytes == 0) return {};
  if (range.buffer->device() != device)
    return Error{Code::invalid_argument, std::string(what) + " lies on another device"};
  if (range.offset_bytes > range.buffer->size_bytes() || range.size_bytes > range.buffer->size_bytes() - range.offset_bytes)
    return Error{Code::invalid_argument, std::string(what) + " of " + std::to_string(range.size_bytes) + " bytes at " +
                                             std::to_string(range.offset_bytes) + " reaches past its buffer of " +
                                             std::to_string(range.buffer->size_bytes()) + " bytes"};
  return {};
}

Access Recording::Content::access(BufferRange range, bool reads, bool writes) const {
  const uint64_t begin = range.buffer->block_offset_bytes() + range.offset_bytes;
  return {range.buffer->block(), begin, begin + range.size_bytes, reads, writes};
}

// ---- dispatches -------------------------------------------------------------------------------------------------------

Result<void> Recording::Content::add_pool(Batch& batch) {
  const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, sets_per_pool * buffers_per_set};
  const VkDescriptorPoolCreateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, nullptr, 0, sets_per_pool, 1, &size};
  VkDescriptorPool pool = VK_NULL_HANDLE;
  HEED_TRY(check(vk.CreateDescriptorPool(gpu.handle, &info, nullptr, &pool), "vkCreateDescriptorPool"));
  batch.pools.push_back(pool);
  return {};
}

Result<VkDescriptorSet> Recording::Content::take_set(Batch& batch, VkDescriptorSetLayout layout) {
  for (bool fresh = false;; ++batch.current_pool) {
    if (batch.current_pool == batch.pools.size()) {
      HEED_TRY(add_pool(batch));
      fresh = true;
    }
    const VkDescriptorSetAllocateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, nullptr,
                                           batch.pools[batch.current_pool], 1, &layout};
    VkDescriptorSet set = VK_NULL_HANDLE;
    const VkResult result = vk.AllocateDescriptorSets(gpu.handle, &info, &set);
    if (result == VK_SUCCESS) return set;
    const bool full = result == VK_ERROR_OUT_OF_POOL_MEMORY || result == VK_ERROR_FRAGMENTED_POOL;
    if (!full || fresh) return check(result, "vkAllocateDescriptorSets").error();
  }
}

Result<void> Recording::dispatch(const std::shared_ptr<const Pipeline>& pipeline, std::span<const BoundRange> bindings,
                                 std::span<const std::byte> parameters, const uint32_t workgroups[3]) {
  auto& c = *content_;
  if (bindings.size() != pipeline->binding_count())
    return Error{Code::invalid_argument, "a shader with " + std::to_string(pipeline->binding_count()) +
                                             " bindings was given " + std::to_string(bindings.size())};
  for (int axis = 0; axis < 3; ++axis)
    if (workgroups[axis] == 0) return {};
  for (int axis = 0; axis < 3; ++axis)
    if (workgroups[axis] > c.gpu.limits.maxComputeWorkGroupCount[axis])
      return Error{Code::unsupported, std::to_string(workgroups[axis]) + " workgroups along axis " + std::to_string(axis) +
                                          "; " + c.gpu.info.name + " allows " +
                                          std::to_string(c.gpu.limits.maxComputeWorkGroupCount[axis])};
  for (const auto& [range, reads, writes] : bindings) {
    HEED_TRY(c.check_range(range, "a binding"));
    if (range.offset_bytes % binding_alignment_bytes != 0)
      return Error{Code::invalid_argument, "a binding begins at byte " + std::to_string(range.offset_bytes) +
                                               ", which is no multiple of " + std::to_string(binding_alignment_bytes)};
    if (range.size_bytes > c.gpu.limits.maxStorageBufferRange)
      return Error{Code::unsupported, "a tensor of " + std::to_string(range.size_bytes) + " bytes; " + c.gpu.info.name +
                                          " binds at most " + std::to_string(c.gpu.limits.maxStorageBufferRange)};
  }
  HEED_ASSIGN(Batch* batch, c.begin());

  // Without parameters their buffer is bound all the same.
  HEED_ASSIGN(const auto written, batch->parameters.take(c.device, std::max<uint64_t>(parameters.size(), 4)));
  if (!parameters.empty())
    std::memcpy(written.buffer->mapped() + written.offset_bytes, parameters.data(), parameters.size());
  c.accesses.clear();
  c.buffer_infos.clear();
  for (const auto& [range, reads, writes] : bindings) {
    const bool empty = !range.buffer || range.size_bytes == 0;
    const BufferRange bound = empty ? BufferRange{c.spare.get(), 0, spare_bytes} : range;
    // Shaders read whole words, also at the end of a tensor of bytes: buffers are rounded up further than that.
    const uint64_t bound_bytes = std::min<uint64_t>((bound.size_bytes + 3) / 4 * 4, c.gpu.limits.maxStorageBufferRange);
    c.buffer_infos.push_back({bound.buffer->block()->buffer, bound.buffer->block_offset_bytes() + bound.offset_bytes,
                              bound_bytes});
    if (empty) continue;
    c.accesses.push_back(c.access(range, reads, writes));
    c.keep(*batch, *range.buffer);
  }
  c.buffer_infos.push_back({written.buffer->block()->buffer, written.buffer->block_offset_bytes() + written.offset_bytes,
                            written.size_bytes});
  HEED_ASSIGN(const VkDescriptorSet set, c.take_set(*batch, pipeline->set_layout()));
  c.set_writes.clear();
  for (uint32_t binding = 0; binding < c.buffer_infos.size(); ++binding)
    c.set_writes.push_back({VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, nullptr, set, binding, 0, 1,
                            VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, nullptr, &c.buffer_infos[binding], nullptr});
  c.vk.UpdateDescriptorSets(c.gpu.handle, static_cast<uint32_t>(c.set_writes.size()), c.set_writes.data(), 0, nullptr);

  c.order(batch->commands, c.accesses);
  c.vk.CmdBindPipeline(batch->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->handle());
  c.vk.CmdBindDescriptorSets(batch->commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline->layout(), 0, 1, &set, 0, nullptr);
  c.vk.CmdDispatch(batch->commands, workgroups[0], workgroups[1], workgroups[2]);
  batch->kept.push_back(pipeline);
  ++c.dispatches;
  return {};
}

// ---- copies -----------------------------------------------------------------------------------------------------------

Result<void> Recording::Content::copy(BufferRange from, BufferRange to) {
  HEED_TRY(check_range(from, "the source of a copy"));
  HEED_TRY(check_range(to, "the destination of a copy"));
  if (from.size_bytes != to.size_bytes)
    return Error{Code::invalid_argument, "a copy of " + std::to_string(from.size_bytes) + " bytes to " +
                                             std::to_string(to.size_bytes)};
  if (from.size_bytes == 0) return {};
  HEED_ASSIGN(Batch* batch, begin());
  keep(*batch, *from.buffer);
  keep(*batch, *to.buffer);
  const Access command[] = {access(from, true, false), access(to, false, true)};
  order(batch->commands, command);
  const VkBufferCopy region{command[0].begin, command[1].begin, from.size_bytes};
  vk.CmdCopyBuffer(batch->commands, from.buffer->block()->buffer, to.buffer->block()->buffer, 1, &region);
  return {};
}

Result<void> Recording::copy(BufferRange from, BufferRange to) { return content_->copy(from, to); }

Result<void> Recording::fill(BufferRange to, uint32_t word) {
  auto& c = *content_;
  HEED_TRY(c.check_range(to, "what is filled"));
  if (to.offset_bytes % 4 != 0 || to.size_bytes % 4 != 0)
    return Error{Code::invalid_argument, "a fill of " + std::to_string(to.size_bytes) + " bytes at " +
                                             std::to_string(to.offset_bytes) + "; both must be multiples of 4"};
  if (to.size_bytes == 0) return {};
  HEED_ASSIGN(Batch* batch, c.begin());
  c.keep(*batch, *to.buffer);
  const Access command[] = {c.access(to, false, true)};
  c.order(batch->commands, command);
  c.vk.CmdFillBuffer(batch->commands, to.buffer->block()->buffer, command[0].begin, to.size_bytes, word);
  return {};
}

Result<void> Recording::write(BufferRange to, std::span<const std::byte> bytes) {
  auto& c = *content_;
  if (bytes.empty()) return {};
  HEED_ASSIGN(Batch* batch, c.begin());
  HEED_ASSIGN(const auto staged, batch->staging.take(c.device, bytes.size()));
  std::memcpy(staged.buffer->mapped() + staged.offset_bytes, bytes.data(), bytes.size());
  return c.copy(staged, to);
}

Result<void> Recording::read(BufferRange from, std::span<std::byte> to) {
  HEED_TRY(content_->check_range(from, "what is read"));
  if (from.size_bytes != to.size())
    return Error{Code::invalid_argument, "a read of " + std::to_string(from.size_bytes) + " bytes into " +
                                             std::to_string(to.size())};
  if (!to.empty()) content_->reads.push_back({from, to});
  return {};
}

// ---- submitting -------------------------------------------------------------------------------------------------------

Result<void> Recording::Content::submit() {
  if (!open) return {};
  Batch& batch = *open;
  // What the host reads from mapped memory when it has waited.
  barrier(batch.commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
  open = nullptr;
  HEED_TRY(check(vk.EndCommandBuffer(batch.commands), "vkEndCommandBuffer"));

  const std::lock_guard lock(gpu.queue_mutex);
  const uint64_t value = gpu.submitted_value + 1;
  const VkTimelineSemaphoreSubmitInfo timeline{VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, nullptr, 0, nullptr, 1,
                                               &value};
  const VkSubmitInfo info{VK_STRUCTURE_TYPE_SUBMIT_INFO, &timeline, 0, nullptr, nullptr, 1, &batch.commands, 1,
                          &gpu.timeline};
  HEED_TRY(check(vk.QueueSubmit(gpu.queue, 1, &info, VK_NULL_HANDLE), "vkQueueSubmit"));
  gpu.submitted_value = value;
  last_value = batch.value = value;
  ++submissions;
  return {};
}

Result<void> Recording::submit() { return content_->submit(); }

// Submits what is recorded with the reads behind it, waits, and hands the bytes over.
Result<void> Recording::Content::fetch() {
  std::vector<std::shared_ptr<Buffer>> kept;  // until the bytes are copied
  std::vector<Read> arriving;
  for (const auto& [from, to] : std::exchange(reads, {})) {
    kept.push_back(from.buffer->shared_from_this());
    if (from.buffer->mapped()) {
      arriving.push_back({from, to});
      continue;
    }
    HEED_ASSIGN(auto landing, Buffer::create(device, to.size(), MemoryUse::readback));
    HEED_TRY(copy(from, whole(landing)));
    arriving.push_back({whole(landing), to});
    kept.push_back(std::move(landing));
  }
  HEED_TRY(submit());
  if (last_value) HEED_TRY(gpu.wait_for(last_value));
  for (const auto& [from, to] : arriving) std::memcpy(to.data(), from.buffer->mapped() + from.offset_bytes, to.size());
  return {};
}

Result<void> Recording::wait() { return content_->fetch(); }

void Recording::discard() {
  content_->reads.clear();
  content_->open = nullptr;  // begin() recycles it: beginning a command buffer again drops what it held
}

uint64_t Recording::dispatch_count() const { return content_->dispatches; }
uint64_t Recording::barrier_count() const { return content_->barriers; }
uint64_t Recording::submission_count() const { return content_->submissions; }

Recording::Recording() = default;
Recording::~Recording() = default;

Result<std::unique_ptr<Recording>> Recording::create(const std::shared_ptr<Device>& device) {
  std::unique_ptr<Recording> recording(new Recording);
  recording->content_ = std::make_unique<Content>(device);
  auto& c = *recording->content_;
  const VkCommandPoolCreateInfo info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, nullptr,
                                     VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, c.gpu.queue_family};
  HEED_TRY(check(c.vk.CreateCommandPool(c.gpu.handle, &info, nullptr, &c.command_pool), "vkCreateCommandPool"));
  HEED_ASSIGN(c.spare, Buffer::create(device, spare_bytes));
  return recording;
}

Result<void> write_now(const std::shared_ptr<Device>& device, BufferRange to, std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  if (bytes.size() != to.size_bytes || to.offset_bytes > to.buffer->size_bytes() ||
      to.size_bytes > to.buffer->size_bytes() - to.offset_bytes)
    return Error{Code::invalid_argument, "a write of " + std::to_string(bytes.size()) + " bytes to a range of " +
                                             std::to_string(to.size_bytes)};
  if (to.buffer->mapped()) {
    std::memcpy(to.buffer->mapped() + to.offset_bytes, bytes.data(), bytes.size());
    return {};
  }
  HEED_ASSIGN(auto recording, Recording::create(device));
  for (uint64_t begin = 0; begin < bytes.size(); begin += staging_piece_bytes) {
    const uint64_t size = std::min<uint64_t>(staging_piece_bytes, bytes.size() - begin);
    HEED_TRY(recording->write({to.buffer, to.offset_bytes + begin, size}, bytes.subspan(begin, size)));
    HEED_TRY(recording->wait());
  }
  return {};
}

}  // namespace heed::vulkan
