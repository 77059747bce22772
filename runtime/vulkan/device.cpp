// Device: finding, choosing and opening one, and the table of what it can do.
#include "vulkan/device.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <map>
#include <tuple>

#include "vulkan/choose_device.hpp"
#include "vulkan/device_content.hpp"
#include "vulkan/probe_device.hpp"

namespace heed::vulkan {
namespace {

constexpr std::string_view option_prefix = "vulkan.";
// A driver that hangs is no slow one: it makes no progress. One that runs on the CPU shares it with others.
constexpr std::chrono::milliseconds usual_timeout{60'000}, software_timeout{600'000};
constexpr double aim_ns = 50e6;  // of a long submission
constexpr std::chrono::nanoseconds wait_slice = std::chrono::milliseconds(50);  // then work may have to stop

// What callers ask for beside capabilities.
struct OwnOptions {
  std::filesystem::path cache_folder = default_cache_folder();
  std::chrono::milliseconds timeout;
  uint64_t lose_at_submission = 0;
  auto operator<=>(const OwnOptions&) const = default;
};

// The files through which Linux drivers reach a GPU: the kernel's own, NVIDIA's, and Windows's below WSL.
bool has_gpu_file() {
  std::error_code failure;
  for (const char* path : {"/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"})
    if (std::filesystem::exists(path, failure)) return true;
  for (const auto& file : std::filesystem::directory_iterator("/dev/dri", failure))
    if (file.path().filename().string().starts_with("renderD")) return true;
  return false;
}

// With what earlier processes left, where the driver takes it.
Result<void> create_pipeline_cache(Device::Content& content) {
  content.saved_pipelines = content.cache_file.read();
  VkPipelineCacheCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO, nullptr, 0,
                                 content.saved_pipelines.size(), content.saved_pipelines.data()};
  VkResult result = content.vk.CreatePipelineCache(content.handle, &info, nullptr, &content.pipeline_cache);
  if (result != VK_SUCCESS && info.initialDataSize) {
    info.initialDataSize = 0;
    result = content.vk.CreatePipelineCache(content.handle, &info, nullptr, &content.pipeline_cache);
  }
  return check(result, "vkCreatePipelineCache");
}

PipelineCacheOwner cache_owner(const Instance& instance, VkPhysicalDevice physical) {
  auto v10 = structure<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
  instance.functions.GetPhysicalDeviceProperties2(physical, &v10);
  const auto& properties = v10.properties;
  PipelineCacheOwner owner{properties.vendorID, properties.deviceID, properties.driverVersion};
  std::copy_n(properties.pipelineCacheUUID, VK_UUID_SIZE, owner.uuid.begin());
  return owner;
}

// The device with the features that Heed's shaders may use, its queue and its timeline.
Result<void> create(Device::Content& content) {
  const auto& instance = *content.instance;
  const auto& vki = instance.functions;
  vki.GetPhysicalDeviceMemoryProperties(content.physical, &content.memory);
  content.queue_family = compute_queue_family(instance, content.physical).value().index;

  const auto& can = content.info.capabilities;
  Features wanted({.integer_dot = can.integer_dot != 0, .cooperative_matrix = can.cooperative_matrix != 0});
  const auto flag = [](uint64_t capability) { return capability ? VK_TRUE : VK_FALSE; };
  wanted.v10.features.shaderInt64 = flag(can.int64);
  wanted.v10.features.shaderInt16 = flag(can.int16);
  wanted.v10.features.shaderFloat64 = flag(can.float64);
  wanted.v11.storageBuffer16BitAccess = flag(can.storage_16bit);
  wanted.v12.storageBuffer8BitAccess = flag(can.storage_8bit);
  wanted.v12.shaderFloat16 = flag(can.float16);
  wanted.v12.shaderInt8 = flag(can.int8);
  wanted.v12.timelineSemaphore = VK_TRUE;
  wanted.dot.shaderIntegerDotProduct = flag(can.integer_dot);
  wanted.v12.vulkanMemoryModel = flag(can.cooperative_matrix);
  wanted.cooperative.cooperativeMatrix = flag(can.cooperative_matrix);
  std::vector<const char*> extensions;
  if (can.integer_dot) extensions.push_back(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME);
  if (can.cooperative_matrix) extensions.push_back(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME);

  constexpr float priority = 1;
  const VkDeviceQueueCreateInfo queue{.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO,
                                      .pNext = nullptr,
                                      .flags = 0,
                                      .queueFamilyIndex = content.queue_family,
                                      .queueCount = 1,
                                      .pQueuePriorities = &priority};
  const VkDeviceCreateInfo info{.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO,
                                .pNext = &wanted.v10,
                                .flags = 0,
                                .queueCreateInfoCount = 1,
                                .pQueueCreateInfos = &queue,
                                .enabledLayerCount = 0,
                                .ppEnabledLayerNames = nullptr,
                                .enabledExtensionCount = static_cast<uint32_t>(extensions.size()),
                                .ppEnabledExtensionNames = extensions.data(),
                                .pEnabledFeatures = nullptr};
  VkDevice handle = VK_NULL_HANDLE;
  HEED_TRY(check(vki.CreateDevice(content.physical, &info, nullptr, &handle), "vkCreateDevice"));
  content.handle = handle;
  HEED_ASSIGN(content.vk, load_functions(vki, handle));
  content.vk.GetDeviceQueue(handle, content.queue_family, 0, &content.queue);

  const VkSemaphoreTypeCreateInfo timeline{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO,
                                           .pNext = nullptr,
                                           .semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE,
                                           .initialValue = 0};
  const VkSemaphoreCreateInfo semaphore{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO, .pNext = &timeline, .flags = 0};
  HEED_TRY(check(content.vk.CreateSemaphore(handle, &semaphore, nullptr, &content.timeline), "vkCreateSemaphore"));
  HEED_TRY(create_pipeline_cache(content));
  for (size_t use = 0; use < memory_use_count; ++use) content.pools[use].open(&content, static_cast<MemoryUse>(use));
  return {};
}

}  // namespace

