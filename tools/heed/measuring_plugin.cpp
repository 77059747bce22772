// Operators that measure a device rather than compute.
#include "measuring_plugin.hpp"

#include "heed/plugin.hpp"

namespace heed::tool {
namespace {

constexpr uint32_t group_threads = 128;  // what every Vulkan device runs

constexpr std::string_view read_glsl = R"(#version 450
layout(local_size_x = 128) in;
layout(set = 0, binding = 0, std430) readonly buffer X { vec4 x[]; };
layout(set = 0, binding = 1, std430) readonly buffer Before { float before[]; };
layout(set = 0, binding = 2, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 3, std430) readonly buffer Parameters {
  uint threads, count, x_offset, before_offset, y_offset;
};
void main() {
  uint thread = gl_GlobalInvocationID.x;
  if (thread >= threads) return;
  vec4 sum = vec4(0);
  for (uint i = thread; i < count; i += threads) sum += x[x_offset + i];
  y[y_offset + thread] = before[before_offset + thread] + dot(sum, vec4(1));
}
)";

// NUMBER and the extension it needs stand before.
constexpr std::string_view multiply_add_glsl = R"(
layout(local_size_x = 128) in;
layout(set = 0, binding = 0, std430) readonly buffer Before { float before[]; };
layout(set = 0, binding = 1, std430) writeonly buffer Y { float y[]; };
layout(set = 0, binding = 2, std430) readonly buffer Parameters { uint threads, count, before_offset, y_offset; };
void main() {
  uint thread = gl_GlobalInvocationID.x;
  if (thread >= threads) return;
  NUMBER start = NUMBER(before[before_offset + thread]);
  NUMBER a = start, b = start + NUMBER(1), c = start + NUMBER(2), d = start + NUMBER(3);
  NUMBER e = start + NUMBER(4), f = start + NUMBER(5), g = start + NUMBER(6), h = start + NUMBER(7);
  const NUMBER factor = NUMBER(0.5), term = NUMBER(0.25);
  for (uint i = 0; i < count; ++i) {
    a = fma(a, factor, term); b = fma(b, factor, term); c = fma(c, factor, term); d = fma(d, factor, term);
    e = fma(e, factor, term); f = fma(f, factor, term); g = fma(g, factor, term); h = fma(h, factor, term);
  }
  NUMBER sum = a + b + c + d + e + f + g + h;
  y[y_offset + thread] = float(sum.x + sum.y + sum.z + sum.w);
}
)";
const std::string multiply_add_f32 = "#version 450\n#define NUMBER vec4" + std::string(multiply_add_glsl);
const std::string multiply_add_f16 =
    "#version 450\n#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require\n#define NUMBER f16vec4" +
    std::string(multiply_add_glsl);

uint32_t offset_of(const TensorView& tensor) { return static_cast<uint32_t>(tensor.c.offset); }

template <int32_t before>
Result<void> infer(Inference& node) {
  HEED_TRY(node.require_rank(before, 1));
  return node.set_output(0, node.input(before));
}

Result<GpuPlan> plan_read(Planning&) {
  return GpuPlan{.variants = {{.name = "read", .shader = {.glsl = read_glsl}}},
                 .bindings = {read(0), read(1), write(0)}};
}

Result<Launch> bind_read(const Binding& node) {
  const auto x = node.input(0), before = node.input(1), y = node.output(0);
  struct Parameters {
    uint32_t threads, count, x_offset, before_offset, y_offset;
  } p{static_cast<uint32_t>(y.count()), static_cast<uint32_t>(x.count() / 4), offset_of(x) / 4, offset_of(before),
      offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {(p.threads + group_threads - 1) / group_threads, 1, 1}}}};
}

Result<GpuPlan> plan_multiply_add(Planning& node) {
  const bool half = node.integer("half") != 0;
  if (half && !node.capability("float16")) return decline("the device does not compute with f16");
  return GpuPlan{.variants = {{.name = "multiply_add", .shader = {.glsl = half ? multiply_add_f16 : multiply_add_f32}}},
                 .bindings = {read(0), write(0)}};
}

Result<Launch> bind_multiply_add(const Binding& node) {
  const auto before = node.input(0), y = node.output(0);
  struct Parameters {
    uint32_t threads, count, before_offset, y_offset;
  } p{static_cast<uint32_t>(y.count()), static_cast<uint32_t>(node.integer("count")), offset_of(before), offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {(p.threads + group_threads - 1) / group_threads, 1, 1}}}};
}

// ---- the same on the CPU, as wide as its vectors are ----

// Chains of vectors that depend on nothing but themselves: as many as hide an addition's latency, and no more than
// there are registers.
template <class Vector, int chains>
[[gnu::always_inline]] inline float sum_in_chains(const float* x, int64_t count) {
  constexpr int64_t lanes = sizeof(Vector) / sizeof(float);
  Vector sums[chains] = {};
  int64_t i = 0;
  for (; i + lanes * chains <= count; i += lanes * chains)
#pragma GCC unroll 16
    for (int chain = 0; chain < chains; ++chain) sums[chain] += *reinterpret_cast<const Vector*>(x + i + lanes * chain);
  float sum = 0;
  for (const Vector& part : sums)
    for (int lane = 0; lane < lanes; ++lane) sum += part[lane];
  for (; i < count; ++i) sum += x[i];
  return sum;
}

