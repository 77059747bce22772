// If and Loop.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

std::string model(const std::string& signature, const std::string& body) {
  return "<ir_version: 8, opset_import: [\"\" : 17]> agraph " + signature + " { " + body + " }";
}

void check_text(const std::string& text, const Tensors& inputs, const Tensors& expected) {
  const auto outputs = run_text(text, inputs);
  INFO((outputs ? "" : outputs.error().message));
  REQUIRE(outputs.has_value());
  REQUIRE(outputs->size() == expected.size());
  for (size_t i = 0; i < expected.size(); ++i) check_equal((*outputs)[i], expected[i]);
}

const std::string choose = model("(bool c, float[n] x) => (float[m] y)", R"(
    y = If(c) <then_branch = then_graph () => (float[k] a) { a = Add(x, x) },
               else_branch = else_graph () => (float[l] b) { b = Concat<axis = 0>(x, x) }>)");

// Doubles x while it is below the limit, at most m times.
const std::string doubling = model("(int64 m, float x, float limit) => (float y, float[n] history)", R"(
    first = Less(x, limit)
    y, history = Loop(m, first, x) <body = doubled (int64 i, bool go, float v) => (bool next, float w, float seen) {
      w = Add(v, v)
      next = Less(w, limit)
      seen = Identity(v)
    }>)");

}  // namespace

TEST_CASE("If runs one branch; its outputs may differ in size") {
  check_text(choose, {boolean({}, {1}), f32({2}, {1, 2})}, {f32({2}, {2, 4})});
  check_text(choose, {boolean({}, {0}), f32({2}, {1, 2})}, {f32({4}, {1, 2, 1, 2})});
}

TEST_CASE("Loop carries values, stacks what it scans, and stops by its condition or its count") {
  check_text(doubling, {i64({}, {100}), f32({}, {1}), f32({}, {10})}, {f32({}, {16}), f32({4}, {1, 2, 4, 8})});
  check_text(doubling, {i64({}, {2}), f32({}, {1}), f32({}, {10})}, {f32({}, {4}), f32({2}, {1, 2})});
  check_text(doubling, {i64({}, {100}), f32({}, {20}), f32({}, {10})}, {f32({}, {20}), f32({0}, {})});
}

TEST_CASE("Loop: a carried tensor may grow") {
  check_text(model("(int64 m, float[1] x) => (float[n] y)", R"(
      y = Loop(m, , x) <body = grow (int64 i, bool go, float[k] v) => (bool next, float[j] w) {
        next = Identity(go)
        w = Concat<axis = 0>(v, x)
      }>)"),
             {i64({}, {3}), f32({1}, {7})}, {f32({4}, {7, 7, 7, 7})});
}

TEST_CASE("Loop: texts are stacked") {
  check_text(model("(int64 m, string[2] x) => (string[n, 2] y)", R"(
      y = Loop(m) <body = repeat (int64 i, bool go) => (bool next, string[2] seen) {
        next = Identity(go)
        seen = Identity(x)
      }>)"),
             {i64({}, {2}), texts({2}, {"a", "much longer than a pointer"})},
             {texts({2, 2}, {"a", "much longer than a pointer", "a", "much longer than a pointer"})});
}

TEST_CASE("Loop: a sequence is carried") {
  check_text(model("(int64 m, float[2] x) => (int64 n, float[k] y)", R"(
      empty = SequenceEmpty()
      s = Loop(m, , empty) <body = collect (int64 i, bool go, seq(float) v) => (bool next, seq(float) w) {
        next = Identity(go)
        f = Cast<to = 1>(i)
        item = Mul(x, f)
        w = SequenceInsert(v, item)
      }>
      n = SequenceLength(s)
      y = ConcatFromSequence<axis = 0>(s))"),
             {i64({}, {3}), f32({2}, {1, 2})}, {i64({}, {3}), f32({6}, {0, 0, 1, 2, 2, 4})});
}

TEST_CASE("Loop within If within Loop") {
  check_text(model("(int64 m, float x) => (float y)", R"(
      y = Loop(m, , x) <body = outer (int64 i, bool go, float v) => (bool next, float w) {
        next = Identity(go)
        two = Constant<value_int = 2>()
        rest = Mod(i, two)
        zero = Constant<value_int = 0>()
        even = Equal(rest, zero)
        w = If(even) <then_branch = twice () => (float t) {
              t = Loop(two, , v) <body = inner (int64 j, bool more, float a) => (bool again, float b) {
                again = Identity(more)
                b = Add(a, x)
              }>
            },
            else_branch = same () => (float e) { e = Identity(v) }>
      }>)"),
             {i64({}, {3}), f32({}, {1})}, {f32({}, {5})});
}

}  // namespace heed::test
