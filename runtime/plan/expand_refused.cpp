// Fused nodes that no kernel wants become the plainer nodes that they replaced.
#include "plan/expand_refused.hpp"

#include <algorithm>

#include "passes/infer_shapes.hpp"
#include "passes/inline_functions.hpp"
#include "plan/choose_kernel.hpp"

namespace heed {
namespace {

class Expansion {
 public:
  Expansion(Graph& graph, const Registry& registry, const PlanOptions& options)
      : graph_(graph), registry_(registry), options_(options) {}

  Result<void> run() {
    bool expanded = false;
    for (auto id = static_cast<NodeId>(graph_.nodes.size()); id-- > 0;) {  // what is put in pushes later nodes only
      const Node& node = graph_.nodes[id];
      if (node.removed || !node.replaced) continue;
      HEED_ASSIGN(const bool wanted, is_wanted(node));
      if (wanted) continue;
      HEED_TRY(expand(id));
      expanded = true;
    }
    return expanded ? graph_.order() : Result<void>();
  }

 private:
  Result<bool> is_wanted(const Node& node) const {
    if (options_.use_gpu) {
      HEED_ASSIGN(const bool on_gpu, gpu_takes(graph_, node));
      if (on_gpu) return true;
      HEED_ASSIGN(const bool parts_on_gpu, gpu_takes_all(*node.replaced->body));
      if (parts_on_gpu) return false;
    }
    const auto* op = registry_.find_operator(node.domain, node.op_type);
    return op && choose_cpu_kernel(graph_, node, *op, registry_, options_);
  }

  Result<bool> gpu_takes(const Graph& graph, const Node& node) const {
    const auto* op = registry_.find_operator(node.domain, node.op_type);
    if (!op) return false;
    HEED_ASSIGN(const auto answer, ask_gpu_kernels(graph, node, *op, registry_, options_));
    return answer.choice.has_value();
  }

  Result<bool> gpu_takes_all(const Graph& body) const {
    for (const Node& node : body.nodes) {
      const auto* op = registry_.find_operator(node.domain, node.op_type);
      if (op && op->is_view()) continue;
      HEED_ASSIGN(const bool on_gpu, gpu_takes(body, node));
      if (!on_gpu) return false;
    }
    return true;
  }

  Result<void> expand(NodeId id) {
    const std::shared_ptr<const Function> replaced = graph_.nodes[id].replaced;
    const size_t count_before = graph_.nodes.size();
    HEED_TRY(inline_call(graph_, id, *replaced));
    const size_t end = id + graph_.nodes.size() - count_before + 1;
    for (NodeId added = id; added < end; ++added) HEED_TRY(infer_node(graph_, added, registry_));
    return {};
  }

  Graph& graph_;
  const Registry& registry_;
  const PlanOptions& options_;
};

}  // namespace

Result<void> expand_refused(Graph& graph, const Registry& registry, const PlanOptions& options) {
  return Expansion(graph, registry, options).run();
}

}  // namespace heed
