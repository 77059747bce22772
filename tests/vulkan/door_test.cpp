// Models through the whole door on the device: planned, bound and run by a session; the CPU's kernels are the oracle.
#include <cmath>

#include "gpu.hpp"
#include "graph/parse.hpp"
#include "ops/ops.hpp"
#include "plugins/cpu/cpu.hpp"
#include "registry/registry.hpp"
#include "session/session.hpp"
#include "shaders.hpp"

namespace heed::vulkan {
namespace {

// test.Chain: y = tanh(0.5 x + 0.25), element by element and in place, with GLSL text as fusion writes it.
namespace chain {

std::string glsl() {
  return "#version 450\n" + std::string(shaders::math_glsl) + R"(
layout(local_size_x = 64) in;
layout(set = 0, binding = 0, std430) readonly buffer X { float x[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters { uint count, x_offset, y_offset; };
void main() {
  uint i = gl_GlobalInvocationID.x;
  if (i < count) y[y_offset + i] = heed_tanh(0.5 * x[x_offset + i] + 0.25);
}
)";
}

Result<void> infer(Inference& node) { return node.set_output(0, node.input(0)); }

Result<GpuPlan> plan(Planning& node) {
  static const std::string text = glsl();
  node.in_place(0, 0);
  return GpuPlan{.variants = {{.name = "chain", .shader = {.glsl = text}}}, .bindings = {read(0), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  const struct {
    uint32_t count, x_offset, y_offset;
  } parameters{static_cast<uint32_t>(x.count()), static_cast<uint32_t>(x.c.offset), static_cast<uint32_t>(y.c.offset)};
  if (x.count() == 0) return Launch{};
  return Launch{.dispatches = {{0, bytes_of(parameters), {(parameters.count + 63) / 64, 1, 1}}}};
}

Result<void> run(Running& run) {
  const auto x = run.input(0).as<float>(), y = run.output(0).as<float>();
  for (size_t i = 0; i < x.size(); ++i) y[i] = std::tanh(0.5f * x[i] + 0.25f);
  return {};
}

const Operator contract{.domain = "test", .op_type = "Chain", .inputs = {{"x", "T"}}, .outputs = {{"y", "T"}},
                        .types = {{"T", {DataType::f32}}}, .infer = infer, .plan = plan, .bind = bind};
const CpuKernel kernel{.domain = "test", .op_type = "Chain", .run = run};

}  // namespace chain

const heed_plugin* test_entry(const heed_host* given) {
  static const detail::Tables tables{
      PluginContent{.name = "test", .version = "1.0.0", .operators = {&chain::contract}, .cpu_kernels = {&chain::kernel}}};
  return enter(given, tables);
}

const Registry& registry() {
  static const auto made = [] {
    auto r = std::make_unique<Registry>();
    must(r->add_built_in(heed_ops_entry));
    must(r->add_built_in(heed_cpu_entry));
    must(r->add_built_in(test_entry));
    return r;
  }();
  return *made;
}

constexpr std::string_view header = R"(<ir_version: 10, opset_import: ["" : 21, "heed" : 1, "test" : 1]> )";

Result<std::shared_ptr<const Model>> load_on(const std::string& device, const std::string& graph,
                                             const std::vector<Option>& more_options, bool require_gpu) {
  ModelOptions options;
  options.device = device;
  options.require_gpu = require_gpu;
  options.thread_count = 1;
  options.kernel_options = more_options;
  options.kernel_options.emplace_back("vulkan.cache", "off");
  return Model::load(must(parse_model(std::string(header) + graph)), registry(), options);
}

std::unique_ptr<Session> session_on(const std::string& device, const std::string& graph,
                                    const std::vector<Option>& more_options = {}) {
  auto model = must(load_on(device, graph, more_options, /*require_gpu=*/device != "cpu"));
  return must(Session::create(std::move(model), {.use_states = false}));
}

HostValue floats(std::vector<int64_t> dims, uint32_t seed) {
  size_t count = 1;
  for (const auto dim : dims) count *= static_cast<size_t>(dim);
  const auto values = random_floats(count, seed);
  return {.tensor = Tensor::of<float>(DataType::f32, std::move(dims), values)};
}
template <class T>
HostValue scalar(DataType type, T value) {
  return {.tensor = Tensor::of<T>(type, {}, std::span<const T>(&value, 1))};
}

// Each output's floats, in the model's order.
std::vector<std::vector<float>> outputs_of(Session& session, const Session::NamedValues& inputs) {
  std::vector<std::vector<float>> out;
  for (const auto& [name, value] : must(session.run(inputs))) {
    REQUIRE(value.tensor.type == DataType::f32);
    const auto floats = value.tensor.as<float>();
    out.emplace_back(floats.begin(), floats.end());
  }
  return out;
}

void check_same(const std::vector<std::vector<float>>& gpu, const std::vector<std::vector<float>>& cpu) {
  REQUIRE(gpu.size() == cpu.size());
  for (size_t i = 0; i < gpu.size(); ++i) {
    INFO("output " << i);
    CHECK(difference(gpu[i], cpu[i]) < 1e-5f);
  }
}

}  // namespace

TEST_CASE("a chain written at run time and a product, at several sizes, in one submission each") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(spike (float[rows, 24] x, float[24, 17] w) => (float[rows, 17] y) {
    t = test.Chain(x)
    m = MatMul(t, w)
    y = test.Chain(m)
  })";
  const auto on_gpu = session_on("vulkan", graph), on_cpu = session_on("cpu", graph);
  const auto w = floats({24, 17}, 1);
  int64_t runs = 0;
  for (const int64_t rows : {1, 3, 33, 3}) {
    INFO(rows << " rows");
    const Session::NamedValues inputs{{"x", floats({rows, 24}, 2)}, {"w", w}};
    check_same(outputs_of(*on_gpu, inputs), outputs_of(*on_cpu, inputs));
    CHECK(on_gpu->submission_count() == ++runs);
  }
}

TEST_CASE("a tensor that the device cannot bind is an error that names the limit and the node; smaller ones run") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(wide (float[rows, 24] x) => (float[rows, 24] y) { y = test.Chain(x) })";
  const auto session = session_on("vulkan", graph, {{"vulkan.max_binding_bytes", "1024"}});
  const auto on_cpu = session_on("cpu", graph);
  for (const int64_t rows : {10, 11, 10}) {
    INFO(rows << " rows");
    const Session::NamedValues inputs{{"x", floats({rows, 24}, 1)}};
    if (rows == 10) {
      check_same(outputs_of(*session, inputs), outputs_of(*on_cpu, inputs));
      continue;
    }
    const auto refused = session->run(inputs);
    REQUIRE_FALSE(refused);
    INFO(refused.error().message);
    CHECK(refused.error().code == Code::unsupported);
    CHECK(refused.error().message.find("max_binding_bytes") != std::string::npos);
    CHECK(refused.error().message.find("Chain") != std::string::npos);
  }
}

TEST_CASE("a tensor that is known to be longer than the device can bind stays on the CPU, and says why") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(wide (float[11, 24] x) => (float[11, 24] y) { y = test.Chain(x) })";
  const std::vector<Option> small = {{"vulkan.max_binding_bytes", "1024"}};
  const auto refused = load_on("vulkan", graph, small, /*require_gpu=*/true);
  REQUIRE_FALSE(refused);
  INFO(refused.error().message);
  CHECK(refused.error().message.find("'x' has 1056 bytes; a buffer of the device has at most 1024") != std::string::npos);
  const auto session = must(Session::create(must(load_on("vulkan", graph, small, /*require_gpu=*/false))));
  const Session::NamedValues inputs{{"x", floats({11, 24}, 1)}};
  check_same(outputs_of(*session, inputs), outputs_of(*session_on("cpu", graph), inputs));
}

TEST_CASE("a node whose shader binds more buffers than the device takes runs on the CPU, and says why") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(many (float[b, 4, q, 8] x) => (float[b, 4, q, 8] y) {
    a = heed.Attention<causal = 1, scale = 0.3>(x, x, x)
    y = test.Chain(a)
  })";
  const std::vector<Option> four = {{"vulkan.max_bindings", "4"}};
  const auto refused = load_on("vulkan", graph, four, /*require_gpu=*/true);
  REQUIRE_FALSE(refused);
  INFO(refused.error().message);
  CHECK(refused.error().message.find("(Attention): it binds 14 buffers and its parameters; the device takes 4") !=
        std::string::npos);
  auto model = must(load_on("vulkan", graph, four, /*require_gpu=*/false));
  const auto session = must(Session::create(std::move(model), {.use_states = false}));
  const Session::NamedValues inputs{{"x", floats({2, 4, 3, 8}, 1)}};
  check_same(outputs_of(*session, inputs), outputs_of(*session_on("cpu", graph), inputs));
}

