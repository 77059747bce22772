// What heed_node tells a plugin: attributes with defaults, constants, elements.
#include <catch2/catch.hpp>

#include "graph/parse.hpp"
#include "heed/plugin.hpp"
#include "registry/phases.hpp"
#include "registry/registry.hpp"
#include "toy_operators.hpp"

using namespace heed;

namespace {

const Operator everything{
    .domain = "test",
    .op_type = "Everything",
    .versions = {7, 3},
    .inputs = {{"a", "T"}, {"b", "T", HEED_OPTIONAL_PARAMETER}, {"c", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"y", "T"}},
    .types = {{"T"}},
    .attributes = {attribute("axis", -1), attribute("alpha", 0.5f), attribute("mode", "linear"),
                   attribute("pads", std::vector<int64_t>{1, 2}), optional("names", HEED_ATTRIBUTE_STRINGS)},
    .infer = [](Inference& node) { return node.set_output(0, node.input(0)); }};

const heed_plugin* entry(const heed_host* host) {
  static const detail::Tables tables{PluginContent{.name = "test", .version = "1", .operators = {&everything}}};
  return enter(host, tables);
}

struct Fixture {
  Registry registry;
  std::shared_ptr<DimPool> dims = std::make_shared<DimPool>();
  std::shared_ptr<Graph> graph;

  NodeView node(const std::string& text) {
    REQUIRE(registry.add_built_in(entry));
    auto parsed = parse_graph(text, dims, {{"", 21}, {"test", 5}});
    REQUIRE((parsed ? "" : parsed.error().message) == "");
    graph = *parsed;
    held = std::make_unique<heed_node>(*graph, graph->nodes.back(), *registry.find_operator("test", "Everything"));
    return NodeView(held.get());
  }
  std::unique_ptr<heed_node> held;
};

}  // namespace

TEST_CASE_METHOD(Fixture, "attributes come from the node, else from the contract's defaults") {
  const auto plain = node("g (f32[n] x) => (f32[n] y) { y = test.Everything(x) }");
  CHECK(plain.version() == 3);
  CHECK(plain.integer("axis", 9) == -1);
  CHECK(plain.number("alpha") == 0.5f);
  CHECK(plain.text("mode") == "linear");
  REQUIRE(plain.integers("pads"));
  CHECK(plain.integers("pads")->size() == 2);
  CHECK(!plain.texts("names"));
  CHECK(!plain.has_attribute("nothing"));
  CHECK(plain.integer("nothing", 4) == 4);
}

TEST_CASE_METHOD(Fixture, "attributes of the node win") {
  const auto full = node(R"(g (f32[n] x) => (f32[n] y) {
    y = test.Everything<axis = 2, alpha = 1.5, mode = "cubic", pads = [3, 4, 5], names = ["a", "bc"]>(x) })");
  CHECK(full.integer("axis") == 2);
  CHECK(full.number("alpha") == 1.5f);
  CHECK(full.text("mode") == "cubic");
  CHECK(full.integers("pads")->size() == 3);
  REQUIRE(full.texts("names"));
  CHECK(from_c((*full.texts("names"))[1]) == "bc");
  CHECK(full.texts("names")->data() == full.texts("names")->data());  // lent once
}

TEST_CASE_METHOD(Fixture, "absent inputs are seen, trailing ones not counted") {
  const auto absent =
      node("g (f32[n] x) => (f32[n] y) <f32[2, 3] w = {1, 2, 3, 4, 5, 6}> { y = test.Everything(x, , w) }");
  CHECK(absent.input_count() == 3);
  CHECK(absent.has_input(0));
  CHECK(!absent.has_input(1));
  CHECK(!absent.has_input(7));
  CHECK(!absent.constant(0));
  const auto constant = absent.constant(2);
  REQUIRE(constant);
  CHECK(constant->rank() == 2);
  CHECK(constant->stride(0) == 3);
  CHECK(constant->data<float>()[4] == 5);
  CHECK(!absent.elements(2));  // floats are no sizes
}

TEST_CASE_METHOD(Fixture, "small integer constants give elements") {
  const auto sized = node("g (f32[n] x) => (f32[n] y) <i64[3] s = {1, -1, 64}> { y = test.Everything(x, s) }");
  const auto elements = sized.elements(1);
  REQUIRE(elements);
  REQUIRE(elements->size() == 3);
  CHECK((*elements)[1] == Dim(-1));
}

TEST_CASE_METHOD(Fixture, "a call in the wrong phase fails with a text that says so") {
  const auto plain = node("g (f32[n] x) => (f32[n] y) { y = test.Everything(x) }");
  const auto result = call_plugin([&] { return host->infer_output(plain.c(), 0, plain.input(0).c); });
  REQUIRE(!result);
  CHECK_THAT(result.error().message, Catch::Contains("infer_output was called outside of inference"));
}
