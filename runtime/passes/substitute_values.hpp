// Puts values in the place of others, all at once.
#pragma once

#include <unordered_map>

#include "graph/graph.hpp"

namespace heed {

using Substitution = std::unordered_map<ValueId, ValueId>;

// Wherever nodes, subgraphs or the graph's outputs read a value on the left, they read the one on the right, which may
// stand on the left again; not in a circle.
void substitute_values(Graph& graph, const Substitution& replaced);

}  // namespace heed
