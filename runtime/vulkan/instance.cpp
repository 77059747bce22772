// The process's one VkInstance, with the validation layer where the environment asks for it.
#include "vulkan/instance.hpp"

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "base/log.hpp"
#include "vulkan/device.hpp"

namespace heed::vulkan {
namespace {

constexpr const char* validation_layer = "VK_LAYER_KHRONOS_validation";
constexpr const char* validation_variable = "HEED_VULKAN_VALIDATION";

std::atomic<uint64_t> messages{0};

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT severity, VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void*) {
  ++messages;
  const bool error = severity >= VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  log(error ? Level::error : Level::warning, std::string("Vulkan validation: ") + data->pMessage);
  return VK_FALSE;
}

bool validation_wanted() {
  const char* value = std::getenv(validation_variable);
  return value && *value && std::strcmp(value, "0") != 0;
}

Result<bool> layer_is_present(const GlobalFunctions& vk) {
  uint32_t count = 0;
  HEED_TRY(check(vk.EnumerateInstanceLayerProperties(&count, nullptr), "vkEnumerateInstanceLayerProperties"));
  std::vector<VkLayerProperties> layers(count);
  const VkResult result = vk.EnumerateInstanceLayerProperties(&count, layers.data());
  if (result != VK_INCOMPLETE) HEED_TRY(check(result, "vkEnumerateInstanceLayerProperties"));
  for (const auto& layer : layers)
    if (std::strcmp(layer.layerName, validation_layer) == 0) return true;
  return false;
}

}  // namespace

uint64_t validation_message_count() { return messages; }

Result<std::shared_ptr<Instance>> Instance::get() {
  static std::mutex mutex;
  static std::weak_ptr<Instance> shared;
  const std::lock_guard lock(mutex);
  if (auto instance = shared.lock()) return instance;
  HEED_ASSIGN(auto instance, create());
  shared = instance;
  return instance;
}

Result<std::shared_ptr<Instance>> Instance::create() {
  HEED_ASSIGN(const GlobalFunctions* global, load_vulkan());
  const bool validate = validation_wanted();
  if (validate) {
    HEED_ASSIGN(const bool present, layer_is_present(*global));
    if (!present)
      return Error{Code::unsupported, std::string(validation_variable) + " is set, but " + validation_layer +
                                          " is not installed (Debian: vulkan-validationlayers)"};
  }
  const VkApplicationInfo application{VK_STRUCTURE_TYPE_APPLICATION_INFO, nullptr, "heed", 0, "heed", 0,
                                      VK_API_VERSION_1_2};
  constexpr VkValidationFeatureEnableEXT checks[] = {VK_VALIDATION_FEATURE_ENABLE_SYNCHRONIZATION_VALIDATION_EXT};
  VkValidationFeaturesEXT features{VK_STRUCTURE_TYPE_VALIDATION_FEATURES_EXT, nullptr, 1, checks, 0, nullptr};
  const VkDebugUtilsMessengerCreateInfoEXT messenger{
      .sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT,
      .pNext = nullptr,
      .flags = 0,
      .messageSeverity =
          VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT,
      .messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT,
      .pfnUserCallback = on_message,
      .pUserData = nullptr};
  constexpr const char* extensions[] = {VK_EXT_DEBUG_UTILS_EXTENSION_NAME, VK_EXT_VALIDATION_FEATURES_EXTENSION_NAME};
  const VkInstanceCreateInfo info{.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO,
                                  .pNext = validate ? &features : nullptr,
                                  .flags = 0,
                                  .pApplicationInfo = &application,
                                  .enabledLayerCount = validate ? 1u : 0u,
                                  .ppEnabledLayerNames = &validation_layer,
                                  .enabledExtensionCount = validate ? 2u : 0u,
                                  .ppEnabledExtensionNames = extensions};
  std::shared_ptr<Instance> instance(new Instance);
  const VkResult result = global->CreateInstance(&info, nullptr, &instance->handle);
  if (result == VK_ERROR_INCOMPATIBLE_DRIVER) {
    instance->handle = VK_NULL_HANDLE;
    return Error{Code::unsupported,
                 "no Vulkan here: the loader finds no driver (Debian: mesa-vulkan-drivers has one for many GPUs, and one "
                 "that runs on any CPU)"};
  }
  HEED_TRY(check(result, "vkCreateInstance"));
  HEED_ASSIGN(instance->functions, load_functions(*global, instance->handle));
  if (validate && instance->functions.CreateDebugUtilsMessengerEXT)
    HEED_TRY(check(instance->functions.CreateDebugUtilsMessengerEXT(instance->handle, &messenger, nullptr,
                                                                    &instance->messenger_),
                   "vkCreateDebugUtilsMessengerEXT"));
  return instance;
}

Instance::~Instance() {
  if (messenger_) functions.DestroyDebugUtilsMessengerEXT(handle, messenger_, nullptr);
  if (handle && functions.DestroyInstance) functions.DestroyInstance(handle, nullptr);
}

}  // namespace heed::vulkan
