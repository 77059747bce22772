// A fused node runs as one where a kernel takes it, else as what it replaced.
#include "plan/expand_refused.hpp"

#include "heed/plugin.hpp"
#include "passes/body_of_nodes.hpp"
#include "plans.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

Result<void> infer_same(Inference& node) { return node.set_output(0, node.input(0)); }

// A GPU half that takes a node unless its `gpu` is 0.
Result<GpuPlan> plan_if_asked(Planning& node) {
  if (node.integer("gpu", 1) == 0) return decline("gpu is 0");
  return GpuPlan{.variants = {{.name = "any", .shader = {.glsl = "void main() {}"}}}, .bindings = {read(0), write(0)}};
}
Result<Launch> bind_nothing(const Binding&) { return Launch{}; }
Result<void> run_nothing(Running&) { return {}; }

Operator toy(const char* op_type) {
  return {.domain = "toy", .op_type = op_type, .inputs = {{"x", "T"}}, .outputs = {{"y", "T"}}, .types = {{"T", any_float}},
          .attributes = {attribute("gpu", 1)}, .infer = infer_same, .plan = plan_if_asked, .bind = bind_nothing};
}
const Operator one = toy("One"), two = toy("Two"), fused = toy("Fused"), fused_for_gpu = toy("FusedForGpu");
const CpuKernel one_cpu{.domain = "toy", .op_type = "One", .run = run_nothing};
const CpuKernel two_cpu{.domain = "toy", .op_type = "Two", .run = run_nothing};
const CpuKernel fused_cpu{.domain = "toy", .op_type = "Fused", .run = run_nothing};

const heed_plugin* toys(const heed_host* host) {
  static const detail::Tables tables{PluginContent{.name = "toys", .version = "1", .operators = {&one, &two, &fused, &fused_for_gpu},
                                                   .cpu_kernels = {&one_cpu, &two_cpu, &fused_cpu}}};
  return enter(host, tables);
}

struct Row {
  const char* what;
  const char* fused;  // its statement
  const char* two;    // the second of what it replaces
  bool use_gpu;
  std::vector<std::string> expected;
};

const Row rows[] = {
    {"the CPU takes it", "y = toy.Fused(x)", "y = toy.Two(t)", false, {"c Fused"}},
    {"the CPU has no kernel for it", "y = toy.FusedForGpu(x)", "y = toy.Two(t)", false, {"c One", "c Two"}},
    {"the GPU takes it", "y = toy.Fused(x)", "y = toy.Two(t)", true, {"upload", "v Fused", "download"}},
    {"the GPU declines it and takes its parts", "y = toy.Fused<gpu = 0>(x)", "y = toy.Two(t)", true,
     {"upload", "v One", "v Two", "download"}},
    {"the GPU declines it and a part", "y = toy.Fused<gpu = 0>(x)", "y = toy.Two<gpu = 0>(t)", true, {"c Fused"}},
    {"nobody takes it", "y = toy.FusedForGpu<gpu = 0>(x)", "y = toy.Two<gpu = 0>(t)", true, {"c One", "c Two"}},
};

}  // namespace

TEST_CASE("a fused node that is refused becomes what it replaced") {
  static const bool added = registry().add_built_in(toys).has_value();
  REQUIRE(added);
  for (const Row& row : rows) {
    INFO(row.what);
    const auto graph = typed_graph(std::string("g (float[n, 3] x) => (float[n, 3] y) { t = toy.One(x) \n ") + row.two + " }");
    const auto other = typed_graph(std::string("g (float[n, 3] x) => (float[n, 3] y) { ") + row.fused + " }");
    Node node = other->nodes[0];
    node.name = "fused";
    node.inputs = graph->nodes[0].inputs;
    node.outputs = graph->nodes[1].outputs;
    const NodeId parts[] = {0, 1};
    node.replaced = body_of_nodes(*graph, parts, node);
    REQUIRE(node.replaced);
    for (const NodeId id : parts) graph->nodes[id].removed = true;
    graph->add_node(std::move(node));
    REQUIRE(graph->order());
    PlanOptions options;
    options.use_gpu = row.use_gpu;
    const auto plan = make_plan(graph, registry(), options);
    if (!plan) FAIL(plan.error().message);
    CHECK(steps_of(**plan) == row.expected);
    count_row(steps_of(**plan) == row.expected);
  }
}

}  // namespace heed::test
