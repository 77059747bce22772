// Recording: lists of commands, and the command buffers, descriptor sets, parameters and barriers that they become.
#include "vulkan/recording.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <cstring>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "vulkan/device_content.hpp"
#include "vulkan/hazards.hpp"
#include "vulkan/pipeline.hpp"

namespace heed::vulkan {
namespace {

constexpr uint32_t sets_per_pool = 128;
constexpr uint32_t buffers_per_set = 8;  // on average
constexpr uint64_t least_half_bytes = uint64_t{512} << 10;  // of a ring; two are the pools' usual block
constexpr uint64_t most_half_bytes = uint64_t{4} << 20;     // takes the host as long to fill as a hundred submissions
constexpr size_t most_listed_commands = 4096;               // then they are submitted
constexpr size_t most_batches = 8;                          // kept; a run with more pauses records some of them again
constexpr uint64_t spare_bytes = binding_alignment_bytes;   // bound where a tensor is empty

uint64_t aligned(uint64_t size_bytes) {
  return (size_bytes + binding_alignment_bytes - 1) / binding_alignment_bytes * binding_alignment_bytes;
}

enum class CommandKind : uint8_t { dispatch, copy, fill, mark };

struct Command {
  CommandKind kind = CommandKind::dispatch;
  uint32_t first_access = 0, access_count = 0;  // in List::accesses
  const Pipeline* pipeline = nullptr;           // of a dispatch
  uint32_t workgroups[3] = {0, 0, 0};
  uint32_t word = 0;                                        // of a fill; of a mark, which one
  uint64_t parameters_offset = 0, parameters_bytes = 0;     // of a dispatch, in List::parameters
  friend bool operator==(const Command&, const Command&) = default;
};

// What was asked for since the last submission. Equal commands and accesses make equal command buffers, whatever the
// parameters hold.
struct List {
  std::vector<Command> commands;
  std::vector<Access> accesses;
  std::vector<std::byte> parameters;
  std::vector<uint64_t> tags;  // of marks
  std::unordered_set<const void*> kept_once;
  std::vector<std::shared_ptr<const void>> kept;  // pipelines and buffers

  void clear() {
    commands.clear();
    accesses.clear();
    parameters.clear();
    tags.clear();
    kept_once.clear();
    kept.clear();
  }
  bool records_as(const List& other) const { return commands == other.commands && accesses == other.accesses; }
  void keep(const std::shared_ptr<const void>& owner) {
    if (kept_once.insert(owner.get()).second) kept.push_back(owner);
  }
  uint64_t add_parameters(std::span<const std::byte> bytes, uint64_t least_bytes) {
    const uint64_t offset = parameters.size();
    parameters.resize(aligned(offset + std::max<uint64_t>(bytes.size(), least_bytes)));
    std::copy(bytes.begin(), bytes.end(), parameters.begin() + static_cast<std::ptrdiff_t>(offset));
    return offset;
  }
};

// A list as a command buffer, with all that must live until it has been executed. Kept to be submitted again.
struct Batch {
  VkCommandBuffer commands = VK_NULL_HANDLE;
  uint64_t value = 0;  // of the timeline, when it has been executed; 0: not submitted
  List list;           // empty: nothing is recorded
  std::shared_ptr<Buffer> parameters;
  VkQueryPool queries = VK_NULL_HANDLE;  // when it began, and one for each mark; null: it has no marks
  std::vector<VkDescriptorPool> pools;
  size_t current_pool = 0;
  uint64_t barrier_count = 0;
};

struct Read {
  BufferRange from;
  std::span<std::byte> to;
};

// Host memory through which bytes go to the device, or come from it: one half is the host's while the other is the
// device's. It begins at its start when the device has done all, so that equal runs find equal places.
struct Ring {
  MemoryUse use;
  std::shared_ptr<Buffer> buffer = nullptr;
  size_t half = 0;              // the host's
  uint64_t filled_bytes = 0;    // of it
  uint64_t values[2] = {0, 0};  // of the timeline, when the device is done with each half

