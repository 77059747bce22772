// Graphs of toy operators from text, and what the tests of passes ask of them.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "graph/parse.hpp"
#include "passes/infer_shapes.hpp"
#include "registry/registry.hpp"
#include "toy_operators.hpp"

namespace heed::test {

inline const Registry& toy_registry() {
  static const auto registry = [] {
    auto made = std::make_unique<Registry>();
    REQUIRE(made->add_built_in(toy_plugin));
    return made;
  }();
  return *registry;
}

inline std::string text_of(const Result<void>& result) { return result ? "" : result.error().message; }

inline std::shared_ptr<Graph> graph_of(const std::string& text) {
  auto graph = parse_graph(text, std::make_shared<DimPool>());
  REQUIRE((graph ? "" : graph.error().message) == "");
  return *graph;
}

inline std::shared_ptr<Graph> typed_graph(const std::string& text) {
  auto graph = graph_of(text);
  REQUIRE(text_of(infer_shapes(*graph, toy_registry())) == "");
  return graph;
}

inline const Value& value_named(const Graph& graph, std::string_view name) {
  const auto id = graph.find_value(name);
  REQUIRE(id);
  return graph.values[*id];
}

inline std::string type_named(const Graph& graph, std::string_view name) {
  return to_string(value_named(graph, name).type);
}

inline std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> types;
  for (const Node& node : graph.nodes) {
    if (!node.removed) types.push_back(node.op_type);
  }
  return types;
}

}  // namespace heed::test
