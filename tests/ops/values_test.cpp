// Texts, sequences, optionals and random numbers.
#include <catch2/catch.hpp>
#include <cmath>

#include "cases.hpp"

namespace heed::test {
namespace {

const std::vector<Case> string_concat_cases = {
    {"same shape", {texts({2}, {"abc", ""}), texts({2}, {"def", "g"})}, {texts({2}, {"abcdef", "g"})}},
    {"broadcast", {texts({2, 1}, {"a", "b"}), texts({2}, {"1", "2"})}, {texts({2, 2}, {"a1", "a2", "b1", "b2"})}},
    {"more bytes than letters", {texts({}, {"的"}), texts({}, {"é"})}, {texts({}, {"的é"})}},
};

std::string model(const std::string& signature, const std::string& body, int opset = 18) {
  return "<ir_version: 8, opset_import: [\"\" : " + std::to_string(opset) + "]> agraph " + signature + " { " + body +
         " }";
}

void check_text(const std::string& text, const Tensors& inputs, const Tensors& expected) {
  const auto outputs = run_text(text, inputs);
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  REQUIRE(outputs->size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) check_equal((*outputs)[i], expected[i]);
}

const Tensor a = f32({2}, {1, 2}), b = f32({2}, {3, 4}), c = f32({2}, {5, 6});

}  // namespace

HEED_TEST_OPERATOR("StringConcat", string_concat_cases)

TEST_CASE("a sequence is built, changed and read") {
  check_text(model("(float[2] a, float[2] b, float[2] c, int64 at) => (float[2] y, int64 n, float[2] d)", R"(
      s = SequenceConstruct(a, b)
      t = SequenceInsert(s, c, at)
      e = SequenceErase(t)
      y = SequenceAt(t, at)
      n = SequenceLength(e)
      last = Constant<value_int = -1>()
      d = SequenceAt(e, last))"),
             {a, b, c, i64({}, {1})}, {c, i64({}, {2}), c});
}

TEST_CASE("a sequence grows from nothing, and the one it grew from stays") {
  check_text(model("(float[2] a, float[2] b) => (int64 n, int64 m, float[k, 2] y)", R"(
      s = SequenceEmpty()
      t = SequenceInsert(s, a)
      u = SequenceInsert(t, b)
      n = SequenceLength(t)
      m = SequenceLength(u)
      y = ConcatFromSequence<axis = 0, new_axis = 1>(u))"),
             {a, b}, {i64({}, {1}), i64({}, {2}), f32({2, 2}, {1, 2, 3, 4})});
}

TEST_CASE("tensors of a sequence are joined along an axis") {
  check_text(model("(float[2,1] a, float[2,2] b) => (float[2, n] y)",
                   "s = SequenceConstruct(a, b)  y = ConcatFromSequence<axis = -1>(s)"),
             {f32({2, 1}, {1, 2}), f32({2, 2}, {3, 4, 5, 6})}, {f32({2, 3}, {1, 3, 4, 2, 5, 6})});
}

TEST_CASE("a tensor is split into a sequence: in ones, in pieces of a size, by a list, texts too") {
  const auto split = [](const std::string& type, const std::string& call, const std::string& dims = "[n]") {
    return model("(" + type + "[5] x) => (" + type + dims + " y, int64 count)",
                 "s = " + call + "  at = Constant<value_int = 1>()  y = SequenceAt(s, at)  count = SequenceLength(s)");
  };
  const Tensor x = f32({5}, {1, 2, 3, 4, 5});
  check_text(split("float", "SplitToSequence(x)"), {x}, {f32({1}, {2}), i64({}, {5})});
  check_text(split("float", "SplitToSequence<axis = -1, keepdims = 0>(x)", ""), {x}, {f32({}, {2}), i64({}, {5})});
  check_text(split("float", "SplitToSequence(x, Constant<value_int = 3>())"), {x}, {f32({2}, {4, 5}), i64({}, {2})});
  check_text(split("float", "SplitToSequence(x, Constant<value_ints = [1, 0, 4]>())"), {x},
             {f32({0}, {}), i64({}, {3})});
  check_text(split("string", "SplitToSequence(x, Constant<value_int = 2>())"),
             {texts({5}, {"a", "b", "c", "a longer text than others", "e"})},
             {texts({2}, {"c", "a longer text than others"}), i64({}, {3})});
  const auto refused = run_text(split("float", "SplitToSequence(x, Constant<value_ints = [1, 5]>())"), {x});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("do not add up"));
}