  uint64_t half_bytes() const { return buffer ? buffer->size_bytes() / 2 : 0; }
  void restart() { half = filled_bytes = values[0] = values[1] = 0; }
};

}  // namespace

struct Recording::Content {
  Content(const std::shared_ptr<Device>& shared, const Stop* stop)
      : device(shared), stop(stop), gpu(shared->content()), vk(gpu.vk) {}
  ~Content();

  std::shared_ptr<Device> device;
  const Stop* stop;
  Device::Content& gpu;
  const DeviceFunctions& vk;
  VkCommandPool command_pool = VK_NULL_HANDLE;
  List open;                                    // being listed
  std::vector<std::unique_ptr<Batch>> batches;  // the one submitted last is the last
  uint64_t last_value = 0;                      // of the last submission that nobody waited for
  double open_work = 0, submitted_work = 0;     // of what is listed, and since the last wait()
  std::chrono::steady_clock::time_point begin;  // of the first submission since
  uint64_t cut_value = 0;                       // of the last submission that add_work made
  std::vector<Read> reads;                      // device ranges that the next wait() fetches
  std::vector<Batch*> marked;                   // submitted since the last wait(), in order; they have marks
  std::vector<Mark> marks;                      // that were passed and not taken
  std::shared_ptr<Buffer> spare;
  Ring uploads{MemoryUse::upload}, landing{MemoryUse::readback};
  std::vector<VkDescriptorBufferInfo> buffer_infos;
  std::vector<VkWriteDescriptorSet> set_writes;
  uint64_t dispatches = 0, barriers = 0, submissions = 0, recordings = 0;

