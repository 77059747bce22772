// The arithmetic of sizes: what is equal has equal bits, what is known is shown, and no rewriting changes a value.
#include "base/dim_bounds.hpp"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace heed;

namespace {

Dim read(DimPool& pool, std::string_view text) {
  const auto dim = parse_dim(pool, text);
  INFO(text);
  REQUIRE(dim.has_value());
  return *dim;
}

}  // namespace

TEST_CASE("what people write becomes one normal form with one text") {
  struct Case {
    const char *written, *normal;
  };
  // All symbols are sizes: at least 0.
  const Case cases[] = {
      {"past + seq", "past + seq"},
      {"seq + past", "past + seq"},
      {"2*n", "2*n"},
      {"n + n", "2*n"},
      {"n - n", "0"},
      {"2*n/2", "n"},
      {"(a + b)*(a - b)", "a*a - b*b"},
      {"n**3", "n**3"},
      {"12 - n", "12 - n"},
      {"-a - b - 3", "-a - b - 3"},
      {"a*b - b*a", "0"},
      {"(6*a*b)//(2*b)", "3*a"},
      {"(a*b)//b", "a"},
      {"(a*b + a*c)//(b + c)", "a"},
      {"(a*b + c)//b", "a + floor(c/b)"},
      {"ceil(a/b)", "ceil(a/b)"},
      {"(4*a)//(6*b)", "floor(2*a/(3*b))"},
      // A pooled or strided size, Conv-11: floor((n + pads - kernel)/stride + 1).
      {"floor((n + 2)/2)", "floor(n/2) + 1"},
      {"floor((n + 1)/2)", "ceil(n/2)"},
      {"(n - 1)//2 + 1", "ceil(n/2)"},
      {"floor(n/2 - 1/2) + 1", "ceil(n/2)"},
      {"(n + 2*3 - 7)//2 + 1", "ceil(n/2)"},
      {"floor((2*n + 1)/4)", "floor(n/2)"},
      {"ceil(ceil(n/2)/2)", "ceil(n/4)"},
      {"floor(floor(n/3)/5)", "floor(n/15)"},
      {"ceil(ceil((n + 1)/2)/2)", "floor(n/4) + 1"},
      {"-ceil(n/8)", "-ceil(n/8)"},
      {"floor(-1*n/8)", "-ceil(n/8)"},
      {"floor((n - m)/8)", "floor((n - m)/8)"},
      {"floor(7/2)", "3"},
      {"ceil(-7/2)", "-3"},
      {"trunc(-7/2)", "-3"},
      {"n // -3", "-ceil(n/3)"},
      {"trunc(n/2)", "floor(n/2)"},
      {"trunc((n - 3)/2)", "trunc((n - 3)/2)"},
      {"trunc((3 - n)/2)", "-trunc((n - 3)/2)"},
      {"n % 8", "mod(n, 8)"},
      {"3*mod(n + 3, 8) + m", "m + 3*mod(n + 3, 8)"},
      {"(8*n) % 4", "0"},
      {"(n*m) % m", "0"},
      {"mod(n, m)", "mod(n, m)"},
      {"8*ceil(n/8) - n", "8*ceil(n/8) - n"},
      {"-1*n % 8", "8*ceil(n/8) - n"},
      {"n // 8 * 8 + n % 8", "n"},
      {"max(n, n + 1)", "n + 1"},
      {"max(0, n)", "n"},
      {"min(0, n)", "0"},
      {"max(3, n - 1)", "max(3, n - 1)"},
      {"max(b, a)", "max(a, b)"},
      {"max(max(a, b) + 1, c + 1)", "max(a, b, c) + 1"},
      {"max(2*a, 2*b)", "2*max(a, b)"},
      {"min(ceil(n/2), n)", "ceil(n/2)"},
      {"min(n, floor(n/2))", "floor(n/2)"},
      {"max(n % 8, 7)", "7"},
      {"min(max(n, 3), 5) - min(5, max(3, n))", "0"},
      {"broadcast(1, n)", "n"},
      {"broadcast(n, n)", "n"},
      {"broadcast(n, 12)", "12"},
      {"broadcast(b, broadcast(a, 1))", "broadcast(a, b)"},
      {"broadcast(broadcast(c, a), b)", "broadcast(a, b, c)"},
      {"less(n, n + 1)", "1"},
      {"less(n, 0)", "0"},
      {"less(a, b)", "less(a, b)"},
      {"less(2*a, 2*b + 1)", "less(a, b + 1)"},
      {"equal(n, n)", "1"},
      {"equal(n, -1)", "0"},
      {"equal(2*a, 4*b + 1)", "0"},
      {"equal(2*a, 2*b)", "equal(b, a)"},
      {"select(1, a, b)", "a"},
      {"select(less(n, 0), a, b)", "b"},
      {"select(equal(a, b), n, n)", "n"},
      {"select(less(a, b), a, b)", "select(less(a, b), a, b)"},
      {"select(1 - less(a, b), a, b)", "select(less(a, b), b, a)"},
      // The spelling of symbolic algebra systems.
      {"Max(s0, s1) + FloorDiv(s0, 2)", "floor(s0/2) + max(s0, s1)"},
      {"Mod(s0, 4)", "mod(s0, 4)"},
      // Names that are no expressions.
      {"batch-size", "batch-size"},
      {"unk__12", "unk__12"},
      {"sequence length", "sequence length"},
      {"?", "?"},
      {"it's", "it's"},
      {"N/2", "N/2"},
      {"n-1", "n-1"},
      {"floor(", "floor("},
      {"'x y' + 1", "'x y' + 1"},
      {"-", "-"},
      {"99999999999999999999", "99999999999999999999"},
  };
  for (const Case& each : cases) {
    DimPool pool;
    for (const char* name : {"a", "b", "c", "n", "m"}) pool.symbol(name);
    INFO(each.written);
    const Dim dim = read(pool, each.written);
    CHECK(to_string(dim) == each.normal);
    CHECK(read(pool, to_string(dim)) == dim);
  }
}

