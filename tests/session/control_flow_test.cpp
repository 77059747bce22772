// If and Loop on a device: what crosses between it and the host, and that the results are the CPU's.
#include <cmath>

#include "heed/plugin.hpp"
#include "load.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

std::vector<float> numbers(int64_t count, int seed) {
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(static_cast<double>(i * 7 + static_cast<size_t>(seed) * 13)));
  return values;
}

HostValue flag(bool value) { return tensor<uint8_t>(DataType::boolean, {}, {value}); }

// test.Turn: the first two axes change places: slices along `axis`, stacked along the other.
namespace turn {

Result<void> infer(Inference& node) {
  const auto x = node.input(0).dims();
  Dims dims(x.begin(), x.end());
  std::swap(dims[0], dims[1]);
  return node.set_output(0, node.input(0).element(), dims);
}

Result<void> run(Controlling& node) {
  const auto axis = static_cast<int32_t>(node.integer("axis"));
  const auto x = node.input(0);
  std::vector<ValueRef> slices;
  for (int64_t i = 0; i < (*node.dims(x))[static_cast<size_t>(axis)]; ++i) slices.push_back(node.slice(x, axis, i));
  return node.set_output(0, node.stack(1 - axis, slices, 0));
}

const Operator contract{.domain = "test",
                        .op_type = "Turn",
                        .flags = HEED_CONTROL,
                        .inputs = {{"x", "T"}},
                        .outputs = {{"y", "T"}},
                        .types = {{"T", {DataType::f32}}},
                        .attributes = {attribute("axis", 0)},
                        .infer = infer};
const ControlKernel kernel{.domain = "test", .op_type = "Turn", .run = run};

const heed_plugin* entry(const heed_host* given) {
  static const detail::Tables tables{
      PluginContent{.name = "test", .version = "1.0.0", .operators = {&contract}, .control_kernels = {&kernel}}};
  return enter(given, tables);
}

}  // namespace turn

const Registry& registry_with_turn() {
  static const Registry* const all = [] {
    auto* made = new Registry;  // outlives every model
    for (const auto entry : built_in_plugins) REQUIRE(made->add_built_in(entry));
    REQUIRE(made->add_built_in(turn::entry));
    return made;
  }();
  return *all;
}

// What crossed in one run.
struct Crossed {
  int64_t uploads = 0, downloads = 0, submissions = 0;
  friend bool operator==(const Crossed&, const Crossed&) = default;
  friend std::ostream& operator<<(std::ostream& out, const Crossed& crossed) {
    return out << crossed.uploads << " up, " << crossed.downloads << " down, " << crossed.submissions << " submissions";
  }
};

struct Row {
  const char* what;
  std::string_view model;
  Session::NamedValues inputs;
  Crossed expected;
};

// Each row on the CPU and twice on the device, where every run crosses as often.
void check(const Row& row) {
  INFO(row.what);
  const auto load = [&](ModelOptions options) {
    options.kernel_options = {{"session.fill", "nan"}};
    return take(Model::load(take(parse_model(row.model)), registry_with_turn(), options));
  };
  const auto on_cpu = take(Session::create(load({.device = "cpu"})));
  const auto expected = take(on_cpu->run(row.inputs));
  const auto on_gpu = take(Session::create(load({.device = "vulkan", .require_gpu = true})));
  for (int run = 0; run < 2; ++run) {
    const Crossed before{on_gpu->upload_count(), on_gpu->download_count(), on_gpu->submission_count()};
    const auto outputs = take(on_gpu->run(row.inputs));
    const Crossed crossed{on_gpu->upload_count() - before.uploads, on_gpu->download_count() - before.downloads,
                          on_gpu->submission_count() - before.submissions};
    bool good = crossed == row.expected && outputs.size() == expected.size();
    CHECK(crossed == row.expected);
    for (size_t i = 0; i < outputs.size(); ++i) {
      CHECK(outputs[i].second.tensor.dims == expected[i].second.tensor.dims);
      if (outputs[i].second.tensor.type != DataType::f32) continue;
      const auto a = floats(outputs[i].second), e = floats(expected[i].second);
      for (size_t k = 0; k < e.size(); ++k) good &= std::fabs(a.at(k) - e[k]) <= 1e-5f * (1 + std::fabs(e[k]));
    }
    CHECK(good);
    count_row(good);
  }
}

}  // namespace

