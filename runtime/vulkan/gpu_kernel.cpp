// GpuKernel: the variants of one node made ready on a device.
#include "vulkan/gpu_kernel.hpp"

#include "vulkan/device.hpp"
#include "vulkan/pipeline.hpp"
#include "vulkan/recording.hpp"

namespace heed::vulkan {

Result<std::shared_ptr<GpuKernel>> GpuKernel::create(const std::shared_ptr<Device>& device,
                                                     std::span<const heed_variant> variants) {
  auto kernel = std::make_shared<GpuKernel>();
  for (const auto& variant : variants) {
    std::string name(variant.name.data, variant.name.size);
    const ShaderSource source{{variant.spirv, variant.spirv ? variant.spirv_word_count : 0},
                              {variant.glsl.data, variant.glsl.size}};
    auto pipeline = Pipeline::create(device, source, {variant.constants, variant.constant_count},
                                     static_cast<uint32_t>(variant.binding_count));
    if (!pipeline) return std::move(pipeline).error().within("variant '" + name + "'");
    kernel->variants_.push_back(
        {std::move(name), *std::move(pipeline), {variant.bindings, variant.bindings + variant.binding_count}});
  }
  return kernel;
}

Result<void> GpuKernel::record(Recording& recording, std::span<const DispatchData> dispatches,
                               std::span<const BufferRange> inputs, std::span<const BufferRange> outputs,
                               BufferRange scratch) const {
  std::vector<BoundRange> ranges;
  for (const auto& dispatch : dispatches) {
    if (dispatch.variant < 0 || static_cast<size_t>(dispatch.variant) >= variants_.size())
      return Error{Code::invalid_argument, "a dispatch of variant " + std::to_string(dispatch.variant) + " of " +
                                               std::to_string(variants_.size())};
    const auto& variant = variants_[static_cast<size_t>(dispatch.variant)];
    ranges.clear();
    for (const auto& binding : variant.bindings) {
      const bool is_scratch = binding.kind == HEED_BIND_SCRATCH;
      const auto& list = binding.kind == HEED_BIND_INPUT ? inputs : outputs;
      if (!is_scratch && (binding.index < 0 || static_cast<size_t>(binding.index) >= list.size()))
        return Error{Code::invalid_argument, "variant '" + variant.name + "' binds " +
                                                 (binding.kind == HEED_BIND_INPUT ? "input " : "output ") +
                                                 std::to_string(binding.index) + " of " + std::to_string(list.size())};
      ranges.push_back({is_scratch ? scratch : list[static_cast<size_t>(binding.index)], binding.writes != 1,
                        binding.writes != 0});
    }
    auto recorded = recording.dispatch(variant.pipeline, ranges, dispatch.parameters, dispatch.workgroups);
    if (!recorded) return std::move(recorded).error().within("variant '" + variant.name + "'");
  }
  return {};
}

}  // namespace heed::vulkan
