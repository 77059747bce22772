// Fused nodes that no kernel wants become the plainer nodes that they replaced.
#pragma once

#include "graph/graph.hpp"
#include "plan/plan.hpp"

namespace heed {

// Expands a fused node where no kernel takes it; and, with a GPU, where the GPU declines it but takes all that it
// replaced. Subgraphs are left to their own plans.
Result<void> expand_refused(Graph& graph, const Registry& registry, const PlanOptions& options);

}  // namespace heed
