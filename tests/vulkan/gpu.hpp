// What the tests of the Vulkan room share: the device, with the validation layer on, and a few short forms.
#pragma once

#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "heed/plugin.hpp"
#include "vulkan/device.hpp"
#include "vulkan/gpu_kernel.hpp"
#include "vulkan/memory.hpp"
#include "vulkan/recording.hpp"

namespace heed::vulkan {

// The device of HEED_TEST_DEVICE ("auto" otherwise), validated; null where there is none, after saying so. Everything the
// validation layer says is printed and fails the test that looks (see Gpu).
std::shared_ptr<Device> test_device();

// Prints what is logged, and asks for the validation layer where it is installed and the environment does not say otherwise.
// Before the first device is opened.
void watch_validation();

// A value, or the test fails with the error's text.
template <class T>
T must(Result<T> result) {
  if (!result) FAIL(result.error().message);
  return std::move(result).value();
}
inline void must(Result<void> result) {
  if (!result) FAIL(result.error().message);
}

template <class T>
std::span<const std::byte> bytes_in(const std::vector<T>& values) {
  return std::as_bytes(std::span(values));
}

// A device and a recording for one test; on the way out no validation message may have come.
class Gpu {
 public:
  explicit Gpu(const std::shared_ptr<Device>& device) : device(device), recording(must(Recording::create(device))) {}
  ~Gpu() {
    recording.reset();
    CHECK(validation_message_count() == 0);
  }

  std::shared_ptr<Buffer> room(size_t size_bytes) { return must(Buffer::create(device, size_bytes)); }
  template <class T>
  std::shared_ptr<Buffer> buffer(const std::vector<T>& values) {
    auto made = room(values.size() * sizeof(T));
    const auto loading = must(Recording::create(device));
    must(loading->write(whole(made), bytes_in(values)));
    must(loading->wait());
    return made;
  }
  template <class T>
  std::vector<T> values(const std::shared_ptr<Buffer>& from) {
    std::vector<T> out(from->size_bytes() / sizeof(T));
    must(recording->read(whole(from), std::as_writable_bytes(std::span(out))));
    must(recording->wait());
    return out;
  }

  std::shared_ptr<Device> device;
  std::unique_ptr<Recording> recording;
};

// A kernel of variants that share their bindings, as plugin.hpp's GpuPlan gives them.
inline std::shared_ptr<GpuKernel> kernel_of(const std::shared_ptr<Device>& device, const GpuPlan& plan) {
  std::vector<heed_variant> variants;
  for (const auto& v : plan.variants) {
    const auto& bindings = v.bindings.empty() ? plan.bindings : v.bindings;
    variants.push_back({sizeof(heed_variant), to_c(v.name), v.shader.words, v.shader.word_count, to_c(v.shader.glsl),
                        bindings.data(), bindings.size(), v.constants.data(), v.constants.size(), to_c(plan.error)});
  }
  return must(GpuKernel::create(device, variants));
}

inline std::vector<DispatchData> data_of(const std::vector<Dispatch>& dispatches) {
  std::vector<DispatchData> data;
  for (const auto& d : dispatches)
    data.push_back({d.variant, d.parameters, {d.workgroups[0], d.workgroups[1], d.workgroups[2]}, d.windows});
  return data;
}

inline std::vector<float> random_floats(size_t count, uint32_t seed) {
  std::mt19937 generator(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(count);
  for (auto& value : values) value = uniform(generator);
  return values;
}

// The largest |a - b| / (1 + |b|).
inline float difference(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  float worst = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float d = std::abs(a[i] - b[i]) / (1 + std::abs(b[i]));
    worst = std::isnan(d) ? INFINITY : std::max(worst, d);
  }
  return worst;
}

}  // namespace heed::vulkan

// At the start of each test: a Gpu of this name, or the test is over, visibly.
#define HEED_NEED_GPU(name)                                   \
  const auto name##_device = heed::vulkan::test_device();     \
  if (!name##_device) return;                                 \
  heed::vulkan::Gpu name(name##_device)
