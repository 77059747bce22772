// Recording: work for the device in order: dispatches, copies, uploads, downloads. It is listed at once, submitted by
// submit(), and waited for at wait() only. A list that differs from an earlier one in nothing but parameters and uploaded
// bytes is not recorded again: its command buffer is submitted once more.
//
// Bytes cross through two rings of at most 8 MiB, one each way: larger transfers go in pieces, which are submitted as
// they are there. Where the host sees the device's memory, they are read there, and written where nothing under way
// touches them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/stop.hpp"
#include "heed/result.hpp"
#include "vulkan/memory.hpp"

namespace heed::vulkan {

class Device;
class Pipeline;

// A buffer as one binding of a dispatch sees it.
struct BoundRange {
  BufferRange range;
  bool reads = false;
  bool writes = false;
};

// What was done between one mark and the next, or the beginning of a submission; on std::chrono::steady_clock.
struct Mark {
  uint64_t tag = 0;
  int64_t begin_ns = 0, end_ns = 0;
};

// Each command sees what those before it wrote: barriers stand only where byte ranges overlap. Two recordings of one
// device share nothing that either writes, or the caller waits between. Used by one thread at a time; every function
// may fail with device_failed or out_of_memory.
//
// Buffers are kept as long as a command buffer that uses them, at least until it has been executed, and belong to the
// recording's device. Ranges lie inside their buffers; another range is an Error of invalid_argument.
class Recording {
 public:
  // Where `stop` is given and reached, functions that wait for the device fail with Code::cancelled; what was submitted
  // is executed all the same.
  static Result<std::unique_ptr<Recording>> create(const std::shared_ptr<Device>& device, const Stop* stop = nullptr);
  ~Recording();  // waits for what was submitted; what was not is dropped
  Recording(const Recording&) = delete;

  // One dispatch: `bindings` in the pipeline's order, each beginning at a multiple of binding_alignment_bytes; an empty
  // range is bound to a few spare bytes that are never read for their value. `parameters` are copied (none: allowed).
  // Ranges longer than the device can bind are Code::unsupported.
  Result<void> dispatch(const std::shared_ptr<const Pipeline>& pipeline, std::span<const BoundRange> bindings,
                        std::span<const std::byte> parameters, const uint32_t workgroups[3]);

  // Equal sizes; the ranges do not overlap.
  Result<void> copy(BufferRange from, BufferRange to);
  // Offset and size are multiples of 4 bytes.
  Result<void> fill(BufferRange to, uint32_t word);

  // `bytes` are copied at once and reach `to`, of the same size, in order with the other commands. They may be there
  // already: discard() does not take them back.
  Result<void> write(BufferRange to, std::span<const std::byte> bytes);
  // `to`, of the same size, holds the bytes of `from` when wait() returns: as they are after all that was recorded.
  Result<void> read(BufferRange from, std::span<std::byte> to);

  // Notes when all that was recorded before has been executed; false: the device has no clock. The tag is the caller's.
  Result<bool> mark(uint64_t tag);
  // Those that were passed when wait() or forget() returned, in order, each once.
  std::vector<Mark> take_marks();

  // What was recorded since the last call is about so much work: operations, and some for each byte that is read or
  // written. Where all that is listed would take the device more than about 50 ms, by the best that it was seen to do, it
  // is submitted: watchdogs let long runs live, and cancelling stops them. Two such submissions are under way at most.
  Result<void> add_work(double work);
  // Hands what was recorded to the device and returns; what follows is recorded beside it.
  Result<void> submit();
  // submit(), then waits until all of it has been executed and read() has its bytes.
  Result<void> wait();
  // Drops what was listed since the last submit(), reads too: after a failure halfway.
  void discard();
  // Lets go of command buffers and of what they keep, when buffers were replaced; waits.
  Result<void> forget();

  uint64_t dispatch_count() const;  // since it was created
  uint64_t barrier_count() const;
  uint64_t submission_count() const;
  uint64_t recorded_count() const;  // command buffers that were recorded, not submitted again

 private:
  Recording();
  struct Content;
  std::unique_ptr<Content> content_;
};

// What a recording takes for transfers of at most so many bytes, in one direction.
uint64_t ring_bytes(uint64_t largest_bytes);
// What it takes at most for dispatches with parameters of these sizes, in bytes.
uint64_t parameters_bytes(std::span<const size_t> sizes);

}  // namespace heed::vulkan
