// Nodes behind those of a model.
#include "graph/append_nodes.hpp"

#include <catch2/catch.hpp>

#include "graph/parse.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

constexpr std::string_view header = "<ir_version: 10, opset_import: [\"\" : 21]> g (float[N] x) => (float[N] y) { ";

struct Row {
  const char* what;
  const char *nodes, *appended;
  std::vector<const char*> op_types;  // of all nodes afterwards
  const char* refusal = nullptr;
};

const std::vector<Row> rows = {
    {"a node", "y = Neg(x)", "z = Abs(y)", {"Neg", "Abs"}},
    {"a call in a call", "y = Neg(x)", "z = Abs(Exp(y))", {"Neg", "Exp", "Abs"}},
    {"calls in calls on both sides", "y = Neg(Exp(x))", "z = Abs(Exp(y)) \n w = Neg(Exp(z))",
     {"Exp", "Neg", "Exp", "Abs", "Exp", "Neg"}},
    {"a name that nothing makes", "y = Neg(x)", "z = Abs(v)", {}, "'v', which the model does not make"},
    {"a name that is made", "y = Neg(x)", "y = Abs(x)", {}, "'y', which the model makes already"},
};

}  // namespace

TEST_CASE("statements become nodes behind a model") {
  for (const Row& row : rows) {
    INFO(row.what);
    auto file = parse_model(std::string(header) + row.nodes + " }");
    REQUIRE(file);
    const auto done = append_nodes(*file, row.appended);
    bool good = done.has_value() == !row.refusal;
    if (!done) {
      INFO(done.error().message);
      good &= row.refusal && done.error().message.find(row.refusal) != std::string::npos;
      CHECK(good);
    } else {
      std::vector<std::string> op_types;
      for (const Node& node : file->graph->nodes) op_types.push_back(node.op_type);
      const std::vector<std::string> expected(row.op_types.begin(), row.op_types.end());
      CHECK(op_types == expected);
      good &= op_types == expected;
    }
    count_row(good);
  }
}

}  // namespace heed::test
