// The option session.fill: a kernel that leaves elements unwritten shows, whatever runs before left there.
#include <cmath>

#include "heed/plugin.hpp"
#include "load.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

// test.Even: y = x where the index is even; the rest is not written, as a bug would have it.
namespace even {

constexpr std::string_view glsl = R"(#version 450
layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters { uint count, x_offset, y_offset; };
void main() {
  uint i = 2 * gl_GlobalInvocationID.x;
  if (i < count) y[y_offset + i] = x[x_offset + i];
}
)";

Result<void> infer(Inference& node) { return node.set_output(0, node.input(0)); }

Result<GpuPlan> plan(Planning&) {
  return GpuPlan{.variants = {{.name = "even", .shader = {.glsl = glsl}}}, .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  const struct {
    uint32_t count, x_offset, y_offset;
  } parameters{static_cast<uint32_t>(x.count()), static_cast<uint32_t>(x.c.offset), static_cast<uint32_t>(y.c.offset)};
  return Launch{.dispatches = {{0, bytes_of(parameters), {(parameters.count + 127) / 128, 1, 1}}}};
}

Result<void> run(Running& run) {
  const auto x = run.input(0).as<float>(), y = run.output(0).as<float>();
  for (size_t i = 0; i < x.size(); i += 2) y[i] = x[i];
  return {};
}

const Operator contract{.domain = "test",
                        .op_type = "Even",
                        .inputs = {{"x", "T"}},
                        .outputs = {{"y", "T"}},
                        .types = {{"T", {DataType::f32}}},
                        .infer = infer,
                        .plan = plan,
                        .bind = bind};
const CpuKernel kernel{.domain = "test", .op_type = "Even", .run = run};

const heed_plugin* entry(const heed_host* given) {
  static const detail::Tables tables{
      PluginContent{.name = "test", .version = "1.0.0", .operators = {&contract}, .cpu_kernels = {&kernel}}};
  return enter(given, tables);
}

}  // namespace even

}  // namespace

TEST_CASE("elements that no kernel wrote are NaN in every run, in arenas and in outputs, where session.fill asks") {
  static Registry* const with_even = [] {
    auto* made = new Registry;  // outlives every model
    for (const auto entry : built_in_plugins) REQUIRE(made->add_built_in(entry));
    REQUIRE(made->add_built_in(even::entry));
    return made;
  }();
  constexpr std::string_view text = R"(<ir_version: 10, opset_import: ["" : 21, "test" : 1]>
    g (float[n] x) => (float[n] y, float[n] z) { t = test.Even(x) y = Softmax(t) z = test.Even(x) })";
  for (const auto& device : devices()) {
    INFO(device);
    const auto load = [&](const char* fill) {
      return take(Model::load(take(parse_model(text)), *with_even,
                              {.device = device, .kernel_options = {{"session.fill", fill}}}));
    };
    const auto session = take(Session::create(load("nan")));
    bool good = true;
    for (int run = 0; run < 2; ++run) {
      const auto outputs = take(session->run({{"x", f32({5}, {1, 2, 3, 4, 5})}}));
      for (const float y : floats(outputs[0].second)) good &= std::isnan(y);
      const auto z = floats(outputs[1].second);
      good &= z[0] == 1 && std::isnan(z[1]) && z[2] == 3 && std::isnan(z[3]) && z[4] == 5;
    }
    CHECK(good);
    count_row(good);
    const auto refused = Session::create(load("7"));
    REQUIRE_FALSE(refused);
    CHECK_THAT(refused.error().message, Catch::Contains("expected nan"));
  }
}

}  // namespace heed::test
