// Which nodes run on the GPU: the cut of least capacity between a source, the CPU, and a sink, the GPU. A node on the
// source's side runs on the CPU and cuts its edge to the sink, of capacity cpu_ns. A value cuts one edge however many
// read it on the other side, since its readers hang on a vertex of its own, one for each direction:
//   producer -crossing_ns-> up -forever-> readers       made on the CPU, read on the GPU
//   readers -forever-> down -crossing_ns-> producer     made on the GPU, read on the CPU
#include "plan/place_nodes.hpp"

#include <algorithm>
#include <limits>

namespace heed {
namespace {

constexpr int64_t forever = std::numeric_limits<int64_t>::max() / 4;

// Maximum flow by shortest augmenting levels (Dinic 1970).
class FlowNetwork {
 public:
  explicit FlowNetwork(size_t vertex_count) : edges_of_(vertex_count) {}

  uint32_t add_vertex() {
    edges_of_.emplace_back();
    return static_cast<uint32_t>(edges_of_.size() - 1);
  }
  void add_edge(uint32_t from, uint32_t to, int64_t capacity) {
    edges_of_[from].push_back(static_cast<uint32_t>(edges_.size()));
    edges_.push_back({to, capacity});
    edges_of_[to].push_back(static_cast<uint32_t>(edges_.size()));
    edges_.push_back({from, 0});
  }

  // The vertices on the source's side of the cut that is nearest to it.
  std::vector<bool> least_cut(uint32_t source, uint32_t sink) {
    while (find_levels(source)[sink] >= 0) {
      next_.assign(edges_of_.size(), 0);
      while (push(source, sink) > 0) {
      }
    }
    std::vector<bool> on_source_side(edges_of_.size());
    for (size_t vertex = 0; vertex < on_source_side.size(); ++vertex) on_source_side[vertex] = levels_[vertex] >= 0;
    return on_source_side;
  }

 private:
  struct Edge {
    uint32_t to;
    int64_t capacity;
  };

  const std::vector<int32_t>& find_levels(uint32_t source) {
    levels_.assign(edges_of_.size(), -1);
    levels_[source] = 0;
    std::vector<uint32_t> queue{source};
    for (size_t i = 0; i < queue.size(); ++i)
      for (const uint32_t edge : edges_of_[queue[i]])
        if (edges_[edge].capacity > 0 && levels_[edges_[edge].to] < 0) {
          levels_[edges_[edge].to] = levels_[queue[i]] + 1;
          queue.push_back(edges_[edge].to);
        }
    return levels_;
  }

  // Sends flow along one path of rising levels; returns how much. Without recursion: models are deep.
  int64_t push(uint32_t source, uint32_t sink) {
    std::vector<uint32_t> path;  // of edges
    uint32_t vertex = source;
    while (vertex != sink) {
      if (next_[vertex] < edges_of_[vertex].size()) {
        const uint32_t edge = edges_of_[vertex][next_[vertex]];
        if (edges_[edge].capacity > 0 && levels_[edges_[edge].to] == levels_[vertex] + 1) {
          path.push_back(edge);
          vertex = edges_[edge].to;
        } else {
          ++next_[vertex];
        }
      } else if (path.empty()) {
        return 0;
      } else {
        vertex = edges_[path.back() ^ 1].to;
        path.pop_back();
        ++next_[vertex];
      }
    }
    int64_t flow = forever;
    for (const uint32_t edge : path) flow = std::min(flow, edges_[edge].capacity);
    for (const uint32_t edge : path) edges_[edge].capacity -= flow, edges_[edge ^ 1].capacity += flow;
    return flow;
  }

  std::vector<Edge> edges_;  // each followed by its reverse
  std::vector<std::vector<uint32_t>> edges_of_;
  std::vector<int32_t> levels_;
  std::vector<size_t> next_;  // by vertex: the edge to try next
};

}  // namespace

std::vector<Location> place_nodes(std::span<const NodeCost> nodes, std::span<const ValueCost> values) {
  const auto cpu = static_cast<uint32_t>(nodes.size()), gpu = cpu + 1;
  FlowNetwork network(nodes.size() + 2);
  for (uint32_t node = 0; node < nodes.size(); ++node) {
    if (nodes[node].reach == Reach::cpu_only) network.add_edge(cpu, node, forever);
    if (nodes[node].reach == Reach::gpu_only) network.add_edge(node, gpu, forever);
    if (nodes[node].reach == Reach::both)
      network.add_edge(node, gpu, std::clamp<int64_t>(nodes[node].cpu_ns, 1, forever));
  }
  const auto placed = [&](uint32_t node) { return nodes[node].reach != Reach::nowhere; };
  for (const ValueCost& value : values) {
    if (!placed(value.producer)) continue;
    const int64_t crossing_ns = std::clamp<int64_t>(value.crossing_ns, 0, forever);
    const uint32_t up = network.add_vertex(), down = network.add_vertex();
    network.add_edge(value.producer, up, crossing_ns);
    network.add_edge(down, value.producer, crossing_ns);
    for (const uint32_t reader : value.readers) {
      if (!placed(reader)) continue;
      network.add_edge(up, reader, forever);
      network.add_edge(reader, down, forever);
    }
  }
  const auto on_cpu = network.least_cut(cpu, gpu);
  std::vector<Location> locations(nodes.size(), Location::cpu);
  for (uint32_t node = 0; node < nodes.size(); ++node)
    if (placed(node) && !on_cpu[node]) locations[node] = Location::vulkan;
  return locations;
}

}  // namespace heed
