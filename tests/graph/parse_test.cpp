// The textual syntax: what it reads, what it prints, where it says no.
#include "graph/parse.hpp"

#include <catch2/catch.hpp>

#include "graph/print.hpp"

using namespace heed;

namespace {

template <class T>
T value_of(Result<T> result) {
  INFO((result ? "" : result.error().message));
  REQUIRE(result);
  return std::move(*result);
}

std::shared_ptr<Graph> graph_of(std::string_view text) {
  return value_of(parse_graph(text, std::make_shared<DimPool>()));
}

}  // namespace

TEST_CASE("a graph of the documentation, with types, constants and expressions as sizes") {
  const auto graph = graph_of(R"(
    agraph (float[N, 3] x, int64[2] shape) => (float[N, M] y) <float[3] w = {1, 2, 3}, float[N, 3] t> {
      # a comment
      t = Mul(x, w)
      y = Reshape<allowzero = 0>(t, shape)
    })");
  CHECK(graph->name == "agraph");
  REQUIRE(graph->inputs.size() == 2);
  const Value& x = graph->values[graph->inputs[0]];
  CHECK(to_string(x.type) == "f32 [N, 3]");
  CHECK(x.is_input);
  const Value& w = graph->values[*graph->find_value("w")];
  REQUIRE(w.constant);
  CHECK(print_elements(*w.constant) == "{1.0, 2.0, 3.0}");
  CHECK(to_string(graph->values[*graph->find_value("t")].type) == "f32 [N, 3]");
  CHECK((*x.type.dims)[0] == (*graph->values[*graph->find_value("t")].type.dims)[0]);
  CHECK(graph->nodes[1].opset == newest_opset);
  CHECK(graph->nodes[1].name == "Reshape_1");
}

TEST_CASE("what is printed reads back as the same") {
  const char* texts[] = {
      "g (float[N] x) => (float[N] y) { y = Relu(x) }",
      "g (float[N] x, float[1] b = {0.5}) => (float y) { y = Add(x, b) }",
      "g (float[N, past + seq] x) => (float y) { a, , b = Split<axis = -1>(x) y = Concat<axis = 0>(a, b) }",
      R"(g (float x) => (float y) {
           y = com.microsoft.Gelu:fast<s = "a\"b\n", f = -1.5, fs = [1.0, 2.5], ss = ["p", "q"], is = [3, -4]>(x, , x)
         })",
      "g (float x) => (float y) { c = Constant<value = int4[3] {-8, 7, 1}>() y = Cast<to = 1>(c) }",
      "g (float x) => (float y) { c = Constant<value = string[2] {\"a\", \"\"}>() y = F<t = seq(float[N])>(c) }",
      R"(g (float x) => (float y) {
           y = F<ts = [float[1] {1}, int64[0] {}],
                 gs = [a () => (float p) { p = Neg(x) }, b () => (float q) { q = Abs(x) }]>(x)
         })",
      "g (float \"in.0\") => (float \"out/0\") { \"out/0\" = Neg(\"in.0\") }",
      "g (optional(seq(float[N])) o) => (float y) { y = OptionalGetElement(o) }",
      R"(g (float x) => (float y) <float16[2] h = {0.5, -inf}, complex64 c = {1, 2}, bool b = {1},
           uint64 w = {18446744073709551615}, double d = {1e300}, bfloat16[1] k = {1.5}, float8e4m3fn[2] e = {448, -1},
           float4e2m1[3] f = {6, -0.5, 0}, uint2[5] u = {0, 1, 2, 3, 1}> { y = F(x, h, c, b, w, d, k, e, f, u) })",
  };
  for (const char* text : texts) {
    const auto graph = graph_of(text);
    const std::string printed = print(*graph);
    INFO(printed);
    CHECK(print(*graph_of(printed)) == printed);
    CHECK(graph->nodes.size() == graph_of(printed)->nodes.size());
  }
}

