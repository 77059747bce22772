// From a file to a Model: read, type, fold and rewrite to a fixed point, fuse, plan, prepare.
#include "base/memory_budget.hpp"
#include "base/stop.hpp"
#include "fuse/fuse_elementwise.hpp"
#include "graph/append_nodes.hpp"
#include "heed/expression.hpp"
#include "passes/fold_constants.hpp"
#include "passes/inline_bodies.hpp"
#include "passes/inline_functions.hpp"
#include "passes/remove_unused.hpp"
#include "passes/rewrite.hpp"
#include "session/gpu.hpp"
#include "session/model.hpp"
#include "session/prepare.hpp"
#include "vulkan/device.hpp"

namespace heed {
namespace {

// A device that runs plans, where the options ask for one and there is one; null: the CPU.
Result<std::shared_ptr<vulkan::Device>> choose_device(const ModelOptions& options, std::vector<std::string>& notices) {
  if (options.device == "cpu") {
    if (options.require_gpu)
      return Error{Code::invalid_argument, "--require-gpu and --device cpu contradict each other"};
    return std::shared_ptr<vulkan::Device>();
  }
  const bool asked = options.device != "auto" || options.require_gpu;
  auto device =
      open_device(options.device == "auto" ? "" : options.device, /*real_gpus_only=*/!asked, options.kernel_options);
  if (device) return device;
  if (asked || device.error().code == Code::invalid_argument) return std::move(device).error();
  notices.push_back("no GPU: " + device.error().message + "; the CPU runs everything");
  return std::shared_ptr<vulkan::Device>();
}

// Every node that computes and has no place on the GPU, with the reason; empty where there is none.
std::string steps_on_cpu(const Plan& plan) {
  std::string text;
  for (const Step& step : plan.steps) {
    for (const auto& body : step.bodies) text += steps_on_cpu(*body);
    if (step.kind != StepKind::cpu || !step.computes) continue;
    const Node& node = plan.graph->nodes[step.node];
    text += "\n  '" + node.name + "' (" + node.op_type + ")";
    for (const auto& declined : step.declined)
      if (declined.kernel == "vulkan") text += ": " + declined.reason;
  }
  return text;
}

// Of bodies that no run can come through, for people: a run that never comes to them is right.
void tell_contradictions(const Graph& graph, std::vector<std::string>& notices) {
  for (const Node& node : graph.nodes) {
    for (const auto& body : subgraphs_of(node)) {
      if (body->contradiction)
        notices.push_back(describe(node) + " cannot run one of its bodies: " +
                          body->contradiction->message.substr(0, body->contradiction->message.find('\n')));
      tell_contradictions(*body, notices);
    }
  }
}

Result<void> go_on(const Stop& stop) { return stop.is_reached() ? stop.error() : Result<void>(); }

// Folding and rewriting open ways for each other: to a fixed point, within a bound.
Result<void> improve(Graph& graph, const Registry& registry, const ModelOptions& options, bool for_gpu,
                     const Stop& stop, std::vector<RewriteCount>& fired) {
  constexpr int most_rounds = 16;
  for (int round = 0; round < most_rounds; ++round) {
    int64_t changes = 0;
    HEED_ASSIGN(const size_t folded,
                fold_constants(graph, registry, options.fold ? Folded::all : Folded::sources, &stop));
    HEED_ASSIGN(const size_t inlined, inline_bodies(graph));  // they are folded in the next round
    changes += static_cast<int64_t>(folded + inlined);
    HEED_TRY(merge_equal(graph, registry));  // patterns ask for the same value, not for an equal one
    HEED_TRY(go_on(stop));
    if (options.rewrite) {
      HEED_ASSIGN(const int32_t rewritten, rewrite(graph, registry, fired));
      changes += rewritten;
    }
    HEED_TRY(remove_unused(graph, registry));
    if (changes == 0) break;
  }
  // On the CPU the operators' own kernels are faster for other types.
  static constexpr DataType cpu_types[] = {DataType::f32, DataType::i8, DataType::u8};
  const auto types = for_gpu ? std::span<const DataType>(expression_types) : std::span(cpu_types);
  if (options.rewrite) HEED_TRY(fuse_elementwise(graph, registry, types));
  return remove_unused(graph, registry);
}

}  // namespace

Result<std::shared_ptr<const Model>> Model::load(const std::filesystem::path& path, const Registry& registry,
                                                 const ModelOptions& options) {
  HEED_ASSIGN(ModelFile file, read_model(path, options.read));
  auto model = load(std::move(file), registry, options);
  return model ? std::move(model)
               : Result<std::shared_ptr<const Model>>(std::move(model).error().within(path.string()));
}

Result<std::shared_ptr<const Model>> Model::load(ModelFile file, const Registry& registry,
                                                 const ModelOptions& options) {
  Stop stop;
  stop.begin({options.time_limit_ns});
  const MemoryBudget::Scope scope(options.memory_limit_bytes == SIZE_MAX
                                      ? nullptr
                                      : std::make_shared<MemoryBudget>(options.memory_limit_bytes));
  auto model = std::shared_ptr<Model>(new Model);
  model->registry_ = &registry;
  model->options_ = options;
  model->file_ = std::move(file);
  Graph& graph = *model->file_.graph;
  for (const auto& warning : model->file_.warnings) model->notices_.push_back(warning);

  HEED_TRY(append_nodes(model->file_, options.append));
  if (!options.outputs.empty()) HEED_TRY(choose_outputs(graph, options.outputs));
  HEED_TRY(type_graph(model->file_, registry));
  HEED_TRY(go_on(stop));
  HEED_ASSIGN(model->device_, choose_device(options, model->notices_));
  if (model->device_ && !model->device_->quarantine_notice().empty())
    model->notices_.push_back(model->device_->quarantine_notice());
  HEED_TRY(improve(graph, registry, options, model->device_ != nullptr, stop,
                   model->rewrites_));
  tell_contradictions(graph, model->notices_);
  HEED_TRY(go_on(stop));
  PlanOptions plan_options;
  plan_options.kernel_options = options.kernel_options;
  plan_options.size_hints = options.size_hints;
  plan_options.states = options.states;
  if (model->device_) {
    plan_options.use_gpu = true;
    plan_options.gpu_capability = device_capability;
    if (options.use_quarantine) plan_options.gpu_refuses = quarantine_reason;
    plan_options.gpu_context = model->device_.get();
  }
  HEED_ASSIGN(model->plan_, make_plan(model->file_.graph, registry, plan_options));
  HEED_TRY(go_on(stop));
  if (options.require_gpu)
    if (const auto refused = steps_on_cpu(*model->plan_); !refused.empty())
      return Error{Code::unsupported, "--require-gpu: these nodes would run on the CPU:" + refused};
  model->threads_ = std::make_unique<ThreadPool>(options.thread_count > 0 ? options.thread_count
                                                                          : ThreadPool::default_thread_count());
  HEED_ASSIGN(model->prepared_, prepare(*model->plan_, *model->threads_, model->device_, options.kernel_options));
  if (model->device_) model->device_->save_pipelines();
  model->weight_bytes_ = model->prepared_->bytes;
  return std::shared_ptr<const Model>(std::move(model));
}

Model::~Model() = default;

}  // namespace heed
