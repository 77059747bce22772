// Pipeline: a shader with its specialisation constants, ready to be dispatched.
#include "vulkan/pipeline.hpp"

#include <string>
#include <vector>

#include "vulkan/compile_glsl.hpp"
#include "vulkan/device_content.hpp"

namespace heed::vulkan {
namespace {

constexpr uint32_t spirv_magic = 0x07230203;

// What makes two pipelines equal, as bytes.
std::string key_of(const ShaderSource& source, std::span<const heed_constant> constants, uint32_t binding_count) {
  std::string key(reinterpret_cast<const char*>(&binding_count), sizeof binding_count);
  const auto constant_count = static_cast<uint32_t>(constants.size());
  key.append(reinterpret_cast<const char*>(&constant_count), sizeof constant_count);
  key.append(reinterpret_cast<const char*>(constants.data()), constants.size_bytes());
  key.append(reinterpret_cast<const char*>(source.spirv.data()), source.spirv.size_bytes());
  key.append(source.glsl);
  return key;
}

// The layout of set 0 with so many storage buffers; made once per device. Its caller holds pipeline_mutex.
Result<SetLayout> layout_for(Device::Content& content, uint32_t buffer_count) {
  auto& layout = content.layouts[buffer_count];
  if (!layout.set) {
    std::vector<VkDescriptorSetLayoutBinding> bindings;
    for (uint32_t binding = 0; binding < buffer_count; ++binding)
      bindings.push_back({binding, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr});
    const VkDescriptorSetLayoutCreateInfo info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, nullptr, 0,
                                               buffer_count, bindings.data()};
    HEED_TRY(check(content.vk.CreateDescriptorSetLayout(content.handle, &info, nullptr, &layout.set),
                   "vkCreateDescriptorSetLayout"));
  }
  if (!layout.pipeline) {
    const VkPipelineLayoutCreateInfo info{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, nullptr, 0, 1, &layout.set, 0,
                                          nullptr};
    HEED_TRY(check(content.vk.CreatePipelineLayout(content.handle, &info, nullptr, &layout.pipeline),
                   "vkCreatePipelineLayout"));
  }
  return layout;
}

Result<VkPipeline> build(const Device::Content& content, const ShaderSource& source,
                         std::span<const heed_constant> constants, VkPipelineLayout layout) {
  std::vector<uint32_t> compiled;
  std::span<const uint32_t> words = source.spirv;
  if (words.empty()) {
    HEED_ASSIGN(compiled, compile_glsl(source.glsl));
    words = compiled;
  }
  if (words.size() < 5 || words[0] != spirv_magic)
    return Error{Code::unsupported, "the shader is neither SPIR-V words nor GLSL text"};
  const VkShaderModuleCreateInfo module_info{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, nullptr, 0, words.size_bytes(),
                                             words.data()};
  VkShaderModule module = VK_NULL_HANDLE;
  HEED_TRY(check(content.vk.CreateShaderModule(content.handle, &module_info, nullptr, &module), "vkCreateShaderModule"));

  std::vector<VkSpecializationMapEntry> entries;
  std::vector<uint32_t> values;
  for (const auto& constant : constants) {
    entries.push_back({constant.id, static_cast<uint32_t>(values.size() * sizeof(uint32_t)), sizeof(uint32_t)});
    values.push_back(constant.value);
  }
  const VkSpecializationInfo specialisation{static_cast<uint32_t>(entries.size()), entries.data(),
                                            values.size() * sizeof(uint32_t), values.data()};
  const VkComputePipelineCreateInfo info{.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO,
                                         .pNext = nullptr,
                                         .flags = 0,
                                         .stage = {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, nullptr, 0,
                                                   VK_SHADER_STAGE_COMPUTE_BIT, module, "main", &specialisation},
                                         .layout = layout,
                                         .basePipelineHandle = VK_NULL_HANDLE,
                                         .basePipelineIndex = -1};
  VkPipeline pipeline = VK_NULL_HANDLE;
  const auto created =
      check(content.vk.CreateComputePipelines(content.handle, content.pipeline_cache, 1, &info, nullptr, &pipeline),
            "vkCreateComputePipelines");
  content.vk.DestroyShaderModule(content.handle, module, nullptr);
  HEED_TRY(created);
  return pipeline;
}

}  // namespace

Result<std::shared_ptr<const Pipeline>> Pipeline::create(const std::shared_ptr<Device>& device,
                                                         const ShaderSource& source,
                                                         std::span<const heed_constant> constants,
                                                         uint32_t binding_count) {
  auto& content = device->content();
  const uint32_t buffer_count = binding_count + 1;
  if (const uint64_t most = content.info.capabilities.max_bindings; buffer_count > most)
    return Error{Code::unsupported, "the shader binds " + std::to_string(binding_count) +
                                        " buffers and its parameters; " + content.info.name + " allows " +
                                        std::to_string(most)};
  const std::string key = key_of(source, constants, binding_count);
  std::unique_lock lock(content.pipeline_mutex);
  // Several threads prepare a model: what they ask for at once is built by one of them, outside of the lock.
  content.pipeline_built.wait(lock, [&] { return !content.pipelines_in_work.contains(key); });
  if (auto known = content.pipelines[key].lock()) return std::shared_ptr<const Pipeline>(std::move(known));
  HEED_ASSIGN(const auto layout, layout_for(content, buffer_count));
  content.pipelines_in_work.insert(key);
  lock.unlock();
  const auto built = build(content, source, constants, layout.pipeline);
  lock.lock();
  content.pipelines_in_work.erase(key);
  content.pipeline_built.notify_all();
  if (!built) return built.error();

  auto pipeline = std::shared_ptr<Pipeline>(new Pipeline);
  pipeline->device_ = device;
  pipeline->binding_count_ = binding_count;
  pipeline->handle_ = *built;
  pipeline->layout_ = layout.pipeline;
  pipeline->set_layout_ = layout.set;
  content.pipelines[key] = pipeline;
  return std::shared_ptr<const Pipeline>(std::move(pipeline));
}

Pipeline::~Pipeline() {
  const auto& content = device_->content();
  if (!content.hangs) content.vk.DestroyPipeline(content.handle, handle_, nullptr);
}

}  // namespace heed::vulkan
