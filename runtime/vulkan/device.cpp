// Device: finding, choosing and opening one, and the table of what it can do.
#include "vulkan/device.hpp"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <optional>

#include "vulkan/device_content.hpp"

namespace heed::vulkan {
namespace {

// The parts of a device's features and properties that Heed looks at, chained as Vulkan asks for them.
struct Features {
  VkPhysicalDeviceVulkan12Features v12 =
      structure<VkPhysicalDeviceVulkan12Features>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES);
  VkPhysicalDeviceVulkan11Features v11 =
      structure<VkPhysicalDeviceVulkan11Features>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &v12);
  VkPhysicalDeviceFeatures2 v10 =
      structure<VkPhysicalDeviceFeatures2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &v11);
  Features() = default;
  Features(const Features&) = delete;  // the chain points into it
};

struct Properties {
  VkPhysicalDeviceVulkan12Properties v12 =
      structure<VkPhysicalDeviceVulkan12Properties>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES);
  VkPhysicalDeviceVulkan11Properties v11 =
      structure<VkPhysicalDeviceVulkan11Properties>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, &v12);
  VkPhysicalDeviceProperties2 v10 =
      structure<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &v11);
  Properties() = default;
  Properties(const Properties&) = delete;
};

DeviceKind kind_of(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU: return DeviceKind::discrete;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU: return DeviceKind::integrated;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU: return DeviceKind::shared;
    case VK_PHYSICAL_DEVICE_TYPE_CPU: return DeviceKind::software;
    default: return DeviceKind::other;
  }
}

std::string version_text(uint32_t version) {
  return std::to_string(VK_API_VERSION_MAJOR(version)) + "." + std::to_string(VK_API_VERSION_MINOR(version)) + "." +
         std::to_string(VK_API_VERSION_PATCH(version));
}

Result<std::vector<VkPhysicalDevice>> physical_devices(const Instance& instance) {
  uint32_t count = 0;
  const auto& vk = instance.functions;
  HEED_TRY(check(vk.EnumeratePhysicalDevices(instance.handle, &count, nullptr), "vkEnumeratePhysicalDevices"));
  std::vector<VkPhysicalDevice> devices(count);
  const VkResult result = vk.EnumeratePhysicalDevices(instance.handle, &count, devices.data());
  if (result != VK_INCOMPLETE) HEED_TRY(check(result, "vkEnumeratePhysicalDevices"));
  devices.resize(count);
  return devices;
}

std::optional<uint32_t> compute_queue_family(const Instance& instance, VkPhysicalDevice device) {
  uint32_t count = 0;
  instance.functions.GetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  instance.functions.GetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
  for (uint32_t family = 0; family < count; ++family)
    if (families[family].queueFlags & VK_QUEUE_COMPUTE_BIT) return family;
  return std::nullopt;
}