  Result<void> check_range(BufferRange range, const char* what) const;
  Result<void> check_bound(uint64_t size_bytes) const;
  void add_access(Command& command, BufferRange range, bool reads, bool writes);
  Result<void> add(Command command);
  Result<void> copy(BufferRange from, BufferRange to);
  Result<bool> is_in_use(BufferRange range) const;
  Result<void> make_room(Ring& ring, uint64_t size_bytes);
  BufferRange take(Ring& ring, uint64_t most_bytes);
  Result<void> turn(Ring& ring);
  Result<Batch*> take_batch();
  Result<void> forget(Batch& batch);
  Result<void> record(Batch& batch);
  Result<void> record_dispatch(Batch& batch, const Command& command, std::span<const Access> accesses);
  void barrier(VkCommandBuffer commands, VkPipelineStageFlags to_stages, VkAccessFlags to);
  Result<VkDescriptorSet> take_set(Batch& batch, VkDescriptorSetLayout layout);
  Result<void> add_pool(Batch& batch);
  Result<void> submit();
  Result<void> wait();
  Result<void> fetch();
  Result<void> forget();
  Result<void> read_marks();
};

Recording::Content::~Content() {
  // A device that is lost answers at once; there is nobody left to tell.
  if (last_value) (void)gpu.wait_for(last_value, nullptr);
  if (gpu.hangs) return;
  for (auto& batch : batches) {
    for (const auto pool : batch->pools) vk.DestroyDescriptorPool(gpu.handle, pool, nullptr);
    if (batch->queries) vk.DestroyQueryPool(gpu.handle, batch->queries, nullptr);
  }
  if (command_pool) vk.DestroyCommandPool(gpu.handle, command_pool, nullptr);
}

// ---- listing ----------------------------------------------------------------------------------------------------------

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

// Whatever a shader sees passes here.
Result<void> Recording::Content::check_bound(uint64_t size_bytes) const {
  const uint64_t most_bytes = gpu.info.capabilities.max_binding_bytes;
  if (size_bytes <= most_bytes) return {};
  return Error{Code::unsupported, "a binding of " + std::to_string(size_bytes) + " bytes; " + gpu.info.name +
                                      " takes at most " + std::to_string(most_bytes) + " (max_binding_bytes)"};
}

void Recording::Content::add_access(Command& command, BufferRange range, bool reads, bool writes) {
  const uint64_t begin = range.buffer->block_offset_bytes() + range.offset_bytes;
  if (command.access_count++ == 0) command.first_access = static_cast<uint32_t>(open.accesses.size());
  open.accesses.push_back({range.buffer->block(), begin, begin + range.size_bytes, reads, writes});
  open.keep(range.buffer->shared_from_this());
}

Result<void> Recording::Content::add(Command command) {
  open.commands.push_back(command);
  if (open.commands.size() < most_listed_commands) return {};
  HEED_TRY(submit());
  return {};
}

Result<void> Recording::dispatch(const std::shared_ptr<const Pipeline>& pipeline, std::span<const BoundRange> bindings,
                                 std::span<const std::byte> parameters, const uint32_t workgroups[3]) {
  auto& c = *content_;
  if (bindings.size() != pipeline->binding_count())
    return Error{Code::invalid_argument, "a shader with " + std::to_string(pipeline->binding_count()) +
                                             " bindings was given " + std::to_string(bindings.size())};
  for (int axis = 0; axis < 3; ++axis)
    if (workgroups[axis] == 0) return {};
  const auto& can = c.gpu.info.capabilities;
  const uint64_t most_workgroups[] = {can.max_workgroups_x, can.max_workgroups_y, can.max_workgroups_z};
  for (int axis = 0; axis < 3; ++axis)
    if (workgroups[axis] > most_workgroups[axis])
      return Error{Code::unsupported, std::to_string(workgroups[axis]) + " workgroups along axis " +
                                          std::to_string(axis) + "; " + c.gpu.info.name + " allows " +
                                          std::to_string(most_workgroups[axis])};
  for (const auto& [range, reads, writes] : bindings) {
    HEED_TRY(c.check_range(range, "a binding"));
    if (range.offset_bytes % binding_alignment_bytes != 0)
      return Error{Code::invalid_argument, "a binding begins at byte " + std::to_string(range.offset_bytes) +
                                               ", which is no multiple of " + std::to_string(binding_alignment_bytes)};
    HEED_TRY(c.check_bound(range.size_bytes));
  }
  HEED_TRY(c.check_bound(parameters.size()));
  Command command;
  command.pipeline = pipeline.get();
  std::copy_n(workgroups, 3, command.workgroups);
  for (const auto& [range, reads, writes] : bindings) {
    const bool empty = !range.buffer || range.size_bytes == 0;
    c.add_access(command, empty ? whole(c.spare) : range, reads && !empty, writes && !empty);
  }
  // Without parameters their buffer is bound all the same.
  command.parameters_bytes = std::max<uint64_t>(parameters.size(), 4);
  command.parameters_offset = c.open.add_parameters(parameters, command.parameters_bytes);
  c.open.keep(pipeline);
  ++c.dispatches;
  return c.add(command);
}

Result<void> Recording::Content::copy(BufferRange from, BufferRange to) {
  HEED_TRY(check_range(from, "the source of a copy"));
  HEED_TRY(check_range(to, "the destination of a copy"));
  if (from.size_bytes != to.size_bytes)
    return Error{Code::invalid_argument, "a copy of " + std::to_string(from.size_bytes) + " bytes to " +
                                             std::to_string(to.size_bytes)};
  if (from.size_bytes == 0) return {};
  Command command{.kind = CommandKind::copy};
  add_access(command, from, true, false);
  add_access(command, to, false, true);
  return add(command);
}

Result<void> Recording::copy(BufferRange from, BufferRange to) { return content_->copy(from, to); }

Result<void> Recording::fill(BufferRange to, uint32_t word) {
  auto& c = *content_;
  HEED_TRY(c.check_range(to, "what is filled"));
  if (to.offset_bytes % 4 != 0 || to.size_bytes % 4 != 0)
    return Error{Code::invalid_argument, "a fill of " + std::to_string(to.size_bytes) + " bytes at " +
                                             std::to_string(to.offset_bytes) + "; both must be multiples of 4"};
  if (to.size_bytes == 0) return {};
  Command command{.kind = CommandKind::fill, .word = word};
  c.add_access(command, to, false, true);
  return c.add(command);
}

Result<void> Recording::write(BufferRange to, std::span<const std::byte> bytes) {
  auto& c = *content_;
  if (bytes.empty()) return {};
  HEED_TRY(c.check_range(to, "what is written"));
  if (to.size_bytes != bytes.size())
    return Error{Code::invalid_argument, "a write of " + std::to_string(bytes.size()) + " bytes to a range of " +
                                             std::to_string(to.size_bytes)};
  if (to.buffer->mapped()) {
    HEED_ASSIGN(const bool in_use, c.is_in_use(to));
    if (!in_use) {
      std::memcpy(to.buffer->mapped() + to.offset_bytes, bytes.data(), bytes.size());
      return {};
    }
  }
  HEED_TRY(c.make_room(c.uploads, bytes.size()));
  while (!bytes.empty()) {
    if (c.uploads.filled_bytes == c.uploads.half_bytes()) HEED_TRY(c.turn(c.uploads));
    const BufferRange staged = c.take(c.uploads, bytes.size());
    std::memcpy(c.uploads.buffer->mapped() + staged.offset_bytes, bytes.data(), staged.size_bytes);
    HEED_TRY(c.copy(staged, {to.buffer, to.offset_bytes, staged.size_bytes}));
    to.offset_bytes += staged.size_bytes;
    bytes = bytes.subspan(staged.size_bytes);
  }
  return {};
}

Result<void> Recording::read(BufferRange from, std::span<std::byte> to) {
  HEED_TRY(content_->check_range(from, "what is read"));
  if (from.size_bytes != to.size())
    return Error{Code::invalid_argument, "a read of " + std::to_string(from.size_bytes) + " bytes into " +
                                             std::to_string(to.size())};
  if (!to.empty()) content_->reads.push_back({from, to});
  return {};
}

Result<bool> Recording::mark(uint64_t tag) {
  auto& c = *content_;
  if (c.gpu.info.capabilities.timestamp_bits == 0) return false;
  Command command{.kind = CommandKind::mark, .word = static_cast<uint32_t>(c.open.tags.size())};
  c.open.tags.push_back(tag);
  HEED_TRY(c.add(command));
  return true;
}

std::vector<Mark> Recording::take_marks() { return std::exchange(content_->marks, {}); }

// ---- recording --------------------------------------------------------------------------------------------------------

void Recording::Content::barrier(VkCommandBuffer commands, VkPipelineStageFlags to_stages, VkAccessFlags to) {
  const VkMemoryBarrier memory{VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr,
                               VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT, to};
  vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, to_stages, 0, 1,
                        &memory, 0, nullptr, 0, nullptr);
}

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

