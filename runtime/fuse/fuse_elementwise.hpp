// fuse_elementwise: connected element-wise nodes become one node each, which reads and writes memory once.
#pragma once

#include <span>

#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// A group is one node whose contract publishes an expression, or more of the same dims of which only the last one's
// result is read outside. It reads and gives tensors of `types` alone; truth may stand between. The node that takes its
// place is asked for by the role "fused_elementwise"; where nobody brings it, nothing happens. What an expression does not
// take is left to the kernels of its operator. The graph is typed, and so are the graphs in it, which are fused too. Gives
// how many nodes were made.
Result<int32_t> fuse_elementwise(Graph& graph, const Registry& registry, std::span<const DataType> types);

}  // namespace heed