uint64_t local_memory_bytes(const VkPhysicalDeviceMemoryProperties& memory) {
  uint64_t largest = 0;
  for (uint32_t heap = 0; heap < memory.memoryHeapCount; ++heap)
    if (memory.memoryHeaps[heap].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      largest = std::max<uint64_t>(largest, memory.memoryHeaps[heap].size);
  return largest;
}

DeviceInfo describe(const Instance& instance, VkPhysicalDevice device, int32_t index) {
  VkPhysicalDeviceMemoryProperties memory{};
  instance.functions.GetPhysicalDeviceMemoryProperties(device, &memory);
  auto v10 = structure<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
  instance.functions.GetPhysicalDeviceProperties2(device, &v10);
  DeviceInfo info;
  info.index = index;
  info.name = v10.properties.deviceName;
  info.kind = kind_of(v10.properties.deviceType);
  info.api_version = version_text(v10.properties.apiVersion);
  info.memory_bytes = local_memory_bytes(memory);
  if (v10.properties.apiVersion < VK_API_VERSION_1_2) {
    info.unsuitable = "it speaks Vulkan " + info.api_version + "; Heed needs 1.2";
    return info;
  }
  Properties properties;
  instance.functions.GetPhysicalDeviceProperties2(device, &properties.v10);
  info.driver = std::string(properties.v12.driverName) + " " + properties.v12.driverInfo;
  Features features;
  instance.functions.GetPhysicalDeviceFeatures2(device, &features.v10);
  if (!features.v12.timelineSemaphore) info.unsuitable = "it lacks timeline semaphores";
  if (!compute_queue_family(instance, device)) info.unsuitable = "it has no queue that computes";
  return info;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::string list_text(std::span<const DeviceInfo> devices) {
  std::string text;
  for (const auto& device : devices) {
    text += "\n  vulkan:" + std::to_string(device.index) + "  " + device.name;
    if (!device.unsuitable.empty()) text += "  (not usable: " + device.unsuitable + ")";
  }
  return text;
}

Result<const DeviceInfo*> choose(std::span<const DeviceInfo> devices, std::string_view selector) {
  if (devices.empty())
    return Error{Code::unsupported,
                 "no Vulkan here: the drivers list no device (Debian: mesa-vulkan-drivers has one that runs on any CPU)"};
  const DeviceInfo* chosen = nullptr;
  if (selector == "auto" || selector == "gpu" || selector.empty()) {
    for (const auto& device : devices)
      if (device.unsuitable.empty() && (selector != "gpu" || device.kind != DeviceKind::software) &&
          (!chosen || device.kind < chosen->kind))
        chosen = &device;
    if (!chosen)
      return Error{Code::unsupported, std::string("no ") + (selector == "gpu" ? "GPU" : "Vulkan device") +
                                          " that Heed can use:" + list_text(devices)};
    return chosen;
  }
  int32_t index = -1;
  const auto [end, failure] = std::from_chars(selector.data(), selector.data() + selector.size(), index);
  const bool is_index = failure == std::errc() && end == selector.data() + selector.size();
  for (const auto& device : devices)
    if (is_index ? device.index == index : lower(device.name).find(lower(selector)) != std::string::npos) {
      chosen = &device;
      break;
    }
  if (!chosen)
    return Error{Code::invalid_argument, "no Vulkan device '" + std::string(selector) +
                                             "': give an index or a part of a name of" + list_text(devices)};
  if (!chosen->unsuitable.empty())
    return Error{Code::unsupported, "Heed cannot use " + chosen->name + ": " + chosen->unsuitable};
  return chosen;
}

// The files through which Linux drivers reach a GPU: the kernel's own, NVIDIA's, and Windows's below WSL.
bool has_gpu_file() {
  std::error_code failure;
  for (const char* path : {"/dev/nvidiactl", "/dev/dxg", "/dev/kgsl-3d0", "/dev/mali0"})
    if (std::filesystem::exists(path, failure)) return true;
  for (const auto& file : std::filesystem::directory_iterator("/dev/dri", failure))
    if (file.path().filename().string().starts_with("renderD")) return true;
  return false;
}

bool has_extension(const Instance& instance, VkPhysicalDevice device, const char* name) {
  uint32_t count = 0;
  if (instance.functions.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr) != VK_SUCCESS) return false;
  std::vector<VkExtensionProperties> extensions(count);
  if (instance.functions.EnumerateDeviceExtensionProperties(device, nullptr, &count, extensions.data()) < VK_SUCCESS)
    return false;
  return std::any_of(extensions.begin(), extensions.end(),
                     [&](const auto& extension) { return std::strcmp(extension.extensionName, name) == 0; });
}

// The names that kernels may ask for: CONTRIBUTING lists them for authors.
std::vector<Capability> capabilities_of(const Properties& properties, const Features& features, bool integer_dot,
                                        bool unified_memory) {
  const auto& limits = properties.v10.properties.limits;
  const auto& v11 = features.v11;
  const auto& v12 = features.v12;
  const VkSubgroupFeatureFlags subgroup = properties.v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT
                                              ? properties.v11.subgroupSupportedOperations
                                              : 0;
  const auto flag = [](bool set) { return uint64_t{set ? 1u : 0u}; };
  return {
      {"float16", flag(v12.shaderFloat16)},
      {"float64", flag(features.v10.features.shaderFloat64)},
      {"int16", flag(features.v10.features.shaderInt16)},
      {"int64", flag(features.v10.features.shaderInt64)},
      {"int8", flag(v12.shaderInt8)},
      {"integer_dot", flag(integer_dot)},
      {"keeps_inf_nan", flag(properties.v12.shaderSignedZeroInfNanPreserveFloat32)},
      {"max_bindings", std::min(limits.maxPerStageDescriptorStorageBuffers, limits.maxDescriptorSetStorageBuffers)},
      {"max_shared_bytes", limits.maxComputeSharedMemorySize},
      {"max_storage_range", limits.maxStorageBufferRange},
      {"max_workgroup_size", limits.maxComputeWorkGroupInvocations},
      {"max_workgroups_x", limits.maxComputeWorkGroupCount[0]},
      {"max_workgroups_y", limits.maxComputeWorkGroupCount[1]},
      {"max_workgroups_z", limits.maxComputeWorkGroupCount[2]},
      {"storage_16bit", flag(v11.storageBuffer16BitAccess)},
      {"storage_8bit", flag(v12.storageBuffer8BitAccess)},
      {"subgroup_arithmetic", flag(subgroup & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT)},
      {"subgroup_shuffle", flag(subgroup & VK_SUBGROUP_FEATURE_SHUFFLE_BIT)},
      {"subgroup_size", properties.v11.subgroupSize},
      {"unified_memory", flag(unified_memory)},
  };
}

// All memory of the device is the host's too: one kind that is local, visible and coherent, and no GPU behind a bus.
bool has_unified_memory(const VkPhysicalDeviceMemoryProperties& memory, DeviceKind kind) {
  if (kind != DeviceKind::integrated && kind != DeviceKind::software) return false;
  constexpr VkMemoryPropertyFlags all = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT |
                                        VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  for (uint32_t type = 0; type < memory.memoryTypeCount; ++type)
    if ((memory.memoryTypes[type].propertyFlags & all) == all) return true;
  return false;
}

// The device with the features that Heed's shaders may use, its queue and its timeline.
Result<void> create(Device::Content& content) {
  const auto& instance = *content.instance;
  const auto& vki = instance.functions;
  vki.GetPhysicalDeviceMemoryProperties(content.physical, &content.memory);
  content.queue_family = compute_queue_family(instance, content.physical).value();
  content.unified_memory = has_unified_memory(content.memory, content.info.kind);

  Properties properties;
  vki.GetPhysicalDeviceProperties2(content.physical, &properties.v10);
  content.limits = properties.v10.properties.limits;
  content.max_allocation_bytes = properties.v11.maxMemoryAllocationSize;

  auto dot = structure<VkPhysicalDeviceShaderIntegerDotProductFeatures>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES);
  const char* const dot_extension = VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME;
  bool integer_dot = has_extension(instance, content.physical, dot_extension);
  Features present;
  if (integer_dot) present.v12.pNext = &dot;
  vki.GetPhysicalDeviceFeatures2(content.physical, &present.v10);
  integer_dot = integer_dot && dot.shaderIntegerDotProduct;
  content.capabilities = capabilities_of(properties, present, integer_dot, content.unified_memory);

  Features wanted;
  wanted.v10.features.shaderInt64 = present.v10.features.shaderInt64;
  wanted.v10.features.shaderInt16 = present.v10.features.shaderInt16;
  wanted.v10.features.shaderFloat64 = present.v10.features.shaderFloat64;
  wanted.v11.storageBuffer16BitAccess = present.v11.storageBuffer16BitAccess;
  wanted.v12.storageBuffer8BitAccess = present.v12.storageBuffer8BitAccess;
  wanted.v12.shaderFloat16 = present.v12.shaderFloat16;
  wanted.v12.shaderInt8 = present.v12.shaderInt8;
  wanted.v12.timelineSemaphore = VK_TRUE;
  if (integer_dot) wanted.v12.pNext = &dot;

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
                                .enabledExtensionCount = integer_dot ? 1u : 0u,
                                .ppEnabledExtensionNames = &dot_extension,
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
  const auto cache = structure<VkPipelineCacheCreateInfo>(VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO);
  HEED_TRY(check(content.vk.CreatePipelineCache(handle, &cache, nullptr, &content.pipeline_cache),
                 "vkCreatePipelineCache"));
  for (size_t use = 0; use < memory_use_count; ++use) content.pools[use].open(&content, static_cast<MemoryUse>(use));
  return {};
}

}  // namespace