Result<void> Recording::Content::record_dispatch(Batch& batch, const Command& command,
                                                 std::span<const Access> accesses) {
  buffer_infos.clear();
  // Shaders read whole words, also at the end of a tensor of bytes: buffers are rounded up further than that.
  for (const Access& access : accesses)
    buffer_infos.push_back({access.block->buffer, access.begin,
                            std::min((access.end - access.begin + 3) / 4 * 4, gpu.info.capabilities.max_binding_bytes)});
  buffer_infos.push_back({batch.parameters->block()->buffer,
                          batch.parameters->block_offset_bytes() + command.parameters_offset, command.parameters_bytes});
  HEED_ASSIGN(const VkDescriptorSet set, take_set(batch, command.pipeline->set_layout()));
  set_writes.clear();
  for (uint32_t binding = 0; binding < buffer_infos.size(); ++binding)
    set_writes.push_back({VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, nullptr, set, binding, 0, 1,
                          VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, nullptr, &buffer_infos[binding], nullptr});
  vk.UpdateDescriptorSets(gpu.handle, static_cast<uint32_t>(set_writes.size()), set_writes.data(), 0, nullptr);
  vk.CmdBindPipeline(batch.commands, VK_PIPELINE_BIND_POINT_COMPUTE, command.pipeline->handle());
  vk.CmdBindDescriptorSets(batch.commands, VK_PIPELINE_BIND_POINT_COMPUTE, command.pipeline->layout(), 0, 1, &set, 0,
                           nullptr);
  vk.CmdDispatch(batch.commands, command.workgroups[0], command.workgroups[1], command.workgroups[2]);
  return {};
}

