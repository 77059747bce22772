// fold_constants: what depends on constants alone is computed once, at load.
#pragma once

#include "base/stop.hpp"
#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// `sources` are nodes that read nothing: constants that are written as nodes.
enum class Folded { all, sources };

// A node becomes constants where inference knows all elements of its outputs, or where all it reads is constant and a
// CPU kernel carries it out. The graph is typed before and after. Left alone are random operators, control flow, what
// makes constants larger (HEED_ENLARGES, or more than a kilobyte and more than all inputs together), and strided views
// of more than a kilobyte, which kernels read where they lie, unless what reads them is computed here. A kernel that
// fails leaves its node for the run, which may never come to it. Gives how many nodes went; subgraphs count. `stop`,
// where it is given, is looked at before each node.
Result<size_t> fold_constants(Graph& graph, const Registry& registry, Folded nodes = Folded::all,
                              const Stop* stop = nullptr);

}  // namespace heed
