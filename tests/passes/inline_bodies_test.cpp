// inline_bodies: a body whose run is certain is no body any more.
#include "passes/inline_bodies.hpp"

#include <catch2/catch.hpp>

#include "toy_graph.hpp"

using namespace heed;
using namespace heed::test;

TEST_CASE("the body that is known to be run takes the place of its node") {
  struct {
    const char *what, *text;
    std::vector<std::string> left;
  } const rows[] = {
      {"then",
       R"(g (f32[2] x) => (f32[2] y) <i64[1] c = {1}> { a = Add(x, x)
          b = Choose<then_branch = t () => (f32[2] p) { q = Mul(a, x) p = Sigmoid(q) }, else_branch = e () => (f32[2] p) { p = Add(a, a) }>(c)
          y = Add(b, x) })",
       {"Add", "Mul", "Sigmoid", "Add"}},
      {"else, a constant of its own, the graph's output",
       R"(g (f32[2] x) => (f32[2] y) <i64[1] c = {0}> {
          y = Choose<then_branch = t () => (f32[2] p) { p = Sigmoid(x) }, else_branch = e () => (f32[2] p) <f32[2] k = {1, 2}> { p = Mul(x, k) }>(c) })",
       {"Mul"}},
      {"gives what it captures",
       R"(g (f32[2] x) => (f32[2] y) <i64[1] c = {1}> { a = Sigmoid(x)
          b = Choose<then_branch = t () => (f32[2] a) { }, else_branch = e () => (f32[2] p) { p = Add(a, a) }>(c)
          y = Add(b, b) })",
       {"Sigmoid", "Add"}},
      {"a body in a body",
       R"(g (f32[2] x) => (f32[2] y) <i64[1] c = {1}> {
          y = Choose<then_branch = t () => (f32[2] p) {
              q = Sigmoid(x)
              p = Choose<then_branch = u () => (f32[2] r) { r = Mul(q, x) }, else_branch = v () => (f32[2] r) { r = Add(q, x) }>(c) },
            else_branch = e () => (f32[2] p) { p = Add(x, x) }>(c) })",
       {"Sigmoid", "Mul"}},
      {"not known",
       R"(g (f32[2] x, i64[1] c) => (f32[2] y) {
          y = Choose<then_branch = t () => (f32[2] p) { p = Sigmoid(x) }, else_branch = e () => (f32[2] p) { p = Add(x, x) }>(c) })",
       {"Choose"}},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    auto graph = typed_graph(row.text);
    REQUIRE(inline_bodies(*graph));
    CHECK(op_types(*graph) == row.left);
    CHECK(text_of(infer_shapes(*graph, toy_registry())) == "");
    CHECK(to_string(graph->values[graph->outputs[0]].type) == "f32 [2]");
  }
}
