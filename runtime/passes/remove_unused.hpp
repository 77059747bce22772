// remove_unused and merge_equal: nodes that make no difference go.
#pragma once

#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// Drops nodes that nobody reads, optional outputs that nobody reads, and dense views that change neither type nor dims
// (unless an output of the model bears their name); lets go of constants that nobody reads. Subgraphs too. The graph is typed.
Result<void> remove_unused(Graph& graph, const Registry& registry);

// Nodes that do the same with the same become one, and so do those that give the same sizes, and equal constants of up
// to a kilobyte. Random nodes and those with subgraphs stay. Gives how many nodes went.
Result<size_t> merge_equal(Graph& graph, const Registry& registry);

}  // namespace heed
