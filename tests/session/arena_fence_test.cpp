// Under AddressSanitizer: what a step may touch of an arena, and no more. Other builds have no fence, and no test.
#include "session/arena_fence.hpp"

#ifdef HEED_FENCES_ARENAS

#include "heed/plugin.hpp"
#include "load.hpp"

namespace heed::test {
namespace {

// test.Peek: y = x; and tells what lies behind its output, and where its scratch ends.
namespace peek {

bool behind_output = false, behind_scratch = false, own = false;
constexpr size_t scratch_bytes = 24;

Result<void> infer(Inference& node) { return node.set_output(0, node.input(0)); }
Result<void> bind(Binding& node) { return node.scratch(scratch_bytes), Result<void>{}; }
Result<void> run(Running& run) {
  const auto x = run.input(0).as<float>(), y = run.output(0).as<float>();
  std::copy(x.begin(), x.end(), y.begin());
  auto* const scratch = run.scratch<char>();
  behind_output = __asan_address_is_poisoned(y.data() + y.size());
  behind_scratch = __asan_address_is_poisoned(scratch + scratch_bytes);
  own = __asan_region_is_poisoned(y.data(), y.size_bytes()) || __asan_region_is_poisoned(scratch, scratch_bytes);
  return {};
}

const Operator contract{.domain = "test",
                        .op_type = "Peek",
                        .inputs = {{"x", "T"}},
                        .outputs = {{"y", "T"}},
                        .types = {{"T", {DataType::f32}}},
                        .infer = infer};
const CpuKernel kernel{.domain = "test", .op_type = "Peek", .bind = bind, .run = run};

const heed_plugin* entry(const heed_host* given) {
  static const detail::Tables tables{
      PluginContent{.name = "test", .version = "1.0.0", .operators = {&contract}, .cpu_kernels = {&kernel}}};
  return enter(given, tables);
}

}  // namespace peek
}  // namespace

TEST_CASE("a step may touch its own part of an arena alone") {
  static Registry* const with_peek = [] {
    auto* made = new Registry;  // outlives every model
    for (const auto entry : built_in_plugins) REQUIRE(made->add_built_in(entry));
    REQUIRE(made->add_built_in(peek::entry));
    return made;
  }();
  constexpr std::string_view text = R"(<ir_version: 10, opset_import: ["" : 21, "test" : 1]>
    g (float[5] x) => (float y) { s = Exp(x) t = test.Peek(s) y = ReduceSum<keepdims = 0>(t) })";
  const auto session =
      take(Session::create(take(Model::load(take(parse_model(text)), *with_peek, {.device = "cpu"}))));
  for (int run = 0; run < 2; ++run) take(session->run({{"x", f32({5}, {1, 2, 3, 4, 5})}}));
  CHECK(peek::behind_output);
  CHECK(peek::behind_scratch);
  CHECK_FALSE(peek::own);
  count_row(peek::behind_output && peek::behind_scratch && !peek::own);
}

}  // namespace heed::test

#endif
