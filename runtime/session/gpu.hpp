// Where the session meets the Vulkan backend: values that move between host and device, arenas there, dispatches.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/stop.hpp"
#include "heed/result.hpp"
#include "plan/place_tensors.hpp"
#include "plan/plan.hpp"
#include "registry/value.hpp"

namespace heed {

namespace vulkan {
class Device;
class GpuKernel;
}  // namespace vulkan

// What a step of a run took. Times are std::chrono::steady_clock's; a GPU step's were taken on the device.
struct StepTime {
  const Plan* plan = nullptr;
  uint32_t step = 0;
  int64_t begin_ns = 0, end_ns = 0;
  int64_t bytes = 0;            // of the tensors that it read and wrote, each once
  int64_t operation_count = 0;  // 0: the kernel does not tell
};
using StepObserver = std::function<void(const StepTime& time)>;

// One dispatch as a kernel's bind gave it.
struct GpuDispatch {
  int32_t variant = 0;
  std::vector<std::byte> parameters;
  uint32_t workgroups[3] = {1, 1, 1};
  std::vector<heed_window> windows;
};

// selector: "" or "vulkan" (the best there is), "vulkan:1", "vulkan:integrated", or part of a name. Of `options` those
// count that begin with "vulkan.".
Result<std::shared_ptr<vulkan::Device>> open_device(std::string_view selector, bool real_gpus_only,
                                                    std::span<const std::pair<std::string, std::string>> options);
std::string device_name(const vulkan::Device& device);
// PlanOptions::gpu_capability of a vulkan::Device.
uint64_t device_capability(const void* device, std::string_view name);

// PlanOptions::gpu_refuses of a vulkan::Device.
std::optional<std::string> quarantine_reason(const void* device, std::string_view domain, std::string_view op_type,
                                             std::string_view variants, std::string_view element);

Result<std::shared_ptr<vulkan::GpuKernel>> make_gpu_kernel(const std::shared_ptr<vulkan::Device>& device,
                                                           const Step& step);

// Whether two values on a device lie in the same memory.
bool same_memory(const heed_value& a, const heed_value& b);

// Code::out_of_memory where so many bytes more would pass the device's limit; `what` needs them ("the weights").
Result<void> check_room(const vulkan::Device& device, std::string_view what, size_t size_bytes);

// Bytes that the device reads and writes in a second when it copies within its memory, measured now; 0: it has no clock.
Result<double> measure_bandwidth(const std::shared_ptr<vulkan::Device>& device);

// The commands of one session, in order. What is recorded is submitted when something on the host waits for it. For one
// thread at a time. Values on the device are heed_values with on_device set; `storage` holds their buffer.
class GpuStream {
 public:
  // stop: null, or when functions that wait for the device shall fail with Code::cancelled.
  static Result<std::unique_ptr<GpuStream>> create(std::shared_ptr<vulkan::Device> device, const Stop* stop = nullptr);
  ~GpuStream();
  GpuStream(const GpuStream&) = delete;

  // Room for tensors with these lifetimes, in an arena that is kept in `arena` and grows as needed.
  Result<void> place(std::shared_ptr<void>& arena, std::span<const Lifetime> lifetimes);
  heed_value* placed(const std::shared_ptr<void>& arena, size_t lifetime) const;

  Result<SharedValue> new_tensor(DataType element, std::span<const int64_t> dims);
  // As spoil() below, of a whole arena.
  Result<void> spoil(const std::shared_ptr<void>& arena);
  // A word that a kernel may set, for the life of the stream: wait() then fails with `says`, told of `node`.
  uint32_t add_error_word(std::string node, std::string says);
  // error_word: as added, or no_id. bytes and operation_count: as of StepTime; what is recorded is submitted, too, when
  // by these it takes the device long.
  Result<void> run(vulkan::GpuKernel& kernel, std::span<const GpuDispatch> dispatches,
                   std::span<heed_value* const> inputs, std::span<heed_value* const> outputs, heed_value* scratch,
                   heed_value* kept, uint32_t error_word, int64_t bytes, int64_t operation_count);
  Result<void> upload(const void* from, heed_value* to, int64_t offset_elements, size_t size_bytes);
  // The commands since the last mark are one step's: `observer` is told its times at the next wait(). False: the device
  // has no clock.
  Result<bool> mark(const StepTime& step, const StepObserver& observer);
  // Within the device; elements are those of the values' type, which is one.
  Result<void> copy(const heed_value* from, int64_t from_elements, heed_value* to, int64_t to_elements,
                    size_t size_bytes);
  // The bytes are there after the next wait().
  Result<void> read(const heed_value* from, int64_t offset_elements, void* to, size_t size_bytes);
  // The same tensor at the other place; on the host its elements are there after the next wait(). On the device it
  // takes the place of `kept`, which a run before made, where it may.
  Result<SharedValue> moved(const heed_value& value, Location to, SharedValue kept = {});
  // Submits, waits for the device, and gives what was read. Fails too where a kernel has set its error word.
  Result<void> wait();
  // Drops what was recorded and not submitted: after a failure in the middle of a run.
  void discard();

  // The memory of the device that is held when this stream has buffers of these sizes besides what is there now, and
  // dispatches with parameters of these sizes; in bytes. The largest transfers each way are what the host cannot do by
  // itself; uploads_between: some are for what the device may be using.
  uint64_t held_with(std::span<const size_t> buffers, std::span<const size_t> parameters, size_t largest_upload,
                     size_t largest_read, bool uploads_between) const;

  int64_t last_mark_ns() const;  // when the last step that was marked ended; 0: none was
  uint64_t capability(std::string_view name) const;  // of the device
  int64_t submission_count() const;
  int64_t recorded_count() const;  // of submissions: those that were recorded anew
  int64_t dispatch_count() const;
  int64_t barrier_count() const;
  int64_t upload_count() const;    // of tensors that crossed, each way
  int64_t download_count() const;

  friend Result<void> spoil(const heed_value& tensor, GpuStream* gpu);

 private:
  struct Content;
  explicit GpuStream(std::unique_ptr<Content> content);
  std::unique_ptr<Content> content_;
};

// Makes all bytes of a dense tensor's memory 0xFF, NaN in every type of float: for tests. gpu: null where it lies on the
// host.
Result<void> spoil(const heed_value& tensor, GpuStream* gpu);

}  // namespace heed