TEST_CASE("every mask: a chain, a product and attention run as they do on the CPU") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(all (float[b, 4, q, 8] query, float[b, 4, q, 8] key, float[8, 8] w) => (float[b, 4, q, 8] y) {
    a = heed.Attention<causal = 1, scale = 0.3>(query, key, key)
    m = MatMul(a, w)
    y = test.Chain(m)
  })";
  const Session::NamedValues inputs{{"query", floats({2, 4, 3, 8}, 1)}, {"key", floats({2, 4, 3, 8}, 2)}, {"w", floats({8, 8}, 3)}};
  const auto expected = outputs_of(*session_on("cpu", graph), inputs);
  std::vector<Option> masks = {{"vulkan.max_shared_bytes", "16384"}, {"vulkan.max_workgroup_size", "64"}};
  for (const auto& [name, value, kind] : capability_entries)
    if (kind == CapabilityKind::feature && name != "timeline_semaphores") masks.emplace_back("vulkan.mask", name);
  for (const auto& mask : masks) {
    INFO(mask.first << "=" << mask.second);
    const auto session = session_on("vulkan", graph, {mask});
    check_same(outputs_of(*session, inputs), expected);
  }
}

TEST_CASE("attention with a past: the session's GPU against its CPU") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(attend (float[b, 4, q, 8] query, float[b, 2, q, 8] key, float[b, 2, q, 6] value,
                                       float[b, 2, past, 8] past_key, float[b, 2, past, 6] past_value, float[q, past + q] mask)
      => (float[b, 4, q, 6] y, float[b, 2, past + q, 8] present_key, float[b, 2, past + q, 6] present_value) {
    y, present_key, present_value = heed.Attention<causal = 1, scale = 0.3>(query, key, value, mask, past_key, past_value)
  })";
  const auto on_gpu = session_on("vulkan", graph), on_cpu = session_on("cpu", graph);
  const struct {
    int64_t batch, query, past;
  } sizes[] = {{1, 5, 0}, {2, 1, 70}, {1, 3, 4}};
  for (const auto& [b, q, past] : sizes) {
    INFO("batch " << b << ", query " << q << ", past " << past);
    const Session::NamedValues inputs{
        {"query", floats({b, 4, q, 8}, 1)},        {"key", floats({b, 2, q, 8}, 2)},
        {"value", floats({b, 2, q, 6}, 3)},        {"past_key", floats({b, 2, past, 8}, 4)},
        {"past_value", floats({b, 2, past, 6}, 5)}, {"mask", floats({q, past + q}, 6)}};
    check_same(outputs_of(*on_gpu, inputs), outputs_of(*on_cpu, inputs));
  }
}

TEST_CASE("a Loop's tensors stay on the device from turn to turn: one submission for all of it") {
  HEED_NEED_GPU(gpu);
  const std::string graph = R"(turns (int64 n, bool go, float[24, 24] w, float[rows, 24] x) => (float[rows, 24] y) {
    y = Loop (n, go, x) <body = step (int64 i, bool c, float[rows, 24] v) => (bool c_out, float[rows, 24] v_out) {
      c_out = Identity(c)
      p = MatMul(v, w)
      v_out = test.Chain(p)
    }>
  })";
  const auto on_gpu = session_on("vulkan", graph), on_cpu = session_on("cpu", graph);
  for (const int64_t turns : {7, 1, 0}) {
    INFO(turns << " turns");
    const Session::NamedValues inputs{{"n", scalar(DataType::i64, turns)},
                                                            {"go", scalar<uint8_t>(DataType::boolean, 1)},
                                                            {"w", floats({24, 24}, 1)},
                                                            {"x", floats({5, 24}, 2)}};
    const auto before = on_gpu->submission_count();
    check_same(outputs_of(*on_gpu, inputs), outputs_of(*on_cpu, inputs));
    CHECK(on_gpu->submission_count() <= before + 1);
  }
}

}  // namespace heed::vulkan