// The batch's list as its command buffer; the list's parameters are in their buffer already.
Result<void> Recording::Content::record(Batch& batch) {
  constexpr VkAccessFlags everything = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT |
                                       VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT;
  constexpr VkPipelineStageFlags everywhere = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT;
  const VkCommandBufferBeginInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, nullptr, 0, nullptr};
  HEED_TRY(check(vk.BeginCommandBuffer(batch.commands, &info), "vkBeginCommandBuffer"));
  if (!batch.list.tags.empty()) {
    const auto query_count = static_cast<uint32_t>(batch.list.tags.size()) + 1;
    const VkQueryPoolCreateInfo queries{VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO, nullptr, 0,
                                        VK_QUERY_TYPE_TIMESTAMP, query_count, 0};
    HEED_TRY(check(vk.CreateQueryPool(gpu.handle, &queries, nullptr, &batch.queries), "vkCreateQueryPool"));
    vk.CmdResetQueryPool(batch.commands, batch.queries, 0, query_count);
    vk.CmdWriteTimestamp(batch.commands, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT, batch.queries, 0);
  }
  // Behind all that was submitted before, by any recording of the device.
  barrier(batch.commands, everywhere, everything);
  Hazards hazards;
  for (const Command& command : batch.list.commands) {
    const auto accesses = std::span(batch.list.accesses).subspan(command.first_access, command.access_count);
    if (hazards.add(accesses)) {
      ++batch.barrier_count;
      barrier(batch.commands, everywhere, everything);
    }
    const Access& first = accesses.empty() ? Access{} : accesses.front();
    switch (command.kind) {
      case CommandKind::dispatch:
        HEED_TRY(record_dispatch(batch, command, accesses));
        break;
      case CommandKind::copy: {
        const VkBufferCopy region{first.begin, accesses[1].begin, first.end - first.begin};
        vk.CmdCopyBuffer(batch.commands, first.block->buffer, accesses[1].block->buffer, 1, &region);
        break;
      }
      case CommandKind::fill:
        vk.CmdFillBuffer(batch.commands, first.block->buffer, first.begin, first.end - first.begin, command.word);
        break;
      case CommandKind::mark:
        vk.CmdWriteTimestamp(batch.commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, batch.queries, command.word + 1);
        break;
    }
  }
  // What the host reads from mapped memory when it has waited.
  barrier(batch.commands, VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT);
  ++recordings;
  return check(vk.EndCommandBuffer(batch.commands), "vkEndCommandBuffer");
}

// ---- moving bytes -----------------------------------------------------------------------------------------------------

// Whether a command that may not have been executed yet touches these bytes.
Result<bool> Recording::Content::is_in_use(BufferRange range) const {
  const uint64_t begin = range.buffer->block_offset_bytes() + range.offset_bytes, end = begin + range.size_bytes;
  const auto touches = [&](const List& list) {
    return std::any_of(list.accesses.begin(), list.accesses.end(), [&](const Access& access) {
      return access.block == range.buffer->block() && access.begin < end && begin < access.end;
    });
  };
  if (touches(open)) return true;
  if (!last_value) return false;
  uint64_t executed = 0;
  HEED_TRY(check(vk.GetSemaphoreCounterValue(gpu.handle, gpu.timeline, &executed), "vkGetSemaphoreCounterValue"));
  return std::any_of(batches.begin(), batches.end(),
                     [&](const auto& batch) { return batch->value > executed && touches(batch->list); });
}

