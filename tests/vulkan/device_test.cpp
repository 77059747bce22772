// Finding, choosing and opening devices, what they say they can do, and what options take away.
#include "gpu.hpp"
#include "vulkan/choose_device.hpp"

namespace heed::vulkan {

TEST_CASE("a device is opened by auto, by index and by a part of its name, and shared") {
  HEED_NEED_GPU(gpu);
  const auto& info = gpu.device->info();
  const Option options[] = {{"vulkan.cache", "off"}};
  CHECK(must(Device::open(std::to_string(info.index), options)) == gpu.device);
  CHECK(must(Device::open(info.name.substr(1, 4), options)) == gpu.device);
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

TEST_CASE("a selector means an index, a type or a part of a name, and a usable device before an unusable one") {
  const std::vector<DeviceInfo> devices = {
      {.index = 0, .name = "Old Card", .kind = DeviceKind::discrete, .unsuitable = "it speaks Vulkan 1.1.0; Heed needs 1.2"},
      {.index = 1, .name = "llvmpipe", .kind = DeviceKind::software},
      {.index = 2, .name = "Chip Graphics", .kind = DeviceKind::integrated},
      {.index = 3, .name = "New Card", .kind = DeviceKind::discrete},
      {.index = 4, .name = "Guest", .kind = DeviceKind::shared}};
  const struct {
    std::string selector;
    int32_t index;
  } cases[] = {{"auto", 3},    {"gpu", 3},  {"1", 1},    {"3", 3},         {"discrete", 3}, {"integrated", 2},
               {"virtual", 4}, {"cpu", 1},  {"CPU", 1},  {"new card", 3},  {"Card", 3},     {"chip", 2}};
  for (const auto& [selector, index] : cases) {
    INFO(selector);
    CHECK(must(choose_device(devices, selector))->index == index);
  }
  const struct {
    std::string selector;
    Code code;
    std::string text;
  } refused[] = {{"0", Code::unsupported, "Old Card: it speaks Vulkan 1.1.0; Heed needs 1.2"},
                 {"old", Code::unsupported, "Old Card: it speaks Vulkan 1.1.0; Heed needs 1.2"},
                 {"7", Code::invalid_argument, "vulkan:3  New Card"},
                 {"radeon", Code::invalid_argument, "discrete, integrated, virtual, cpu"}};
  for (const auto& [selector, code, text] : refused) {
    INFO(selector);
    const auto chosen = choose_device(devices, selector);
    REQUIRE_FALSE(chosen);
    CHECK(chosen.error().code == code);
    CHECK(chosen.error().message.find(text) != std::string::npos);
  }
  CHECK_FALSE(choose_device({}, "auto"));
  CHECK_FALSE(choose_device(std::span(devices).subspan(1, 1), "gpu"));
  CHECK(must(choose_device(std::span(devices).subspan(1, 1), "auto"))->index == 1);
}

TEST_CASE("capabilities are at least what Vulkan 1.2 promises, and 0 for what nobody knows") {
  HEED_NEED_GPU(gpu);
  const struct {
    const char* name;
    uint64_t least;
  } promised[] = {{"max_shared_bytes", 16384}, {"max_workgroup_size", 128},   {"max_binding_bytes", 1u << 27},
                  {"max_workgroups_x", 65535}, {"max_workgroups_z", 65535},   {"subgroup_size", 1},
                  {"max_bindings", 4}};
  for (const auto& [name, least] : promised) {
    INFO(name);
    CHECK(gpu.device->capability(name) >= least);
  }
  CHECK(gpu.device->capability("warp drive") == 0);
  if (gpu.device->capability("cooperative_matrix"))
    for (const char* size : {"cooperative_m", "cooperative_n", "cooperative_k"}) CHECK(gpu.device->capability(size) > 0);
}

TEST_CASE("every feature can be masked and every limit lowered; what is not there cannot be added") {
  HEED_NEED_GPU(gpu);
  const Capabilities& whole = gpu.device->info().capabilities;
  for (const auto& [name, value, kind] : capability_entries) {
    INFO(name);
    Capabilities less = whole;
    if (kind == CapabilityKind::fact) {
      CHECK_FALSE(restrict_by_option(less, name, "1"));
      CHECK_FALSE(restrict_by_option(less, "mask", name));
    } else if (kind == CapabilityKind::feature) {
      must(restrict_by_option(less, "mask", name));
      CHECK(less.*value == 0);
    } else {
      must(restrict_by_option(less, name, "7"));
      CHECK(less.*value == 7);
      must(restrict_by_option(less, name, "18446744073709551615"));
      CHECK(less.*value == 7);
    }
    less.*value = whole.*value;
    CHECK(less == whole);
    CHECK(gpu.device->capability(name) == whole.*value);
  }
}

TEST_CASE("a device opened with options lacks what they took, and leaves others as they were") {
  HEED_NEED_GPU(gpu);
  const std::string index = std::to_string(gpu.device->info().index);
  const Option options[] = {{"vulkan.mask", "int64,unified_memory"}, {"vulkan.max_workgroup_size", "64"}, {"cpu.isa", "scalar"}, {"vulkan.cache", "off"}};
  const auto less = must(Device::open(index, options));
  CHECK(less != gpu.device);
  CHECK(less == must(Device::open(index, options)));
  CHECK(less->capability("int64") == 0);
  CHECK(less->capability("max_workgroup_size") == 64);
  CHECK(less->capability("max_shared_bytes") == gpu.device->capability("max_shared_bytes"));
  CHECK(gpu.device->capability("max_workgroup_size") > 64);

  // Without unified memory tensors are staged.
  Gpu staged(less);
  const std::vector<float> values = {1, 2, 3};
  const auto buffer = staged.buffer(values);
  CHECK(buffer->mapped() == nullptr);
  CHECK(staged.values<float>(buffer) == values);
}

TEST_CASE("options that mean nothing are errors that list those that do; a device without what Heed needs is refused") {
  HEED_NEED_GPU(gpu);
  const struct {
    Option option;
    Code code;
    std::string text;
  } cases[] = {{{"vulkan.mask", "int64,int63"}, Code::invalid_argument, "'int63'; there are cooperative_matrix, cpu_threads, float16, float64"},
               {{"vulkan.mask", "max_bindings"}, Code::invalid_argument, "no feature 'max_bindings'"},
               {{"vulkan.warp", "9"}, Code::invalid_argument, "vulkan.cache, vulkan.mask, vulkan.timeout_ms, vulkan.max_allocation_bytes"},
               {{"vulkan.max_bindings", "many"}, Code::invalid_argument, "expected a number"},
               {{"vulkan.timeout_ms", "1 s"}, Code::invalid_argument, "vulkan.timeout_ms=1 s: expected a number"},
               {{"vulkan.lose_at_submission", "soon"}, Code::invalid_argument, "expected a number"},
               {{"vulkan.mask", "timeline_semaphores"}, Code::unsupported, "it lacks timeline semaphores"}};
  for (const auto& [option, code, text] : cases) {
    INFO(option.first << "=" << option.second);
    const auto opened = Device::open("auto", {&option, 1});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == code);
    CHECK(opened.error().message.find(text) != std::string::npos);
  }
}

}  // namespace heed::vulkan