Device::Device() : content_(std::make_unique<Content>()) {}
Device::~Device() = default;

Device::Content::~Content() {
  if (hangs) new std::shared_ptr<Instance>(instance);  // with all that the device may still use
  if (!handle || !vk.DestroyDevice || hangs) return;
  for (auto& pool : pools) pool.clear();
  for (const auto& [count, layout] : layouts) {
    if (layout.pipeline) vk.DestroyPipelineLayout(handle, layout.pipeline, nullptr);
    if (layout.set) vk.DestroyDescriptorSetLayout(handle, layout.set, nullptr);
  }
  if (pipeline_cache) vk.DestroyPipelineCache(handle, pipeline_cache, nullptr);
  if (timeline) vk.DestroySemaphore(handle, timeline, nullptr);
  vk.DestroyDevice(handle, nullptr);
}

Result<void> Device::Content::wait_for(uint64_t value, const Stop* stop) {
  using Clock = std::chrono::steady_clock;
  const VkSemaphoreWaitInfo wait{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .pNext = nullptr,
                                 .flags = 0,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &timeline,
                                 .pValues = &value};
  auto reached_at = Clock::now();
  for (uint64_t reached = 0;;) {
    const VkResult result = vk.WaitSemaphores(handle, &wait, static_cast<uint64_t>(wait_slice.count()));
    if (result != VK_TIMEOUT) return check(result, "vkWaitSemaphores");
    if (stop && stop->is_reached()) return stop->error();
    uint64_t executed = 0;
    HEED_TRY(check(vk.GetSemaphoreCounterValue(handle, timeline, &executed), "vkGetSemaphoreCounterValue"));
    if (std::exchange(reached, executed) != executed) reached_at = Clock::now();
    if (!hangs && Clock::now() - reached_at < timeout) continue;
    is_lost = hangs = true;
    return Error{Code::device_failed, "Vulkan: " + info.name + " hangs: submission " + std::to_string(executed + 1) +
                                          " of " + std::to_string(submitted_value) + " made no progress for " +
                                          std::to_string(timeout.count()) + " ms (vulkan.timeout_ms)"};
  }
}

void Device::Content::learn(double work, std::chrono::nanoseconds time) {
  const auto ns = static_cast<double>(std::max<int64_t>(time.count(), 1));
  const double seen = std::exp2(std::floor(std::log2(std::max(work, 1.0) * aim_ns / ns)));
  for (double most = work_of_submission; most < seen && !work_of_submission.compare_exchange_weak(most, seen);) {
  }
}

Result<std::vector<DeviceInfo>> Device::list() {
  HEED_ASSIGN(const auto instance, Instance::get());
  HEED_ASSIGN(const auto devices, physical_devices(*instance));
  std::vector<DeviceInfo> list;
  for (const VkPhysicalDevice device : devices)
    list.push_back(probe_device(*instance, device, static_cast<int32_t>(list.size())));
  return list;
}