TEST_CASE("constants of every type") {
  struct Row {
    const char* text;
    const char* elements;
    size_t size_bytes;
  };
  const Row rows[] = {
      {"float[2] {1, -inf}", "{1.0, -inf}", 8},
      {"f32 {nan}", "{nan}", 4},
      {"double[1] {0.1}", "{0.1}", 8},
      {"int64[2] {-9223372036854775808, 9223372036854775807}", "{-9223372036854775808, 9223372036854775807}", 16},
      {"uint8[2] {0, 255}", "{0, 255}", 2},
      {"int8[2] {-128, 127}", "{-128, 127}", 2},
      {"int16[1] {-32768}", "{-32768}", 2},
      {"uint32[1] {4294967295}", "{4294967295}", 4},
      {"uint64[1] {18446744073709551615}", "{18446744073709551615}", 8},
      {"bool[2] {0, 1}", "{0, 1}", 2},
      {"float16[3] {65504, 0.5, -2}", "{65504.0, 0.5, -2.0}", 6},
      {"bfloat16[1] {1.5}", "{1.5}", 2},
      {"float8e4m3fn[2] {448, -0.5}", "{448.0, -0.5}", 2},
      {"float8e5m2[1] {57344}", "{57344.0}", 1},
      {"float8e8m0[1] {4}", "{4.0}", 1},
      {"float4e2m1[3] {6, -0.5, 1}", "{6.0, -0.5, 1.0}", 2},
      {"uint4[3] {15, 0, 9}", "{15, 0, 9}", 2},
      {"int4[3] {-8, 7, -1}", "{-8, 7, -1}", 2},
      {"uint2[5] {0, 1, 2, 3, 1}", "{0, 1, 2, 3, 1}", 2},
      {"int2[4] {-2, -1, 0, 1}", "{-2, -1, 0, 1}", 1},
      {"complex64[1] {1, -2}", "{1.0, -2.0}", 8},
      {"complex128 {0.5, 3}", "{0.5, 3.0}", 16},
      {"string[2] {\"a b\", \"\"}", "{\"a b\", \"\"}", 32},
      {"float[0, 4] {}", "{}", 0},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto graph = graph_of("g () => (float y) { y = Constant<value = " + std::string(row.text) + ">() }");
    const Tensor& tensor = std::get<Tensor>(graph->nodes[0].attributes.at("value").content);
    CHECK(print_elements(tensor) == row.elements);
    CHECK(tensor.size_bytes == row.size_bytes);
  }
}

TEST_CASE("attributes by kind, in both places, and as references") {
  const auto statements = value_of(parse_statements(
      "y = Op<i = 1, f: float = 1, e: floats = [], l = [1, 2.5]>(x); z = Op(x) <alpha: float = @a, beta = @b>"));
  REQUIRE(statements.size() == 2);
  const auto& first = statements[0].attributes;
  CHECK(std::get<int64_t>(first.at("i").content) == 1);
  CHECK(std::get<float>(first.at("f").content) == 1.0f);
  CHECK(std::get<std::vector<float>>(first.at("e").content).empty());
  CHECK(std::get<std::vector<float>>(first.at("l").content) == std::vector<float>{1, 2.5});
  const auto& alpha = std::get<Attribute::Reference>(statements[1].attributes.at("alpha").content);
  CHECK(alpha.name == "a");
  CHECK(alpha.kind == HEED_ATTRIBUTE_FLOAT);
  CHECK(std::get<Attribute::Reference>(statements[1].attributes.at("beta").content).kind == HEED_ATTRIBUTE_NONE);
}

TEST_CASE("calls as arguments become statements before the one that reads them") {
  const auto statements = value_of(parse_statements("y = Mul(Swish<alpha = @alpha>(gate), ai.onnx.Neg(Abs(up)))"));
  REQUIRE(statements.size() == 4);
  CHECK(statements[0].op_type == "Swish");
  CHECK(statements[1].op_type == "Abs");
  CHECK(statements[2].op_type == "Neg");
  CHECK(statements[2].domain.empty());
  CHECK(statements[2].inputs == statements[1].outputs);
  CHECK(statements[3].inputs == std::vector<std::string>{statements[0].outputs[0], statements[2].outputs[0]});
}

