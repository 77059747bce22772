// GLSL text to SPIR-V, at run time; the only file that includes glslang.
#include "vulkan/compile_glsl.hpp"

#include <glslang/Public/ResourceLimits.h>
#include <glslang/Public/ShaderLang.h>
#include <glslang/SPIRV/GlslangToSpv.h>

// What glslang may do to SPIR-V on request, which nobody here makes. Without these the linker takes glslang's own, and
// with them the whole of SPIRV-Tools: 4 MB. Weak: where another glslang needs more of that file, all of it comes.
namespace glslang {
[[gnu::weak]] void SpirvToolsDisassemble(std::ostream&, const std::vector<unsigned>&) {}
[[gnu::weak]] void SpirvToolsValidate(const TIntermediate&, std::vector<unsigned>&, spv::SpvBuildLogger*, bool) {}
[[gnu::weak]] void SpirvToolsTransform(const TIntermediate&, std::vector<unsigned>&, spv::SpvBuildLogger*, const SpvOptions*) {}
[[gnu::weak]] void SpirvToolsStripDebugInfo(const TIntermediate&, std::vector<unsigned>&, spv::SpvBuildLogger*) {}
}  // namespace glslang

namespace heed::vulkan {
namespace {

// glslang's tables: made by the first shader (150 ms), kept until the process ends.
struct Compiler {
  bool ready = glslang::InitializeProcess();
};

std::string trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  return std::string(text);
}

}  // namespace

Result<std::vector<uint32_t>> compile_glsl(std::string_view text) {
  static const Compiler compiler;
  if (!compiler.ready) return Error{Code::unsupported, "GLSL: glslang does not start"};

  constexpr auto messages = static_cast<EShMessages>(EShMsgSpvRules | EShMsgVulkanRules);
  constexpr int default_version = 450;
  glslang::TShader shader(EShLangCompute);
  const char* begin = text.data();
  const int length = static_cast<int>(text.size());
  shader.setStringsWithLengths(&begin, &length, 1);
  shader.setEnvInput(glslang::EShSourceGlsl, EShLangCompute, glslang::EShClientVulkan, 100);
  shader.setEnvClient(glslang::EShClientVulkan, glslang::EShTargetVulkan_1_2);
  shader.setEnvTarget(glslang::EShTargetSpv, glslang::EShTargetSpv_1_5);
  if (!shader.parse(GetDefaultResources(), default_version, false, messages))
    return Error{Code::unsupported, "GLSL: " + trimmed(shader.getInfoLog())};

  glslang::TProgram program;
  program.addShader(&shader);
  if (!program.link(messages)) return Error{Code::unsupported, "GLSL: " + trimmed(program.getInfoLog())};

  std::vector<uint32_t> words;
  glslang::GlslangToSpv(*program.getIntermediate(EShLangCompute), words);
  if (words.empty()) return Error{Code::unsupported, "GLSL: glslang made no SPIR-V"};
  return words;
}

}  // namespace heed::vulkan