// A ring for pieces of so many bytes; larger ones go through in several.
Result<void> Recording::Content::make_room(Ring& ring, uint64_t size_bytes) {
  const uint64_t wanted_bytes = ring_bytes(size_bytes);
  if (ring.buffer && ring.buffer->size_bytes() >= wanted_bytes) return {};
  if (ring.buffer) {
    HEED_TRY(submit());
    HEED_TRY(forget());
    ring.buffer = nullptr;
  }
  HEED_ASSIGN(ring.buffer, Buffer::create(device, wanted_bytes, ring.use));
  return {};
}

// At least one byte of the host's half, which is not full.
BufferRange Recording::Content::take(Ring& ring, uint64_t most_bytes) {
  const BufferRange piece{ring.buffer.get(), ring.half * ring.half_bytes() + ring.filled_bytes,
                          std::min(most_bytes, ring.half_bytes() - ring.filled_bytes)};
  ring.filled_bytes += aligned(piece.size_bytes);
  return piece;
}

// Hands the host's half to the device, and takes the other one.
Result<void> Recording::Content::turn(Ring& ring) {
  HEED_TRY(submit());
  ring.values[ring.half] = last_value;
  ring.half = 1 - ring.half;
  ring.filled_bytes = 0;
  return gpu.wait_for(ring.values[ring.half], stop);
}

// ---- submitting -------------------------------------------------------------------------------------------------------

Result<void> Recording::Content::forget(Batch& batch) {
  HEED_TRY(check(vk.ResetCommandBuffer(batch.commands, 0), "vkResetCommandBuffer"));
  batch.list = {};
  batch.parameters = nullptr;
  if (batch.queries) vk.DestroyQueryPool(gpu.handle, batch.queries, nullptr);
  batch.queries = VK_NULL_HANDLE;
  batch.current_pool = 0;
  batch.barrier_count = 0;
  for (const auto pool : batch.pools)
    HEED_TRY(check(vk.ResetDescriptorPool(gpu.handle, pool, 0), "vkResetDescriptorPool"));
  return {};
}

// A batch that is not under way, at the end of `batches`: the one that records as the open list does where there is
// one; else one with nothing recorded in it.
Result<Batch*> Recording::Content::take_batch() {
  uint64_t executed = 0;
  HEED_TRY(check(vk.GetSemaphoreCounterValue(gpu.handle, gpu.timeline, &executed), "vkGetSemaphoreCounterValue"));
  const auto idle = [&](const auto& batch) {
    return batch->value <= executed && std::find(marked.begin(), marked.end(), batch.get()) == marked.end();
  };
  auto found = std::find_if(batches.begin(), batches.end(),
                            [&](const auto& batch) { return idle(batch) && batch->list.records_as(open); });
  const bool again = found != batches.end();
  if (!again && batches.size() >= most_batches) found = std::find_if(batches.begin(), batches.end(), idle);
  if (found == batches.end()) {
    auto fresh = std::make_unique<Batch>();
    const VkCommandBufferAllocateInfo info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, nullptr, command_pool,
                                           VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
    HEED_TRY(check(vk.AllocateCommandBuffers(gpu.handle, &info, &fresh->commands), "vkAllocateCommandBuffers"));
    batches.push_back(std::move(fresh));
    return batches.back().get();
  }
  std::rotate(found, found + 1, batches.end());
  if (!again) HEED_TRY(forget(*batches.back()));
  return batches.back().get();
}

