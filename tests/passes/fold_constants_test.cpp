// fold_constants: what is computed at load, and what is left for the run.
#include "passes/fold_constants.hpp"

#include <catch2/catch.hpp>

#include "toy_graph.hpp"

using namespace heed;
using namespace heed::test;

namespace {

std::shared_ptr<Graph> folded(const std::string& text) {
  auto graph = typed_graph(text);
  const auto count = fold_constants(*graph, toy_registry());
  REQUIRE((count ? "" : count.error().message) == "");
  return graph;
}

std::vector<float> floats(const Value& value) {
  REQUIRE(value.constant);
  const auto elements = value.constant->as<float>();
  return {elements.begin(), elements.end()};
}

}  // namespace

TEST_CASE("nodes over constants are computed by their kernels") {
  auto graph = folded(
      "g (f32[2] x) => (f32[2] y) <f32[2] a = {1, 2}, f32[2] b = {10, 20}> { c = Add(a, b) d = Add(c, c) y = Add(d, x) "
      "}");
  CHECK(op_types(*graph) == std::vector<std::string>{"Add"});
  CHECK(floats(value_named(*graph, "d")) == std::vector<float>{22, 44});
}

TEST_CASE("values whose elements are known need no kernel, even of inputs that are no constants") {
  auto graph = folded("g (f32[2, 3] x) => (i64[k] y) <i64[1] one = {1}> { s = Shape(x) y = Concat<axis = 0>(s, one) }");
  CHECK(graph->nodes.empty());
  const auto elements = value_named(*graph, "y").constant->as<int64_t>();
  CHECK(std::vector<int64_t>(elements.begin(), elements.end()) == std::vector<int64_t>{2, 3, 1});

  auto symbolic = folded("g (f32[n, 3] x) => (i64[k] y) { y = Shape(x) }");
  CHECK(op_types(*symbolic) == std::vector<std::string>{"Shape"});
}

TEST_CASE("a dense view of a constant shares its bytes; a strided one is made dense only when it is small") {
  auto graph = folded(R"(g (f32[3, 2] x) => (f32[3, 2] y, f32[3, 2] z)
      <f32[2, 3] a = {1, 2, 3, 4, 5, 6}, i64[2] to = {3, 2}> { b = Reshape(a, to) c = Transpose(a) y = Add(b, x) z = Add(c, x) })");
  CHECK(op_types(*graph) == std::vector<std::string>{"Add", "Add"});
  CHECK(value_named(*graph, "b").constant->data == value_named(*graph, "a").constant->data);
  CHECK(value_named(*graph, "b").constant->dims == std::vector<int64_t>{3, 2});
  CHECK(floats(value_named(*graph, "c")) == std::vector<float>{1, 4, 2, 5, 3, 6});

  // Of more than a kilobyte; read by what is computed in the run, and by what is computed at load.
  const std::pair<std::string_view, std::vector<std::string>> readers[] = {{"Add(t, x)", {"Transpose", "Add"}},
                                                                           {"Add(t, t)", {}}};
  for (const auto& [reader, left] : readers) {
    auto large =
        graph_of("g (f32[1, 512] w, f32[1] x) => (f32[512, 1] y) { t = Transpose(w) y = " + std::string(reader) + " }");
    Value& weights = large->values[large->inputs[0]];
    weights.constant = std::make_shared<const Tensor>(*Tensor::allocate(DataType::f32, {1, 512}));
    weights.is_input = false;
    large->inputs.erase(large->inputs.begin());
    REQUIRE(text_of(infer_shapes(*large, toy_registry())) == "");
    REQUIRE(fold_constants(*large, toy_registry()));
    CHECK(op_types(*large) == left);
  }
}