TEST_CASE("a broadcast tells which sizes must be equal, where none of them can be 1") {
  const struct {
    const char *broadcast, *result;  // "": it tells nothing
  } cases[] = {
      {"broadcast(min(64, n), n)", "n"},
      {"broadcast(n, min(n, 64))", "n"},
      {"broadcast(n + 2, min(n + 2, 64))", "n + 2"},
      {"broadcast(n + 2, m + 3)", "m + 3"},
      {"broadcast(min(1, n), n)", ""},
      {"broadcast(min(m, n), n)", ""},
      {"broadcast(min(64, m), n)", ""},
      {"broadcast(n + 1, m + 2)", ""},
      {"broadcast(a, b, c)", ""},
      {"n", ""},
  };
  for (const auto& each : cases) {
    DimPool pool;
    for (const char* name : {"a", "b", "c", "n", "m"}) pool.symbol(name);
    INFO(each.broadcast);
    const auto equality = equality_in_broadcast(read(pool, each.broadcast));
    CHECK((equality ? to_string(equality->second) : "") == each.result);
  }
}

TEST_CASE("what is known to be at most a number needs no min with more") {
  DimPool pool;
  for (const char* name : {"a", "n", "m"}) pool.symbol(name);
  const auto bound = bound_in_equality(read(pool, "min(64, n + m)"), read(pool, "n + m"));
  REQUIRE(bound);
  CHECK_FALSE(bound_in_equality(read(pool, "min(64, n)"), read(pool, "m")));
  CHECK_FALSE(bound_in_equality(read(pool, "n"), read(pool, "m")));
  const struct {
    const char *given, *within;
  } cases[] = {
      {"min(64, n + m)", "n + m"},
      {"min(64, n)", "n"},
      {"min(64, n + m) - min(64, n)", "m"},
      {"2*a*min(100, m) + 3", "2*a*m + 3"},
      {"broadcast(min(64, n + m) - min(64, n), m)", "m"},
      {"max(0, min(64, n + m) - min(64, n))", "m"},
      {"min(63, n)", "min(63, n)"},
      {"min(64, a)", "min(64, a)"},
      {"min(64, n + m + 1)", "min(64, n + m + 1)"},
      {"12", "12"},
  };
  for (const auto& each : cases) {
    INFO(each.given);
    CHECK(within(read(pool, each.given), {&*bound, 1}) == read(pool, each.within));
  }
}

TEST_CASE("the text does not depend on the order in which symbols were made") {
  DimPool one, other;
  one.symbol("past"), one.symbol("seq");
  other.symbol("seq"), other.symbol("past");
  for (const char* text : {"past + seq", "past*seq + past + 2", "max(past, seq)", "broadcast(seq, past)"}) {
    CHECK(to_string(read(one, text)) == to_string(read(other, text)));
  }
}

