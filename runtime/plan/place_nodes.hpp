// Which nodes run on the GPU where some can run on the CPU alone: a minimum cut.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "plan/plan.hpp"

namespace heed {

// Where a node can run. `nowhere`: it has no place of its own (a view, a control node), and values pass it for free.
enum class Reach : uint8_t { nowhere, cpu_only, gpu_only, both };

struct NodeCost {
  Reach reach = Reach::nowhere;
  int64_t cpu_ns = 0;  // how much longer it takes on the CPU than on the GPU
};

// A value between nodes, by their place among the nodes given.
struct ValueCost {
  uint32_t producer = 0;
  std::vector<uint32_t> readers;
  int64_t crossing_ns = 0;  // once, however many read it on the other side
};

// Where each node runs so that the sum of cpu_ns over the nodes on the CPU and crossing_ns over the values that cross
// is least; on the GPU where it makes no difference. Nodes without a place are told the CPU.
std::vector<Location> place_nodes(std::span<const NodeCost> nodes, std::span<const ValueCost> values);

}  // namespace heed
