// rewrite: fusions and simplifications that plugins bring, applied to a fixed point.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "graph/graph.hpp"
#include "heed/result.hpp"
#include "registry/registry.hpp"

namespace heed {

// How often a rewrite fired.
struct RewriteCount {
  std::string name;
  int32_t count = 0;
};

// Applies all registered rewrites (see heed_rewrite in plugin.h) to a typed graph whose nodes stand in order, and to
// the graphs in it, until none fires. Those whose pattern begins with "at last:" have their turn where no other fires:
// they take in nodes that others ask for by name. Adds to `fired`, one entry per rewrite by name; gives how often any of
// them did.
//
// The last node of a replacement that is no view bears the name of the pattern's last node; all say in `origin` what
// they replaced. A replacement of one node that reads all that the replaced ones read keeps them in `replaced`. Every
// new node is inferred: where a result would be of another type or shape, the replacement is taken back and logged.
// Nodes that nobody reads any more go.
//
// Fails with invalid_argument on replacements that cannot be read, and on a rewrite that fires without end; the error
// names it.
Result<int32_t> rewrite(Graph& graph, const Registry& registry, std::vector<RewriteCount>& fired);

}  // namespace heed