TEST_CASE("tensors of Loop stay on the device: nothing but conditions crosses between iterations") {
  if (devices().size() < 2) return;
  const auto x = f32({3, 7}, numbers(21, 1)), w = f32({7, 7}, numbers(49, 2)), b = f32({7}, numbers(7, 3));
  const Row rows[] = {
      {"carried and scanned tensors, in one submission",
       R"(<ir_version: 10, opset_import: ["" : 23]>
         g (int64 count, float[m, 7] x, float[7, 7] w, float[7] b) => (float[m, 7] last, float[k, m, 7] all) {
           last, all = Loop (count, "", x) <body = step (int64 i, bool go, float[m, 7] v) => (bool on, float[m, 7] next, float[m, 7] seen) {
             on = Identity(go) p = MatMul(v, w) s = Add(p, b) next = Tanh(s) seen = Neg(s) }>
         })",
       {{"count", i64({}, {5})}, {"x", x}, {"w", w}, {"b", b}},
       {3, 2, 1}},
      {"a condition that the device computes",
       R"(<ir_version: 10, opset_import: ["" : 23]>
         g (int64 count, float[m, 7] x, float[7, 7] w) => (float[m, 7] last, float[k, m, 7] all) <float limit = {1000}> {
           last, all = Loop (count, "", x) <body = step (int64 i, bool go, float[m, 7] v) => (bool on, float[m, 7] next, float[m, 7] seen) {
             p = MatMul(v, w) next = Tanh(p) seen = Abs(next) sum = ReduceSum<keepdims = 0>(seen) on = Less(sum, limit) }>
         })",
       {{"count", i64({}, {5})}, {"x", x}, {"w", w}},
       {2, 5 + 2, 5 + 1}},
      {"counters and their conditions stay on the host",
       R"(<ir_version: 10, opset_import: ["" : 23]>
         g (int64 count, int64[] limit, float[m, 7] x, float[7, 7] w) => (float[m, 7] last) <int64 two = {2}> {
           last = Loop (count, "", x) <body = step (int64 i, bool go, float[m, 7] v) => (bool on, float[m, 7] next) {
             j = Mul(i, two) on = Less(j, limit) p = MatMul(v, w) next = Tanh(p) }>
         })",
       {{"count", i64({}, {50})}, {"limit", i64({}, {9})}, {"x", x}, {"w", w}},
       {2, 1, 1}},
      {"tensors that are carried on as they are, where they lie, and transposed",
       R"(<ir_version: 10, opset_import: ["" : 23]>
         g (int64 count, float[m, 7] x, float[7, 7] w) => (float[m, 7] last, float[7, m] same, float[7, 7] turned, float[k, 7, 7] all) {
           start = Transpose(x)
           last, same, turned, all = Loop (count, "", x, start, w) <body = step (int64 i, bool go, float[m, 7] v, float[7, m] c, float[7, 7] t)
             => (bool on, float[m, 7] next, float[7, m] d, float[7, 7] u, float[7, 7] seen) {
             on = Identity(go) p = MatMul(v, w) next = Tanh(p) d = Identity(c) u = Transpose(t) seen = Identity(u) }>
         })",
       {{"count", i64({}, {5})}, {"x", x}, {"w", w}},
       {3, 3, 1}},
      {"no iteration",
       R"(<ir_version: 10, opset_import: ["" : 23]>
         g (int64 count, float[m, 7] x, float[7, 7] w) => (float[m, 7] y, float[k, m, 7] all) {
           start = MatMul(x, w)
           last, all = Loop (count, "", start) <body = step (int64 i, bool go, float[m, 7] v) => (bool on, float[m, 7] next, float[m, 7] seen) {
             on = Identity(go) p = MatMul(v, w) next = Tanh(p) seen = Neg(next) }>
           y = Softmax(last)
         })",
       {{"count", i64({}, {0})}, {"x", x}, {"w", w}},
       {2, 1, 1}},
      {"Loop within Loop, both reading what lies around them",
       R"(<ir_version: 10, opset_import: ["" : 23]>
         g (int64 count, float[m, 7] x, float[7, 7] w, float[7] b) => (float[m, 7] y) {
           last = Loop (count, "", x) <body = outer (int64 i, bool go, float[m, 7] v) => (bool on, float[m, 7] next) {
             on = Identity(go)
             next = Loop (count, "", v) <body = inner (int64 j, bool run, float[m, 7] a) => (bool more, float[m, 7] r) {
               more = Identity(run) p = MatMul(a, w) s = Add(p, b) r = Tanh(s) }> }>
           y = Softmax(last)
         })",
       {{"count", i64({}, {3})}, {"x", x}, {"w", w}, {"b", b}},
       {3, 1, 1}},
  };
  for (const Row& row : rows) check(row);
}

TEST_CASE("tensors of If stay on the device") {
  if (devices().size() < 2) return;
  constexpr std::string_view model = R"(<ir_version: 10, opset_import: ["" : 23]>
    g (bool c, float[m, 7] x, float[7, 7] w) => (float[m, 7] y) {
      p = MatMul(x, w)
      q = If (c) <then_branch = yes () => (float[m, 7] a) { s = MatMul(p, w) a = Tanh(s) },
                  else_branch = no () => (float[m, 7] b) { b = Identity(p) }>
      y = Softmax(q) })";
  const auto x = f32({3, 7}, numbers(21, 1)), w = f32({7, 7}, numbers(49, 2));
  check({"the branch that computes", model, {{"c", flag(true)}, {"x", x}, {"w", w}}, {2, 1, 1}});
  check({"the branch that passes a tensor on", model, {{"c", flag(false)}, {"x", x}, {"w", w}}, {2, 1, 1}});
}

TEST_CASE("slices and stacks along any axis stay on the device") {
  if (devices().size() < 2) return;
  const auto x = f32({3, 7, 2}, numbers(42, 1)), w = f32({2, 2}, numbers(4, 2));
  for (const char* axis : {"0", "1"}) {
    const std::string model = R"(<ir_version: 10, opset_import: ["" : 23, "test" : 1]>
      g (float[a, b, 2] x, float[2, 2] w) => (float[b, a, 2] y) {
        p = MatMul(x, w) t = test.Turn<axis = )" +
                              std::string(axis) + R"(>(p) y = Softmax(t) })";
    check({axis, model, {{"x", x}, {"w", w}}, {2, 1, 1}});
  }
}

}  // namespace heed::test