Result<void> Recording::Content::submit() {
  if (open.commands.empty()) return {};
  HEED_ASSIGN(Batch* batch, take_batch());
  const bool again = !batch->list.commands.empty();
  if (!open.parameters.empty()) {
    if (!batch->parameters) {
      HEED_ASSIGN(batch->parameters, Buffer::create(device, open.parameters.size(), MemoryUse::parameters));
    }
    std::memcpy(batch->parameters->mapped(), open.parameters.data(), open.parameters.size());
  }
  if (again) {
    std::swap(batch->list.tags, open.tags);
  } else {
    std::swap(batch->list, open);
    if (auto recorded = record(*batch); !recorded) {
      (void)forget(*batch);
      open.clear();
      return std::move(recorded).error();
    }
  }
  open.clear();

  const std::lock_guard lock(gpu.queue_mutex);
  const uint64_t value = gpu.submitted_value + 1;
  const VkTimelineSemaphoreSubmitInfo timeline{VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO, nullptr, 0, nullptr, 1,
                                               &value};
  const VkSubmitInfo info{VK_STRUCTURE_TYPE_SUBMIT_INFO, &timeline, 0, nullptr, nullptr, 1, &batch->commands, 1,
                          &gpu.timeline};
  static std::atomic<uint64_t> submissions_of_process;
  if (++submissions_of_process == gpu.lose_at_submission) gpu.is_lost = true;
  const VkResult result = gpu.is_lost ? VK_ERROR_DEVICE_LOST : vk.QueueSubmit(gpu.queue, 1, &info, VK_NULL_HANDLE);
  HEED_TRY(check(result, "vkQueueSubmit"));
  gpu.submitted_value = value;
  if (!last_value) begin = std::chrono::steady_clock::now();
  submitted_work += std::exchange(open_work, 0);
  last_value = batch->value = value;
  if (batch->queries) marked.push_back(batch);
  barriers += batch->barrier_count;
  ++submissions;
  return {};
}

Result<void> Recording::submit() { return content_->submit(); }

Result<void> Recording::add_work(double work) {
  auto& c = *content_;
  c.open_work += work;
  if (c.open_work < c.gpu.work_of_submission) return {};
  HEED_TRY(c.submit());
  return c.gpu.wait_for(std::exchange(c.cut_value, c.last_value), c.stop);
}

// For all that was submitted.
Result<void> Recording::Content::wait() {
  if (last_value) {
    HEED_TRY(gpu.wait_for(last_value, stop));
    gpu.learn(submitted_work, std::chrono::steady_clock::now() - begin);
  }
  last_value = cut_value = 0;
  submitted_work = 0;
  if (open.commands.empty()) {  // what is listed finds its bytes in a ring
    uploads.restart();
    landing.restart();
  }
  return read_marks();
}

// Submits what is listed with the reads behind it, waits, and hands the bytes over.
Result<void> Recording::Content::fetch() {
  const auto arriving = std::exchange(reads, {});
  std::vector<std::shared_ptr<Buffer>> kept;  // until the bytes are copied
  uint64_t most_bytes = 0;                    // of a read that lands
  for (const auto& [from, to] : arriving) {
    kept.push_back(from.buffer->shared_from_this());
    if (!from.buffer->mapped()) most_bytes = std::max(most_bytes, from.size_bytes);
  }
  if (most_bytes) HEED_TRY(make_room(landing, most_bytes));
  std::vector<Read> landed[2];  // by half: where the bytes lie in it, and where they go
  const auto hand_over = [&](std::vector<Read>& pieces) {
    for (const auto& [from, to] : std::exchange(pieces, {}))
      std::memcpy(to.data(), from.buffer->mapped() + from.offset_bytes, to.size());
  };
  for (auto [from, to] : arriving)
    while (!from.buffer->mapped() && !to.empty()) {
      if (landing.filled_bytes == landing.half_bytes()) {
        HEED_TRY(turn(landing));
        hand_over(landed[landing.half]);
      }
      const BufferRange piece = take(landing, to.size());
      HEED_TRY(copy({from.buffer, from.offset_bytes, piece.size_bytes}, piece));
      landed[landing.half].push_back({piece, to.first(piece.size_bytes)});
      from.offset_bytes += piece.size_bytes;
      to = to.subspan(piece.size_bytes);
    }
  HEED_TRY(submit());
  HEED_TRY(wait());
  for (auto& pieces : landed) hand_over(pieces);
  for (const auto& [from, to] : arriving)
    if (from.buffer->mapped()) std::memcpy(to.data(), from.buffer->mapped() + from.offset_bytes, to.size());
  return {};
}

