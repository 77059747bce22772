// inline_functions: functions of a model and bodies of operators become plain nodes.
#include "passes/inline_functions.hpp"

#include <catch2/catch.hpp>

#include "toy_graph.hpp"

using namespace heed;
using namespace heed::test;

namespace {

ModelFile model_of(const std::string& text) {
  auto model = parse_model(text);
  REQUIRE((model ? "" : model.error().message) == "");
  return std::move(*model);
}

std::vector<std::string> node_names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) names.push_back(node.name);
  return names;
}

}  // namespace

TEST_CASE("functions are expanded where they are called, nested ones too, with names after their callers") {
  auto model = model_of(R"(<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
    g (f32[n] x) => (f32[n] y) { [first] a = Sigmoid(x) [call] y = local.outer<by = 3.0>(a) }
    <domain: "local", opset_import: ["" : 20, "local" : 1]>
    outer <by>(p) => (r) { [in] q = local.inner<factor: float = @by>(p) [last] r = Add(q, p) }
    <domain: "local", opset_import: ["" : 20]>
    inner <factor: float = 2.0>(p) => (q) { [scale] q = Scale<factor: float = @factor>(p) })");
  REQUIRE(text_of(type_graph(model, toy_registry())) == "");
  CHECK(op_types(*model.graph) == std::vector<std::string>{"Sigmoid", "Scale", "Add"});
  CHECK(node_names(*model.graph) == std::vector<std::string>{"first", "call/in/scale", "call/last"});
  CHECK(std::get<float>(model.graph->nodes[1].attributes.at("factor").content) == 3.0f);
  CHECK(type_named(*model.graph, "y") == "f32 [n]");
}

TEST_CASE("an attribute that the call lacks has the function's default, or is absent") {
  auto model = model_of(R"(<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
    g (f32[n] x) => (f32[n] y) { y = local.inner(x) }
    <domain: "local", opset_import: ["" : 20]>
    inner <axis, factor: float = 2.0>(p) => (q) { q = Scale<factor: float = @factor, other: int = @axis>(p) })");
  REQUIRE(text_of(type_graph(model, toy_registry())) == "");
  REQUIRE(model.graph->nodes.size() == 1);
  CHECK(std::get<float>(model.graph->nodes[0].attributes.at("factor").content) == 2.0f);
  CHECK(model.graph->nodes[0].attributes.count("other") == 0);
}

TEST_CASE("an operator with a body and no kernel becomes its body") {
  auto model = model_of(R"(<ir_version: 10, opset_import: ["" : 24]>
    g (f32[n] x) => (f32[n] y) { [act] y = Swish<alpha = 0.5>(x) })");
  REQUIRE(text_of(type_graph(model, toy_registry())) == "");
  CHECK(op_types(*model.graph) == std::vector<std::string>{"Scale", "Sigmoid", "Mul"});
  CHECK(std::get<float>(model.graph->nodes[0].attributes.at("factor").content) == 0.5f);
  CHECK(model.graph->nodes[2].name.rfind("act/", 0) == 0);

  auto plain = model_of(R"(<ir_version: 10, opset_import: ["" : 24]> g (f32[n] x) => (f32[n] y) { y = Swish(x) })");
  REQUIRE(text_of(type_graph(plain, toy_registry())) == "");
  CHECK(std::get<float>(plain.graph->nodes[0].attributes.at("factor").content) == 1.0f);
}

TEST_CASE(
    "our operator of ai.onnx wins over a function of its name; a function of another domain over what is built in") {
  auto model = model_of(R"(<ir_version: 10, opset_import: ["" : 20]>
    g (f32[n] x) => (f32[n] y) { y = Sigmoid(x) }
    <domain: "", opset_import: ["" : 20]>
    Sigmoid (p) => (q) { q = Add(p, p) })");
  REQUIRE(text_of(inline_functions(model, toy_registry())) == "");
  CHECK(op_types(*model.graph) == std::vector<std::string>{"Sigmoid"});
}

