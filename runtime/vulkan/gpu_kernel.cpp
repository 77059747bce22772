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
                               BufferRange scratch, BufferRange error_word, BufferRange kept) const {
  std::vector<BoundRange> ranges;
  for (const auto& dispatch : dispatches) {
    if (dispatch.variant < 0 || static_cast<size_t>(dispatch.variant) >= variants_.size())
      return Error{Code::invalid_argument, "a dispatch of variant " + std::to_string(dispatch.variant) + " of " +
                                               std::to_string(variants_.size())};
    const auto& variant = variants_[static_cast<size_t>(dispatch.variant)];
    ranges.clear();
    for (const auto& binding : variant.bindings) {
      const bool reads = binding.writes != 1, writes = binding.writes != 0;
      if (binding.kind != HEED_BIND_INPUT && binding.kind != HEED_BIND_OUTPUT) {
        ranges.push_back({binding.kind == HEED_BIND_SCRATCH ? scratch : binding.kind == HEED_BIND_ERROR ? error_word : kept,
                          reads, writes});
        continue;
      }
      const auto& list = binding.kind == HEED_BIND_INPUT ? inputs : outputs;
      if (binding.index < 0 || static_cast<size_t>(binding.index) >= list.size())
        return Error{Code::invalid_argument, "variant '" + variant.name + "' binds " +
                                                 (binding.kind == HEED_BIND_INPUT ? "input " : "output ") +
                                                 std::to_string(binding.index) + " of " + std::to_string(list.size())};
      ranges.push_back({list[static_cast<size_t>(binding.index)], reads, writes});
    }
    for (const auto& window : dispatch.windows) {
      const auto place = static_cast<size_t>(window.binding);
      const BufferRange whole = place < ranges.size() ? ranges[place].range : BufferRange{};
      if (window.offset_bytes > whole.size_bytes || window.size_bytes > whole.size_bytes - window.offset_bytes)
        return Error{Code::invalid_argument, "variant '" + variant.name + "': a window of " +
                                                 std::to_string(window.size_bytes) + " bytes at " +
                                                 std::to_string(window.offset_bytes) + " of binding " +
                                                 std::to_string(window.binding) + ", which has " +
                                                 std::to_string(whole.size_bytes)};
      ranges[place].range = {whole.buffer, whole.offset_bytes + window.offset_bytes, window.size_bytes};
    }
    auto recorded = recording.dispatch(variant.pipeline, ranges, dispatch.parameters, dispatch.workgroups);
    if (!recorded) return std::move(recorded).error().within("variant '" + variant.name + "'");
  }
  return {};
}

}  // namespace heed::vulkan
