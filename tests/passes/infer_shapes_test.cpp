// infer_shapes: types and symbolic shapes of small graphs, and what is said when they contradict.
#include "passes/infer_shapes.hpp"

#include <catch2/catch.hpp>

#include "toy_graph.hpp"

using namespace heed;
using namespace heed::test;

TEST_CASE("every value gets a type and a shape of Dims") {
  struct {
    const char *what, *text, *expected;
  } const rows[] = {
      {"numbers broadcast", "g (f32[2, 1] a, f32[3] b) => (f32[x, y] r) { r = Add(a, b) }", "f32 [2, 3]"},
      {"symbols stay", "g (f32[batch, seq, 8] a, f32[8] b) => (f32[x, y, z] r) { r = Add(a, b) }",
       "f32 [batch, seq, 8]"},
      {"a contract without infer, by its expression", "g (f32[n, 1] a, f32[1, m] b) => (f32[x, y] r) { r = Mul(a, b) }",
       "f32 [n, m]"},
      {"a contract without infer, by its body", "g (f32[n, 4] a) => (f32[x, y] r) { r = Scale<factor = 2.0>(a) }",
       "f32 [n, 4]"},
      {"sums of sizes", "g (f32[b, past, 8] a, f32[b, seq, 8] c) => (f32[x, y, z] r) { r = Concat<axis = 1>(a, c) }",
       "f32 [b, past + seq, 8]"},
      {"a shape computed by nodes",
       "g (f32[b, s, 8] a) => (f32[x, y, z] r) <i64[1] one = {1}> { d = Shape(a) r = Reshape(a, d) }", "f32 [b, s, 8]"},
      {"sizes from elements of a concatenation",
       "g (f32[b, 8] a, f32[n] c) => (f32[x, y, z] r) <i64[2] two = {2, 4}> { d = Shape(c) e = Concat<axis = 0>(d, "
       "two) r = Reshape(a, e) }",
       "f32 [n, 2, 4]"},
      {"an int32 constant gives elements",
       "g (f32[b, 6] a) => (f32[x, y] r) <i64[2] to = {-1, 3}> { r = Reshape(a, to) }", "f32 [2*b, 3]"},
      {"a size that data tell is a symbol of its own", "g (f32[n] a) => (i64[x, nonzero] r) { r = NonZero(a) }",
       "i64 [1, nonzero]"},
      {"transposed", "g (f32[a, b, 3] t) => (f32[x, y, z] r) { r = Transpose(t) }", "f32 [3, b, a]"},
      {"a sequence", "g (seq(f32[2]) s, f32[2] t) => (seq(f32[2]) r) { r = SequenceInsert(s, t) }",
       "sequence(f32 [2])"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    auto graph = graph_of(row.text);
    const auto inferred = infer_shapes(*graph, toy_registry());
    CHECK(text_of(inferred) == "");
    if (inferred) CHECK(type_named(*graph, "r") == row.expected);
  }
}

TEST_CASE("what does not fit is told with the node, its inputs and where they come from") {
  struct {
    const char* text;
    Code code;
    std::vector<const char*> said;
  } const rows[] = {
      {"g (f32[1, 12] a, f32[1, 13] b) => (f32[x, y] r) { [add_1] r = Add(a, b) }",
       Code::shape_mismatch,
       {"node 'add_1' (Add): [1, 12] and [1, 13] do not broadcast",
        "\n  input 0  'a'  f32 [1, 12]  from graph input 'a'", "\n  input 1  'b'  f32 [1, 13]  from graph input 'b'"}},
      {"g (f32[2] a, i64[2] b) => (f32[x] r) { r = Add(a, b) }",
       Code::invalid_model,
       {"input 1 ('B') is i64 [2]; expected f32, as input 0"}},
      {"g (string[2] a) => (f32[x] r) { r = Sigmoid(a) }",
       Code::invalid_model,
       {"is string [2]; expected f32, f16, f64, bf16"}},
      {"g (f32[2] a) => (string[x] r) { r = Upper(a) }", Code::invalid_model, {"is f32 [2]; expected string"}},
      {"g (f32[2] a) => (f32[x] r) { r = Add(a) }", Code::invalid_model, {"input 1 ('B') is missing"}},
      {"g (f32[2] a) => (f32[x] r) { r = Sigmoid(a, a) }",
       Code::invalid_model,
       {"it has 2 inputs; the operator has at most 1"}},
      {"g (f32[2] a) => (f32[x] r, f32[x] q) { r, q = Sigmoid(a) }", Code::invalid_model, {"it has 2 outputs"}},
      {"g (seq(f32[2]) a) => (f32[x] r) { r = Sigmoid(a) }",
       Code::invalid_model,
       {"is sequence(f32 [2]); expected a tensor"}},
      {"g (f32[2] a) => (f32[x] r) { r = Concat(a) }", Code::invalid_model, {"attribute 'axis' is missing"}},
      {"g (f32[2] a) => (f32[x] r) { r = Concat<axis = 0.5>(a) }",
       Code::invalid_model,
       {"attribute 'axis' is a float; expected an int"}},
      {"g (f32[2] a) => (f32[x] r) { r = Concat<axis = 3>(a, a) }",
       Code::invalid_model,
       {"attribute 'axis' is 3, outside of [-1, 0]"}},
      {"g (f32[2, 3] a, f32[2] b) => (f32[x] r) { r = Concat<axis = 0>(a, b) }",
       Code::shape_mismatch,
       {"input 1 has rank 1; expected rank 2"}},
      {"g (f32[2, 3] a, f32[2, 4] b) => (f32[x, y] r) { r = Concat<axis = 0>(a, b) }",
       Code::shape_mismatch,
       {"axis 1: 3 and 4 differ"}},
      {"g (f32[n] a) => (i64[n] r) { r = Sigmoid(a) }",
       Code::invalid_model,
       {"output 0 ('r') is f32 [n] by inference; the model declares i64 [n]"}},
      {"g (f32[n] a) => (f32[n, 1] r) { r = Sigmoid(a) }", Code::shape_mismatch, {"the model declares f32 [n, 1]"}},
      {"g (f32[4] a) => (f32[5] r) { r = Sigmoid(a) }",
       Code::shape_mismatch,
       {"is f32 [4] by inference; the model declares f32 [5]"}},
      {"g (f32[4611686018427387904] a) => (f32[x] r) { r = Concat<axis = 0>(a, a, a) }",
       Code::shape_mismatch,
       {"does not fit 64 bits"}},
      {"g (f32[4] a) => (f32[x] r) <i64[1] s = {-5}> { r = Reshape(a, s) }", Code::shape_mismatch, {"4 and -5 differ"}},
  };
  for (const auto& row : rows) {
    INFO(row.text);
    const auto inferred = infer_shapes(*graph_of(row.text), toy_registry());
    CHECK(!inferred);
    if (inferred) continue;
    CHECK(inferred.error().code == row.code);
    for (const char* said : row.said) CHECK_THAT(inferred.error().message, Catch::Contains(said));
  }
}

TEST_CASE("a rank that an operator demands is that of what nobody knows, unless it comes from outside of a body") {
  const auto demanded =
      typed_graph("g (f32[2] a, f32[1] b, i64[k] s) => (f32[m] r) { e = Expand(b, s) r = Concat<axis = 0>(a, e) }");
  CHECK(type_named(*demanded, "e") == "f32 [e.0]");
  CHECK(value_named(*demanded, "e").sizes_declared);
  CHECK(type_named(*demanded, "r") == "f32 [e.0 + 2]");
  REQUIRE(text_of(infer_shapes(*demanded, toy_registry())) == "");
  CHECK(type_named(*demanded, "e") == "f32 [e.0]");
  CHECK(value_named(*demanded, "e").sizes_declared);

  const auto captured = typed_graph(R"(g (f32[2] a, f32[1] b, i64[k] s, i64[1] c) => (f32 r) {
      e = Expand(b, s)
      r = Choose<then_branch = yes () => (f32 p) { p = Concat<axis = 0>(a, e) }, else_branch = no () => (f32 q) { q = Scale<factor = 1.0>(e) }>(c) })");
  CHECK(type_named(*captured, "e") == "f32");
}

