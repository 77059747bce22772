// remove_unused and merge_equal: what makes no difference goes, what a person named stays.
#include "passes/remove_unused.hpp"

#include <catch2/catch.hpp>

#include "toy_graph.hpp"

using namespace heed;
using namespace heed::test;

TEST_CASE("unread nodes, unread optional outputs and views that change nothing go") {
  struct {
    const char *what, *text;
    std::vector<std::string> left;
  } const rows[] = {
      {"unread", "g (f32[2] x) => (f32[2] y) { a = Sigmoid(x) b = Sigmoid(a) y = Add(x, x) }", {"Add"}},
      {"identity", "g (f32[n] x) => (f32[n] y) { a = Identity(x) b = Identity(a) y = Sigmoid(b) }", {"Sigmoid"}},
      {"identity that names an output", "g (f32[n] x) => (f32[n] y) { y = Identity(x) }", {"Identity"}},
      {"reshape to what it is",
       "g (f32[n, 2] x) => (f32[n, 2] y) { s = Shape(x) a = Reshape(x, s) y = Sigmoid(a) }",
       {"Sigmoid"}},
      {"reshape to another shape",
       "g (f32[n, 2] x) => (f32[m] y) <i64[1] s = {-1}> { a = Reshape(x, s) y = Sigmoid(a) }",
       {"Reshape", "Sigmoid"}},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    auto graph = typed_graph(row.text);
    REQUIRE(text_of(remove_unused(*graph, toy_registry())) == "");
    CHECK(op_types(*graph) == row.left);
  }
  auto graph = typed_graph("g (f32[n] x) => (f32[n] y) { y, mask = Noise(x) }");
  REQUIRE(remove_unused(*graph, toy_registry()));
  CHECK(graph->nodes[0].outputs.size() == 1);
}

TEST_CASE("constants that nobody reads are let go") {
  auto graph =
      typed_graph("g (f32[2] x) => (f32[2] y) <f32[2] a = {1, 2}, f32[2] b = {1, 2}> { c = Add(a, x) y = Add(b, x) }");
  REQUIRE(remove_unused(*graph, toy_registry()));
  CHECK(!value_named(*graph, "a").constant);
  CHECK(value_named(*graph, "b").constant);
}

TEST_CASE("nodes that do the same with the same become one") {
  struct {
    const char *what, *text;
    size_t left;
  } const rows[] = {
      {"in a chain",
       "g (f32[n] x) => (f32[n] y) { a = Sigmoid(x) b = Sigmoid(x) c = Add(a, a) d = Add(b, b) y = Add(c, d) }", 3},
      {"over equal constants",
       "g (f32[2] x) => (f32[2] y) <f32[2] p = {1, 2}, f32[2] q = {1, 2}> { a = Add(x, p) b = Add(x, q) y = Add(a, b) "
       "}",
       2},
      {"of sizes, whatever has them",
       "g (f32[n, 2] x) => (f32[n, 2] y) { a = Sigmoid(x) r = Shape(x) s = Shape(a) t = Reshape(a, r) u = Reshape(a, s) "
       "y = Add(t, u) }",
       4},
      {"not of other sizes",
       "g (f32[n, 2] x, f32[m, 2] z) => (f32[n, 2] y, f32[m, 2] w) { r = Shape(x) s = Shape(z) y = Reshape(x, r) w = "
       "Reshape(z, s) }",
       4},
      {"not with other attributes",
       "g (f32[n] x) => (f32[n] y) { a = Scale<factor = 1.0>(x) b = Scale<factor = 2.0>(x) y = Add(a, b) }", 3},
      {"not random ones", "g (f32[n] x) => (f32[n] y) { a = Noise(x) b = Noise(x) y = Add(a, b) }", 3},
      {"not outputs of the graph", "g (f32[n] x) => (f32[n] y, f32[n] z) { y = Sigmoid(x) z = Sigmoid(x) }", 2},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    auto graph = typed_graph(row.text);
    const auto merged = merge_equal(*graph, toy_registry());
    REQUIRE((merged ? "" : merged.error().message) == "");
    CHECK(graph->nodes.size() == row.left);
  }
}