TEST_CASE("absent inputs stay absent, and results that are passed on are wired through") {
  auto model = model_of(R"(<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
    g (f32[n] x) => (f32[n] y, f32[n] z) { a, b = local.pass(x) y = Sigmoid(a) z = Sigmoid(b) }
    <domain: "local", opset_import: ["" : 20]>
    pass (p, missing) => (p, q) { q = Noise(p, missing) })");
  REQUIRE(text_of(inline_functions(model, toy_registry())) == "");
  REQUIRE(op_types(*model.graph) == std::vector<std::string>{"Noise", "Sigmoid", "Sigmoid"});
  CHECK(model.graph->nodes[0].inputs == std::vector<ValueId>{*model.graph->find_value("x"), no_id});
  const auto y = *model.graph->find_value("y");
  CHECK(model.graph->nodes[model.graph->values[y].producer].inputs[0] == *model.graph->find_value("x"));
}

TEST_CASE("functions are expanded inside of bodies, and bodies in functions see the caller's values") {
  auto model = model_of(R"(<ir_version: 10, opset_import: ["" : 20, "local" : 1]>
    g (f32[2] x) => (f32[2] y) { y = local.loop<amount = 4.0>(x, x) }
    <domain: "local", opset_import: ["" : 20, "local" : 1]>
    loop <amount>(p, outside) => (q) {
      q = Repeat<body = inner (f32[k] u) => (f32[k] v) { w = local.more<by: float = @amount>(u) v = Add(w, outside) }>(p)
    }
    <domain: "local", opset_import: ["" : 20]>
    more <by>(p) => (q) { q = Scale<factor: float = @by>(p) })");
  REQUIRE(text_of(type_graph(model, toy_registry())) == "");
  REQUIRE(op_types(*model.graph) == std::vector<std::string>{"Repeat"});
  const Graph& body = *subgraphs_of(model.graph->nodes[0])[0];
  CHECK(op_types(body) == std::vector<std::string>{"Scale", "Add"});
  CHECK(std::get<float>(body.nodes[0].attributes.at("factor").content) == 4.0f);
  CHECK(value_named(body, "outside").captured == *model.graph->find_value("x"));
  CHECK(type_named(*model.graph, "y") == "f32 [2]");
}

TEST_CASE("functions that call each other are refused, and the circle is named") {
  ModelFile model;
  auto graph =
      parse_graph("g (f32[n] x) => (f32[n] y) { y = local.a(x) }", std::make_shared<DimPool>(), {{"local", 1}});
  REQUIRE(graph);
  model.graph = *graph;
  for (const auto& [name, callee] : {std::pair("a", "b"), std::pair("b", "a")}) {
    const std::vector<std::string> inputs{"p"}, outputs{"q"};
    auto body = parse_body(inputs, outputs, "q = local." + std::string(callee) + "(p)", {{"local", 1}});
    REQUIRE(body);
    model.functions[{"local", name, ""}] = *body;
  }
  const auto inlined = inline_functions(model, toy_registry());
  REQUIRE(!inlined);
  CHECK(inlined.error().code == Code::invalid_model);
  CHECK_THAT(inlined.error().message, Catch::Contains("local.a -> local.b -> local.a"));
}

TEST_CASE("functions that multiply without end are refused") {
  ModelFile model;
  auto graph =
      parse_graph("g (f32[n] x) => (f32[n] y) { y = local.f0(x) }", std::make_shared<DimPool>(), {{"local", 1}});
  REQUIRE(graph);
  model.graph = *graph;
  const std::vector<std::string> inputs{"p"}, outputs{"q"};
  for (int i = 0; i < 30; ++i) {
    const std::string next = i == 29 ? "Sigmoid" : "local.f" + std::to_string(i + 1);
    auto body = parse_body(inputs, outputs, "q = Add(" + next + "(p), " + next + "(p))", {{"local", 1}, {"", 20}});
    REQUIRE(body);
    model.functions[{"local", "f" + std::to_string(i), ""}] = *body;
  }
  const auto inlined = inline_functions(model, toy_registry());
  REQUIRE(!inlined);
  CHECK_THAT(inlined.error().message, Catch::Contains("expand to more than 1000000 nodes"));
}