TEST_CASE("numbers follow Python's floor and modulo, C's truncation and numpy's broadcast") {
  CHECK(floor_divide(Dim(-7), 2) == Dim(-4));
  CHECK(floor_divide(Dim(7), -2) == Dim(-4));
  CHECK(ceil_divide(Dim(7), 2) == Dim(4));
  CHECK(ceil_divide(Dim(-7), 2) == Dim(-3));
  CHECK(truncate_divide(Dim(-7), 2) == Dim(-3));
  CHECK(modulo(Dim(-7), 3) == Dim(2));
  CHECK(modulo(Dim(7), -3) == Dim(-2));
  CHECK(modulo(Dim(INT64_MIN), -1) == Dim(0));
  CHECK(broadcast(Dim(1), 5) == Dim(5));
  CHECK(broadcast(Dim(1), 0) == Dim(0));
  CHECK(broadcast(Dim(5), 5) == Dim(5));
  CHECK(broadcast(Dim(5), 6).why_unknown() == UnknownDim::mismatch);
  CHECK(floor_divide(Dim(5), 0).why_unknown() == UnknownDim::division_by_zero);
  CHECK(floor_divide(Dim(INT64_MIN), -1).why_unknown() == UnknownDim::overflow);
  CHECK((Dim(INT64_MAX) + 1).why_unknown() == UnknownDim::overflow);
  CHECK((Dim(INT64_MAX) * 2 - 1).why_unknown() == UnknownDim::overflow);
  static_assert(Dim(3) * 4 + 1 == Dim(13));
}

TEST_CASE("an unknown operand makes everything unknown, but for a branch that is not taken") {
  DimPool pool;
  const Dim n = pool.symbol("n"), lost = Dim::unknown(UnknownDim::overflow);
  CHECK((n + lost) == lost);
  CHECK((lost * n) == lost);
  CHECK(max(n, lost) == lost);
  CHECK(broadcast(lost, 1) == lost);
  CHECK(select(Dim(1), n, lost) == n);
  CHECK(select(n, lost, 1) == lost);
  CHECK(select(lost, n, n) == lost);
  CHECK(to_string(lost) == "?overflow");
}

TEST_CASE("what does not fit 64 bits is unknown, not wrong") {
  DimPool pool;
  const Dim n = pool.symbol("n"), big = INT64_MAX;
  CHECK((n * big * 2).is_unknown());
  CHECK((n * big + n).is_unknown());
  CHECK((n + big + 1).is_unknown());
  CHECK((-(n * INT64_MIN)).is_unknown());
  CHECK(floor_divide(n * INT64_MIN, -1).is_unknown());
  CHECK(floor_divide(n, 0).why_unknown() == UnknownDim::division_by_zero);
  CHECK(modulo(n, 0).why_unknown() == UnknownDim::division_by_zero);
  CHECK(truncate_divide(n, 0).why_unknown() == UnknownDim::division_by_zero);
}

TEST_CASE("what outgrows the algebra is unknown, and its cost is bounded") {
  DimPool pool;
  SECTION("more than 64 terms") {
    Dim sum = 0;
    for (int i = 0; i < 64; ++i) sum += pool.fresh_symbol("s");
    CHECK(sum.is_expression());
    CHECK((sum + pool.fresh_symbol("s")).why_unknown() == UnknownDim::outgrown);
    CHECK((sum * sum).why_unknown() == UnknownDim::outgrown);
  }
  SECTION("a text that doubles with every step") {
    Dim dim = pool.symbol("n", -100);
    const Dim m = pool.symbol("m", -100);
    for (int i = 0; i < 1000 && !dim.is_unknown(); ++i) {
      dim = select(less(dim, m + i), dim * dim + i, truncate_divide(dim, 3) * dim);
      CHECK(to_string(dim).size() < 20000);
    }
    CHECK(dim.why_unknown() == UnknownDim::outgrown);
  }
  SECTION("nesting") {
    Dim dim = pool.symbol("n", -100);
    for (int i = 0; i < 10000; ++i) dim = truncate_divide(dim * 3 + i, 7) * dim;
    CHECK(dim.why_unknown() == UnknownDim::outgrown);
    std::string text(5000, '(');
    CHECK(read(pool, text).is_expression());  // a strange name
    CHECK(dim_of_param(pool, std::string(2000, '-') + "n").is_expression());
  }
  SECTION("powers") {
    Dim dim = pool.symbol("n");
    for (int i = 0; i < 100; ++i) dim = dim * pool.symbol("n");
    CHECK(dim.why_unknown() == UnknownDim::outgrown);
  }
}

