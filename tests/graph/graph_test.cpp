// Graph's bookkeeping: uses, order, captures, copies.
#include "graph/graph.hpp"

#include <catch2/catch.hpp>

#include "graph/parse.hpp"
#include "graph/print.hpp"

using namespace heed;

namespace {

std::shared_ptr<Graph> graph_of(std::string_view text) {
  Result<std::shared_ptr<Graph>> graph = parse_graph(text, std::make_shared<DimPool>());
  INFO((graph ? "" : graph.error().message));
  REQUIRE(graph);
  return *graph;
}

std::vector<std::string> op_types(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.op_type);
  return names;
}

Value& value_of(Graph& graph, std::string_view name) { return graph.values[graph.find_value(name).value()]; }

}  // namespace

TEST_CASE("sort drops what nobody reads and keeps the order of the rest") {
  const auto graph = graph_of("g (float[N] x) => (float[N] y) { a = Abs(x) dead = Neg(a) y = Exp(a) }");
  REQUIRE(graph->sort());
  CHECK(op_types(*graph) == std::vector<std::string>{"Abs", "Exp"});
  CHECK(value_of(*graph, "dead").producer == no_id);
  CHECK(value_of(*graph, "y").producer == 1);
}

TEST_CASE("a list of nodes that is not sorted is put in order when it is read") {
  const auto graph = graph_of("g (float[N] x) => (float[N] y) { y = Exp(b) b = Neg(a) a = Abs(x) c = Sin(x) }");
  CHECK(op_types(*graph) == std::vector<std::string>{"Abs", "Neg", "Exp", "Sin"});
}

TEST_CASE("nodes that read each other in a circle are named") {
  const auto graph = parse_graph("g (float x) => (float y) { [one] a = Add(x, b) [two] b = Neg(a) y = Abs(b) }",
                                 std::make_shared<DimPool>());
  REQUIRE(!graph);
  CHECK(graph.error().code == Code::invalid_model);
  CHECK_THAT(graph.error().message, Catch::Contains("node 'one' (Add)") && Catch::Contains("node 'two' (Neg)"));
  CHECK_THAT(graph.error().message, !Catch::Contains("Abs"));
}

TEST_CASE("uses count nodes, captures and outputs; replacing them reaches all three") {
  const auto graph = graph_of(R"(g (bool c, float x) => (float t, float y) {
    t = Abs(x)
    y = If<then_branch = a () => (float p) { p = Neg(t) }, else_branch = b () => (float q) { q = Add(t, x) }>(c)
  })");
  const ValueId x = *graph->find_value("x"), t = *graph->find_value("t");
  CHECK(graph->use_counts()[t] == 3);
  CHECK(graph->use_counts()[x] == 2);
  graph->replace_uses(t, x);
  CHECK(graph->use_counts()[t] == 0);
  CHECK(graph->outputs[0] == x);
  CHECK(graph->output_names == std::vector<std::string>{"t", "y"});
  REQUIRE(graph->sort());
  CHECK(op_types(*graph) == std::vector<std::string>{"If"});
}

TEST_CASE("a value that only an unread node of a subgraph captured is let go") {
  const auto graph = graph_of(R"(g (bool c, float x) => (float y) {
    t = Abs(x)
    y = If<then_branch = a () => (float p) { dead = Neg(t) p = Neg(x) }, else_branch = b () => (float q) { q = Exp(x) }>(c)
  })");
  REQUIRE(graph->sort());
  CHECK(op_types(*graph) == std::vector<std::string>{"If"});
}

TEST_CASE("a name from far outside is captured at every level between") {
  const auto graph = graph_of(R"(g (bool c, float x) => (float y) {
    y = If<then_branch = a () => (float p) {
             p = If<then_branch = aa () => (float r) { r = Neg(x) }, else_branch = ab () => (float s) { s = Identity(x) }>(c)
           }, else_branch = b () => (float q) { q = Identity(x) }>(c)
  })");
  const auto outer = subgraphs_of(graph->nodes[0]);
  REQUIRE(outer.size() == 2);
  Graph& then_branch = *outer[1];
  const Value& between = value_of(then_branch, "x");
  CHECK(between.captured == *graph->find_value("x"));
  CHECK(value_of(then_branch, "c").captured == *graph->find_value("c"));
  Graph& inner = *subgraphs_of(then_branch.nodes[0])[1];
  CHECK(value_of(inner, "x").captured == *then_branch.find_value("x"));
}

TEST_CASE("a copy of a graph has subgraphs of its own") {
  const auto graph = graph_of(R"(g (bool c, float x) => (float y) {
    y = If<then_branch = a () => (float p) { p = Neg(x) }, else_branch = b () => (float q) { q = Exp(x) }>(c)
  })");
  const auto copy = graph->clone();
  CHECK(print(*copy) == print(*graph));
  subgraphs_of(copy->nodes[0])[0]->nodes[0].op_type = "Sin";
  CHECK(subgraphs_of(graph->nodes[0])[0]->nodes[0].op_type == "Exp");
}

TEST_CASE("unique names avoid what is there") {
  const auto graph = graph_of("g (float x, float x_2) => (float y) { y = Add(x, x_2) }");
  CHECK(graph->unique_name("z") == "z");
  CHECK(graph->unique_name("x") == "x_3");
  graph->add_value("x_3");
  CHECK(graph->unique_name("x") == "x_4");
  CHECK(graph->find_value("x_3"));
  CHECK(!graph->find_value("x_4"));
}

TEST_CASE("tensors refuse sizes that cannot be") {
  struct Row {
    std::vector<int64_t> dims;
    std::string_view error;
  };
  const Row rows[] = {{{-1, 2}, "negative"}, {{INT64_MAX, 3}, "more elements"}, {{INT64_MAX, 1}, "more bytes"}};
  for (const Row& row : rows) {
    const Result<Tensor> tensor = Tensor::allocate(DataType::f64, row.dims);
    REQUIRE(!tensor);
    CHECK_THAT(tensor.error().message, Catch::Contains(std::string(row.error)));
  }
  const Result<Tensor> empty = Tensor::allocate(DataType::f32, {INT64_MAX, 0, 5});
  REQUIRE(empty);
  CHECK(empty->size_bytes == 0);
  CHECK(Tensor::allocate(DataType::u4, {3})->size_bytes == 2);
  CHECK(Tensor::allocate(DataType::i2, {3, 3})->size_bytes == 3);
  CHECK(reinterpret_cast<uintptr_t>(Tensor::allocate(DataType::f32, {100})->data) % 64 == 0);
}

TEST_CASE("integers are read from tensors of integers only") {
  const Tensor shape = Tensor::of<int32_t>(DataType::i32, {3}, std::vector<int32_t>{1, -2, 3});
  CHECK(*shape.integers() == std::vector<int64_t>{1, -2, 3});
  CHECK(!shape.integers(2));
  CHECK(!Tensor::of<float>(DataType::f32, {1}, std::vector<float>{1}).integers());
}