// Device times are told on the host's clock: the last mark was reached just now.
Result<void> Recording::Content::read_marks() {
  const uint64_t bits = gpu.info.capabilities.timestamp_bits;
  const uint64_t valid = bits >= 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1;
  const size_t known = marks.size();
  std::vector<uint64_t> ticks;
  for (const Batch* batch : std::exchange(marked, {})) {
    const size_t first = marks.size();
    ticks.resize(batch->list.tags.size() + 1);
    HEED_TRY(check(vk.GetQueryPoolResults(gpu.handle, batch->queries, 0, static_cast<uint32_t>(ticks.size()),
                                          ticks.size() * sizeof(uint64_t), ticks.data(), sizeof(uint64_t),
                                          VK_QUERY_RESULT_64_BIT | VK_QUERY_RESULT_WAIT_BIT),
                   "vkGetQueryPoolResults"));
    const auto ns = [&](uint64_t tick) {
      return static_cast<int64_t>(static_cast<double>(tick & valid) * gpu.info.ns_per_tick);
    };
    for (size_t i = 0; i + 1 < ticks.size(); ++i)
      marks.push_back({batch->list.tags[i], i == 0 ? ns(ticks[0]) : marks[first + i - 1].end_ns, ns(ticks[i + 1])});
  }
  if (marks.size() == known) return {};
  const int64_t shift_ns = now_ns() - marks.back().end_ns;
  for (Mark& mark : std::span(marks).subspan(known)) mark.begin_ns += shift_ns, mark.end_ns += shift_ns;
  return {};
}

Result<void> Recording::wait() { return content_->fetch(); }

void Recording::discard() {
  content_->reads.clear();
  content_->open.clear();
  content_->open_work = 0;
  content_->marked.clear();
  content_->marks.clear();
}

Result<void> Recording::Content::forget() {
  HEED_TRY(wait());
  for (auto& batch : batches) HEED_TRY(forget(*batch));
  return {};
}

Result<void> Recording::forget() { return content_->forget(); }

uint64_t ring_bytes(uint64_t largest_bytes) {
  return 2 * std::bit_ceil(std::clamp(largest_bytes, least_half_bytes, most_half_bytes));
}

uint64_t parameters_bytes(std::span<const size_t> sizes) {
  uint64_t bytes = 0;
  for (const size_t size : sizes) bytes += aligned(std::max<uint64_t>(size, 4));
  return most_batches * bytes;
}

uint64_t Recording::dispatch_count() const { return content_->dispatches; }
uint64_t Recording::barrier_count() const { return content_->barriers; }
uint64_t Recording::submission_count() const { return content_->submissions; }
uint64_t Recording::recorded_count() const { return content_->recordings; }

Recording::Recording() = default;
Recording::~Recording() = default;

Result<std::unique_ptr<Recording>> Recording::create(const std::shared_ptr<Device>& device, const Stop* stop) {
  std::unique_ptr<Recording> recording(new Recording);
  recording->content_ = std::make_unique<Content>(device, stop);
  auto& c = *recording->content_;
  const VkCommandPoolCreateInfo info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, nullptr,
                                     VK_COMMAND_POOL_CREATE_RESET_COMMAND_BUFFER_BIT, c.gpu.queue_family};
  HEED_TRY(check(c.vk.CreateCommandPool(c.gpu.handle, &info, nullptr, &c.command_pool), "vkCreateCommandPool"));
  HEED_ASSIGN(c.spare, Buffer::create(device, spare_bytes));
  return recording;
}

}  // namespace heed::vulkan
