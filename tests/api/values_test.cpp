// Values that are no plain tensors: strings, sequences, optionals.
#include "models.hpp"

namespace heed::test {

TEST_CASE("strings go in and come out") {
  const std::string bytes =
      model_bytes(node_text("StringConcat", {"a", "b"}, {"y"}) + value_text("input", "a", 8, {"n"}) +
                  value_text("input", "b", 8, {"n"}) + value_text("output", "y", 8, {"n"}));
  auto session = take(Session::create(load(bytes)));
  const std::vector<int64_t> two{2};
  const std::vector<heed_string> a{{"he", 2}, {"", 0}}, b{{"ed", 2}, {"!", 1}};
  take(session.bind_input("a", ArrayView(std::span(a), two)));
  take(session.bind_input("b", take(Value::tensor(ArrayView(std::span(b), two)))));
  take(session.run());
  const auto y = take(take(session.output("y")).as<heed_string>());
  REQUIRE(y.size() == 2);
  CHECK(std::string(y[0].data, y[0].size) == "heed");
  CHECK(std::string(y[1].data, y[1].size) == "!");
  std::vector<heed_string> room(2);
  CHECK_FALSE(session.bind_output("y", ArrayView(std::span(room), two)));
}

TEST_CASE("sequences and optionals go in and come out, and outlive the session") {
  const std::string sequence_x =
      "input { name: 'x' type { sequence_type { elem_type { tensor_type { elem_type: 1 } } } } } ";
  const std::string bytes =
      model_bytes(node_text("SequenceInsert", {"x", "t"}, {"s"}) + node_text("SequenceLength", {"s"}, {"n"}) +
                  sequence_x + value_text("input", "t", 1, {"2"}) + value_text("output", "n", 7, {}) +
                  "output { name: 's' type { sequence_type { elem_type { tensor_type { elem_type: 1 } } } } } ");
  std::optional<Value> kept;
  {
    auto session = take(Session::create(load(bytes)));
    const std::vector<int64_t> two{2};
    std::vector<float> first{1, 2}, second{3, 4};
    const Value value = take(Value::tensor(ArrayView(std::span(first), two)));
    take(session.bind_input("x", take(Value::sequence({value}))));
    take(session.bind_input("t", ArrayView(std::span(second), two)));
    first = {0, 0};  // was copied
    take(session.run());
    CHECK(take(take(session.output("n")).as<int64_t>())[0] == 2);
    kept = take(session.output_value("s"));
    CHECK_FALSE(session.output("s"));  // no array
    take(session.bind_output("s", ArrayView(std::span(first), two)));
    CHECK_FALSE(session.run());  // no sequence fits there
  }
  REQUIRE(kept->kind() == HEED_VALUE_SEQUENCE);
  REQUIRE(kept->count() == 2);
  CHECK(take(take(take(kept->element(0)).array()).as<float>())[1] == 2);
  CHECK_FALSE(kept->element(2));

  const Value none = take(Value::optional({})), some = take(Value::optional(take(kept->element(0))));
  CHECK(none.kind() == HEED_VALUE_OPTIONAL);
  CHECK(none.count() == 0);
  CHECK(some.count() == 1);
  CHECK(take(some.element(0)).kind() == HEED_VALUE_TENSOR);
}

TEST_CASE("a result that is kept has memory of its own") {
  auto session =
      take(Session::create(load(model_bytes(node_text("Identity", {"x"}, {"y"}) + value_text("input", "x", 1, {"2"}) +
                                            value_text("output", "y", 1, {"2"})))));
  const std::vector<int64_t> two{2};
  std::vector<float> x{1, 2};
  take(session.bind_input("x", ArrayView(std::span(x), two)));
  take(session.run());
  const Value y = take(session.output_value("y"));
  x = {8, 9};
  take(session.run());
  CHECK(take(take(y.array()).as<float>())[0] == 1);
}

}  // namespace heed::test