TEST_CASE("bounds follow from those of the symbols") {
  struct Case {
    const char* text;
    int64_t lower, upper;
  };
  // n is 0 or more, k is 1 to 10, d is any number.
  const Case cases[] = {
      {"n + 3", 3, INT64_MAX},
      {"2*k - 1", 1, 19},
      {"-1*k", -10, -1},
      {"k*k", 1, 100},
      {"d*d", 0, INT64_MAX},
      {"d", INT64_MIN, INT64_MAX},
      {"floor(k/4)", 0, 2},
      {"ceil(k/4)", 1, 3},
      {"k % 4", 0, 3},
      {"8*ceil(n/8) - n", 0, 7},
      {"n - floor(n/2)", 0, INT64_MAX},
      {"max(k, 4)", 4, 10},
      {"min(n, k)", 0, 10},
      {"max(n, k) - n", 0, 10},
      {"broadcast(n, k)", 0, INT64_MAX},
      {"select(less(n, k), k, 3)", 1, 10},
      {"trunc(d/3)", INT64_MIN, INT64_MAX},
      {"floor(n/k)", 0, INT64_MAX},
      {"floor(k/(n + 1))", 0, 10},
      {"less(n, k)", 0, 1},
  };
  DimPool pool;
  pool.symbol("n"), pool.symbol("k", 1, 10), pool.symbol("d", INT64_MIN, INT64_MAX);
  for (const Case& each : cases) {
    INFO(each.text);
    const Dim dim = read(pool, each.text);
    CHECK(dim.lower_bound() == each.lower);
    CHECK(dim.upper_bound() == each.upper);
  }
}

TEST_CASE("halves of a size are proven to make the whole") {
  DimPool pool;
  const Dim n = pool.symbol("n");
  CHECK(equal(floor_divide(n, 2) + ceil_divide(n, 2), n) == Dim(1));
  CHECK(ceil_divide(n, 2) + (n - ceil_divide(n, 2)) == n);
}

TEST_CASE("symbols are found by name, fresh ones are equal to no other") {
  DimPool pool;
  const Dim batch = pool.symbol("batch", 1, 64);
  CHECK(pool.symbol("batch") == batch);
  CHECK(pool.symbol("seq") != batch);
  REQUIRE(as_symbol(batch) != nullptr);
  CHECK(as_symbol(batch)->name == "batch");
  CHECK(as_symbol(batch)->upper == 64);
  CHECK(as_symbol(batch + 1) == nullptr);
  CHECK(as_symbol(Dim(3)) == nullptr);
  CHECK(as_symbol(2 * batch) == nullptr);
  CHECK(as_symbol(batch * batch) == nullptr);
  CHECK(pool.find_symbol("seq")->index == 1);
  CHECK(pool.find_symbol("nobody") == nullptr);
  const Dim fresh = pool.fresh_symbol("batch"), another = pool.fresh_symbol("batch");
  CHECK(to_string(fresh) == "batch_2");
  CHECK(to_string(another) == "batch_3");
  CHECK(to_string(pool.fresh_symbol("count")) == "count");
  CHECK(pool.symbol_count() == 5);
  CHECK(pool.symbol_dim(2) == fresh);
  CHECK(pool.symbol_info(2).name == "batch_2");
  CHECK(symbols_of(batch * fresh + floor_divide(another, 3)) == std::vector<uint32_t>{0, 2, 3});
}

TEST_CASE("a model's dim_param is an expression over symbols, or a name") {
  DimPool pool;
  CHECK(dim_of_param(pool, "past + seq") == pool.symbol("past") + pool.symbol("seq"));
  CHECK(as_symbol(dim_of_param(pool, "-1")) != nullptr);
  CHECK(as_symbol(dim_of_param(pool, "0")) != nullptr);
  CHECK(as_symbol(dim_of_param(pool, "batch-size")) != nullptr);
  CHECK(as_symbol(dim_of_param(pool, "9223372036854775807*2")) != nullptr);
  CHECK(as_symbol(dim_of_param(pool, "")) != nullptr);
  CHECK(dim_of_param(pool, "") != dim_of_param(pool, ""));
  const auto symbol_count = pool.symbol_count();
  CHECK(as_symbol(dim_of_param(pool, "rows + (cols")) != nullptr);
  CHECK(pool.symbol_count() == symbol_count + 1);  // no "rows" left behind
  CHECK_FALSE(parse_dim(pool, "").has_value());
  const auto failure = parse_dim(pool, "n//0");
  REQUIRE_FALSE(failure.has_value());
  CHECK(failure.error().message == "the size 'n//0' cannot be worked out: division by zero");
}

