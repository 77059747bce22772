// What running a node and moving a value cost, roughly: enough to tell a step from a copy. Reckoned from sizes and
// hints alone, never from runs: plans must not depend on history.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "graph/graph.hpp"

namespace heed {

class CostModel {
 public:
  // size_hints: values of symbols by name; of others, batches count as 1 and the rest as 128. `graph` must outlive it.
  CostModel(const Graph& graph, const std::vector<std::pair<std::string, int64_t>>& size_hints);

  // Of a step on the CPU that reads and writes the node's values and does so many operations.
  int64_t cpu_ns(const Node& node, Dim operation_count) const;
  // Of a tensor between host and device, in either direction.
  int64_t crossing_ns(const ValueType& type) const;

 private:
  double number_of(Dim dim) const;
  double bytes_of(const ValueType& type) const;

  const Graph& graph_;
  std::vector<int64_t> symbol_values_;
};

}  // namespace heed