TEST_CASE("views of views of a large constant are followed a few steps: a long chain costs no more than its nodes") {
  for (const int views : {3, 20'000}) {
    std::string nodes = "v0 = Transpose(w) ";
    for (int i = 1; i < views; ++i) nodes += "v" + std::to_string(i) + " = Transpose(v" + std::to_string(i - 1) + ") ";
    const std::string last = "v" + std::to_string(views - 1);
    auto graph = graph_of("g (f32[1, 512] w) => (f32[n, m] y) { " + nodes + "y = Add(" + last + ", " + last + ") }");
    Value& weights = graph->values[graph->inputs[0]];
    weights.constant = std::make_shared<const Tensor>(*Tensor::allocate(DataType::f32, {1, 512}));
    weights.is_input = false;
    graph->inputs.clear();
    REQUIRE(text_of(infer_shapes(*graph, toy_registry())) == "");
    REQUIRE(fold_constants(*graph, toy_registry()));
    CHECK(op_types(*graph).size() == (views == 3 ? 0u : static_cast<size_t>(views) + 1));
  }
}

TEST_CASE("a size that constants tell replaces the symbol everywhere") {
  auto graph =
      folded(R"(g (f32[1, 1] x) => (i64[k, l] y) <f32[4] a = {0, 1, 0, 2}> { b = NonZero(a) y = Transpose(b) })");
  CHECK(graph->nodes.empty());
  CHECK(type_named(*graph, "y") == "i64 [2, 1]");
}

TEST_CASE("random nodes, what grows, what fails and what a caller may change are left alone") {
  struct {
    const char *what, *text;
    std::vector<std::string> left;
  } const rows[] = {
      {"random", "g (f32[1] x) => (f32[2] y) <f32[2] a = {1, 2}> { y = Noise(a) }", {"Noise"}},
      {"grows past a kilobyte",
       "g (f32[1] x) => (f32[k] y) <f32 a = {1}, i64[1] to = {257}> { y = Expand(a, to) }",
       {"Expand"}},
      {"grows to a kilobyte", "g (f32[1] x) => (f32[k] y) <f32 a = {1}, i64[1] to = {256}> { y = Expand(a, to) }", {}},
      {"fails", "g (f32[1] x) => (f32[2] y) <f32[2] a = {1, 2}> { y = Broken(a) }", {"Broken"}},
      {"no kernel", "g (f32[1] x) => (f32[2] y) <f32[2] a = {1, 2}> { y = Sigmoid(a) }", {"Sigmoid"}},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    CHECK(op_types(*folded(row.text)) == row.left);
  }
  auto overridable = parse_graph("g (f32[2] x) => (f32[2] y) { y = Add(x, x) }", std::make_shared<DimPool>());
  REQUIRE(overridable);
  (*overridable)->values[0].constant = std::make_shared<const Tensor>(*Tensor::allocate(DataType::f32, {2}));
  REQUIRE(infer_shapes(**overridable, toy_registry()));
  REQUIRE(fold_constants(**overridable, toy_registry()));
  CHECK((*overridable)->nodes.size() == 1);
}

TEST_CASE("bodies are folded, with the constants that they capture") {
  auto graph = folded(R"(g (f32[2] x) => (f32[2] y) <f32[2] a = {1, 2}> {
    b = Add(a, a)
    y = Repeat<body = inner (f32[2] p) => (f32[2] q) { c = Add(b, b) q = Add(p, c) }>(x) })");
  REQUIRE(op_types(*graph) == std::vector<std::string>{"Repeat"});
  const Graph& body = *subgraphs_of(graph->nodes[0])[0];
  CHECK(op_types(body) == std::vector<std::string>{"Add"});
  CHECK(floats(value_named(body, "c")) == std::vector<float>{4, 8});
}

TEST_CASE("texts are folded and live with their constant") {
  auto graph = folded(R"(g (f32[1] x) => (string[2] y) <string[2] a = {"ab", "c"}> { b = Upper(a) y = Upper(b) })");
  CHECK(graph->nodes.empty());
  const auto texts = value_named(*graph, "y").constant->texts();
  REQUIRE(texts.size() == 2);
  CHECK(std::string(texts[0].data, texts[0].size) == "AB");
}
