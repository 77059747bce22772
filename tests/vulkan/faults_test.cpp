// Every call of Vulkan that can fail, failing in turn: each time an Error that names it, nothing left behind, and the
// next try works. A program of its own: it stands between Heed and the driver, and nobody else may hold a device.
#include <chrono>
#include <cstdlib>
#include <optional>
#include <set>
#include <thread>

#include "gpu.hpp"
#include "vulkan/api.hpp"
#include "vulkan/pipeline.hpp"

namespace heed::vulkan {
namespace {

// What the functions below are told to do, and what they saw.
struct Faults {
  int fail_at = -1;  // which of the calls that can fail; memory stays short for that function, and a lost device lost
  VkResult code = VK_SUCCESS;
  int calls = 0;
  std::string failed = {};   // the name of the call
  int alive = 0;             // objects made and not destroyed
  uint32_t api_version = 0;  // that devices pretend to speak; 0: their own
  int timeouts = 0;          // waits that pretend that nothing came of them
  uint64_t executed = 0;     // what the device tells meanwhile
  bool progresses = false;   // and then one more, and so on

  std::optional<VkResult> next(const char* name) {
    const bool here = calls++ == fail_at;
    if (here) failed = name;
    if (here || failed == name || (!failed.empty() && code == VK_ERROR_DEVICE_LOST)) return code;
    return std::nullopt;
  }
};
Faults faults;

template <class Name, class Function>
struct Wrapped;
template <class Name, class Answer, class... Arguments>
struct Wrapped<Name, Answer(VKAPI_PTR*)(Arguments...)> {
  static inline Answer(VKAPI_PTR* real)(Arguments...) = nullptr;
  static VKAPI_ATTR Answer VKAPI_CALL call(Arguments... arguments) {
    const std::string_view name = Name::text();
    if constexpr (std::is_same_v<Answer, VkResult>) {
      if (const auto failure = faults.next(Name::text())) {
        // The driver is not lost in truth: it must be done before its objects go.
        if (name == "vkWaitSemaphores") real(arguments...);
        return *failure;
      }
      const VkResult result = real(arguments...);
      if (result >= VK_SUCCESS && (name.starts_with("vkCreate") || name == "vkAllocateMemory")) ++faults.alive;
      return result;
    } else {
      if (name.starts_with("vkDestroy") || name == "vkFreeMemory") --faults.alive;
      return real(arguments...);
    }
  }
};

#define WRAP(function)                                                                  \
  if (real && std::string_view(name) == "vk" #function) {                               \
    struct Name {                                                                       \
      static constexpr const char* text() { return "vk" #function; }                    \
    };                                                                                  \
    Wrapped<Name, PFN_vk##function>::real = reinterpret_cast<PFN_vk##function>(real);   \
    return reinterpret_cast<PFN_vkVoidFunction>(Wrapped<Name, PFN_vk##function>::call); \
  }

PFN_vkGetInstanceProcAddr real_instance_function = nullptr;
PFN_vkGetDeviceProcAddr real_device_function = nullptr;
PFN_vkGetPhysicalDeviceProperties2 real_properties = nullptr;
PFN_vkWaitSemaphores real_wait = nullptr;
PFN_vkGetSemaphoreCounterValue real_value = nullptr;

// The device is done in truth: its objects may go.
VKAPI_ATTR VkResult VKAPI_CALL wait_in_vain(VkDevice device, const VkSemaphoreWaitInfo* info, uint64_t timeout_ns) {
  const VkResult result = real_wait(device, info, faults.timeouts ? UINT64_MAX : timeout_ns);
  if (!faults.timeouts) return result;
  --faults.timeouts;
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  return VK_TIMEOUT;
}

VKAPI_ATTR VkResult VKAPI_CALL value_of(VkDevice device, VkSemaphore semaphore, uint64_t* value) {
  const VkResult result = real_value(device, semaphore, value);
  if (faults.timeouts) *value = faults.progresses ? faults.executed++ : faults.executed;
  return result;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL device_function(VkDevice device, const char* name) {
  PFN_vkVoidFunction real = real_device_function(device, name);
  if (std::string_view(name) == "vkWaitSemaphores") {
    real_wait = reinterpret_cast<PFN_vkWaitSemaphores>(real);
    real = reinterpret_cast<PFN_vkVoidFunction>(wait_in_vain);
  } else if (std::string_view(name) == "vkGetSemaphoreCounterValue") {
    real_value = reinterpret_cast<PFN_vkGetSemaphoreCounterValue>(real);
    real = reinterpret_cast<PFN_vkVoidFunction>(value_of);
  }
  HEED_VULKAN_DEVICE_FUNCTIONS(WRAP)
  return real;
}

VKAPI_ATTR void VKAPI_CALL properties_of(VkPhysicalDevice device, VkPhysicalDeviceProperties2* properties) {
  real_properties(device, properties);
  if (faults.api_version) properties->properties.apiVersion = faults.api_version;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL instance_function(VkInstance instance, const char* name) {
  const PFN_vkVoidFunction real = real_instance_function(instance, name);
  if (std::string_view(name) == "vkGetDeviceProcAddr") {
    real_device_function = reinterpret_cast<PFN_vkGetDeviceProcAddr>(real);
    return reinterpret_cast<PFN_vkVoidFunction>(device_function);
  }
  if (std::string_view(name) == "vkGetPhysicalDeviceProperties2") {
    real_properties = reinterpret_cast<PFN_vkGetPhysicalDeviceProperties2>(real);
    return reinterpret_cast<PFN_vkVoidFunction>(properties_of);
  }
  HEED_VULKAN_GLOBAL_FUNCTIONS(WRAP)
  HEED_VULKAN_INSTANCE_FUNCTIONS(WRAP)
  HEED_VULKAN_OPTIONAL_FUNCTIONS(WRAP)
  return real;
}

#undef WRAP

// Puts the functions above in Vulkan's place; false where there is no Vulkan.
bool stand_between() {
  const auto loaded = load_vulkan();
  if (!loaded) {
    WARN("skipped: " << loaded.error().message);
    return false;
  }
  GlobalFunctions& vk = **loaded;
  if (vk.GetInstanceProcAddr != instance_function) {
    real_instance_function = vk.GetInstanceProcAddr;
    vk.GetInstanceProcAddr = instance_function;
#define REPLACE(function) vk.function = reinterpret_cast<PFN_vk##function>(instance_function(nullptr, "vk" #function));
    HEED_VULKAN_GLOBAL_FUNCTIONS(REPLACE)
#undef REPLACE
  }
  watch_validation();
  return true;
}

constexpr std::string_view add_one_glsl = R"(#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) buffer X { float x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Parameters { uint count; };
void main() {
  if (gl_GlobalInvocationID.x < count) x[gl_GlobalInvocationID.x] += 1.0;
}
)";

// Load, run and unload: three numbers go up, become larger by one, and come down.
Result<void> load_run_unload(std::string_view mask) {
  const Option options[] = {{"vulkan.cache", "off"}, {"vulkan.mask", std::string(mask)}};
  HEED_ASSIGN(const auto device, Device::open("auto", options));
  HEED_ASSIGN(const auto pipeline, Pipeline::create(device, {{}, add_one_glsl}, {}, 1));
  HEED_ASSIGN(const auto recording, Recording::create(device));
  HEED_ASSIGN(const auto buffer, Buffer::create(device, 12));
  std::vector<float> values = {1, 2, 3};
  HEED_TRY(recording->write(whole(buffer), bytes_in(values)));
  const uint32_t count = 3, workgroups[3] = {1, 1, 1};
  const BoundRange binding[] = {{whole(buffer), true, true}};
  for (int i = 0; i < 2; ++i) {
    HEED_TRY(recording->dispatch(pipeline, binding, std::as_bytes(std::span(&count, 1)), workgroups));
    HEED_TRY(recording->submit());
  }
  HEED_TRY(recording->read(whole(buffer), std::as_writable_bytes(std::span(values))));
  HEED_TRY(recording->wait());
  CHECK(values == std::vector<float>{3, 4, 5});
  return {};
}

}  // namespace

TEST_CASE("each call that fails is an error that names it, leaves nothing behind, and the next try works") {
  if (!stand_between()) return;
  const bool full = std::getenv("HEED_TEST_FULL") != nullptr;
  std::vector<VkResult> codes = {VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_DEVICE_LOST};
  if (full) codes.push_back(VK_ERROR_OUT_OF_HOST_MEMORY);
  std::set<std::string> failed;
  for (const VkResult code : codes)
    for (const std::string_view mask : {"", "unified_memory"})
      for (int call = 0;; ++call) {
        faults = {.fail_at = call, .code = code};
        const auto done = load_run_unload(mask);
        if (faults.failed.empty()) {
          must(done);
          break;
        }
        const bool first = failed.insert(faults.failed).second;
        INFO("call " << call << ", " << faults.failed << ", gives " << name_of(code) << ", without '" << mask << "'");
        REQUIRE_FALSE(done);
        INFO(done.error().message);
        CHECK(done.error().message.find(faults.failed) != std::string::npos);
        CHECK(done.error().message.find(name_of(code)) != std::string::npos);
        CHECK(faults.alive == 0);
        if (!full && !first) continue;
        faults = {};
        must(load_run_unload(mask));
        CHECK(faults.alive == 0);
      }
  CHECK(validation_message_count() == 0);
  for (const std::string name :
       {"vkCreateInstance", "vkEnumeratePhysicalDevices", "vkCreateDevice", "vkAllocateMemory", "vkMapMemory",
        "vkCreateComputePipelines", "vkAllocateDescriptorSets", "vkQueueSubmit", "vkWaitSemaphores"}) {
    INFO(name);
    CHECK(failed.contains(name));
  }
}

TEST_CASE("a device that makes no progress hangs: an error that says so, at once for who waits later, and opened anew") {
  if (!stand_between()) return;
  faults = {};
  const Option options[] = {{"vulkan.cache", "off"}, {"vulkan.timeout_ms", "100"}};
  const auto device = must(Device::open("auto", options));
  const auto buffer = must(Buffer::create(device, 1024));
  const auto slow = must(Recording::create(device)), stuck = must(Recording::create(device));
  must(slow->fill(whole(buffer), 1));
  faults = {.timeouts = 30, .progresses = true};  // three times as long, but something happens
  must(slow->wait());
  CHECK(faults.timeouts == 0);

  must(stuck->fill(whole(buffer), 2));
  must(slow->fill(whole(buffer), 3));
  must(slow->submit());
  faults = {.timeouts = 1'000, .executed = 1};
  const auto hung = stuck->wait();
  REQUIRE_FALSE(hung);
  CHECK(hung.error().code == Code::device_failed);
  INFO(hung.error().message);
  CHECK(hung.error().message.find("submission 2 of 3 made no progress for 100 ms (vulkan.timeout_ms)") !=
        std::string::npos);
  CHECK_FALSE(device->works());
  faults.timeouts = 1;
  const auto later = slow->wait();
  REQUIRE_FALSE(later);
  CHECK(later.error().code == Code::device_failed);
  faults = {};
  const auto again = must(Device::open("auto", options));
  CHECK(again != device);
  CHECK(again->works());
}

TEST_CASE("a wait ends when its caller cancels; what was submitted is executed, and the recording goes on") {
  if (!stand_between()) return;
  faults = {};
  const Option options[] = {{"vulkan.cache", "off"}};
  const auto device = must(Device::open("auto", options));
  const auto buffer = must(Buffer::create(device, 8));
  Stop stop;
  stop.request();
  const auto recording = must(Recording::create(device, &stop));
  std::vector<uint32_t> word(1, 7);
  must(recording->fill(whole(buffer), 5));
  must(recording->read({buffer.get(), 0, 4}, std::as_writable_bytes(std::span(word))));
  faults = {.timeouts = 1};
  const auto stopped = recording->wait();
  REQUIRE_FALSE(stopped);
  CHECK(stopped.error().code == Code::cancelled);
  CHECK(word[0] == 7);
  recording->discard();
  stop.begin();
  must(recording->read({buffer.get(), 4, 4}, std::as_writable_bytes(std::span(word))));
  must(recording->wait());
  CHECK(word[0] == 5);
  CHECK(validation_message_count() == 0);
}

TEST_CASE("a device that speaks an older Vulkan is listed and refused, with both versions") {
  if (!stand_between()) return;
  faults = {.api_version = VK_MAKE_API_VERSION(0, 1, 1, 130)};
  const auto list = must(Device::list());
  REQUIRE_FALSE(list.empty());
  CHECK(list[0].unsuitable == "it speaks Vulkan 1.1.130; Heed needs 1.2");
  CHECK(list[0].capabilities == Capabilities{});
  const auto opened = Device::open("auto");
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code == Code::unsupported);
  CHECK(opened.error().message.find("it speaks Vulkan 1.1.130; Heed needs 1.2") != std::string::npos);
}

}  // namespace heed::vulkan