Result<std::shared_ptr<Device>> Device::open(std::string_view selector, std::span<const Option> options) {
  static std::mutex mutex;
  static std::map<std::tuple<int32_t, Capabilities, OwnOptions>, std::weak_ptr<Device>> opened;
  const std::lock_guard lock(mutex);
  if (selector == "gpu" && !has_gpu_file()) return Error{Code::unsupported, "this machine has no GPU (no /dev/dri/renderD*)"};
  HEED_ASSIGN(const auto instance, Instance::get());
  HEED_ASSIGN(const auto list, Device::list());
  HEED_ASSIGN(const DeviceInfo* chosen, choose_device(list, selector));
  DeviceInfo info = *chosen;
  OwnOptions own{.timeout = info.kind == DeviceKind::software ? software_timeout : usual_timeout};
  for (const auto& [full_name, value] : options) {
    if (!full_name.starts_with(option_prefix)) continue;
    const std::string_view name = std::string_view(full_name).substr(option_prefix.size());
    if (name == "cache") {
      own.cache_folder = value == "off" ? "" : value;
    } else if (name == "timeout_ms") {
      HEED_ASSIGN(const uint64_t timeout_ms, option_number(name, value));
      own.timeout = std::chrono::milliseconds(std::min<uint64_t>(timeout_ms, INT32_MAX));
    } else if (name == "lose_at_submission") {
      HEED_ASSIGN(own.lose_at_submission, option_number(name, value));
    } else {
      HEED_TRY(restrict_by_option(info.capabilities, name, value));
    }
  }
  if (const auto missing = what_is_missing(info.capabilities); !missing.empty())
    return Error{Code::unsupported, "Heed cannot use " + info.name + ": " + missing};
  auto& known = opened[{info.index, info.capabilities, own}];
  if (auto device = known.lock(); device && device->works()) return device;

  HEED_ASSIGN(const auto physical, physical_devices(*instance));
  if (static_cast<size_t>(info.index) >= physical.size())
    return Error{Code::device_failed, "Vulkan: " + info.name + " has gone"};
  std::shared_ptr<Device> device(new Device);
  device->content_->instance = instance;
  device->content_->physical = physical[static_cast<size_t>(info.index)];
  device->content_->info = info;
  device->content_->lose_at_submission = own.lose_at_submission;
  device->content_->timeout = own.timeout;
  const PipelineCacheOwner owner = cache_owner(*instance, device->content_->physical);
  device->content_->cache_file = {own.cache_folder, owner};
  device->content_->quarantine_file = {own.cache_folder, owner};
  if (auto kernels = device->content_->quarantine_file.read())
    device->content_->quarantined = std::move(*kernels);
  else
    device->content_->quarantine_notice = kernels.error().message;
  if (auto created = create(*device->content_); !created)
    return std::move(created).error().within("vulkan:" + std::to_string(info.index) + " (" + info.name + ")");
  known = device;
  return device;
}

void Device::save_pipelines() {
  auto& c = *content_;
  const std::lock_guard lock(c.save_mutex);
  if (c.cache_file.path().empty()) return;
  size_t size_bytes = 0;
  if (c.vk.GetPipelineCacheData(c.handle, c.pipeline_cache, &size_bytes, nullptr) != VK_SUCCESS) return;
  std::vector<std::byte> data(size_bytes);
  if (c.vk.GetPipelineCacheData(c.handle, c.pipeline_cache, &size_bytes, data.data()) < VK_SUCCESS) return;
  data.resize(size_bytes);  // another thread may have built more meanwhile: what is there is whole
  if (data == c.saved_pipelines) return;
  c.cache_file.write(data);
  c.saved_pipelines = std::move(data);
}

bool Device::works() const {
  uint64_t value = 0;
  return !content_->is_lost &&
         content_->vk.GetSemaphoreCounterValue(content_->handle, content_->timeline, &value) == VK_SUCCESS;
}

std::span<const Quarantined> Device::quarantined() const { return content_->quarantined; }
const Quarantine& Device::quarantine_file() const { return content_->quarantine_file; }
const std::string& Device::quarantine_notice() const { return content_->quarantine_notice; }

uint64_t Device::held_bytes() const { return content_->held_bytes; }
uint64_t Device::held_with(std::span<const std::pair<MemoryUse, uint64_t>> buffers) const {
  uint64_t bytes = content_->held_bytes;
  for (size_t use = 0; use < memory_use_count; ++use) {
    std::vector<uint64_t> sizes;
    for (const auto& [of, size_bytes] : buffers)
      if (of == static_cast<MemoryUse>(use)) sizes.push_back(size_bytes);
    bytes += content_->pools[use].more_for(sizes, bytes);
  }
  return bytes;
}
uint64_t Device::most_held_bytes() const { return content_->most_held_bytes; }

const DeviceInfo& Device::info() const { return content_->info; }

uint64_t Device::capability(std::string_view name) const {
  return vulkan::capability(content_->info.capabilities, name);
}

}  // namespace heed::vulkan
