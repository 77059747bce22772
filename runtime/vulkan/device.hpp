// Device: one GPU (or a driver that computes on the CPU) as Vulkan offers it, with what it can do. No Vulkan type appears
// here: the room's other headers and whoever includes them stay free of it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "heed/result.hpp"
#include "vulkan/capabilities.hpp"
#include "vulkan/quarantine.hpp"

namespace heed::vulkan {

enum class DeviceKind : uint8_t { discrete, integrated, shared, other, software };  // better first
constexpr std::string_view name_of(DeviceKind kind) {
  constexpr std::string_view names[] = {"discrete GPU", "integrated GPU", "virtual GPU", "other", "on the CPU"};
  return names[static_cast<size_t>(kind)];
}

struct DeviceInfo {
  int32_t index = 0;  // N of vulkan:N: the order in which the driver lists them
  std::string name;   // "llvmpipe (LLVM 15.0.6, 256 bits)"
  DeviceKind kind = DeviceKind::other;
  std::string driver = {};       // "llvmpipe Mesa 22.3.6"
  std::string api_version = {};  // "1.3.230"
  uint64_t memory_bytes = 0;  // of its largest local heap
  double ns_per_tick = 0;     // of its timestamps
  std::string unsuitable = {};     // why Heed cannot use it, or empty
  Capabilities capabilities = {};  // of an open device: without what options took away; none below Vulkan 1.2
};

enum class MemoryUse : uint8_t;  // of memory.hpp

// "vulkan.mask" = "int64": what a caller asks for by name; names without "vulkan." are others' and are passed over.
using Option = std::pair<std::string, std::string>;

// Ranges that kernels are given begin at multiples of this, whatever the device: the largest that Vulkan allows it to ask.
inline constexpr uint64_t binding_alignment_bytes = 256;

// Used by any number of threads; open as long as somebody holds it. Buffers and pipelines hold it.
class Device : public std::enable_shared_from_this<Device> {
 public:
  // Every device of every driver, usable or not. Code::unsupported where there is no loader or no driver: its text is a
  // notice for people.
  static Result<std::vector<DeviceInfo>> list();

  // selector: "auto" (a discrete GPU before an integrated one, a driver on the CPU last), "gpu" (the same without
  // drivers on the CPU; where the machine has no GPU's device file it says so at once, without the tenth of a second
  // that loading drivers takes), an index, a type ("discrete", "integrated", "virtual", "cpu"), or a part of the name
  // in any case. Fails where none fits, naming those there are.
  //
  // options: "vulkan.cache" is the folder in which pipelines are kept from one process to the next, or "off" (without
  // it: default_cache_folder()); "vulkan.timeout_ms" is how long the device may make no progress before it counts as
  // lost (a minute; ten where its driver runs on the CPU); with "vulkan.lose_at_submission" it is lost at the process's
  // Nth, to try what happens then; for the others see restrict_by_option. What they take away is not there, neither for
  // kernels nor for the driver's checks. One VkDevice per GPU, options and process: one that is open already is shared.
  static Result<std::shared_ptr<Device>> open(std::string_view selector = "auto", std::span<const Option> options = {});

  ~Device();
  Device(const Device&) = delete;

  const DeviceInfo& info() const;
  // False once it is lost: it is to be opened anew.
  bool works() const;
  // What gpu_capability answers on this device; 0 for what it lacks or nobody knows. Sizes are in bytes.
  uint64_t capability(std::string_view name) const;

  // Kernels that failed on this device, as the file beside the pipelines had it when the device was opened.
  std::span<const Quarantined> quarantined() const;
  const Quarantine& quarantine_file() const;
  const std::string& quarantine_notice() const;  // why that file was passed over, for people; or empty

  // The memory that is taken of it, by all in this process, and the most at once since it was opened; in bytes.
  uint64_t held_bytes() const;
  uint64_t most_held_bytes() const;
  // What would be taken with buffers of these uses and sizes besides.
  uint64_t held_with(std::span<const std::pair<MemoryUse, uint64_t>> buffers) const;

  // Writes what pipelines were built so far to the cache on disk, where that is new. A failure is logged and harms
  // nobody.
  void save_pipelines();

  struct Content;  // of device_content.hpp, for this room
  Content& content() const { return *content_; }

 private:
  Device();
  std::unique_ptr<Content> content_;
};

// How often the validation layer has spoken in this process; see HEED_VULKAN_VALIDATION in instance.hpp.
uint64_t validation_message_count();

}  // namespace heed::vulkan
