// What a Device holds of Vulkan, for the .cpp files of this room.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/stop.hpp"
#include "vulkan/api.hpp"
#include "vulkan/device.hpp"
#include "vulkan/instance.hpp"
#include "vulkan/memory_pool.hpp"
#include "vulkan/pipeline_cache_file.hpp"
#include "vulkan/quarantine.hpp"

namespace heed::vulkan {

class Pipeline;

// Set 0 of a shader with so many storage buffers, the parameters' among them.
struct SetLayout {
  VkDescriptorSetLayout set = VK_NULL_HANDLE;
  VkPipelineLayout pipeline = VK_NULL_HANDLE;
};

struct Device::Content {
  ~Content();

  std::shared_ptr<Instance> instance;
  VkPhysicalDevice physical = VK_NULL_HANDLE;
  DeviceInfo info;
  VkPhysicalDeviceMemoryProperties memory{};

  VkDevice handle = VK_NULL_HANDLE;
  DeviceFunctions vk;
  uint32_t queue_family = 0;

  std::mutex queue_mutex;  // guards the queue and submitted_value
  VkQueue queue = VK_NULL_HANDLE;
  VkSemaphore timeline = VK_NULL_HANDLE;  // reaches n when the nth submission has been executed
  std::atomic<uint64_t> submitted_value{0};
  uint64_t lose_at_submission = 0;  // of the process; 0: never
  std::chrono::milliseconds timeout{0};
  std::atomic<bool> is_lost{false};
  std::atomic<bool> hangs{false};  // it may still use what it was given: nothing of it is destroyed

  // Recording::add_work: what the device does in some 50 ms. A power of two, so that equal runs are cut alike; the
  // start is what a slow one does.
  std::atomic<double> work_of_submission{0x1p29};

  std::array<MemoryPool, memory_use_count> pools;
  std::atomic<uint64_t> held_bytes{0}, most_held_bytes{0};  // of the pools' blocks

  VkPipelineCache pipeline_cache = VK_NULL_HANDLE;  // the driver guards it
  PipelineCacheFile cache_file{{}, {}};
  Quarantine quarantine_file{{}, {}};
  std::vector<Quarantined> quarantined;  // when it was opened
  std::string quarantine_notice;
  std::mutex save_mutex;                   // guards saved_pipelines
  std::vector<std::byte> saved_pipelines;  // what the file holds, as far as this process knows

  std::mutex pipeline_mutex;              // guards the members below
  std::map<uint32_t, SetLayout> layouts;  // by number of bindings
  std::map<std::string, std::weak_ptr<Pipeline>> pipelines;  // by shader, constants and number of bindings
  std::set<std::string> pipelines_in_work;                   // by the same
  std::condition_variable pipeline_built;

  // So much was done in so much time.
  void learn(double work, std::chrono::nanoseconds time);
  // Waits until the nth submission has been executed, or until `stop`, which may be null: Code::cancelled. After
  // `timeout` without progress the device hangs, and is lost: Code::device_failed.
  Result<void> wait_for(uint64_t value, const Stop* stop);
};

}  // namespace heed::vulkan
