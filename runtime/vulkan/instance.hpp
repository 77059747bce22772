// The process's one VkInstance, with the validation layer where the environment asks for it.
#pragma once

#include <memory>

#include "vulkan/api.hpp"

namespace heed::vulkan {

class Instance {
 public:
  // The instance that is there already, or a new one; it goes with its last user. HEED_VULKAN_VALIDATION=1 switches the
  // validation layer and its synchronisation checks on: what they say is logged, and counted.
  static Result<std::shared_ptr<Instance>> get();
  ~Instance();
  Instance(const Instance&) = delete;

  VkInstance handle = VK_NULL_HANDLE;
  InstanceFunctions functions;

 private:
  Instance() = default;
  static Result<std::shared_ptr<Instance>> create();
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
};

}  // namespace heed::vulkan
