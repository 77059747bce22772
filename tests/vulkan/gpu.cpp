// The device that the tests of the Vulkan room share.
#include "gpu.hpp"

#include <cstdio>
#include <cstdlib>

#include "base/log.hpp"

namespace heed::vulkan {

void watch_validation() {
  set_log_sink(
      [](void*, Level, std::string_view text) {
        std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
      },
      nullptr);
  setenv("HEED_VULKAN_VALIDATION", "1", 0);
  const auto listed = Device::list();
  if (listed || listed.error().message.find("HEED_VULKAN_VALIDATION") == std::string::npos) return;
  std::fprintf(stderr, "not validated: %s\n", listed.error().message.c_str());
  unsetenv("HEED_VULKAN_VALIDATION");
}

std::shared_ptr<Device> test_device() {
  static const std::shared_ptr<Device> device = [] {
    watch_validation();
    const char* name = std::getenv("HEED_TEST_DEVICE");
    const Option options[] = {{"vulkan.cache", "off"}};
    auto opened = Device::open(name ? name : "auto", options);
    if (!opened) std::fprintf(stderr, "%s\n", opened.error().message.c_str());
    return opened ? *opened : nullptr;
  }();
  if (!device) WARN("skipped: there is no Vulkan device");
  return device;
}

}  // namespace heed::vulkan
