// Registry: finding operators and kernels, and who wins.
#include "registry/registry.hpp"

#include <catch2/catch.hpp>
#include <vector>

#include "heed/plugin.hpp"
#include "toy_operators.hpp"

using namespace heed;

namespace {

Result<void> run_nothing(Running&) { return {}; }

const Operator op{.domain = "test",
                  .op_type = "Op",
                  .role = "copy",
                  .versions = {13, 11, 1},
                  .inputs = {{"x", "T"}},
                  .outputs = {{"y", "T"}},
                  .types = {{"T"}},
                  .infer = [](Inference& node) { return node.set_output(0, node.input(0)); }};
const CpuKernel slow{.domain = "test", .op_type = "Op", .name = "scalar", .run = run_nothing};
const CpuKernel fast{.domain = "test", .op_type = "Op", .since = 11, .name = "avx2", .score = 20, .run = run_nothing};
const CpuKernel rival{.domain = "test", .op_type = "Op", .until = 12, .name = "rival", .score = 20, .run = run_nothing};

const heed_plugin* first(const heed_host* host) {
  static const detail::Tables tables{
      PluginContent{.name = "first", .version = "1", .operators = {&op}, .cpu_kernels = {&slow, &fast}}};
  return enter(host, tables);
}
const heed_plugin* second(const heed_host* host) {
  static const detail::Tables tables{PluginContent{.name = "second", .version = "1", .cpu_kernels = {&rival}}};
  return enter(host, tables);
}
const heed_plugin* same_operator(const heed_host* host) {
  static const detail::Tables tables{PluginContent{.name = "third", .version = "1", .operators = {&op}}};
  return enter(host, tables);
}

std::vector<std::string> names(const Result<std::vector<const CpuKernelEntry*>>& kernels) {
  std::vector<std::string> result;
  if (!kernels) return {kernels.error().message};
  for (const auto* kernel : *kernels) result.emplace_back(from_c(kernel->c->name));
  return result;
}

}  // namespace

TEST_CASE("a node of an opset has the newest version that is not newer") {
  Registry registry;
  REQUIRE(registry.add_built_in(first));
  const auto* entry = registry.find_operator("test", "Op");
  REQUIRE(entry);
  struct {
    int32_t opset;
    std::optional<int32_t> version;
  } const rows[] = {{0, {}}, {1, 1}, {10, 1}, {11, 11}, {12, 11}, {13, 13}, {99, 13}};
  for (const auto& row : rows) {
    INFO(row.opset);
    CHECK(entry->version_at(row.opset) == row.version);
  }
  CHECK(registry.find_role("copy") == entry);
  CHECK(registry.find_role("cast") == nullptr);
  CHECK(registry.find_operator("test", "Other") == nullptr);
}

TEST_CASE("kernels come best first, and only those that serve the version") {
  Registry registry;
  REQUIRE(registry.add_built_in(first));
  CHECK(names(registry.cpu_kernels("test", "Op", 1)) == std::vector<std::string>{"scalar"});
  CHECK(names(registry.cpu_kernels("test", "Op", 11)) == std::vector<std::string>{"avx2", "scalar"});
  CHECK(names(registry.cpu_kernels("test", "None", 11)).empty());
  CHECK(registry.has_kernel("test", "Op", 1));
  CHECK(!registry.has_kernel("test", "None", 1));
}

TEST_CASE("two plugins with equal claims to a kernel are an error that names both") {
  Registry registry;
  REQUIRE(registry.add_built_in(first));
  REQUIRE(registry.add_built_in(second));
  CHECK(names(registry.cpu_kernels("test", "Op", 1)) == std::vector<std::string>{"rival", "scalar"});
  const auto tie = registry.cpu_kernels("test", "Op", 11);
  REQUIRE(!tie);
  CHECK_THAT(tie.error().message,
             Catch::Contains("'first'") && Catch::Contains("'second'") && Catch::Contains("score 20"));
  CHECK(names(registry.cpu_kernels("test", "Op", 13)) == std::vector<std::string>{"avx2", "scalar"});
}

TEST_CASE("an operator that is there already is refused, and nothing of its plugin stays") {
  Registry registry;
  REQUIRE(registry.add_built_in(first));
  const auto added = registry.add_built_in(same_operator);
  REQUIRE(!added);
  CHECK_THAT(added.error().message, Catch::Contains("test.Op is there already, from plugin 'first'"));
  CHECK(registry.plugins().size() == 1);
}

TEST_CASE("ai.onnx is the empty domain") {
  Registry registry;
  REQUIRE(registry.add_built_in(test::toy_plugin));
  CHECK(registry.find_operator("ai.onnx", "Add") == registry.find_operator("", "Add"));
  CHECK(registry.has_kernel("ai.onnx", "Add", 14));
}