TEST_CASE("all unknown operators are told at once, bodies included") {
  const auto graph = graph_of(R"(g (f32[2] a) => (f32[x] r) {
    b = com.acme.Frob(a)
    c = com.acme.Frob(b)
    d = Nope(c)
    r = Repeat<body = inner (f32[2] p) => (f32[2] q) { q = Hidden(p) }>(d) })");
  const auto inferred = infer_shapes(*graph, toy_registry());
  REQUIRE(!inferred);
  CHECK(inferred.error().code == Code::unsupported);
  CHECK(inferred.error().message == R"(3 operators that nobody here knows:
  ai.onnx.Hidden  opset 28  1 node
  ai.onnx.Nope    opset 28  1 node
  com.acme.Frob   opset 1   2 nodes
  A plugin could bring them: --plugin LIBRARY)");
}

TEST_CASE("an operator whose contract begins later is unknown at an earlier opset") {
  auto graph = parse_graph("g (f32[2] a) => (f32[2] r) { r = Add(a, a) }", std::make_shared<DimPool>(), {{"", 6}});
  REQUIRE(graph);
  const auto inferred = infer_shapes(**graph, toy_registry());
  REQUIRE(!inferred);
  CHECK_THAT(inferred.error().message, Catch::Contains("ai.onnx.Add  opset 6  1 node  (known from version 7 on)"));
}

