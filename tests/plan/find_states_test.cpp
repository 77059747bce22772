// Which outputs are the later selves of which inputs: rows of graphs, and what the caller says.
#include "plans.hpp"
#include "rows.hpp"

namespace heed::test {
namespace {

using Names = std::vector<std::pair<std::string, std::string>>;

struct Row {
  const char* what;
  const char* graph;
  Names named;
  std::vector<std::string> expected;  // "input>output@axis in place"; or one text of an error
};

constexpr const char* plain = "g (float[2, 3] a, float[2, 3] b) => (float[2, 3] y, float[2, 3] z) { y = Exp(a) \n z = Exp(b) }";
constexpr const char* swapped_names =
    "g (float[2, 3] past_0, float[2, 3] past_1) => (float[2, 3] present_1, float[2, 3] present_0) "
    "{ present_1 = Exp(past_0) \n present_0 = Exp(past_1) }";
constexpr const char* cache =
    "g (float[2, n] past, float[2, m] x) => (float[2, n + m] all) { all = Concat<axis = 1>(past, x) }";

constexpr const char* buffers =
    "g (float[1, 1, 1, 2] q, float[1, 1, 4, 2] a, float[1, 1, 4, 2] b, int64[1] n) => (float[1, 1, 1, 2] y, "
    "float[1, 1, 4, 2] c, float[1, 1, 4, 2] d) { t = Constant<value_int = 0>() \n "
    "y, c, d = heed.Attention(q, q, q, \"\", a, b, \"\", \"\", n, t) }";
constexpr const char* shared_buffers =
    "g (float[1, 1, 1, 2] q, float[1, 1, 4, 2] a, float[1, 1, 4, 2] b, int64[1] n) => (float[1, 1, 1, 2] y, "
    "float[1, 1, 4, 2] c, float[1, 1, 4, 2] d, float[1, 1, 4, 2] e) { t = Constant<value_int = 0>() \n "
    "y, c, d = heed.Attention(q, q, q, \"\", a, b, \"\", \"\", n, t) \n e = Exp(a) }";

const std::vector<Row> rows = {
    {"nothing tells", plain, {}, {}},
    {"names of old and new", swapped_names, {}, {"past_0>present_0", "past_1>present_1"}},
    {"a part of a name", "g (float[3] x_in) => (float[3] x_out) { x_out = Exp(x_in) }", {}, {"x_in>x_out"}},
    {"a whole name", "g (float[3] state) => (float[3] stateN) { stateN = Exp(state) }", {}, {"state>stateN"}},
    {"a name and more", "g (float[3] states) => (float[3] stateN) { stateN = Exp(states) }", {}, {}},
    {"names of two types", "g (float[3] state) => (int64[3] stateN) { stateN = Cast<to = 7>(state) }", {}, {}},
    {"the past and more", cache, {}, {"past>all@1"}},
    {"a cache that is appended to",
     "g (float[1, 2, m, 4] x, float[1, 2, n, 4] key, float[1, 2, n, 4] value) => "
     "(float[1, 2, m, 4] y, float[1, 2, all, 4] keys, float[1, 2, all, 4] values) "
     "{ y, keys, values = heed.Attention(x, x, x, \"\", key, value) }",
     {}, {"key>keys@2 in place", "value>values@2 in place"}},
    {"a cache that is appended to, how much only the run tells",
     "g (float[1, 2, m, 4] x, float[1, 2, n, 4] key, float[1, 2, n, 4] value) => "
     "(float[1, 2, m, 4] y, float[1, 2, all, 4] keys, float[1, 2, all, 4] values) "
     "{ few = Compress<axis = 2>(x, Cast<to = 9>(ReduceMax<axes = [0, 1, 3], keepdims = 0>(x))) \n "
     "y, keys, values = heed.Attention(x, few, few, \"\", key, value) }",
     {}, {"key>keys@2", "value>values@2"}},
    {"a cache that is written to, and read by who writes alone",
     "g (float[2, n, 4] cache, float[2, m, 4] x, int64[2] at) => (float[2, n, 4] next, float[2, n, 4] y) "
     "{ next = TensorScatter(cache, x, at) \n y = Exp(next) }",
     {}, {"cache>next in place"}},
    {"a cache that is written to, and read by others too",
     "g (float[2, n, 4] cache, float[2, m, 4] x, int64[2] at) => (float[2, n, 4] next, float[2, n, 4] y) "
     "{ next = TensorScatter(cache, x, at) \n y = Exp(cache) }",
     {}, {"cache>next"}},
    {"a cache of strings",
     "g (string[2, n, 4] cache, string[2, m, 4] x, int64[2] at) => (string[2, n, 4] next) "
     "{ next = TensorScatter(cache, x, at) }",
     {}, {"cache>next"}},
    {"buffers with room", buffers, {}, {"a>c in place", "b>d in place"}},
    {"a buffer that others read too", shared_buffers, {}, {"a>c", "b>d in place"}},
    {"the caller names what nothing tells", plain, {{"a", "z"}}, {"a>z"}},
    {"the caller goes before names", swapped_names, {{"past_0", "present_1"}}, {"past_0>present_1"}},
    {"the caller names no input", plain, {{"c", "z"}}, {"no input 'c'; it has 'a' 'b'"}},
    {"the caller names no output", plain, {{"a", "x"}}, {"no output 'x'; it has 'y' 'z'"}},
    {"the caller names one twice", plain, {{"a", "z"}, {"b", "z"}}, {"cannot be one state"}},
    {"the caller names two types", "g (float[3] a) => (int64[3] y) { y = Cast<to = 7>(a) }", {{"a", "y"}}, {"cannot be one state"}},
};

}  // namespace

TEST_CASE("states are found by what the caller says, contracts, data flow and names") {
  for (const Row& row : rows) {
    INFO(row.what);
    PlanOptions options;
    options.states = row.named;
    const auto plan = make_plan(typed_graph(row.graph), registry(), options);
    bool good = false;
    if (plan) {
      std::vector<std::string> met;
      for (const StatePair& pair : (*plan)->states)
        met.push_back(pair.input_name + ">" + pair.output_name +
                      (pair.growing_axis < 0 ? "" : "@" + std::to_string(pair.growing_axis)) +
                      (pair.in_place ? " in place" : ""));
      CHECK(met == row.expected);
      good = met == row.expected;
    } else {
      INFO(plan.error().message);
      good = row.expected.size() == 1 && plan.error().message.find(row.expected[0]) != std::string::npos;
      CHECK(good);
    }
    count_row(good);
  }
}

}  // namespace heed::test