Device::Device() : content_(std::make_unique<Content>()) {}
Device::~Device() = default;

Device::Content::~Content() {
  if (!handle || !vk.DestroyDevice) return;
  for (auto& pool : pools) pool.clear();
  for (const auto& [count, layout] : layouts) {
    if (layout.pipeline) vk.DestroyPipelineLayout(handle, layout.pipeline, nullptr);
    if (layout.set) vk.DestroyDescriptorSetLayout(handle, layout.set, nullptr);
  }
  if (pipeline_cache) vk.DestroyPipelineCache(handle, pipeline_cache, nullptr);
  if (timeline) vk.DestroySemaphore(handle, timeline, nullptr);
  vk.DestroyDevice(handle, nullptr);
}

Result<void> Device::Content::wait_for(uint64_t value) const {
  const VkSemaphoreWaitInfo info{.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO,
                                 .pNext = nullptr,
                                 .flags = 0,
                                 .semaphoreCount = 1,
                                 .pSemaphores = &timeline,
                                 .pValues = &value};
  return check(vk.WaitSemaphores(handle, &info, UINT64_MAX), "vkWaitSemaphores");
}

Result<std::vector<DeviceInfo>> Device::list() {
  HEED_ASSIGN(const auto instance, Instance::get());
  HEED_ASSIGN(const auto devices, physical_devices(*instance));
  std::vector<DeviceInfo> list;
  for (const VkPhysicalDevice device : devices)
    list.push_back(describe(*instance, device, static_cast<int32_t>(list.size())));
  return list;
}

