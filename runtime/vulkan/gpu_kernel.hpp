// GpuKernel: the variants of one node made ready on a device, and the dispatches that its bind function asked for put
// into a recording.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "heed/plugin.h"
#include "heed/result.hpp"
#include "vulkan/memory.hpp"

namespace heed::vulkan {

class Device;
class Pipeline;
class Recording;

// What bind_dispatch was told. Borrowed for the call.
struct DispatchData {
  int32_t variant = 0;
  std::span<const std::byte> parameters;  // std430
  uint32_t workgroups[3] = {1, 1, 1};
  std::span<const heed_window> windows;
};

// Immutable once made; shared by the sessions of a Model.
class GpuKernel {
 public:
  // Compiles what is GLSL and builds a pipeline for each variant; nothing of `variants` is kept. Fails with the
  // variant's name and the compiler's messages.
  static Result<std::shared_ptr<GpuKernel>> create(const std::shared_ptr<Device>& device,
                                                   std::span<const heed_variant> variants);

  // Records the dispatches in order, each seeing what those before it wrote, and nothing where there are none.
  //
  // The caller guarantees that
  // - inputs[i] and outputs[i] hold the whole of the node's input or output i, from the byte that heed_tensor.offset
  //   counts from, and begin at a multiple of binding_alignment_bytes in a buffer of the recording's device;
  // - an input and an output share bytes only where the kernel allowed it (plan_in_place), and then wholly;
  // - absent and empty tensors are empty ranges: the shader finds spare bytes in their place and the parameters tell it
  //   so;
  // - scratch has at least the size that bind_scratch asked for, and is this run's alone;
  // - error_word is a word for kernels that bind one, kept what their prepare made.
  // A binding or a variant that is not there is an Error of invalid_argument that names the variant.
  Result<void> record(Recording& recording, std::span<const DispatchData> dispatches, std::span<const BufferRange> inputs,
                      std::span<const BufferRange> outputs, BufferRange scratch, BufferRange error_word = {},
                      BufferRange kept = {}) const;

 private:
  struct Variant {
    std::string name;
    std::shared_ptr<const Pipeline> pipeline;
    std::vector<heed_binding> bindings;
  };
  std::vector<Variant> variants_;
};

}  // namespace heed::vulkan
