// The device that the tests of the Vulkan room share.
#include "gpu.hpp"

#include <cstdio>
#include <cstdlib>

#include "base/log.hpp"

namespace heed::vulkan {

std::shared_ptr<Device> test_device() {
  static const std::shared_ptr<Device> device = [] {
    set_log_sink(
        [](void*, Level, std::string_view text) {
          std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
        },
        nullptr);
    setenv("HEED_VULKAN_VALIDATION", "1", 0);
    const char* name = std::getenv("HEED_TEST_DEVICE");
    const Option options[] = {{"vulkan.cache", "off"}};
    auto opened = Device::open(name ? name : "auto", options);
    if (!opened && opened.error().message.find("HEED_VULKAN_VALIDATION") != std::string::npos) {
      std::fprintf(stderr, "not validated: %s\n", opened.error().message.c_str());
      unsetenv("HEED_VULKAN_VALIDATION");
      opened = Device::open(name ? name : "auto", options);
    }
    if (!opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return opened ? *opened : nullptr;
  }();
  if (!device) WARN("skipped: there is no Vulkan device");
  return device;
}

}  // namespace heed::vulkan
