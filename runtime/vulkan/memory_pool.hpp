// The blocks that buffers are cut from; one pool for each MemoryUse of a device.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "vulkan/api.hpp"
#include "vulkan/device.hpp"
#include "vulkan/memory.hpp"

namespace heed::vulkan {

// One allocation of device memory with one VkBuffer over the whole of it.
struct Block {
  VkDeviceMemory memory = VK_NULL_HANDLE;
  VkBuffer buffer = VK_NULL_HANDLE;
  uint64_t size_bytes = 0;
  std::byte* mapped = nullptr;
  std::map<uint64_t, uint64_t> free;  // offset to size, in bytes; neighbours are joined
};

class MemoryPool {
 public:
  struct Piece {
    Block* block;
    uint64_t offset_bytes;
  };

  // `content` outlives the pool's last allocate and release, and calls clear() before the VkDevice goes.
  void open(Device::Content* content, MemoryUse use) { content_ = content, use_ = use; }
  void clear();
  // size_bytes: a multiple of binding_alignment_bytes, not 0.
  Result<Piece> allocate(uint64_t size_bytes);
  void release(Piece piece, uint64_t size_bytes);
  // Bytes of the blocks that these buffers would take besides, were so many held of the device.
  uint64_t more_for(std::span<const uint64_t> sizes_bytes, uint64_t held_bytes);

 private:
  Result<std::unique_ptr<Block>> make_block(uint64_t size_bytes) const;
  void destroy(Block& block) const;

  Device::Content* content_ = nullptr;
  MemoryUse use_ = MemoryUse::device;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Block>> blocks_;
};

}  // namespace heed::vulkan
