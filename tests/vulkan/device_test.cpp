// Finding and opening devices, and what they say they can do.
#include "gpu.hpp"

namespace heed::vulkan {

TEST_CASE("a device is opened by auto, by index and by a part of its name, and shared") {
  HEED_NEED_GPU(gpu);
  const auto& info = gpu.device->info();
  CHECK(must(Device::open(std::to_string(info.index))) == gpu.device);
  CHECK(must(Device::open(info.name.substr(1, 4))) == gpu.device);
  CHECK(must(Device::list()).at(static_cast<size_t>(info.index)).name == info.name);
  CHECK_FALSE(info.driver.empty());
  CHECK(info.memory_bytes > 0);
}

TEST_CASE("gpu means no driver on the CPU") {
  HEED_NEED_GPU(gpu);
  const auto opened = Device::open("gpu");
  if (opened)
    CHECK((*opened)->info().kind != DeviceKind::software);
  else
    CHECK(opened.error().code == Code::unsupported);
}

TEST_CASE("a device that is not there is an error that names those that are") {
  HEED_NEED_GPU(gpu);
  for (const std::string selector : {"99", "-1", "no such card"}) {
    const auto opened = Device::open(selector);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == Code::invalid_argument);
    CHECK(opened.error().message.find(selector) != std::string::npos);
    CHECK(opened.error().message.find(gpu.device->info().name) != std::string::npos);
  }
}

TEST_CASE("capabilities are at least what Vulkan 1.2 promises, and 0 for what nobody knows") {
  HEED_NEED_GPU(gpu);
  const struct {
    const char* name;
    uint64_t least;
  } promised[] = {{"max_shared_bytes", 16384}, {"max_workgroup_size", 128},   {"max_storage_range", 1u << 27},
                  {"max_workgroups_x", 65535}, {"max_workgroups_z", 65535},   {"subgroup_size", 1},
                  {"max_bindings", 4}};
  for (const auto& [name, least] : promised) {
    INFO(name);
    CHECK(gpu.device->capability(name) >= least);
  }
  CHECK(gpu.device->capability("warp drive") == 0);
}

}  // namespace heed::vulkan
