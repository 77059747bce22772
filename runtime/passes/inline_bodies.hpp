// inline_bodies: nodes whose inference found that one of their subgraphs does all that they do.
#pragma once

#include "graph/graph.hpp"
#include "heed/result.hpp"

namespace heed {

// The nodes of the subgraph (Node::becomes) take the place of their node, so that the order of the file is kept.
// Subgraphs too. The graph is typed before and after. Gives how many nodes went.
Result<size_t> inline_bodies(Graph& graph);

}  // namespace heed
