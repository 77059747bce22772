// If, Loop, Scan and SequenceMap.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

std::string model(const std::string& signature, const std::string& body, int opset = 17) {
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

// The sums of what was seen so far, along an axis of x and of y, each walked forward or not.
std::string sums(const std::string& attributes,
                 const std::string& signature = "(float[3] s, float[a, b] x) => (float[3] t, float[c, d] y)") {
  return model(signature, "t, y = Scan<num_scan_inputs = 1" + attributes +
                              R"(, body = add (float[k] sum, float[l] next) => (float[m] all, float[n] seen) {
      all = Add(sum, next)
      seen = Identity(all)
    }>(s, x))");
}

TEST_CASE("Scan carries states and stacks what its body gives, along any axis and either way") {
  const Tensor s = f32({3}, {0, 0, 0}), x = f32({2, 3}, {1, 2, 3, 10, 20, 30}), end = f32({3}, {11, 22, 33});
  check_text(sums(""), {s, x}, {end, f32({2, 3}, {1, 2, 3, 11, 22, 33})});
  check_text(sums(", scan_input_directions = [1]"), {s, x}, {end, f32({2, 3}, {10, 20, 30, 11, 22, 33})});
  check_text(sums(", scan_output_directions = [1]"), {s, x}, {end, f32({2, 3}, {11, 22, 33, 1, 2, 3})});
  check_text(sums(", scan_input_axes = [1], scan_output_axes = [-1]"), {s, f32({3, 2}, {1, 10, 2, 20, 3, 30})},
             {end, f32({3, 2}, {1, 11, 2, 22, 3, 33})});
  check_text(sums("", "(float[3] s, float[0, 3] x) => (float[3] t, float[c, d] y)"), {s, f32({0, 3}, {})},
             {s, f32({0, 3}, {})});
}

TEST_CASE("Scan walks several inputs, and needs no state") {
  check_text(model("(float[n] a, float[n] b) => (float[n] y)", R"(
      y = Scan<num_scan_inputs = 2, scan_input_directions = [0, 1], body = add (float c, float d) => (float e) {
        e = Sub(c, d)
      }>(a, b))"),
             {f32({3}, {1, 2, 3}), f32({3}, {10, 20, 30})}, {f32({3}, {-29, -18, -7})});
}

TEST_CASE("Scan of version 8 walks each batch as far as it goes") {
  const auto text = [](const std::string& lengths) {
    return model(
        "(" + lengths + "float[2] s, float[2, n] x) => (float[2] t, float[2, n] y)",
        std::string("t, y = Scan<num_scan_inputs = 1, body = add (float sum, float next) => (float all, float seen) {"
                    " all = Add(sum, next) seen = Identity(all) }>(") +
            (lengths.empty() ? "" : "l") + ", s, x)",
        8);
  };
  const Tensor s = f32({2}, {0, 100}), x = f32({2, 3}, {1, 2, 3, 4, 5, 6});
  check_text(text(""), {s, x}, {f32({2}, {6, 115}), f32({2, 3}, {1, 3, 6, 104, 109, 115})});
  check_text(text("int64[2] l, "), {i64({2}, {1, 2}), s, x}, {f32({2}, {1, 109}), f32({2, 3}, {1, 0, 0, 104, 109, 0})});
  check_text(text("int64[2] l, "), {i64({2}, {0, 0}), s, x}, {s, f32({2, 3}, {0, 0, 0, 0, 0, 0})});
  const auto refused = run_text(text("int64[2] l, "), {i64({2}, {4, 2}), s, x});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("sequence_lens of batch 0 is 4"));
}

TEST_CASE("Scan of version 8 says that batches differ, where only the run tells") {
  const auto refused =
      run_text(model("(float[1, 2] s, float x) => (float[1, 2] t, float[1, 3, 2] y)",
                     "t, y = Scan<num_scan_inputs = 1, body = add (float[2] sum, float[2] next) => (float[2] all, float[2] "
                     "seen) { all = Add(sum, next) seen = Identity(all) }>(, s, x)",
                     8),
               {f32({1, 2}, {0, 0}), f32({2, 3, 2}, std::vector<double>(12, 1))});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("the first scan input is a batch of 2"));
}

