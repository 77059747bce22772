// The engine of rewrites: what a pattern fits, what it does not, what a replacement must make, and when it is taken
// back.
#include "passes/rewrite.hpp"

#include <algorithm>
#include <deque>

#include "graph/print.hpp"
#include "heed/plugin.hpp"
#include "rows.hpp"
#include "toy_graph.hpp"

namespace heed::test {
namespace {

// Operators that compute nothing: the engine asks for contracts only.
Result<void> infer_first(Inference& node) {
  for (int32_t output = 0; output < node.output_count(); ++output)
    if (node.has_output(output)) HEED_TRY(node.set_output(output, node.input(0)));
  return {};
}
Result<void> infer_flat(Inference& node) { return node.set_output(0, node.input(0).element(), Dims{7}); }

const std::vector<Parameter> any_inputs = {
    {"a", "T"}, {"b", "T", HEED_OPTIONAL_PARAMETER}, {"c", "T", HEED_OPTIONAL_PARAMETER}};
const std::vector<Parameter> two_outputs = {{"y", "T"}, {"z", "T", HEED_OPTIONAL_PARAMETER}};

Operator operator_named(std::string_view name, uint32_t flags = 0, Result<void> (*infer)(Inference&) = infer_first) {
  return {.domain = "t",
          .op_type = name,
          .flags = flags,
          .inputs = any_inputs,
          .outputs = two_outputs,
          .types = {{"T"}},
          .attributes = {attribute("k", 1), attribute("f", 0.5f), optional("list", HEED_ATTRIBUTE_INTS),
                         optional("mode", HEED_ATTRIBUTE_STRING)},
          .infer = infer};
}

const Operator a = operator_named("A"), b = operator_named("B"), c = operator_named("C"),
               both = operator_named("Both", HEED_COMMUTATIVE), pair = operator_named("Pair"),
               fused = operator_named("Fused"), other = operator_named("Other"),
               flat = operator_named("Flat", 0, infer_flat), again = operator_named("Again");

bool set_numbers(Match& match) {
  const auto k = match.node("y").integer("k");
  if (k == 13) return false;
  match.set("k", k + 1);
  match.set("list", std::vector<int64_t>{1, 2});
  match.set("mode", "fast");
  return true;
}

bool choose_text(Match& match) {
  match.replace_by(match.type("x2") ? "y = t.Fused<k = 2>(x, x2)" : "y = t.Fused<k = 1>(x)");
  return true;
}

const Rewrite rules[] = {
    {.name = "a_b", .patterns = {"u = t.A(x); y = t.B(u, w)"}, .replacement = "y = t.Fused(x, w)"},
    {.name = "with_attributes",
     .patterns = {"y = t.C<k = 4, mode = \"on\">(x)"},
     .replacement = "y = t.Fused<k = @k, f = @f>(x)"},
    {.name = "default_attribute",
     .patterns = {"u = t.C<f = 0.5>(x); y = t.C<list = [1, 2]>(u)"},
     .replacement = "y = t.Other(x)"},
    {.name = "either_way", .patterns = {"u = t.A(x); y = t.Both(u, v)"}, .replacement = "y = t.Other(x, v)"},
    {.name = "twice_the_same", .patterns = {"u = t.B(x); y = t.Pair(u, u)"}, .replacement = "y = t.Other(x)"},
    {.name = "two_results", .patterns = {"u, v = t.Pair(x); y = t.B(u, v)"}, .replacement = "y, v = t.Fused(x)"},
    {.name = "made_again",
     .patterns = {"u = t.C<k = 9>(x); y = t.A(u)"},
     .replacement = "u = t.C<k = 9>(x); y = t.Other(x)"},
    {.name = "several",
     .patterns = {"y = t.C<k = 20>(x)", "y = t.C<k = 21>(x)"},
     .replacement = "u = t.Other(x); unread = t.A(x); y = t.Fused(u)"},
    {.name = "accepted",
     .patterns = {"u = t.Other(x); y = t.Other(u)"},
     .replacement = "y = t.Fused<k = @k, list = @list, mode = @mode>(x)",
     .accept = set_numbers},
    {.name = "replaced_by", .patterns = {"y = t.C<k = 30>(x, x2)"}, .replacement = "y = t.A(x)", .accept = choose_text},
    {.name = "alternatives",
     .patterns = {"s = t.A<k = 5>(t.A<k = 6>(x)) | t.Both(w, x) | x; y = t.C<k = 50>(s)"},
     .replacement = "y = t.Fused(x, w)"},
    {.name = "circle",
     .patterns = {"u = t.C<k = 60>(x); y = t.Pair(u, w)"},
     .replacement = "y, u = t.Fused(x, w)"},
    {.name = "wrong_shape", .patterns = {"y = t.C<k = 40>(x)"}, .replacement = "y = t.Flat(x)"},
};

template <class... Rules>
Result<std::unique_ptr<Registry>> made_registry(const Rules&... more) {
  static std::deque<detail::Tables> kept;
  PluginContent content{
      .name = "t", .version = "1", .operators = {&a, &b, &c, &both, &pair, &fused, &other, &flat, &again}};
  content.rewrites = {&more...};
  if constexpr (sizeof...(more) == 0)
    for (const auto& rule : rules) content.rewrites.push_back(&rule);
  kept.emplace_back(content);
  auto registry = std::make_unique<Registry>();
  HEED_TRY(registry->add_built_in([](const heed_host* given) { return enter(given, kept.back()); }));
  return registry;
}

template <class... Rules>
std::unique_ptr<Registry> registry_with(const Rules&... more) {
  auto registry = made_registry(more...);
  REQUIRE((registry ? "" : registry.error().message) == "");
  return std::move(*registry);
}

struct Row {
  const char* what;
  const char* nodes;               // of g (float[N] p, float[N] q) => (float[N] r ...)
  std::vector<std::string> after;  // nodes as text, in order
  const char* outputs = "float[N] r";
};

const std::vector<Row> rows = {
    {"a pattern fits", "u = t.A(p) r = t.B(u, q)", {"r = t.Fused(p, q)"}},
    {"a variable may be absent", "u = t.A(p) r = t.B(u)", {"r = t.Fused(p)"}},
    {"a variable that is what a replaced node makes is no match",
     "u = t.A(p) r = t.B(u, u)",
     {"u = t.A(p)", "r = t.B(u, u)"}},
    {"an input that the pattern does not name must be absent",
     "u = t.A(p) r = t.B(u, q, q)",
     {"u = t.A(p)", "r = t.B(u, q, q)"}},
    {"a node that others read is no match",
     "u = t.A(p) r = t.B(u, q) s = t.Other(u)",
     {"u = t.A(p)", "r = t.B(u, q)", "s = t.Other(u)"},
     "float[N] r, float[N] s"},
    {"a value that is an output is no match",
     "u = t.A(p) r = t.B(u, q)",
     {"u = t.A(p)", "r = t.B(u, q)"},
     "float[N] r, float[N] u"},
    {"an output of its own that is read is no match",
     "u, v = t.A(p) w = t.B(u, q) r = t.Other(w, v)",
     {"u, v = t.A(p)", "w = t.B(u, q)", "r = t.Other(w, v)"}},
    {"dead readers do not count", "u = t.A(p) r = t.B(u, q) dead = t.Other(u)", {"r = t.Fused(p, q)"}},
    {"a chain is taken up step by step",
     "u = t.A(p) v = t.B(u, q) w = t.A(v) r = t.B(w, p)",
     {"v = t.Fused(p, q)", "r = t.Fused(v, p)"}},
    {"another order of inputs is no match", "u = t.A(p) r = t.B(q, u)", {"u = t.A(p)", "r = t.B(q, u)"}},
    {"a commutative operator fits both ways", "u = t.A(p) r = t.Both(q, u)", {"r = t.Other(p, q)"}},
    {"and its own", "u = t.A(p) r = t.Both(u, q)", {"r = t.Other(p, q)"}},
    {"one name is one value", "u = t.B(p) r = t.Pair(u, u)", {"r = t.Other(p)"}},
    {"two values are not",
     "u = t.B(p) v = t.B(p, p) r = t.Pair(u, v)",
     {"u = t.B(p)", "v = t.B(p, p)", "r = t.Pair(u, v)"}},
    {"attributes are equal", "r = t.C<k = 4, mode = \"on\", f = 2.0>(p)", {"r = t.Fused<f = 2.0, k = 4>(p)"}},
    {"a default of the contract goes along", "r = t.C<k = 4, mode = \"on\">(p)", {"r = t.Fused<f = 0.5, k = 4>(p)"}},
    {"attributes differ", "r = t.C<k = 4, mode = \"off\">(p)", {"r = t.C<k = 4, mode = \"off\">(p)"}},
    {"an attribute that must be there is not", "r = t.C<k = 4>(p)", {"r = t.C<k = 4>(p)"}},
    {"a default is as good as an attribute", "u = t.C(p) r = t.C<list = [1, 2]>(u)", {"r = t.Other(p)"}},
    {"another value than the default",
     "u = t.C<f = 0.25>(p) r = t.C<list = [1, 2]>(u)",
     {"u = t.C<f = 0.25>(p)", "r = t.C<list = [1, 2]>(u)"}},
    {"a list differs", "u = t.C(p) r = t.C<list = [1, 3]>(u)", {"u = t.C(p)", "r = t.C<list = [1, 3]>(u)"}},
    {"a second result keeps its readers",
     "u, v = t.Pair(p) r = t.B(u, v)",
     {"r, v = t.Fused(p)"},
     "float[N] r, float[N] v"},
    {"a second result that nobody reads goes", "u, v = t.Pair(p) r = t.B(u, v)", {"r = t.Fused(p)"}},
    {"what others read is made again",
     "u = t.C<k = 9>(p) r = t.A(u) s = t.Other(u)",
     {"r = t.Other(p)", "u = t.C<k = 9>(p)", "s = t.Other(u)"},
     "float[N] r, float[N] s"},
    {"and not where nobody does", "u = t.C<k = 9>(p) r = t.A(u)", {"r = t.Other(p)"}},
    {"several nodes, the unread ones left out; the second pattern",
     "r = t.C<k = 21>(p)",
     {"\"r/u\" = t.Other(p)", "r = t.Fused(\"r/u\")"}},
    {"accept sets attributes",
     "u = t.Other(p) r = t.Other<k = 6>(u)",
     {"r = t.Fused<k = 7, list = [1, 2], mode = \"fast\">(p)"}},
    {"accept refuses", "u = t.Other(p) r = t.Other<k = 13>(u)", {"u = t.Other(p)", "r = t.Other<k = 13>(u)"}},
    {"accept replaces the text", "r = t.C<k = 30>(p, q)", {"r = t.Fused<k = 2>(p, q)"}},
    {"and sees what is absent", "r = t.C<k = 30>(p)", {"r = t.Fused<k = 1>(p)"}},
    {"the first alternative",
     "t = t.A<k = 6>(p) u = t.A<k = 5>(t) r = t.C<k = 50>(u)",
     {"r = t.Fused(p)"}},
    {"the second alternative", "u = t.Both(p, q) r = t.C<k = 50>(u)", {"r = t.Fused(q, p)"}},
    {"the value itself", "r = t.C<k = 50>(p)", {"r = t.Fused(p)"}},
    {"an alternative that does not fit wholly leaves the others",
     "u = t.A<k = 5>(p) r = t.C<k = 50>(u)",
     {"u = t.A<k = 5>(p)", "r = t.Fused(u)"}},
    {"an alternative that others read leaves the others",
     "u = t.Both(p, q) r = t.C<k = 50>(u) s = t.Other(u)",
     {"u = t.Both(p, q)", "r = t.Fused(u)", "s = t.Other(u)"},
     "float[N] r, float[N] s"},
    {"what would read what it makes is no match",
     "u = t.C<k = 60>(p) v = t.Other(u) r = t.Pair(u, v)",
     {"u = t.C<k = 60>(p)", "v = t.Other(u)", "r = t.Pair(u, v)"}},
    {"what others read as well may be made together",
     "u = t.C<k = 60>(p) v = t.Other(u) r = t.Pair(u, q)",
     {"r, u = t.Fused(p, q)", "v = t.Other(u)"},
     "float[N] r, float[N] v"},
    {"another shape is taken back", "r = t.C<k = 40>(p)", {"r = t.C<k = 40>(p)"}},
};

std::shared_ptr<Graph> typed(const std::string& nodes, const std::string& outputs, const Registry& registry) {
  auto graph = parse_graph("g (float[N] p, float[N] q) => (" + outputs + ") { " + nodes + " }",
                           std::make_shared<DimPool>(), {{"", newest_opset}, {"t", 1}});
  REQUIRE((graph ? "" : graph.error().message) == "");
  for (Node& node : (*graph)->nodes) node.name = (*graph)->values[node.outputs[0]].name;
  REQUIRE(text_of(infer_shapes(**graph, registry)) == "");
  return *graph;
}

std::vector<std::string> lines(const Graph& graph) {
  std::vector<std::string> list;
  for (const Node& node : graph.nodes) list.push_back(print(graph, node));
  return list;
}

std::vector<std::string> sorted(std::vector<std::string> list) { return std::sort(list.begin(), list.end()), list; }

}  // namespace

TEST_CASE("patterns fit where they should, and nowhere else") {
  const auto registry = registry_with();
  for (const Row& row : rows) {
    INFO(row.what);
    auto graph = typed(row.nodes, row.outputs, *registry);
    std::vector<RewriteCount> fired;
    const auto done = rewrite(*graph, *registry, fired);
    CHECK((done ? "" : done.error().message) == "");
    const bool as_expected = sorted(lines(*graph)) == sorted(row.after);
    CHECK(sorted(lines(*graph)) == sorted(row.after));
    count_row(as_expected);
    // What is left is typed and in order.
    CHECK(text_of(graph->order()) == "");
    for (const Node& node : graph->nodes) CHECK(graph->values[node.outputs[0]].type.dims.has_value());
  }
}

TEST_CASE("a rewrite that waits is tried in a round in which no other fires") {
  const Rewrite waits{.name = "waits", .patterns = {"at last: y = t.B(x, w)"}, .replacement = "y = t.Other(x, w)"};
  const auto registry = registry_with(waits, rules[0]);
  auto graph = typed("u = t.A(p) v = t.B(u, q) r = t.B(v, p)", "float[N] r", *registry);
  std::vector<RewriteCount> fired;
  REQUIRE(rewrite(*graph, *registry, fired));
  CHECK(sorted(lines(*graph)) == sorted({"v = t.Fused(p, q)", "r = t.B(v, p)"}));
  REQUIRE(rewrite(*graph, *registry, fired));
  CHECK(sorted(lines(*graph)) == sorted({"v = t.Fused(p, q)", "r = t.Other(v, p)"}));
}

TEST_CASE("what fired is counted by name, and told at the nodes") {
  const auto registry = registry_with();
  auto graph = typed("u = t.A(p) v = t.B(u, q) w = t.A(v) r = t.B(w, p)", "float[N] r", *registry);
  std::vector<RewriteCount> fired = {{"a_b", 1}};
  const auto done = rewrite(*graph, *registry, fired);
  REQUIRE(done);
  CHECK(*done == 2);
  REQUIRE(fired.size() == 1);
  CHECK(fired[0].count == 3);
  CHECK(graph->nodes[1].name == "r");
  CHECK(graph->nodes[1].origin == "2 nodes (a_b)");
  REQUIRE(graph->nodes[1].replaced);
  CHECK(graph->nodes[1].replaced->body->nodes.size() == 2);
  CHECK(graph->nodes[1].replaced->inputs.size() == 2);
}

TEST_CASE("rewrites go into the bodies of control flow, where captured values are variables") {
  const auto registry = registry_with();
  REQUIRE(registry->add_built_in(toy_plugin));
  auto graph = parse_graph(
      "g (float[N] p) => (float[N] r) { u = t.A(p) r = Repeat<body = b (float[N] i) => (float[N] o) { v = t.A(u) o = "
      "t.B(v, i) }>(p) }",
      std::make_shared<DimPool>(), {{"", newest_opset}, {"t", 1}});
  REQUIRE((graph ? "" : graph.error().message) == "");
  REQUIRE(text_of(infer_shapes(**graph, *registry)) == "");
  std::vector<RewriteCount> fired;
  REQUIRE(rewrite(**graph, *registry, fired));
  CHECK(fired.size() == 1);
}

TEST_CASE("a rewrite that fires on its own replacement is stopped by name") {
  static const Rewrite endless{.name = "endless", .patterns = {"y = t.Again(x)"}, .replacement = "y = t.Again(x)"};
  const auto registry = registry_with(endless);
  auto graph = typed("r = t.Again(p)", "float[N] r", *registry);
  std::vector<RewriteCount> fired;
  const auto done = rewrite(*graph, *registry, fired);
  REQUIRE_FALSE(done.has_value());
  CHECK_THAT(done.error().message, Catch::Contains("'endless' keeps firing"));
}

namespace {

struct Broken {
  const char* pattern;
  const char* replacement;
  const char* part;
};

const Broken broken[] = {
    {"y = t.A(", "y = t.B(x)", "cannot be read"},
    {"", "y = t.B(x)", "no nodes"},
    {"u = t.B(x); y = t.A(x)", "y = t.B(x)", "does not depend on its B"},
    {"y = t.A(u); u = t.B(y)", "y = t.B(x)", "before it makes it"},
    {"y = t.A(x) | t.B(x)", "y = t.C(x)", "last node has alternatives"},
    {"u = t.A(x); u = t.B(x); y = t.A(u)", "y = t.C(x)", "makes 'u' twice"},
    {"y = t.A(x)", "y = t.B(", "cannot be read"},
    {"y = t.A(x)", "y = t.B(z)", "reads 'z'"},
    {"u = t.A(x); y = t.A(u)", "y = t.B(u)", "reads 'u', which it replaces"},
    {"y = t.A(x)", "x = t.B(); y = t.B(x)", "a variable of the pattern"},
};

}  // namespace

TEST_CASE("what a rewrite's author got wrong is an error that names the rewrite") {
  for (const Broken& row : broken) {
    INFO(row.pattern << "  ->  " << row.replacement);
    static std::deque<Rewrite> kept;
    kept.push_back({.name = "broken", .patterns = {row.pattern}, .replacement = row.replacement});
    const auto attempt = [&]() -> Result<int32_t> {
      HEED_ASSIGN(const auto registry, made_registry(kept.back()));
      auto graph = typed("u = t.A(p) r = t.A(u)", "float[N] r", *registry);
      std::vector<RewriteCount> fired;
      return rewrite(*graph, *registry, fired);
    };
    const auto done = attempt();
    count_row(!done.has_value());
    CHECK_FALSE(done.has_value());
    if (done) continue;
    CHECK_THAT(done.error().message, Catch::Contains("rewrite 'broken'"));
    CHECK_THAT(done.error().message, Catch::Contains(row.part));
  }
}

}  // namespace heed::test
