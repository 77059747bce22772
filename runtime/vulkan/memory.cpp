// Buffers and the blocks that they are cut from.
#include "vulkan/memory.hpp"

#include <algorithm>

#include "vulkan/device_content.hpp"

namespace heed::vulkan {
namespace {

// Large enough that allocations, which cost a system call and are limited to 4096 on some drivers, stay few.
constexpr uint64_t block_bytes = uint64_t{32} << 20;
constexpr uint64_t small_block_bytes = uint64_t{1} << 20;  // of the uses that need little

struct MemoryWish {
  VkMemoryPropertyFlags needed, liked;
  uint64_t block_bytes;
};

MemoryWish wish_of(MemoryUse use, bool unified) {
  constexpr VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;
  constexpr VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
  constexpr VkMemoryPropertyFlags cached = VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  switch (use) {
    case MemoryUse::device: return unified ? MemoryWish{local | host | cached, 0, block_bytes} : MemoryWish{local, 0, block_bytes};
    case MemoryUse::upload: return {host, 0, small_block_bytes};
    case MemoryUse::readback: return {host, cached, small_block_bytes};
    case MemoryUse::parameters: return {host, local, small_block_bytes};
  }
  return {};
}

// The first type that has what is needed, and what is liked if any has; among equals the one with the fewest other
// properties, since drivers list special memory (visible to the host, uncached) beside plain memory.
Result<uint32_t> choose_type(const VkPhysicalDeviceMemoryProperties& memory, uint32_t allowed, const MemoryWish& wish) {
  int best_score = -1;
  uint32_t best = 0;
  for (uint32_t type = 0; type < memory.memoryTypeCount; ++type) {
    const auto flags = memory.memoryTypes[type].propertyFlags;
    constexpr VkMemoryPropertyFlags special =
        VK_MEMORY_PROPERTY_PROTECTED_BIT | VK_MEMORY_PROPERTY_LAZILY_ALLOCATED_BIT;
    if (!(allowed & (1u << type)) || (flags & wish.needed) != wish.needed || (flags & special)) continue;
    const int others = __builtin_popcount(flags & ~(wish.needed | wish.liked));
    const int score = ((flags & wish.liked) == wish.liked ? 100 : 50) - others;
    if (score > best_score) best_score = score, best = type;
  }
  if (best_score < 0) return Error{Code::device_failed, "Vulkan: the device offers no memory that fits its buffers"};
  return best;
}

std::string megabytes(uint64_t bytes) {
  const uint64_t tenths = bytes / (1024 * 1024 / 10);
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " MiB";
}

// What a buffer takes of its block.
uint64_t reserved_bytes_of(uint64_t size_bytes) {
  return std::max(binding_alignment_bytes,
                  (size_bytes + binding_alignment_bytes - 1) / binding_alignment_bytes * binding_alignment_bytes);
}

}  // namespace

// ---- blocks -----------------------------------------------------------------------------------------------------------

void MemoryPool::clear() {
  for (auto& block : blocks_) destroy(*block);
  blocks_.clear();
}

void MemoryPool::destroy(Block& block) const {
  if (content_->hangs) return;
  if (block.buffer) content_->vk.DestroyBuffer(content_->handle, block.buffer, nullptr);
  if (!block.memory) return;
  content_->vk.FreeMemory(content_->handle, block.memory, nullptr);  // unmaps it too
  content_->held_bytes -= block.size_bytes;
}

Result<std::unique_ptr<Block>> MemoryPool::make_block(uint64_t size_bytes) const {
  const auto& vk = content_->vk;
  const auto device = content_->handle;
  const auto refuse = [&](std::string_view why) {
    return Error{Code::out_of_memory, "no " + megabytes(size_bytes) + " of memory left on " + content_->info.name +
                                          " (it has " + megabytes(content_->info.memory_bytes) + "): " +
                                          std::string(why)};
  };
  if (size_bytes > content_->info.capabilities.max_allocation_bytes)
    return refuse("more than the driver allows at once");
  const uint64_t held_bytes = content_->held_bytes, limit_bytes = content_->info.capabilities.memory_limit_bytes;
  if (held_bytes > limit_bytes || size_bytes > limit_bytes - held_bytes)
    return refuse(megabytes(held_bytes) + " are taken, of " + megabytes(limit_bytes) + " (vulkan.memory_limit_bytes)");

  auto block = std::make_unique<Block>();
  block->size_bytes = size_bytes;
  const auto fail = [&](Error error) {
    destroy(*block);
    return error.code == Code::out_of_memory ? refuse(error.message) : std::move(error);
  };
  const VkBufferCreateInfo info{.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO,
                                .pNext = nullptr,
                                .flags = 0,
                                .size = size_bytes,
                                .usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                         VK_BUFFER_USAGE_TRANSFER_DST_BIT,
                                .sharingMode = VK_SHARING_MODE_EXCLUSIVE,
                                .queueFamilyIndexCount = 0,
                                .pQueueFamilyIndices = nullptr};
  if (auto made = check(vk.CreateBuffer(device, &info, nullptr, &block->buffer), "vkCreateBuffer"); !made)
    return fail(std::move(made).error());
  VkMemoryRequirements requirements{};
  vk.GetBufferMemoryRequirements(device, block->buffer, &requirements);
  const auto wish = wish_of(use_, content_->info.capabilities.unified_memory != 0);
  const auto type = choose_type(content_->memory, requirements.memoryTypeBits, wish);
  if (!type) return fail(type.error());
  const auto heap = content_->memory.memoryTypes[*type].heapIndex;
  if (requirements.size > content_->memory.memoryHeaps[heap].size)
    return fail({Code::out_of_memory, "more than the whole of it"});
  const VkMemoryAllocateInfo allocation{.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO,
                                        .pNext = nullptr,
                                        .allocationSize = requirements.size,
                                        .memoryTypeIndex = *type};
  if (auto made = check(vk.AllocateMemory(device, &allocation, nullptr, &block->memory), "vkAllocateMemory"); !made)
    return fail(std::move(made).error());
  const uint64_t held_now_bytes = content_->held_bytes += size_bytes;
  for (uint64_t most = content_->most_held_bytes;
       most < held_now_bytes && !content_->most_held_bytes.compare_exchange_weak(most, held_now_bytes);) {
  }
  if (auto bound = check(vk.BindBufferMemory(device, block->buffer, block->memory, 0), "vkBindBufferMemory"); !bound)
    return fail(std::move(bound).error());
  if (wish.needed & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT) {
    void* mapped = nullptr;
    if (auto made = check(vk.MapMemory(device, block->memory, 0, VK_WHOLE_SIZE, 0, &mapped), "vkMapMemory"); !made)
      return fail(std::move(made).error());
    block->mapped = static_cast<std::byte*>(mapped);
  }
  block->free.emplace(0, size_bytes);
  return block;
}

Result<MemoryPool::Piece> MemoryPool::allocate(uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  const auto take = [&](Block& block, std::map<uint64_t, uint64_t>::iterator hole) {
    const auto [offset, hole_bytes] = *hole;
    block.free.erase(hole);
    if (hole_bytes > size_bytes) block.free.emplace(offset + size_bytes, hole_bytes - size_bytes);
    return Piece{&block, offset};
  };
  for (auto& block : blocks_)  // first fit: blocks and holes are few
    for (auto hole = block->free.begin(); hole != block->free.end(); ++hole)
      if (hole->second >= size_bytes) return take(*block, hole);

  // What is larger than half a block gets one of its own, which goes with it; so does what finds no room for more.
  const uint64_t usual = wish_of(use_, content_->info.capabilities.unified_memory != 0).block_bytes;
  const bool shares = size_bytes <= usual / 2;
  auto made = make_block(shares ? usual : size_bytes);
  if (!made && shares && made.error().code == Code::out_of_memory) made = make_block(size_bytes);
  HEED_ASSIGN(auto block, std::move(made));
  blocks_.push_back(std::move(block));
  return take(*blocks_.back(), blocks_.back()->free.begin());
}

void MemoryPool::release(Piece piece, uint64_t size_bytes) {
  const std::lock_guard lock(mutex_);
  auto& free = piece.block->free;
  auto hole = free.emplace(piece.offset_bytes, size_bytes).first;
  if (const auto next = std::next(hole); next != free.end() && hole->first + hole->second == next->first) {
    hole->second += next->second;
    free.erase(next);
  }
  if (hole != free.begin())
    if (const auto before = std::prev(hole); before->first + before->second == hole->first) {
      before->second += hole->second;
      free.erase(hole);
      hole = before;
    }
  // An empty block goes, unless it is the last of the usual size: a run after another finds it again.
  if (hole->second != piece.block->size_bytes) return;
  const auto is_usual = [usual = wish_of(use_, content_->info.capabilities.unified_memory != 0).block_bytes](
                            const auto& block) { return block->size_bytes == usual; };
  const auto own = std::find_if(blocks_.begin(), blocks_.end(), [&](const auto& b) { return b.get() == piece.block; });
  if (is_usual(*own) && std::count_if(blocks_.begin(), blocks_.end(), is_usual) == 1) return;
  destroy(**own);
  blocks_.erase(own);
}

uint64_t MemoryPool::more_for(std::span<const uint64_t> sizes_bytes, uint64_t held_bytes) {
  const auto& can = content_->info.capabilities;
  const uint64_t usual = wish_of(use_, can.unified_memory != 0).block_bytes;
  std::vector<uint64_t> holes;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& block : blocks_)
      for (const auto& [offset, hole_bytes] : block->free) holes.push_back(hole_bytes);
  }
  uint64_t more = 0;
  for (const uint64_t unaligned : sizes_bytes) {
    const uint64_t size_bytes = reserved_bytes_of(unaligned);
    auto hole = std::find_if(holes.begin(), holes.end(), [&](uint64_t hole_bytes) { return hole_bytes >= size_bytes; });
    if (hole == holes.end()) {
      const bool shares = size_bytes <= usual / 2 && held_bytes + more + usual <= can.memory_limit_bytes;
      more += shares ? usual : size_bytes;
      hole = holes.insert(holes.end(), shares ? usual : size_bytes);
    }
    *hole -= size_bytes;
  }
  return more;
}

// ---- buffers ----------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<Buffer>> Buffer::create(const std::shared_ptr<Device>& device, uint64_t size_bytes, MemoryUse use) {
  if (size_bytes > UINT64_MAX - binding_alignment_bytes)
    return Error{Code::out_of_memory, "a buffer of " + std::to_string(size_bytes) + " bytes is more than memory can hold"};
  const uint64_t reserved_bytes = reserved_bytes_of(size_bytes);
  std::shared_ptr<Buffer> buffer(new Buffer);
  HEED_ASSIGN(const auto piece, device->content().pools[static_cast<size_t>(use)].allocate(reserved_bytes));
  buffer->device_ = device;
  buffer->block_ = piece.block;
  buffer->offset_bytes_ = piece.offset_bytes;
  buffer->size_bytes_ = size_bytes;
  buffer->reserved_bytes_ = reserved_bytes;
  buffer->use_ = use;
  if (piece.block->mapped) buffer->mapped_ = piece.block->mapped + piece.offset_bytes;
  return buffer;
}

Buffer::~Buffer() {
  if (block_) device_->content().pools[static_cast<size_t>(use_)].release({block_, offset_bytes_}, reserved_bytes_);
}

}  // namespace heed::vulkan
