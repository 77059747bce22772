// Which values lie channels last.
#pragma once

#include <functional>
#include <vector>

#include "graph/graph.hpp"
#include "plan/choose_kernel.hpp"

namespace heed {

// The nodes that make or read values which may lie so, and what the kernel of one says as long as these are thought to;
// an error where it has none.
struct LayoutQuestion {
  const Graph& graph;
  std::vector<NodeId> nodes;               // in the graph's order
  std::vector<bool> may_lie_so;            // by value
  const std::vector<int32_t>& use_counts;  // by value
  std::function<Result<Choice>(NodeId, const std::vector<bool>& channels_last)> ask;
};

// By value: those that may, whose makers offer it, and that at least half of their readers take so (the others get a
// copy). A node is asked again when a value of its own is none of them after all.
std::vector<bool> find_channels_last(const LayoutQuestion& question);

}  // namespace heed