TEST_CASE("Scan says which lengths differ") {
  const auto refused = run_text(model("(float[n] a, float[m] b) => (float[n] y)", R"(
      y = Scan<num_scan_inputs = 2, body = add (float c, float d) => (float e) { e = Sub(c, d) }>(a, b))"),
                                {f32({3}, {1, 2, 3}), f32({2}, {10, 20})});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("lengths of the scan inputs"));
}

TEST_CASE("SequenceMap runs its body for each element, of sequences that go along and tensors that stay") {
  const std::string text = model("(float[k] a, float[l] b, float[1] c) => (float[n] y, int64[2] z)", R"(
      s = SequenceConstruct(a, b)
      t = SequenceConstruct(b, a)
      u, v = SequenceMap(s, t, c) <body = join (float[i] f, float[j] g, float[1] h) => (float[o] p, int64[1] q) {
        sum = Add(f, h)
        p = Concat<axis = 0>(sum, g)
        q = Shape(g)
      }>
      y = ConcatFromSequence<axis = 0>(u)
      z = ConcatFromSequence<axis = 0>(v))");
  check_text(text, {f32({1}, {1}), f32({2}, {2, 3}), f32({1}, {10})},
             {f32({6}, {11, 2, 3, 12, 13, 1}), i64({2}, {2, 1})});
}

TEST_CASE("SequenceMap keeps what its body gives: on Vulkan, and where that is a tensor of the step") {
  const std::string text = model("(float[3] a, float[3] b) => (float[n] y)", R"(
      s = SequenceConstruct(a, b)
      c = Add(a, b)
      t, u = SequenceMap(s, c) <body = both (float[3] f, float[3] d) => (float[3] p, float[3] q) {
        p = Mul(f, d)
        q = Identity(d)
      }>
      more = Add(c, c)
      ys = ConcatFromSequence<axis = 0>(t)
      cs = ConcatFromSequence<axis = 0>(u)
      y = Concat<axis = 0>(ys, cs, more))");
  const Tensors inputs{f32({3}, {1, 2, 3}), f32({3}, {10, 20, 30})};
  const Tensors expected{f32({15}, {11, 44, 99, 110, 440, 990, 11, 22, 33, 11, 22, 33, 22, 44, 66})};
  check_text(text, inputs, expected);
  // The sequence itself is made and read on the CPU.
  const auto on_vulkan = run_text(text, inputs, "vulkan", {{"vulkan.mask", "float64"}});
  INFO((on_vulkan ? "" : on_vulkan.error().message));
  REQUIRE(on_vulkan.has_value());
  check_equal((*on_vulkan)[0], expected[0]);
}

TEST_CASE("SequenceMap of no elements gives none") {
  check_text(model("(float[1] c) => (int64 n)", R"(
      s = SequenceEmpty()
      t = SequenceMap(s, c) <body = add (float[i] f, float[1] h) => (float[o] p) { p = Add(f, h) }>
      n = SequenceLength(t))"),
             {f32({1}, {1})}, {i64({}, {0})});
}

TEST_CASE("SequenceMap says which sequence has another length") {
  const auto refused = run_text(model("(float[1] a) => (int64 n)", R"(
      s = SequenceConstruct(a, a)
      t = SequenceConstruct(a)
      u = SequenceMap(s, t) <body = add (float[i] f, float[1] h) => (float[o] p) { p = Add(f, h) }>
      n = SequenceLength(u))"),
                                {f32({1}, {1})});
  REQUIRE_FALSE(refused.has_value());
  CHECK_THAT(refused.error().message, Catch::Contains("input 1 has 1 elements"));
}

}  // namespace heed::test