TEST_CASE("statements keep unknown names, absent ones and several outputs") {
  const auto statements = value_of(parse_statements("[here] a, , b = com.acme.Op:v2(x, , \"\", y, ) c = Op()"));
  REQUIRE(statements.size() == 2);
  CHECK(statements[0].name == "here");
  CHECK(statements[0].domain == "com.acme");
  CHECK(statements[0].overload == "v2");
  CHECK(statements[0].outputs == std::vector<std::string>{"a", "", "b"});
  CHECK(statements[0].inputs == std::vector<std::string>{"x", "", "", "y", ""});
  CHECK(statements[1].inputs.empty());
}

TEST_CASE("the body of an operator") {
  const std::vector<std::string> inputs = {"gate", "up"}, outputs = {"y"};
  const auto body = value_of(parse_body(inputs, outputs, "y = Mul(Swish<alpha=@alpha>(gate), up)"));
  REQUIRE(body->body->nodes.size() == 2);
  CHECK(body->body->values[body->body->inputs[1]].name == "up");
  CHECK(body->body->outputs.size() == 1);
  CHECK(body->body->nodes[0].opset == newest_opset);
  CHECK(!parse_body(inputs, outputs, "z = Mul(gate, up)"));
  CHECK(!parse_body(inputs, outputs, "y = Mul(gate, down)"));
}

