// Reads what the devices of the drivers are and can do.
#include "vulkan/probe_device.hpp"

#include <algorithm>
#include <cstring>

namespace heed::vulkan {
namespace {

struct Properties {
  VkPhysicalDeviceVulkan12Properties v12 =
      structure<VkPhysicalDeviceVulkan12Properties>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_PROPERTIES);
  VkPhysicalDeviceVulkan11Properties v11 =
      structure<VkPhysicalDeviceVulkan11Properties>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_PROPERTIES, &v12);
  VkPhysicalDeviceProperties2 v10 =
      structure<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2, &v11);
  VkPhysicalDeviceCooperativeMatrixPropertiesKHR cooperative = structure<VkPhysicalDeviceCooperativeMatrixPropertiesKHR>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_PROPERTIES_KHR);
  explicit Properties(Extensions extensions) {
    if (extensions.cooperative_matrix) v12.pNext = &cooperative;
  }
  Properties(const Properties&) = delete;
};

DeviceKind kind_of(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DeviceKind::discrete;
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DeviceKind::integrated;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DeviceKind::shared;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DeviceKind::software;
    default:
      return DeviceKind::other;
  }
}

std::string version_text(uint32_t version) {
  return std::to_string(VK_API_VERSION_MAJOR(version)) + "." + std::to_string(VK_API_VERSION_MINOR(version)) + "." +
         std::to_string(VK_API_VERSION_PATCH(version));
}

