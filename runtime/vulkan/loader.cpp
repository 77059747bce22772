// Finds Vulkan on this machine: the loader's library and the functions behind it.
#include <dlfcn.h>

#include "vulkan/api.hpp"

namespace heed::vulkan {
namespace {

constexpr const char* loader_library = "libvulkan.so.1";

struct Loaded {
  GlobalFunctions functions;
  std::string missing;  // why not, where it failed
};

Loaded load() {
  Loaded loaded;
  void* library = dlopen(loader_library, RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    loaded.missing = std::string("no Vulkan here: ") + loader_library +
                     " is not installed (Debian: libvulkan1, and a driver such as mesa-vulkan-drivers)";
    return loaded;
  }
  auto& functions = loaded.functions;
  functions.GetInstanceProcAddr =
      reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library, "vkGetInstanceProcAddr"));
  if (!functions.GetInstanceProcAddr) {
    loaded.missing = std::string(loader_library) + " lacks vkGetInstanceProcAddr";
    return loaded;
  }
#define HEED_LOAD(name)                                                                                 \
  functions.name = reinterpret_cast<PFN_vk##name>(functions.GetInstanceProcAddr(nullptr, "vk" #name)); \
  if (!functions.name) loaded.missing = std::string(loader_library) + " is older than Vulkan 1.1: it lacks vk" #name;
  HEED_VULKAN_GLOBAL_FUNCTIONS(HEED_LOAD)
#undef HEED_LOAD
  return loaded;
}

Error lacking(const char* what, const char* function) {
  return {Code::device_failed, std::string("Vulkan: the ") + what + " lacks " + function};
}

}  // namespace

Result<GlobalFunctions*> load_vulkan() {
  static Loaded loaded = load();
  if (!loaded.missing.empty()) return Error{Code::unsupported, loaded.missing};
  return &loaded.functions;
}

Result<InstanceFunctions> load_functions(const GlobalFunctions& global, VkInstance instance) {
  InstanceFunctions functions;
#define HEED_LOAD(name) \
  functions.name = reinterpret_cast<PFN_vk##name>(global.GetInstanceProcAddr(instance, "vk" #name));
#define HEED_LOAD_REQUIRED(name) \
  HEED_LOAD(name)                \
  if (!functions.name) return lacking("loader", "vk" #name);
  HEED_VULKAN_INSTANCE_FUNCTIONS(HEED_LOAD_REQUIRED)
  HEED_VULKAN_OPTIONAL_FUNCTIONS(HEED_LOAD)
#undef HEED_LOAD_REQUIRED
#undef HEED_LOAD
  return functions;
}

Result<DeviceFunctions> load_functions(const InstanceFunctions& instance, VkDevice device) {
  DeviceFunctions functions;
#define HEED_LOAD(name)                                                                             \
  functions.name = reinterpret_cast<PFN_vk##name>(instance.GetDeviceProcAddr(device, "vk" #name)); \
  if (!functions.name) return lacking("driver", "vk" #name);
  HEED_VULKAN_DEVICE_FUNCTIONS(HEED_LOAD)
#undef HEED_LOAD
  return functions;
}

std::string_view name_of(VkResult result) {
  switch (result) {
#define HEED_CASE(name) \
  case name: return #name;
    HEED_CASE(VK_SUCCESS)
    HEED_CASE(VK_NOT_READY)
    HEED_CASE(VK_TIMEOUT)
    HEED_CASE(VK_INCOMPLETE)
    HEED_CASE(VK_ERROR_OUT_OF_HOST_MEMORY)
    HEED_CASE(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    HEED_CASE(VK_ERROR_INITIALIZATION_FAILED)
    HEED_CASE(VK_ERROR_DEVICE_LOST)
    HEED_CASE(VK_ERROR_MEMORY_MAP_FAILED)
    HEED_CASE(VK_ERROR_LAYER_NOT_PRESENT)
    HEED_CASE(VK_ERROR_EXTENSION_NOT_PRESENT)
    HEED_CASE(VK_ERROR_FEATURE_NOT_PRESENT)
    HEED_CASE(VK_ERROR_INCOMPATIBLE_DRIVER)
    HEED_CASE(VK_ERROR_TOO_MANY_OBJECTS)
    HEED_CASE(VK_ERROR_FRAGMENTED_POOL)
    HEED_CASE(VK_ERROR_OUT_OF_POOL_MEMORY)
    HEED_CASE(VK_ERROR_INVALID_SHADER_NV)
    HEED_CASE(VK_ERROR_UNKNOWN)
#undef HEED_CASE
    default: return "an unknown VkResult";
  }
}

}  // namespace heed::vulkan