TEST_CASE("no rewriting changes a value: random expressions against their own numbers") {
  std::mt19937 random(20261121);
  const auto pick = [&](int count) { return static_cast<int>(random() % static_cast<uint32_t>(count)); };
  constexpr int binding_count = 12, step_count = 40;
  int compared = 0;
  for (int round = 0; round < 400; ++round) {
    DimPool pool;
    const Dim symbols[] = {pool.symbol("a"), pool.symbol("b", 1), pool.symbol("c", -9, 9), pool.symbol("d", 2, 7)};
    struct Made {
      Dim dim;
      std::vector<Dim> numbers;  // one a binding, unknown where the arithmetic of numbers has no answer
    };
    std::vector<std::vector<int64_t>> bindings;
    for (int i = 0; i < binding_count; ++i) {
      bindings.push_back({pick(12), 1 + pick(12), pick(19) - 9, 2 + pick(6)});
    }
    std::vector<Made> made;
    for (int symbol = 0; symbol < 4; ++symbol) {
      Made leaf{symbols[symbol], {}};
      for (const auto& binding : bindings) leaf.numbers.push_back(binding[static_cast<size_t>(symbol)]);
      made.push_back(leaf);
    }
    for (const int64_t number : {0, 1, -1, 2, 3, 8, -5})
      made.push_back({number, std::vector<Dim>(binding_count, number)});

    for (int step = 0; step < step_count; ++step) {
      const Made& x = made[static_cast<size_t>(pick(static_cast<int>(made.size())))];
      const Made& y = made[static_cast<size_t>(pick(static_cast<int>(made.size())))];
      const Made& z = made[static_cast<size_t>(pick(static_cast<int>(made.size())))];
      const int operation = pick(13);
      const auto apply = [&](Dim a, Dim b, Dim c) -> Dim {
        switch (operation) {
          case 0:
            return a + b;
          case 1:
            return a - b;
          case 2:
            return a * b;
          case 3:
            return floor_divide(a, b);
          case 4:
            return ceil_divide(a, b);
          case 5:
            return truncate_divide(a, b);
          case 6:
            return modulo(a, b);
          case 7:
            return min(a, b);
          case 8:
            return max(a, b);
          case 9:
            return broadcast(a, b);
          case 10:
            return less(a, b);
          case 11:
            return equal(a, b);
          default:
            return select(a, b, c);
        }
      };
      Made result{apply(x.dim, y.dim, z.dim), {}};
      for (int i = 0; i < binding_count; ++i) {
        const auto at = static_cast<size_t>(i);
        result.numbers.push_back(apply(x.numbers[at], y.numbers[at], z.numbers[at]));
      }
      if (result.dim.is_unknown()) {
        // Only what is too large, or has no number anywhere.
        if (result.dim.why_unknown() == UnknownDim::mismatch ||
            result.dim.why_unknown() == UnknownDim::division_by_zero) {
          for (const Dim number : result.numbers) CHECK(number.is_unknown());
        }
        continue;
      }
      INFO(to_string(x.dim) << " (" << operation << ") " << to_string(y.dim) << " gives " << to_string(result.dim));
      DimProgram program;
      const uint32_t slot = program.add(result.dim);
      std::vector<int64_t> slots(program.slot_count());
      for (int i = 0; i < binding_count; ++i) {
        const Dim number = result.numbers[static_cast<size_t>(i)];
        if (number.is_unknown()) continue;
        const auto& binding = bindings[static_cast<size_t>(i)];
        INFO("a, b, c, d = " << binding[0] << ", " << binding[1] << ", " << binding[2] << ", " << binding[3]);
        const auto value = evaluate(result.dim, binding);
        INFO((value.has_value() ? "" : value.error().message));
        REQUIRE(value.has_value());
        REQUIRE(*value == number.number());
        REQUIRE(result.dim.lower_bound() <= *value);
        REQUIRE(result.dim.upper_bound() >= *value);
        REQUIRE(program.run(binding, slots).has_value());
        REQUIRE(slots[slot] == *value);
        const std::vector<Dim> numbers(binding.begin(), binding.end());
        REQUIRE(substitute(result.dim, numbers) == Dim(*value));
        ++compared;
      }
      REQUIRE(substitute(result.dim, symbols) == result.dim);
      const auto again = parse_dim(pool, to_string(result.dim));
      REQUIRE(again.has_value());
      REQUIRE(*again == result.dim);
      made.push_back(std::move(result));
    }
  }
  CHECK(compared > 20000);
}
