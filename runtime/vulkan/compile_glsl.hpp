// GLSL text to SPIR-V, at run time: for shaders that fusion writes and for those of plugins.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed::vulkan {

// A compute shader, compiled for Vulkan 1.2; begins with #version. Code::unsupported carries the compiler's messages with
// their line numbers. Any number of threads.
Result<std::vector<uint32_t>> compile_glsl(std::string_view text);

}  // namespace heed::vulkan
