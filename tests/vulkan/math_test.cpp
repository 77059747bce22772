// math.glsl against the C library, in a shader written as fusion writes them: GLSL text put together at run time.
#include "gpu.hpp"
#include "shaders.hpp"

namespace heed::vulkan {
namespace {

GpuPlan unary(const std::string& expression) {
  static std::string text;  // the plan looks at it until its kernel is made
  text = "#version 450\n" + std::string(shaders::math_glsl) +
         "layout(local_size_x = 64) in;\n"
         "layout(set = 0, binding = 0, std430) readonly buffer X { float x_all[]; };\n"
         "layout(set = 0, binding = 1, std430) writeonly buffer Y { float y_all[]; };\n"
         "layout(set = 0, binding = 2, std430) readonly buffer Parameters { uint count; };\n"
         "void main() {\n"
         "  uint i = gl_GlobalInvocationID.x;\n"
         "  if (i >= count) return;\n"
         "  float x = x_all[i];\n"
         "  y_all[i] = " + expression + ";\n}\n";
  return {.variants = {{.name = expression, .shader = {.glsl = text}}}, .bindings = {read(0), write(0)}};
}

}  // namespace

TEST_CASE("exp, tanh and erf keep to the C library's") {
  HEED_NEED_GPU(gpu);
  const struct {
    const char* glsl;
    double (*exact)(double);
    double relative, absolute;
  } functions[] = {{"heed_exp(x)", std::exp, 3e-7, 1e-37},
                   {"heed_tanh(x)", std::tanh, 4e-7, 0},
                   {"heed_erf(x)", std::erf, 5e-7, 0}};
  std::vector<float> x;
  for (int i = -2000; i <= 2000; ++i) x.push_back(static_cast<float>(i) * 0.0101f);
  for (const float special : {-110.f, -104.f, -87.f, -86.f, 88.f, 0.f, -0.f, 1e-30f, 1e-3f, 0.62499f, 0.99999f, 1.00001f, -INFINITY})
    x.push_back(special);
  const auto in = gpu.buffer(x);
  const auto out = gpu.room(x.size() * sizeof(float));
  const auto count = static_cast<uint32_t>(x.size());
  for (const auto& f : functions) {
    const auto kernel = kernel_of(gpu.device, unary(f.glsl));
    const std::vector<Dispatch> dispatches{{0, bytes_of(count), {(count + 63) / 64, 1, 1}}};
    const BufferRange inputs[] = {whole(in)}, outputs[] = {whole(out)};
    must(kernel->record(*gpu.recording, data_of(dispatches), inputs, outputs, {}));
    const auto y = gpu.values<float>(out);
    for (size_t i = 0; i < x.size(); ++i) {
      const double exact = f.exact(x[i]);
      INFO(f.glsl << " at " << x[i] << ": " << y[i] << ", exactly " << exact);
      CHECK(std::abs(y[i] - exact) <= f.relative * std::abs(exact) + f.absolute);
    }
  }
}

}  // namespace heed::vulkan
