// Where nodes run: rows of small graphs, each with the places that cost least.
#include "plan/place_nodes.hpp"

#include <catch2/catch.hpp>
#include <random>

#include "rows.hpp"

namespace heed::test {
namespace {

constexpr NodeCost cpu{Reach::cpu_only, 0}, gpu{Reach::gpu_only, 0}, view{Reach::nowhere, 0};
constexpr NodeCost both(int64_t cpu_ns) { return {Reach::both, cpu_ns}; }

// One letter a node: c, v (vulkan).
std::string letters(const std::vector<Location>& locations) {
  std::string text;
  for (const Location location : locations) text += location == Location::cpu ? 'c' : 'v';
  return text;
}

// What a placement costs; the definition that the cut is held against.
int64_t cost_of(std::span<const NodeCost> nodes, std::span<const ValueCost> values, std::span<const Location> places) {
  int64_t cost = 0;
  for (size_t node = 0; node < nodes.size(); ++node)
    if (nodes[node].reach == Reach::both && places[node] == Location::cpu) cost += nodes[node].cpu_ns;
  for (const ValueCost& value : values) {
    bool crosses = false;
    for (const uint32_t reader : value.readers)
      crosses |= nodes[reader].reach != Reach::nowhere && places[reader] != places[value.producer];
    if (crosses && nodes[value.producer].reach != Reach::nowhere) cost += value.crossing_ns;
  }
  return cost;
}

}  // namespace

TEST_CASE("each node runs where it and its copies cost least") {
  struct Row {
    const char* what;
    std::vector<NodeCost> nodes;
    std::vector<ValueCost> values;
    const char* expected;
  };
  const Row rows[] = {
      {"nothing", {}, {}, ""},
      {"what both can do runs on the GPU", {both(1)}, {}, "v"},
      {"what one can do runs there", {cpu, gpu}, {{0, {1}, 5}}, "cv"},
      {"a small island stays", {cpu, both(10), cpu}, {{0, {1}, 20}, {1, {2}, 20}}, "ccc"},
      {"a large one moves", {cpu, both(50), cpu}, {{0, {1}, 20}, {1, {2}, 20}}, "cvc"},
      {"an island that costs as much as its copies moves", {cpu, both(40), cpu}, {{0, {1}, 20}, {1, {2}, 20}}, "cvc"},
      {"small ones together are a large one",
       {cpu, both(15), both(15), both(15), cpu},
       {{0, {1}, 20}, {1, {2}, 20}, {2, {3}, 20}, {3, {4}, 20}},
       "cvvvc"},
      {"many readers, one copy", {cpu, both(8), both(8), both(8)}, {{0, {1, 2, 3}, 20}}, "cvvv"},
      {"readers on either side, one copy", {gpu, cpu, cpu, both(1)}, {{0, {1, 2, 3}, 20}}, "vccv"},
      {"the CPU's island in the GPU's sea", {gpu, cpu, gpu}, {{0, {1}, 20}, {1, {2}, 20}}, "vcv"},
      {"behind a CPU step at the end", {both(5), cpu}, {{0, {1}, 20}}, "cc"},
      {"a control node asks for nothing", {cpu, view, both(1)}, {{0, {1}, 20}, {1, {2}, 20}}, "ccv"},
      {"a copy for free", {cpu, both(1), cpu}, {{0, {1}, 0}, {1, {2}, 0}}, "cvc"},
      {"costs beyond all bounds", {cpu, both(INT64_MAX), cpu}, {{0, {1}, 20}, {1, {2}, 20}}, "cvc"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const auto met = letters(place_nodes(row.nodes, row.values));
    CHECK(met == row.expected);
    count_row(met == row.expected);
  }
}

TEST_CASE("no placement of a random graph costs less than the one that is found") {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const size_t count = 1 + random() % 8;
    std::vector<NodeCost> nodes;
    std::vector<ValueCost> values;
    for (uint32_t node = 0; node < count; ++node) {
      nodes.push_back({static_cast<Reach>(random() % 4), static_cast<int64_t>(1 + random() % 40)});
      if (node + 1 == count) continue;
      ValueCost value{node, {}, static_cast<int64_t>(random() % 40)};
      for (uint32_t reader = node + 1; reader < count; ++reader)
        if (random() % 3 == 0) value.readers.push_back(reader);
      values.push_back(value);
    }
    const auto found = place_nodes(nodes, values);
    for (uint32_t node = 0; node < count; ++node) {
      if (nodes[node].reach == Reach::cpu_only) CHECK(found[node] == Location::cpu);
      if (nodes[node].reach == Reach::gpu_only) CHECK(found[node] == Location::vulkan);
    }
    const int64_t least = cost_of(nodes, values, found);
    for (uint32_t bits = 0; bits < 1u << count; ++bits) {
      std::vector<Location> other;
      bool possible = true;
      for (uint32_t node = 0; node < count; ++node) {
        other.push_back(bits >> node & 1 ? Location::vulkan : Location::cpu);
        possible &= !(nodes[node].reach == Reach::cpu_only && other[node] == Location::vulkan) &&
                    !(nodes[node].reach == Reach::gpu_only && other[node] == Location::cpu);
      }
      if (possible) REQUIRE(least <= cost_of(nodes, values, other));
    }
  }
}

TEST_CASE("a chain of a hundred thousand nodes is placed") {
  std::vector<NodeCost> nodes(100'000, both(30));
  std::vector<ValueCost> values;
  for (uint32_t node = 0; node + 1 < nodes.size(); ++node) values.push_back({node, {node + 1}, 20});
  nodes.front() = cpu;
  nodes[50'000] = cpu;
  const auto places = place_nodes(nodes, values);
  CHECK(std::count(places.begin(), places.end(), Location::cpu) == 2);
}

}  // namespace heed::test
