// Vulkan's functions, fetched from the loader at run time. The only header of Heed that includes Vulkan's; only the .cpp
// files of this room include it.
#pragma once

#define VK_NO_PROTOTYPES
#include <vulkan/vulkan_core.h>

#include <string_view>

#include "heed/result.hpp"
#include "vulkan/cooperative_matrix.hpp"

namespace heed::vulkan {

#define HEED_VULKAN_GLOBAL_FUNCTIONS(X) \
  X(CreateInstance)                     \
  X(EnumerateInstanceLayerProperties)   \
  X(EnumerateInstanceVersion)

#define HEED_VULKAN_INSTANCE_FUNCTIONS(X)   \
  X(CreateDevice)                           \
  X(DestroyInstance)                        \
  X(EnumerateDeviceExtensionProperties)     \
  X(EnumeratePhysicalDevices)               \
  X(GetDeviceProcAddr)                      \
  X(GetPhysicalDeviceFeatures2)             \
  X(GetPhysicalDeviceMemoryProperties)      \
  X(GetPhysicalDeviceProperties2)           \
  X(GetPhysicalDeviceQueueFamilyProperties)

// Null where their extension, VK_EXT_debug_utils or VK_KHR_cooperative_matrix, is not asked for or not there.
#define HEED_VULKAN_OPTIONAL_FUNCTIONS(X) \
  X(CreateDebugUtilsMessengerEXT)         \
  X(DestroyDebugUtilsMessengerEXT)        \
  X(GetPhysicalDeviceCooperativeMatrixPropertiesKHR)

#define HEED_VULKAN_DEVICE_FUNCTIONS(X) \
  X(AllocateCommandBuffers)             \
  X(AllocateDescriptorSets)             \
  X(AllocateMemory)                     \
  X(BeginCommandBuffer)                 \
  X(BindBufferMemory)                   \
  X(CmdBindDescriptorSets)              \
  X(CmdBindPipeline)                    \
  X(CmdCopyBuffer)                      \
  X(CmdDispatch)                        \
  X(CmdFillBuffer)                      \
  X(CmdPipelineBarrier)                 \
  X(CmdResetQueryPool)                  \
  X(CmdWriteTimestamp)                  \
  X(CreateBuffer)                       \
  X(CreateCommandPool)                  \
  X(CreateComputePipelines)             \
  X(CreateDescriptorPool)               \
  X(CreateDescriptorSetLayout)          \
  X(CreatePipelineCache)                \
  X(CreatePipelineLayout)               \
  X(CreateQueryPool)                    \
  X(CreateSemaphore)                    \
  X(CreateShaderModule)                 \
  X(DestroyBuffer)                      \
  X(DestroyCommandPool)                 \
  X(DestroyDescriptorPool)              \
  X(DestroyDescriptorSetLayout)         \
  X(DestroyDevice)                      \
  X(DestroyPipeline)                    \
  X(DestroyPipelineCache)               \
  X(DestroyPipelineLayout)              \
  X(DestroyQueryPool)                   \
  X(DestroySemaphore)                   \
  X(DestroyShaderModule)                \
  X(EndCommandBuffer)                   \
  X(FreeMemory)                         \
  X(GetBufferMemoryRequirements)        \
  X(GetDeviceQueue)                     \
  X(GetPipelineCacheData)               \
  X(GetQueryPoolResults)                \
  X(GetSemaphoreCounterValue)           \
  X(MapMemory)                          \
  X(QueueSubmit)                        \
  X(ResetCommandBuffer)                 \
  X(ResetDescriptorPool)                \
  X(UpdateDescriptorSets)               \
  X(WaitSemaphores)

#define HEED_VULKAN_MEMBER(name) PFN_vk##name name = nullptr;

struct GlobalFunctions {
  PFN_vkGetInstanceProcAddr GetInstanceProcAddr = nullptr;
  HEED_VULKAN_GLOBAL_FUNCTIONS(HEED_VULKAN_MEMBER)
};

struct InstanceFunctions {
  HEED_VULKAN_INSTANCE_FUNCTIONS(HEED_VULKAN_MEMBER)
  HEED_VULKAN_OPTIONAL_FUNCTIONS(HEED_VULKAN_MEMBER)
};

struct DeviceFunctions {
  HEED_VULKAN_DEVICE_FUNCTIONS(HEED_VULKAN_MEMBER)
};

#undef HEED_VULKAN_MEMBER

// Opens libvulkan.so.1 once per process; it stays loaded. Fails where there is none. All other functions are fetched
// through these, so that a test may put a Vulkan of its own in their place while there is no Instance.
Result<GlobalFunctions*> load_vulkan();
Result<InstanceFunctions> load_functions(const GlobalFunctions& global, VkInstance instance);
Result<DeviceFunctions> load_functions(const InstanceFunctions& functions, VkDevice device);

// "VK_ERROR_DEVICE_LOST"
std::string_view name_of(VkResult result);

// A Vulkan structure of this type with zeros in its other members.
template <class Structure>
Structure structure(VkStructureType type, void* next = nullptr) {
  Structure out{};
  out.sType = type;
  out.pNext = next;
  return out;
}

// Success, or an Error that names the call: out_of_memory or device_failed.
inline Result<void> check(VkResult result, std::string_view call) {
  if (result == VK_SUCCESS) return {};
  const bool memory = result == VK_ERROR_OUT_OF_HOST_MEMORY || result == VK_ERROR_OUT_OF_DEVICE_MEMORY;
  return Error{memory ? Code::out_of_memory : Code::device_failed,
               "Vulkan: " + std::string(call) + " gave " + std::string(name_of(result))};
}

}  // namespace heed::vulkan