template <class Vector, int chains>
[[gnu::always_inline]] inline float multiply_add_in_chains(float start, int64_t rounds) {
  constexpr int lanes = sizeof(Vector) / sizeof(float);
  Vector numbers[chains];
  for (int chain = 0; chain < chains; ++chain) numbers[chain] = Vector{} + (start + static_cast<float>(chain));
  const Vector factor = Vector{} + 0.5f, term = Vector{} + 0.25f;
  for (int64_t i = 0; i < rounds; ++i)
#pragma GCC unroll 16
    for (int chain = 0; chain < chains; ++chain) numbers[chain] = numbers[chain] * factor + term;
  float sum = 0;
  for (const Vector& part : numbers)
    for (int lane = 0; lane < lanes; ++lane) sum += part[lane];
  return sum;
}

struct Isa {
  float (*sum)(const float* x, int64_t count);
  float (*multiply_add)(float start, int64_t rounds);
  int64_t operations;  // of multiply_add, a round
};

constexpr int chain_count = 12;
template <int bytes>
struct VectorOf {
  using Type [[gnu::vector_size(bytes), gnu::aligned(4)]] = float;
};

#define HEED_ISA(name, target, bytes)                                                 \
  target float sum_##name(const float* x, int64_t count) {                            \
    return sum_in_chains<VectorOf<bytes>::Type, chain_count>(x, count);               \
  }                                                                                   \
  target float multiply_add_##name(float start, int64_t rounds) {                     \
    return multiply_add_in_chains<VectorOf<bytes>::Type, chain_count>(start, rounds); \
  }                                                                                   \
  constexpr Isa name{sum_##name, multiply_add_##name, 2 * chain_count * bytes / int{sizeof(float)}};

HEED_ISA(baseline, , 16)
#ifdef __x86_64__
HEED_ISA(avx2, [[gnu::target("avx2,fma")]], 32)
HEED_ISA(avx512, [[gnu::target("avx512f")]], 64)
const Isa& isa() {
  return __builtin_cpu_supports("avx512f")                                 ? avx512
         : __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? avx2
                                                                           : baseline;
}
#else
const Isa& isa() { return baseline; }
#endif

Result<void> run_read(Running& run) {
  const auto x = run.input(0), before = run.input(1), y = run.output(0);
  const int64_t threads = y.count(), part = x.count() / std::max<int64_t>(threads, 1);
  run.parallel_for(threads, std::max<int64_t>(threads / 16, 1), [&](int64_t begin, int64_t end) {
    std::copy(before.data<const float>() + begin, before.data<const float>() + end, y.data<float>() + begin);
    y.data<float>()[begin] += isa().sum(x.data<const float>() + begin * part, (end - begin) * part);
  });
  return {};
}

Result<void> run_multiply_add(Running& run) {
  const auto before = run.input(0), y = run.output(0);
  // As many operations as so many of a GPU's threads carry out.
  const int64_t rounds = run.integer("count");
  const auto operations = static_cast<int64_t>(operations_per_round);
  const int64_t calls = (y.count() * operations + isa().operations - 1) / isa().operations;
  run.parallel_for(calls, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = i % y.count();
      y.data<float>()[at] = isa().multiply_add(before.data<const float>()[at], rounds);
    }
  });
  return {};
}

Result<void> refuse_half(Planning& node) {
  if (node.integer("half")) return decline("the CPU computes with f32");
  return {};
}

const Operator read_operator{.domain = "heed.measure",
                             .op_type = "Read",
                             .inputs = {{"x", "T"}, {"before", "T"}},
                             .outputs = {{"y", "T"}},
                             .types = {{"T", {DataType::f32}}},
                             .infer = infer<1>,
                             .plan = plan_read,
                             .bind = bind_read};
const Operator multiply_add_operator{.domain = "heed.measure",
                                     .op_type = "MultiplyAdd",
                                     .inputs = {{"before", "T"}},
                                     .outputs = {{"y", "T"}},
                                     .types = {{"T", {DataType::f32}}},
                                     .attributes = {required("count", HEED_ATTRIBUTE_INT), attribute("half", 0)},
                                     .infer = infer<0>,
                                     .plan = plan_multiply_add,
                                     .bind = bind_multiply_add};
const CpuKernel read_cpu{.domain = "heed.measure", .op_type = "Read", .run = run_read};
const CpuKernel multiply_add_cpu{
    .domain = "heed.measure", .op_type = "MultiplyAdd", .plan = refuse_half, .run = run_multiply_add};

}  // namespace
}  // namespace heed::tool

const heed_plugin* heed_measuring_entry(const heed_host* host) {
  static const heed::detail::Tables tables{
      heed::PluginContent{.name = "measuring",
                          .version = "1",
                          .operators = {&heed::tool::read_operator, &heed::tool::multiply_add_operator},
                          .cpu_kernels = {&heed::tool::read_cpu, &heed::tool::multiply_add_cpu}}};
  return heed::enter(host, tables);
}
