// Nodes that one node replaces, as a function: what it does in terms of plainer nodes.
#pragma once

#include <memory>
#include <span>

#include "graph/graph.hpp"

namespace heed {

// `nodes` stand makers first; `made` has the inputs and outputs of the node that replaces them. Null where they read
// anything but those inputs and constants, where they do not make all of those outputs, or where they hold subgraphs.
std::shared_ptr<const Function> body_of_nodes(const Graph& graph, std::span<const NodeId> nodes, const Node& made);

}  // namespace heed
