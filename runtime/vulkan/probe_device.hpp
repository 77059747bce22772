// Reads what the devices of the drivers are and can do.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "vulkan/device.hpp"
#include "vulkan/instance.hpp"

namespace heed::vulkan {

// In the order in which the drivers list them, which is that of DeviceInfo::index.
Result<std::vector<VkPhysicalDevice>> physical_devices(const Instance& instance);

DeviceInfo probe_device(const Instance& instance, VkPhysicalDevice device, int32_t index);

// The first family of queues that computes.
struct QueueFamily {
  uint32_t index = 0;
  uint32_t timestamp_bits = 0;
};
std::optional<QueueFamily> compute_queue_family(const Instance& instance, VkPhysicalDevice device);

// Extensions that Heed uses where a device has them.
struct Extensions {
  bool integer_dot = false;
  bool cooperative_matrix = false;
};

// The features that Heed's shaders may use, chained for vkCreateDevice and vkGetPhysicalDeviceFeatures2.
struct Features {
  VkPhysicalDeviceVulkan12Features v12 =
      structure<VkPhysicalDeviceVulkan12Features>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES);
  VkPhysicalDeviceVulkan11Features v11 =
      structure<VkPhysicalDeviceVulkan11Features>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES, &v12);
  VkPhysicalDeviceFeatures2 v10 =
      structure<VkPhysicalDeviceFeatures2>(VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, &v11);
  VkPhysicalDeviceShaderIntegerDotProductFeatures dot = structure<VkPhysicalDeviceShaderIntegerDotProductFeatures>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_INTEGER_DOT_PRODUCT_FEATURES);
  VkPhysicalDeviceCooperativeMatrixFeaturesKHR cooperative = structure<VkPhysicalDeviceCooperativeMatrixFeaturesKHR>(
      VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_COOPERATIVE_MATRIX_FEATURES_KHR);

  // Chains those of the device's extensions behind those of Vulkan 1.2.
  explicit Features(Extensions extensions) {
    if (extensions.integer_dot) dot.pNext = std::exchange(v12.pNext, &dot);
    if (extensions.cooperative_matrix) cooperative.pNext = std::exchange(v12.pNext, &cooperative);
  }
  Features(const Features&) = delete;  // the chain points into it
};

}  // namespace heed::vulkan