uint64_t local_memory_bytes(const VkPhysicalDeviceMemoryProperties& memory) {
  uint64_t largest = 0;
  for (uint32_t heap = 0; heap < memory.memoryHeapCount; ++heap)
    if (memory.memoryHeaps[heap].flags & VK_MEMORY_HEAP_DEVICE_LOCAL_BIT)
      largest = std::max<uint64_t>(largest, memory.memoryHeaps[heap].size);
  return largest;
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

Result<Extensions> extensions_of(const Instance& instance, VkPhysicalDevice device) {
  constexpr auto call = "vkEnumerateDeviceExtensionProperties";
  const auto& vk = instance.functions;
  uint32_t count = 0;
  HEED_TRY(check(vk.EnumerateDeviceExtensionProperties(device, nullptr, &count, nullptr), call));
  std::vector<VkExtensionProperties> extensions(count);
  const VkResult result = vk.EnumerateDeviceExtensionProperties(device, nullptr, &count, extensions.data());
  if (result != VK_INCOMPLETE) HEED_TRY(check(result, call));
  const auto has = [&](const char* name) {
    return std::any_of(extensions.begin(), extensions.end(),
                       [&](const auto& extension) { return std::strcmp(extension.extensionName, name) == 0; });
  };
  return Extensions{.integer_dot = has(VK_KHR_SHADER_INTEGER_DOT_PRODUCT_EXTENSION_NAME),
                    .cooperative_matrix = has(VK_KHR_COOPERATIVE_MATRIX_EXTENSION_NAME)};
}

// The largest product of f16 matrices with f32 sums that a subgroup makes; of zeros where there is none.
Result<VkCooperativeMatrixPropertiesKHR> cooperative_product(const Instance& instance, VkPhysicalDevice device,
                                                             Extensions extensions) {
  constexpr auto call = "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR";
  const auto none = structure<VkCooperativeMatrixPropertiesKHR>(VK_STRUCTURE_TYPE_COOPERATIVE_MATRIX_PROPERTIES_KHR);
  const auto list = instance.functions.GetPhysicalDeviceCooperativeMatrixPropertiesKHR;
  if (!extensions.cooperative_matrix || !list) return none;
  uint32_t count = 0;
  HEED_TRY(check(list(device, &count, nullptr), call));
  std::vector<VkCooperativeMatrixPropertiesKHR> products(count, none);
  const VkResult result = list(device, &count, products.data());
  if (result != VK_INCOMPLETE) HEED_TRY(check(result, call));
  const auto size = [](const auto& product) { return product.MSize * product.NSize * product.KSize; };
  auto largest = none;
  for (const auto& product : products)
    if (product.AType == VK_COMPONENT_TYPE_FLOAT16_KHR && product.BType == VK_COMPONENT_TYPE_FLOAT16_KHR &&
        product.CType == VK_COMPONENT_TYPE_FLOAT32_KHR && product.ResultType == VK_COMPONENT_TYPE_FLOAT32_KHR &&
        product.scope == VK_SCOPE_SUBGROUP_KHR && size(product) > size(largest))
      largest = product;
  return largest;
}

Capabilities capabilities_of(const Properties& properties, const Features& features,
                             const VkCooperativeMatrixPropertiesKHR& product, bool unified_memory,
                             uint32_t timestamp_bits) {
  const auto& limits = properties.v10.properties.limits;
  const VkSubgroupFeatureFlags subgroup = properties.v11.subgroupSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT
                                              ? properties.v11.subgroupSupportedOperations
                                              : 0;
  return {
      .cooperative_matrix = product.MSize && features.cooperative.cooperativeMatrix && features.v12.vulkanMemoryModel &&
                            (properties.cooperative.cooperativeMatrixSupportedStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0,
      .cpu_threads = properties.v10.properties.deviceType == VK_PHYSICAL_DEVICE_TYPE_CPU,
      .float16 = features.v12.shaderFloat16,
      .float64 = features.v10.features.shaderFloat64,
      .int16 = features.v10.features.shaderInt16,
      .int64 = features.v10.features.shaderInt64,
      .int8 = features.v12.shaderInt8,
      .integer_dot = features.dot.shaderIntegerDotProduct,
      .keeps_inf_nan = properties.v12.shaderSignedZeroInfNanPreserveFloat32,
      .storage_16bit = features.v11.storageBuffer16BitAccess,
      .storage_8bit = features.v12.storageBuffer8BitAccess,
      .subgroup_arithmetic = (subgroup & VK_SUBGROUP_FEATURE_ARITHMETIC_BIT) != 0,
      .subgroup_shuffle = (subgroup & VK_SUBGROUP_FEATURE_SHUFFLE_BIT) != 0,
      .timeline_semaphores = features.v12.timelineSemaphore,
      .unified_memory = unified_memory,
      .max_allocation_bytes = properties.v11.maxMemoryAllocationSize,
      .max_binding_bytes = limits.maxStorageBufferRange,
      .max_bindings = std::min(limits.maxPerStageDescriptorStorageBuffers, limits.maxDescriptorSetStorageBuffers),
      .max_shared_bytes = limits.maxComputeSharedMemorySize,
      .max_workgroup_size = limits.maxComputeWorkGroupInvocations,
      .max_workgroups_x = limits.maxComputeWorkGroupCount[0],
      .max_workgroups_y = limits.maxComputeWorkGroupCount[1],
      .max_workgroups_z = limits.maxComputeWorkGroupCount[2],
      .timestamp_bits = timestamp_bits,
      .cooperative_m = product.MSize,
      .cooperative_n = product.NSize,
      .cooperative_k = product.KSize,
      .subgroup_size = properties.v11.subgroupSize,
  };
}

}  // namespace

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

std::optional<QueueFamily> compute_queue_family(const Instance& instance, VkPhysicalDevice device) {
  uint32_t count = 0;
  instance.functions.GetPhysicalDeviceQueueFamilyProperties(device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  instance.functions.GetPhysicalDeviceQueueFamilyProperties(device, &count, families.data());
  for (uint32_t family = 0; family < count; ++family)
    if (families[family].queueFlags & VK_QUEUE_COMPUTE_BIT)
      return QueueFamily{family, families[family].timestampValidBits};
  return std::nullopt;
}

DeviceInfo probe_device(const Instance& instance, VkPhysicalDevice device, int32_t index) {
  const auto& vk = instance.functions;
  VkPhysicalDeviceMemoryProperties memory{};
  vk.GetPhysicalDeviceMemoryProperties(device, &memory);
  auto v10 = structure<VkPhysicalDeviceProperties2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2);
  vk.GetPhysicalDeviceProperties2(device, &v10);
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
  const auto extensions = extensions_of(instance, device);
  if (!extensions) {
    info.unsuitable = extensions.error().message;
    return info;
  }
  Properties properties(*extensions);
  vk.GetPhysicalDeviceProperties2(device, &properties.v10);
  info.driver = std::string(properties.v12.driverName) + " " + properties.v12.driverInfo;
  const auto product = cooperative_product(instance, device, *extensions);
  if (!product) {
    info.unsuitable = product.error().message;
    return info;
  }
  Features features(*extensions);
  vk.GetPhysicalDeviceFeatures2(device, &features.v10);
  const auto queues = compute_queue_family(instance, device);
  info.capabilities = capabilities_of(properties, features, *product, has_unified_memory(memory, info.kind),
                                      queues ? queues->timestamp_bits : 0);
  info.capabilities.memory_limit_bytes = info.memory_bytes;
  info.ns_per_tick = static_cast<double>(properties.v10.properties.limits.timestampPeriod);
  info.unsuitable = what_is_missing(info.capabilities);
  if (!queues) info.unsuitable = "it has no queue that computes";
  return info;
}

}  // namespace heed::vulkan
