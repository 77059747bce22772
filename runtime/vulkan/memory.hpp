// Buffers: ranges of a few large blocks of device memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "heed/result.hpp"

namespace heed::vulkan {

class Device;
struct Block;

enum class MemoryUse : uint8_t {
  device,      // tensors: what the GPU reads and writes fastest
  upload,      // written by the host, copied from by the device
  readback,    // written by the device, read by the host
  parameters,  // small, written by the host for each dispatch, read by shaders
};
inline constexpr size_t memory_use_count = 4;

// A range of device memory; it returns to its block when the last holder lets go. A recording holds what it uses until
// that was executed.
class Buffer : public std::enable_shared_from_this<Buffer> {
 public:
  // Contents are undefined. Code::out_of_memory names the size and what the device has.
  static Result<std::shared_ptr<Buffer>> create(const std::shared_ptr<Device>& device, uint64_t size_bytes,
                                                MemoryUse use = MemoryUse::device);
  ~Buffer();
  Buffer(const Buffer&) = delete;

  uint64_t size_bytes() const { return size_bytes_; }
  // The first byte as the host sees it; null where it does not (MemoryUse::device of a discrete GPU). Coherent.
  std::byte* mapped() const { return mapped_; }
  const std::shared_ptr<Device>& device() const { return device_; }

  Block* block() const { return block_; }
  uint64_t block_offset_bytes() const { return offset_bytes_; }

 private:
  Buffer() = default;
  std::shared_ptr<Device> device_;
  Block* block_ = nullptr;
  uint64_t offset_bytes_ = 0;    // in the block, a multiple of binding_alignment_bytes
  uint64_t size_bytes_ = 0;      // as asked for
  uint64_t reserved_bytes_ = 0;  // rounded up to binding_alignment_bytes
  std::byte* mapped_ = nullptr;
  MemoryUse use_ = MemoryUse::device;
};

// Bytes of a buffer; the buffer belongs to somebody else. Null buffer or no bytes: nothing (an empty tensor).
struct BufferRange {
  Buffer* buffer = nullptr;
  uint64_t offset_bytes = 0;
  uint64_t size_bytes = 0;
};

inline BufferRange whole(const std::shared_ptr<Buffer>& buffer) { return {buffer.get(), 0, buffer->size_bytes()}; }

}  // namespace heed::vulkan