TEST_CASE("a position outside of a sequence is named") {
  const auto outputs =
      run_text(model("(float[2] a, int64 at) => (float[2] y)", "s = SequenceConstruct(a)  y = SequenceAt(s, at)"),
               {a, i64({}, {1})});
  REQUIRE_FALSE(outputs.has_value());
  CHECK_THAT(outputs.error().message, Catch::Contains("position 1 is outside of a sequence of 1"));
}

TEST_CASE("an optional holds a value or nothing") {
  check_text(model("(float[2] a) => (float[2] y, bool has)",
                   "o = Optional(a)  has = OptionalHasElement(o)  y = OptionalGetElement(o)"),
             {a}, {a, boolean({}, {1})});
}

TEST_CASE("random numbers have their distribution, and a seed fixes them") {
  const auto text = model("() => (float[10001] u, float[10001] v, float[100, 101] n)", R"(
      u = RandomUniform<shape = [10001], low = -1.0, high = 3.0, seed = 7.0>()
      v = RandomUniform<shape = [10001], low = -1.0, high = 3.0, seed = 7.0>()
      n = RandomNormal<shape = [100, 101], mean = 5.0, scale = 2.0, seed = 8.0>())");
  const auto first = run_text(text, {}), second = run_text(text, {});
  INFO((first ? "" : first.error().message));
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  check_equal((*first)[0], (*first)[1]);
  for (size_t i = 0; i < 3; ++i) check_equal((*first)[i], (*second)[i]);
  const auto moments = [](const Tensor& tensor) {
    const auto values = values_of(tensor);
    double mean = 0, square = 0;
    for (const auto value : values) mean += value / static_cast<double>(values.size());
    for (const auto value : values) square += (value - mean) * (value - mean) / static_cast<double>(values.size());
    return std::pair(mean, std::sqrt(square));
  };
  const auto [mean, deviation] = moments((*first)[0]);
  CHECK(mean == Approx(1).margin(0.05));
  CHECK(deviation == Approx(4 / std::sqrt(12)).margin(0.05));
  const auto [normal_mean, normal_deviation] = moments((*first)[2]);
  CHECK(normal_mean == Approx(5).margin(0.08));
  CHECK(normal_deviation == Approx(2).margin(0.08));
  for (const auto value : values_of((*first)[0])) CHECK((value >= -1 && value < 3));
}

TEST_CASE("Bernoulli gives 1 as often as it is told") {
  const auto outputs = run_text(model("(float[10001] p, double[3] q) => (float[10001] y, bool[10001] again, int64[3] z)", R"(
      y = Bernoulli<seed = 7.0>(p)
      again = Bernoulli<seed = 7.0, dtype = 9>(p)
      z = Bernoulli<dtype = 7>(q))"),
                                {numbers(DataType::f32, {10001}, std::vector<double>(10001, 0.25)), f64({3}, {0, 1, 1})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  const auto drawn = values_of((*outputs)[0]);
  double sum = 0;
  for (const double y : drawn) sum += y;
  CHECK(sum / 10001 == Approx(0.25).margin(0.02));
  CHECK(values_of((*outputs)[1]) == drawn);
  check_equal((*outputs)[2], i64({3}, {0, 1, 1}));
}

TEST_CASE("Multinomial draws places as often as rows tell") {
  // Of the first row 1 : 3, of the second the last place alone.
  const auto outputs = run_text(
      model("(float[2, 3] x) => (int32[2, 5003] y, int64[2, 5003] again)",
            "y = Multinomial<sample_size = 5003, seed = 3.0>(x)  again = Multinomial<sample_size = 5003, seed = 3.0, dtype = 7>(x)"),
      {f32({2, 3}, {0, -infinity, std::log(3.0), -200, -300, 5})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  const auto drawn = values_of((*outputs)[0]);
  double second = 0, third = 0;
  for (size_t i = 0; i < 5003; ++i) {
    second += drawn[i] == 1;
    third += drawn[i] == 2;
  }
  CHECK(second == 0);
  CHECK(third / 5003 == Approx(0.75).margin(0.02));
  CHECK(std::all_of(drawn.begin() + 5003, drawn.end(), [](double place) { return place == 2; }));
  CHECK(values_of((*outputs)[1]) == drawn);
}

TEST_CASE("random numbers without a seed differ from node to node") {
  const auto outputs = run_text(
      model("(float[100] x) => (float[100] u, float[100] v)", "u = RandomUniformLike(x)  v = RandomUniformLike(x)"),
      {random({100})});
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  CHECK(values_of((*outputs)[0]) != values_of((*outputs)[1]));
}

}  // namespace heed::test