TEST_CASE("a model with properties and functions") {
  const auto model = value_of(parse_model(R"(
    <ir_version: 10, opset_import: ["" : 18, "local" : 1], producer_name: "test", metadata_props: ["k": "v"]>
    main (float[N] x) => (float[N] y) { y = local.scale<by = 3.0>(x) }
    <domain: "local", opset_import: ["" : 13]>
    scale <by: float = 2.0, other> (x) => (y) {
      s = Constant<value_float: float = @by>()
      y = Mul(x, s)
    })"));
  CHECK(model.ir_version == 10);
  CHECK(model.opsets.at("") == 18);
  CHECK(model.metadata.at("k") == "v");
  const auto& function = model.functions.at({"local", "scale", ""});
  CHECK(function->attributes == std::vector<std::string>{"other"});
  CHECK(std::get<float>(function->defaults.at("by").content) == 2.0f);
  CHECK(function->body->nodes[1].opset == 13);
  CHECK(model.graph->nodes[0].opset == 1);
}

TEST_CASE("functions that call each other in a circle, or grow without end, are refused") {
  const auto circle = parse_model(R"(<opset_import: ["" : 18, "l" : 1]> main (float x) => (float y) { y = l.a(x) }
    <domain: "l", opset_import: ["l" : 1]> a (x) => (y) { y = l.b(x) }
    <domain: "l", opset_import: ["l" : 1]> b (x) => (y) { y = l.a(x) })");
  REQUIRE(!circle);
  CHECK_THAT(circle.error().message, Catch::Contains("'l.b' -> 'l.a' -> 'l.b'"));

  std::string bomb = "<opset_import: [\"l\" : 1]> main (float x) => (float y) { y = l.f0(x) }";
  for (int level = 0; level < 40; ++level) {
    const std::string next = "l.f" + std::to_string(level + 1);
    bomb += "<domain: \"l\"> f" + std::to_string(level) + " (x) => (y) { t = " + next + "(x) y = " + next + "(t) }";
  }
  bomb += "<domain: \"l\"> f40 (x) => (y) { y = Neg(x) }";
  const auto grown = parse_model(bomb);
  REQUIRE(!grown);
  CHECK(grown.error().code == Code::unsupported);
}

TEST_CASE("errors say where and what") {
  struct Row {
    const char* text;
    const char* error;
  };
  const Row rows[] = {
      {"", "line 1, column 1: expected the name of a graph"},
      {"g (float x) => (float y) {\n  y = Relu(x\n}", "line 3, column 1: expected ')', met '}'"},
      {"g (float x) => (float y) { y = Relu(z) }", "reads, as input 0, 'z'"},
      {"g (float x) => (float y) { }", "output 'y'"},
      {"g (float x) => (float y) { y = Neg(x) y = Abs(x) }",
       "'y' is defined twice: by node 0 (Neg) and by node 1 (Abs)"},
      {"g (float x, float x) => (float y) { y = Neg(x) }", "'x' is defined twice"},
      {"g (float[-1] x) => (float y) { y = Neg(x) }", "-1 is negative"},
      {"g (floot x) => (float y) { y = Neg(x) }", "'floot' is no type"},
      {"g (float[] x = {1, 2}) => (float y) { y = Neg(x) }", "has 1 numbers, met 2"},
      {"g (float x) => (float y) <uint8[1] b = {256}> { y = Neg(x) }", "'256' is no u8"},
      {"g (float x) => (float y) <int64[1] b = {1.5}> { y = Neg(x) }", "'1.5' is no i64"},
      {"g (float x) => (float y) { y = Neg<a = 1, a = 2>(x) }", "'a' is given twice"},
      {"g (float x) => (float y) { y = Neg<a: int = \"s\">(x) }", "does not fit an attribute of kind int"},
      {"g (float x) => (float y) { y = Neg<a = [1, \"s\"]>(x) }", "does not fit"},
      {"g (float x) => (float y) { y = Neg<a = \"s>(x) }", "a string is not closed"},
      {"g (float x) => (float y) { y = Neg(x) } more", "expected the end"},
      {"g (float x) => (float y) { y = If<b = s () => (float p) { p = Neg(q) }>(x) }",
       "a subgraph of node 'If_0' (If) reads 'q'"},
      {"g (float[N x) => (float y) { }", "expected ']'"},
      {"g (float x) => (float y) { y = Neg<a = 99999999999999999999>(x) }", "expected a number"},
  };
  for (const Row& row : rows) {
    INFO(row.text);
    const auto graph = parse_graph(row.text, std::make_shared<DimPool>());
    REQUIRE(!graph);
    CHECK(graph.error().code == Code::invalid_model);
    CHECK_THAT(graph.error().message, Catch::Contains(row.error));
  }
}

TEST_CASE("nesting is bounded") {
  std::string calls = "y = ", types = "g (", graphs = "x = A";
  for (int i = 0; i < 5000; ++i) calls += "A(", types += "seq(", graphs += "<b = g () => () { x = A";
  CHECK_THAT(parse_statements(calls).error().message, Catch::Contains("too deep"));
  CHECK_THAT(parse_graph(types, std::make_shared<DimPool>()).error().message, Catch::Contains("too deep"));
  CHECK_THAT(parse_statements(graphs).error().message, Catch::Contains("too deep"));
}

TEST_CASE("text that is cut or altered anywhere gives a graph or an error") {
  const std::string text = R"(g (float[N, past + 1] x, seq(int64[2]) s) => (float[N] y) <float[2] w = {1, -2e3}> {
    [n] a, b = com.x.Op<i = -1, f: float = 2, l = ["a", "b"], t = int4[2] {1, 2}, g = sub () => (float p) { p = Neg(x) }>(x, , w)
    y = Mul(Neg(a), s)
  })";
  REQUIRE(parse_graph(text, std::make_shared<DimPool>()));
  for (size_t size = 0; size < text.size(); ++size) {
    CHECK(!parse_graph(text.substr(0, size), std::make_shared<DimPool>()));
  }
  uint32_t state = 1;
  const std::string alphabet = "<>(){}[]=,:;@\"#\\.-+0x";
  for (int round = 0; round < 3000; ++round) {
    std::string altered = text;
    for (int change = 0; change < 3; ++change) {
      state = state * 1664525 + 1013904223;
      altered[(state >> 8) % altered.size()] = alphabet[(state >> 3) % alphabet.size()];
    }
    const auto graph = parse_graph(altered, std::make_shared<DimPool>());
    if (graph) print(**graph);
  }
}
