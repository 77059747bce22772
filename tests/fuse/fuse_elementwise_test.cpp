// Which element-wise nodes become one, and that the one computes what they did.
#include "fuse/fuse_elementwise.hpp"

#include <catch2/catch.hpp>

#include "built_in.hpp"
#include "graph/parse.hpp"
#include "heed/expression.hpp"
#include "heed/plugin.hpp"
#include "ops/cases.hpp"
#include "passes/infer_shapes.hpp"
#include "rows.hpp"
#include "session/session.hpp"

namespace heed::test {
namespace {

struct Row {
  const char* what;
  const char* graph;
  std::vector<std::string> after;  // op types in order; fused ones with their expression
  std::span<const DataType> types = std::span(expression_types).first(1);
};

const std::vector<Row> rows = {
    {"a chain", "g (float[N, 3] x) => (float[N, 3] y) { t = Exp(x) \n y = Neg(t) }", {"t0 = exp(x0); y = neg(t0)"}},
    {"numbers move into the expression",
     "g (float[N] x) => (float[N] y) <float s = {0.5}> { t = Mul(x, s) \n y = Add(t, x) }",
     {"t0 = x0 * 0.5; y = t0 + x0"}},
    {"a value that is read twice inside",
     "g (float[N] x) => (float[N] y) { t = Exp(x) \n u = Neg(t) \n y = Mul(t, u) }",
     {"t0 = exp(x0); t1 = neg(t0); y = t0 * t1"}},
    {"a value that is also an output stays",
     "g (float[N] x) => (float[N] t, float[N] y) { t = Exp(x) \n u = Neg(t) \n y = Abs(u) }",
     {"y = exp(x0)", "t0 = neg(x0); y = abs(t0)"}},
    {"a value that others read stays",
     "g (float[N, N] x) => (float[N, N] y, float[N, N] z) { t = Exp(x) \n u = Neg(t) \n y = Abs(u) \n z = Softmax(t) }",
     {"y = exp(x0)", "Softmax", "t0 = neg(x0); y = abs(t0)"}},
    {"work before a broadcast is not repeated",
     "g (float[3] b, float[N, 3] x) => (float[N, 3] y) { t = Exp(b) \n y = Add(t, x) }",
     {"y = exp(x0)", "y = x0 + x1"}},
    {"a bias is read with its own shape",
     "g (float[3] b, float[N, 3] x) => (float[N, 3] y) { t = Add(x, b) \n y = Relu(t) }",
     {"t0 = x0 + x1; y = max(t0, 0)"}},
    {"truth within a group",
     "g (float[N] x, float[N] z) => (float[N] y) { c = Less(x, z) \n y = Where(c, x, z) }",
     {"t0 = x0 < x1; y = select(t0, x0, x1)"}},
    {"truth from outside is not f32",
     "g (bool[N] c, float[N] x) => (float[N] y) { t = Exp(x) \n y = Where(c, t, x) }",
     {"y = exp(x0)", "Where"}},
    {"other types stay", "g (double[N] x) => (double[N] y) { t = Exp(x) \n y = Neg(t) }", {"Exp", "Neg"}},
    {"an attribute that the expression does not mention",
     "<opset_import : [\"\" : 6]> g (float[3, 3] x, float[3] b) => (float[3, 3] y) { t = Exp(x) \n y = Add<broadcast = "
     "1, axis = 0>(t, b) }",
     {"y = exp(x0)", "Add"}},
    {"an attribute that it mentions",
     "g (float[N] x) => (float[N] y) { t = Swish<alpha = 2.0>(x) \n y = Neg(t) }",
     {"t0 = -2 * x0; t1 = exp(t0); t2 = 1 + t1; t3 = x0 / t2; y = neg(t3)"}},
    {"a number that tells the shape stays an input",
     "g (float[] x) => (float[1] y) <float[1] one = {1}> { t = Exp(x) \n y = Add(t, one) }",
     {"y = exp(x0)", "y = x0 + x1"}},
    {"two branches that meet",
     "g (float[N] x, float[N] z) => (float[N] y) { s = Sin(x) \n c = Cos(z) \n y = Mul(s, c) }",
     {"t0 = sin(x0); t1 = cos(x1); y = t0 * t1"}},
    {"truth from outside, where it may be read",
     "g (bool[N] c, float[N] x) => (float[N] y) { t = Exp(x) \n y = Where(c, t, x) }",
     {"t0 = exp(x0); y = select(x1, t0, x0)"},
     expression_types},
    {"integers, casts and logic, where they may be read",
     "g (int64[N] i, float[N] x, bool[N] c) => (bool[N] y) <int64 one = {1}> { j = Add(i, one) \n f = Cast<to = 1>(j) "
     "\n l = Less(f, x) \n n = Not(c) \n y = And(l, n) }",
     {"t0 = x0 + cast(1, i64); t1 = cast(t0, f32); t2 = t1 < x1; t3 = not(x2); y = and(t2, t3)"},
     expression_types},
    {"Div of integers",
     "g (int64[N] i) => (int64[N] y) { t = Neg(i) \n y = Div(t, i) }",
     {"t0 = neg(x0); y = t0 / x0"},
     expression_types},
    {"f16 is rounded by a cast",
     "g (float16[N] x, float[N] z) => (float16[N] y) <float16 half = {0.5}> { t = Mul(x, half) \n u = Cast<to = "
     "10>(z) \n y = Add(t, u) }",
     {"t0 = x0 * cast(0.5, f16); t1 = cast(x1, f16); y = t0 + t1"},
     expression_types},
    {"an input of which only the type is read tells no dims",
     "g (float[N] x, int32[7, 1] like) => (int32[N] y) { t = Abs(x) \n y = CastLike(t, like) }",
     {"t0 = abs(x0); y = cast(t0, i32)"},
     expression_types},
    {"bounds that are left out",
     "g (float[N] x) => (float[N] y) <float six = {6}> { t = Clip(x, , six) \n y = Abs(t) }",
     {"t0 = x0 > 6; t1 = select(t0, 6, x0); y = abs(t1)"}},
    {"what a text attribute chooses",
     "g (int32[N] x, int32[N] z) => (int32[N] y) { t = Mod<fmod = 1>(x, z) \n y = Neg(t) }",
     {"t0 = fmod(x0, x1); y = neg(t0)"},
     expression_types},
    {"sizes stay, which need no step",
     "g (float[N] x) => (int64[1] y) <int64[1] one = {1}> { s = Shape(x) \n t = Add(s, one) \n y = Neg(t) }",
     {"Shape", "Add", "Neg"},
     expression_types},
    {"a cast of truth from outside stays, and the rest becomes one",
     "g (bool[N] c, float[N] x) => (float[N] y) { f = Cast<to = 1>(c) \n t = Mul(f, x) \n y = Exp(t) }",
     {"Cast", "t0 = x0 * x1; y = exp(t0)"}},
    {"inputs that meet one after the other",
     "g (float[N] x, float[3] z, float[N] w) => (float[N] y) <float two = {2}> { t = Max(x, two, w) \n y = Neg(t) }",
     {"t0 = max(x0, 2); t1 = max(t0, x1); y = neg(t1)"}},
    {"in the bodies of control flow",
     "g (bool c, float[N] x) => (float[N] y) { y = If(c) <then_branch = a () => (float[N] p) { t = Exp(x) \n p = "
     "Neg(t) }, else_branch = b () => (float[N] q) { q = Abs(x) }> }",
     {"If"}},
};

Result<ModelFile> file_of(const std::string& text) {
  if (text[0] == '<') return parse_model("<ir_version: 10, " + text.substr(1));
  return parse_model("<ir_version: 10, opset_import: [\"\" : 24]> " + text);
}

std::vector<std::string> described(const Graph& graph) {
  std::vector<std::string> list;
  for (const Node& node : graph.nodes) {
    const auto found = node.attributes.find("expression");
    list.push_back(found == node.attributes.end() ? node.op_type : std::get<std::string>(found->second.content));
  }
  return list;
}

}  // namespace

TEST_CASE("element-wise nodes become one where nothing is repeated or lost") {
  for (const Row& row : rows) {
    INFO(row.what);
    auto file = file_of(row.graph);
    CHECK((file ? "" : file.error().message) == "");
    if (!file) continue;
    const auto inferred = infer_shapes(*file->graph, registry());
    CHECK((inferred ? "" : inferred.error().message) == "");
    const auto fused = fuse_elementwise(*file->graph, registry(), row.types);
    CHECK((fused ? "" : fused.error().message) == "");
    const auto after = described(*file->graph);
    CHECK(after == row.after);
    count_row(after == row.after);
    for (const Node& node : file->graph->nodes)
      for (const auto& body : subgraphs_of(node)) CHECK(described(*body).size() == 1);
  }
}

namespace {

Tensors run(const std::string& text, const std::vector<std::pair<std::string, Tensor>>& inputs, bool rewritten) {
  auto file = file_of(text);
  REQUIRE((file ? "" : file.error().message) == "");
  ModelOptions options;
  options.device = "cpu";
  options.rewrite = rewritten;
  auto model = Model::load(std::move(*file), registry(), options);
  REQUIRE((model ? "" : model.error().message) == "");
  auto session = Session::create(*model);
  REQUIRE(session.has_value());
  Session::NamedValues values;
  for (const auto& [name, tensor] : inputs) {
    HostValue value;
    value.tensor = tensor;
    values.emplace_back(name, std::move(value));
  }
  auto outputs = (*session)->run(values);
  REQUIRE((outputs ? "" : outputs.error().message) == "");
  Tensors tensors;
  for (auto& [name, value] : *outputs) tensors.push_back(value.tensor);
  return tensors;
}

}  // namespace

TEST_CASE("a fused model gives what it gave before") {
  const std::string text =
      "g (float[A, B, C] x, float[C] b, float[B, 1] m, float s) => (float[A, B, C] y, float[A, B, C] z) <float half = "
      "{0.5}, float root = {1.41421356}> {"
      "h = Add(x, b) \n d = Div(h, root) \n e = Erf(d) \n o = Add(e, half) \n p = Mul(h, o) \n y = Mul(p, m)"
      "\n q = Sub(s, x) \n r = Sigmoid(q) \n c = Greater(r, half) \n t = Tanh(q) \n z = Where(c, t, r) }";
  for (const auto& [a, b, c] :
       {std::tuple<int64_t, int64_t, int64_t>{1, 1, 1}, {2, 3, 5}, {1, 7, 131}, {3, 1, 64}, {2, 5, 0}, {4, 33, 257}}) {
    INFO(a << " " << b << " " << c);
    const std::vector<std::pair<std::string, Tensor>> inputs = {
        {"x", random({a, b, c}, -3, 3)}, {"b", random({c})}, {"m", random({b, 1})}, {"s", random({})}};
    const auto plain = run(text, inputs, false), fused = run(text, inputs, true);
    REQUIRE(plain.size() == fused.size());
    for (size_t i = 0; i < plain.size(); ++i) check_equal(fused[i], plain[i], 1e-6);
    count_row(true);
  }
}

namespace {

// A stranger's operator: three lines, and no kernel anywhere.
const Operator soft_sign{.domain = "acme",
                         .op_type = "SoftSign",
                         .inputs = {{"X", "T"}, {"scale", "T", HEED_OPTIONAL_PARAMETER}},
                         .outputs = {{"Y", "T"}},
                         .types = {{"T", any_float}},
                         .attributes = {attribute("bias", 0.25f)},
                         .expression = "X / (1 + abs(X)) + @bias"};

const heed_plugin* acme(const heed_host* given) {
  static const detail::Tables tables{PluginContent{.name = "acme", .version = "1", .operators = {&soft_sign}}};
  return enter(given, tables);
}

}  // namespace

TEST_CASE("an operator that is an expression runs without a kernel of its own") {
  auto with_acme = std::make_unique<Registry>();
  for (const auto entry : built_in_plugins) REQUIRE(with_acme->add_built_in(entry));
  REQUIRE(with_acme->add_built_in(acme));
  for (const char* device : {"cpu", "auto"}) {
    INFO(device);
    auto file = parse_model(
        "<ir_version: 10, opset_import: [\"\" : 24, \"acme\" : 1]> g (float[N, 3] x) => (float[N, 3] y) { y = "
        "acme.SoftSign<bias = 0.5>(x) }");
    REQUIRE((file ? "" : file.error().message) == "");
    ModelOptions options;
    options.device = device;
    auto model = Model::load(std::move(*file), *with_acme, options);
    REQUIRE((model ? "" : model.error().message) == "");
    auto session = Session::create(*model);
    REQUIRE(session.has_value());
    HostValue x;
    x.tensor = f32({2, 3}, {0, 1, -1, 3, -3, 0.5});
    const auto outputs = (*session)->run({{"x", x}});
    REQUIRE((outputs ? "" : outputs.error().message) == "");
    check_equal((*outputs)[0].second.tensor, f32({2, 3}, {0.5, 1, 0, 1.25, -0.25, 0.5 + 1.0 / 3}), 1e-6);
  }
}

}  // namespace heed::test
