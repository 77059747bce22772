// What a plan needs once per Model: packed weights, constants on the device, pipelines.
#pragma once

#include <memory>
#include <vector>

#include "plan/plan.hpp"
#include "registry/value.hpp"

namespace heed {

class ThreadPool;
namespace vulkan {
class Device;
class GpuKernel;
}  // namespace vulkan

struct PreparedPlan;

struct PreparedStep {
  PreparedStep();
  PreparedStep(PreparedStep&&) noexcept;
  ~PreparedStep();

  const void* kept = nullptr;  // what the kernel's prepare made, in `memory`
  std::vector<std::shared_ptr<void>> memory;
  std::shared_ptr<vulkan::GpuKernel> gpu;
  SharedValue kept_on_device;  // what a GPU kernel's prepare made; null: nothing
  std::vector<std::unique_ptr<PreparedPlan>> bodies;  // of a control step
};

struct PreparedPlan {
  const Plan* plan = nullptr;
  std::vector<PreparedStep> steps;
  std::vector<SharedValue> constants;  // by slot; empty where the slot is none, or where packing replaced it
  size_t bytes = 0;                    // of what was packed and of constants that are still read
};

// The constants whose bytes all readers have packed are let go: their pages are dropped.
Result<std::unique_ptr<PreparedPlan>> prepare(Plan& plan, ThreadPool& threads,
                                              const std::shared_ptr<vulkan::Device>& device,
                                              const std::vector<std::pair<std::string, std::string>>& kernel_options);

}  // namespace heed
