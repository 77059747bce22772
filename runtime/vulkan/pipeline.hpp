// Pipeline: a shader with its specialisation constants, ready to be dispatched.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "heed/plugin.h"
#include "heed/result.hpp"

struct VkPipeline_T;
struct VkPipelineLayout_T;
struct VkDescriptorSetLayout_T;

namespace heed::vulkan {

class Device;

// A compute shader in one of two forms: SPIR-V words, or GLSL text to be compiled here. Its entry point is `main`.
struct ShaderSource {
  std::span<const uint32_t> spirv;
  std::string_view glsl;
};

class Pipeline {
 public:
  // Binding n of set 0 is a storage buffer for n < binding_count; binding_count is the parameters' buffer. Equal shaders
  // with equal constants share one pipeline as long as somebody holds it. Any number of threads. Fails with the
  // compiler's messages, or where the device has fewer bindings than asked for.
  static Result<std::shared_ptr<const Pipeline>> create(const std::shared_ptr<Device>& device, const ShaderSource& source,
                                                        std::span<const heed_constant> constants, uint32_t binding_count);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;

  uint32_t binding_count() const { return binding_count_; }  // without the parameters' buffer
  VkPipeline_T* handle() const { return handle_; }
  VkPipelineLayout_T* layout() const { return layout_; }           // the device's
  VkDescriptorSetLayout_T* set_layout() const { return set_layout_; }

 private:
  Pipeline() = default;
  std::shared_ptr<Device> device_;
  uint32_t binding_count_ = 0;
  VkPipeline_T* handle_ = nullptr;
  VkPipelineLayout_T* layout_ = nullptr;
  VkDescriptorSetLayout_T* set_layout_ = nullptr;
};

}  // namespace heed::vulkan