Result<std::shared_ptr<Device>> Device::open(std::string_view selector) {
  static std::mutex mutex;
  static std::map<int32_t, std::weak_ptr<Device>> opened;  // by index: one VkDevice per GPU and process
  const std::lock_guard lock(mutex);
  if (selector == "gpu" && !has_gpu_file()) return Error{Code::unsupported, "this machine has no GPU (no /dev/dri/renderD*)"};
  HEED_ASSIGN(const auto instance, Instance::get());
  HEED_ASSIGN(const auto list, Device::list());
  HEED_ASSIGN(const DeviceInfo* info, choose(list, selector));
  if (auto device = opened[info->index].lock()) return device;

  HEED_ASSIGN(const auto physical, physical_devices(*instance));
  if (static_cast<size_t>(info->index) >= physical.size())
    return Error{Code::device_failed, "Vulkan: " + info->name + " has gone"};
  std::shared_ptr<Device> device(new Device);
  device->content_->instance = instance;
  device->content_->physical = physical[static_cast<size_t>(info->index)];
  device->content_->info = *info;
  if (auto created = create(*device->content_); !created)
    return std::move(created).error().within("vulkan:" + std::to_string(info->index) + " (" + info->name + ")");
  opened[info->index] = device;
  return device;
}

const DeviceInfo& Device::info() const { return content_->info; }
bool Device::unified_memory() const { return content_->unified_memory; }
std::span<const Capability> Device::capabilities() const { return content_->capabilities; }

uint64_t Device::capability(std::string_view name) const {
  for (const auto& capability : content_->capabilities)
    if (capability.name == name) return capability.value;
  return 0;
}

}  // namespace heed::vulkan
