// Sizes become numbers: one at a time, many at once, and backwards when inputs are bound.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/dim.hpp"

using namespace heed;

namespace {

Dim read(DimPool& pool, std::string_view text) { return parse_dim(pool, text).value(); }

using Values = std::vector<int64_t>;

}  // namespace

TEST_CASE("an error names the expression, its symbols and what met") {
  DimPool pool;
  const Dim a = pool.symbol("a"), b = pool.symbol("b");
  struct Case {
    Dim dim;
    Values values;
    Code code;
    const char* message;
  };
  const Case cases[] = {
      {broadcast(a, b),
       {12, 13},
       Code::shape_mismatch,
       "'broadcast(a, b)' with a = 12, b = 13: 12 and 13 do not broadcast"},
      {floor_divide(a, b), {12, 0}, Code::invalid_argument, "'floor(a/b)' with a = 12, b = 0: division by zero"},
      {a * b,
       {INT64_MAX, 2},
       Code::invalid_argument,
       "'a*b' with a = 9223372036854775807, b = 2: does not fit 64 bits"},
      {a + b, {1}, Code::invalid_argument, "'a + b' with a = 1: the value of 'b' is not known"},
  };
  for (const Case& each : cases) {
    INFO(each.message);
    const auto value = evaluate(each.dim, each.values);
    REQUIRE_FALSE(value.has_value());
    CHECK(value.error().code == each.code);
    CHECK(value.error().message == each.message);

    DimProgram program;
    program.add(each.dim);
    Values slots(program.slot_count());
    const auto result = program.run(each.values, slots);
    REQUIRE_FALSE(result.has_value());
    CHECK(result.error().message == each.message);
  }
  CHECK(*evaluate(broadcast(a, b), Values{1, 0}) == 0);
  CHECK(*evaluate(broadcast(a, b), Values{7, 1}) == 7);
  CHECK(*evaluate(Dim(5), {}) == 5);
}

TEST_CASE("a branch that is not taken cannot fail") {
  DimPool pool;
  const Dim n = pool.symbol("n"), m = pool.symbol("m");
  const Dim guarded = select(equal(m, 0), 0, floor_divide(n, m));
  CHECK(*evaluate(guarded, Values{12, 0}) == 0);
  DimProgram program;
  const uint32_t slot = program.add(guarded), other = program.add(n + 1);
  Values slots(program.slot_count());
  REQUIRE(program.run(Values{12, 0}, slots).has_value());
  CHECK(slots[slot] == 0);
  CHECK(slots[other] == 13);
  REQUIRE(program.run(Values{12, 5}, slots).has_value());
  CHECK(slots[slot] == 2);
}

TEST_CASE("a sum whose parts overflow on the way is still its value") {
  DimPool pool;
  const Dim a = pool.symbol("a", INT64_MIN), b = pool.symbol("b", INT64_MIN), c = pool.symbol("c", INT64_MIN);
  DimProgram program;
  const uint32_t slot = program.add(a + b - c);
  Values slots(program.slot_count());
  REQUIRE(program.run(Values{INT64_MAX, 5, 5}, slots).has_value());
  CHECK(slots[slot] == INT64_MAX);
}

TEST_CASE("equal sizes share a slot, shared parts are computed once") {
  DimPool pool;
  const Dim past = pool.symbol("past"), seq = pool.symbol("seq"), heads = pool.symbol("heads");
  DimProgram program;
  const uint32_t total = program.add(past + seq);
  CHECK(program.add(seq + past) == total);
  const uint32_t after_two = program.slot_count();
  const uint32_t area = program.add((past + seq) * seq);
  CHECK(program.add(768) != area);
  CHECK(program.slot_count() <= after_two + 5);
  CHECK(program.required_symbols() == std::vector<uint32_t>{0, 1});
  Values slots(program.slot_count());
  REQUIRE(program.run(Values{100, 3, 0}, slots).has_value());
  CHECK(slots[total] == 103);
  CHECK(slots[area] == 309);
  program.add(heads);
  CHECK(program.required_symbols() == std::vector<uint32_t>{0, 1, 2});
}

TEST_CASE("a size moves to another pool with its symbols replaced") {
  DimPool body, graph;
  const Dim n = body.symbol("n"), m = body.symbol("m");
  const Dim size = ceil_divide(n + m, 2) * m;
  const Dim batch = graph.symbol("batch");
  const Dim replacements[] = {2 * batch, Dim(6)};
  CHECK(substitute(size, replacements) == 6 * batch + 18);
  CHECK(substitute(Dim(4), replacements) == Dim(4));
  CHECK(substitute(size, std::span(replacements, 1)).is_unknown());
}

TEST_CASE("a symbol is solved from the size of an input") {
  DimPool pool;
  pool.symbol("past"), pool.symbol("seq"), pool.symbol("n");
  using Known = std::vector<std::optional<int64_t>>;
  struct Case {
    const char* dim;
    int64_t size;
    Known known;
    std::optional<uint32_t> symbol;
    int64_t value;
  };
  const Case cases[] = {
      {"seq", 12, {}, 1, 12},
      {"past + 1", 12, {}, 0, 11},
      {"2*n", 12, {}, 2, 6},
      {"2*n", 13, {}, {}, 0},
      {"10 - n", 4, {}, 2, 6},
      {"past + seq", 12, {}, {}, 0},
      {"past + seq", 12, {5}, 1, 7},
      {"past + seq", 12, {std::nullopt, 5}, 0, 7},
      {"past*n + ceil(past/2)", 23, {5}, 2, 4},
      {"past*n", 20, {0}, {}, 0},
      {"past*n", 20, {}, {}, 0},
      {"n*n", 16, {}, {}, 0},
      {"floor(n/2)", 4, {}, {}, 0},
      {"past + seq", 12, {5, 7}, {}, 0},
      {"12", 12, {}, {}, 0},
      {"n - 1", INT64_MAX, {}, {}, 0},
  };
  for (const Case& each : cases) {
    INFO(each.dim << " is " << each.size);
    const auto solved = solve_for_symbol(read(pool, each.dim), each.size, each.known);
    REQUIRE(solved.has_value() == each.symbol.has_value());
    if (!solved) continue;
    CHECK(solved->symbol == *each.symbol);
    CHECK(solved->value == each.value);
  }
}