TEST_CASE("equalities that cannot be proven become constraints, once") {
  auto graph = typed_graph(
      "g (f32[n] a, f32[2, m] b) => (f32[x, y] r) <i64[2] to = {2, 3}> { c = Reshape(a, to) r = Add(c, b) }");
  REQUIRE(graph->constraints.size() == 1);
  CHECK_THAT(graph->constraints[0].what,
             Catch::StartsWith("node '") && Catch::EndsWith("(Reshape): elements before and after"));
  CHECK(to_string(graph->constraints[0].a) == "n");
  CHECK(graph->constraints[0].b == Dim(6));
  REQUIRE(infer_shapes(*graph, toy_registry()));
  CHECK(graph->constraints.size() == 1);
}

TEST_CASE("sizes that are broadcast and must be equal are, by a constraint, and what that says of others counts") {
  const auto graph = typed_graph(
      R"(g (f32[min(64, n)] a, f32[n] b, f32[min(64, n), 1] c, f32[1, n] d) => (f32[x] r, f32[y, z] s, f32[w] t) {
    t = Add(a, a)
    r = Add(a, b)
    s = Add(c, d) })");
  CHECK(type_named(*graph, "r") == "f32 [n]");
  CHECK(type_named(*graph, "s") == "f32 [n, n]");
  CHECK(type_named(*graph, "t") == "f32 [n]");
  REQUIRE(graph->constraints.size() == 1);
  CHECK_THAT(graph->constraints[0].what, Catch::StartsWith("node '") && Catch::Contains("axis 0 of output 'r'"));
}

TEST_CASE("a declared name stands for a size that inference does not know, and stays when inference is repeated") {
  auto graph = typed_graph("g (f32[n] a) => (i64[1, found] r) { r = NonZero(a) }");
  CHECK(type_named(*graph, "r") == "i64 [1, found]");
  REQUIRE(infer_shapes(*graph, toy_registry()));
  CHECK(type_named(*graph, "r") == "i64 [1, found]");
  // A name that is an input's size already is no other size's.
  auto other = typed_graph("g (f32[n] a) => (i64[1, n] r) { r = NonZero(a) }");
  CHECK(type_named(*other, "r") == "i64 [1, nonzero]");
}

TEST_CASE("a body sees outer values, and a size that changes in it becomes a symbol") {
  auto graph = typed_graph(R"(g (f32[n] a, f32[m] c) => (f32[x] r) {
    r = Repeat<body = inner (f32[k] p) => (f32[l] q) { q = Concat<axis = 0>(p, c) }>(a) })");
  CHECK(type_named(*graph, "r") == "f32 [repeated]");
  const Graph& body = *subgraphs_of(graph->nodes[0])[0];
  CHECK(type_named(body, "c") == "f32 [m]");
  CHECK(type_named(body, "q") == "f32 [m + repeated]");

  auto same = typed_graph(R"(g (f32[n] a, f32[n] c) => (f32[x] r) {
    r = Repeat<body = inner (f32[k] p) => (f32[l] q) { q = Add(p, c) }>(a) })");
  CHECK(type_named(*same, "r") == "f32 [n]");
}

TEST_CASE("an error inside of a body names both nodes") {
  const auto graph = graph_of(R"(g (f32[2] a) => (f32[x] r) {
    [loop] r = Repeat<body = inner (f32[2] p) => (f32[2] q) <f32[3] c = {1, 2, 3}> { [add] q = Add(p, c) }>(a) })");
  const auto inferred = infer_shapes(*graph, toy_registry());
  REQUIRE(!inferred);
  CHECK_THAT(inferred.error().message,
             Catch::Contains("node 'loop' (Repeat): body 'inner': node 'add' (Add): [2] and [3] do not broadcast") &&
                 Catch::Contains("'c'  f32 [3]  from a constant"));
}

TEST_CASE("one node is inferred by itself") {
  auto graph = typed_graph("g (f32[n, 4] a) => (f32[x, y] r) { r = Sigmoid(a) }");
  Node node;
  node.name = "new";
  node.op_type = "Transpose";
  node.opset = 20;
  node.inputs = {graph->outputs[0]};
  node.outputs = {graph->add_value("t")};
  const NodeId id = graph->add_node(node);
  REQUIRE(text_of(infer_node(*graph, id, toy_registry())) == "");
  CHECK(type_named(*graph, "t") == "f32 [4, n]");
}
