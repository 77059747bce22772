// The arithmetic of Dim: what each operation makes of operands in normal form, and what bounds prove.
#include "base/dim.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <numeric>
#include <optional>
#include <utility>

#include "base/dim_expression.hpp"

namespace heed {
namespace {

using Store = DimPool::Store;
using Interval = DimInterval;

constexpr size_t max_terms = 64;
constexpr uint32_t max_weight = 512;
constexpr uint32_t max_degree = 64;
constexpr size_t max_operands = 16;
// How many atoms deep bounds are refined: enough for what sizes are made of (a rounded size less itself).
constexpr int max_refinement_depth = 3;
constexpr size_t max_refined_terms = 8;
constexpr int max_refinement_steps = 64;

constexpr int64_t minus_infinity = INT64_MIN, plus_infinity = INT64_MAX;

// --- Intervals ---

int64_t saturate(__int128 value) {
  return value <= minus_infinity  ? minus_infinity
         : value >= plus_infinity ? plus_infinity
                                  : static_cast<int64_t>(value);
}

bool is_infinite(int64_t bound) { return bound == minus_infinity || bound == plus_infinity; }

int64_t multiply_bounds(int64_t a, int64_t b) {
  if (a == 0 || b == 0) return 0;
  if (is_infinite(a) || is_infinite(b)) return (a < 0) == (b < 0) ? plus_infinity : minus_infinity;
  return saturate(static_cast<__int128>(a) * b);
}

// No bound plus anything is no bound.
int64_t add_lower(int64_t a, int64_t b) {
  return a == minus_infinity || b == minus_infinity ? minus_infinity : saturate(static_cast<__int128>(a) + b);
}

int64_t add_upper(int64_t a, int64_t b) {
  return a == plus_infinity || b == plus_infinity ? plus_infinity : saturate(static_cast<__int128>(a) + b);
}

Interval operator+(Interval a, Interval b) { return {add_lower(a.lower, b.lower), add_upper(a.upper, b.upper)}; }

Interval operator*(Interval a, Interval b) {
  const int64_t corners[] = {multiply_bounds(a.lower, b.lower), multiply_bounds(a.lower, b.upper),
                             multiply_bounds(a.upper, b.lower), multiply_bounds(a.upper, b.upper)};
  return {*std::min_element(corners, corners + 4), *std::max_element(corners, corners + 4)};
}

Interval operator&(Interval a, Interval b) { return {std::max(a.lower, b.lower), std::min(a.upper, b.upper)}; }

Interval hull(Interval a, Interval b) { return {std::min(a.lower, b.lower), std::max(a.upper, b.upper)}; }

Interval interval_of(Dim dim) {
  if (dim.is_number()) return {dim.number(), dim.number()};
  return dim.is_expression() ? expression_of(dim).interval : Interval{};
}

// --- Numbers ---

int64_t floor_of(int64_t a, int64_t positive_b) {
  const int64_t quotient = a / positive_b;
  return quotient - (a % positive_b < 0);
}

int64_t ceil_of(int64_t a, int64_t positive_b) {
  const int64_t quotient = a / positive_b;
  return quotient + (a % positive_b > 0);
}

int64_t floor_of_bound(int64_t a, int64_t positive_b) { return is_infinite(a) ? a : floor_of(a, positive_b); }
int64_t ceil_of_bound(int64_t a, int64_t positive_b) { return is_infinite(a) ? a : ceil_of(a, positive_b); }

uint64_t magnitude(int64_t value) {
  return value < 0 ? 0 - static_cast<uint64_t>(value) : static_cast<uint64_t>(value);
}

uint64_t mix(uint64_t hash, uint64_t value) {
  hash ^= value + 0x9E3779B97F4A7C15u + (hash << 6) + (hash >> 2);
  return hash * 0xD6E8FEB86659FD93u;
}

uint64_t address(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// --- Polynomials ---

// Graded lexicographic: negative where a comes first, which is where it is the greater one.
int compare(const DimMonomial& a, const DimMonomial& b) {
  if (&a == &b) return 0;
  if (a.degree != b.degree) return a.degree > b.degree ? -1 : 1;
  for (size_t i = 0; i < a.factors.size() && i < b.factors.size(); ++i) {
    const DimFactor &fa = a.factors[i], &fb = b.factors[i];
    if (fa.atom != fb.atom) return fa.atom->index < fb.atom->index ? -1 : 1;
    if (fa.power != fb.power) return fa.power > fb.power ? -1 : 1;
  }
  return 0;
}

// Terms, or why there are none.
struct Polynomial {
  DimTerms terms;
  bool is_faulty = false;
  UnknownDim fault = UnknownDim::overflow;

  static Polynomial failed(UnknownDim why) { return {{}, true, why}; }
};

// a + scale * monomial * b.
Polynomial add_scaled(Store& store, const DimTerms& a, int64_t scale, const DimMonomial& monomial, const DimTerms& b) {
  Polynomial result;
  result.terms.reserve(a.size() + b.size());
  size_t i = 0;
  for (const DimTerm& term : b) {
    const DimMonomial* product = monomial.degree == 0 ? term.monomial : store.product(*term.monomial, monomial);
    int64_t coefficient = 0;
    if (product == nullptr) return Polynomial::failed(UnknownDim::outgrown);
    if (__builtin_mul_overflow(term.coefficient, scale, &coefficient)) return Polynomial::failed(UnknownDim::overflow);
    // Multiplying by a monomial keeps the order.
    while (i < a.size() && compare(*a[i].monomial, *product) < 0) result.terms.push_back(a[i++]);
    if (i < a.size() && a[i].monomial == product) {
      if (__builtin_add_overflow(coefficient, a[i].coefficient, &coefficient)) {
        return Polynomial::failed(UnknownDim::overflow);
      }
      ++i;
    }
    if (coefficient != 0) result.terms.push_back({coefficient, product});
  }
  result.terms.insert(result.terms.end(), a.begin() + static_cast<ptrdiff_t>(i), a.end());
  return result;
}

Polynomial add_scaled(Store& store, const DimTerms& a, int64_t scale, const DimTerms& b) {
  return add_scaled(store, a, scale, *store.one, b);
}

Polynomial multiply(Store& store, const DimTerms& a, const DimTerms& b) {
  Polynomial sum;
  for (const DimTerm& term : a) {
    sum = add_scaled(store, sum.terms, term.coefficient, *term.monomial, b);
    if (sum.is_faulty) return sum;
    if (sum.terms.size() > max_terms * max_terms) return Polynomial::failed(UnknownDim::outgrown);
  }
  return sum;
}

Dim intern(Store& store, Polynomial polynomial) {
  return polynomial.is_faulty ? Dim::unknown(polynomial.fault) : store.expression(std::move(polynomial.terms));
}

int64_t constant_of(const DimTerms& terms) {
  return !terms.empty() && terms.back().monomial->degree == 0 ? terms.back().coefficient : 0;
}

// The greatest common divisor of the coefficients, and of `start`; of the constant too only where asked. A value of
// 2^63 is no int64_t: then 1.
int64_t content_of(const DimTerms& terms, bool with_constant, int64_t start = 0) {
  uint64_t divisor = magnitude(start);
  for (const DimTerm& term : terms) {
    if (with_constant || term.monomial->degree > 0) divisor = std::gcd(divisor, magnitude(term.coefficient));
  }
  return divisor == 0 || divisor > static_cast<uint64_t>(INT64_MAX) ? 1 : static_cast<int64_t>(divisor);
}

// The terms, each divided by a common divisor.
DimTerms divided(DimTerms terms, int64_t divisor) {
  for (DimTerm& term : terms) term.coefficient /= divisor;
  return terms;
}

DimTerms with_constant(const Store& store, DimTerms terms, int64_t constant) {
  if (!terms.empty() && terms.back().monomial->degree == 0) terms.pop_back();
  if (constant != 0) terms.push_back({constant, store.one});
  return terms;
}

// The product of the atoms that divide every term of both.
const DimMonomial* common_monomial(Store& store, const DimTerms& a, const DimTerms& b) {
  std::vector<DimFactor> common;
  bool first = true;
  for (const DimTerms* terms : {&a, &b}) {
    for (const DimTerm& term : *terms) {
      if (first) {
        common = term.monomial->factors;
        first = false;
        continue;
      }
      std::erase_if(common, [&](DimFactor& factor) {
        for (const DimFactor& other : term.monomial->factors) {
          if (other.atom == factor.atom) {
            factor.power = std::min(factor.power, other.power);
            return false;
          }
        }
        return true;
      });
    }
  }
  return store.monomial(std::move(common));
}

// Removes what divides both.
void cancel(Store& store, DimTerms& a, DimTerms& b) {
  const int64_t content = content_of(b, true, content_of(a, true));
  if (content > 1) {
    a = divided(std::move(a), content);
    b = divided(std::move(b), content);
  }
  const DimMonomial* common = common_monomial(store, a, b);
  if (common->degree == 0) return;
  for (DimTerms* terms : {&a, &b}) {
    for (DimTerm& term : *terms) term.monomial = store.quotient(*term.monomial, *common);
  }
}

bool negate(DimTerms& terms) {
  for (const DimTerm& term : terms) {
    if (term.coefficient == INT64_MIN) return false;
  }
  for (DimTerm& term : terms) term.coefficient = -term.coefficient;
  return true;
}

struct Division {
  DimTerms quotient, remainder;
  bool is_done = false;  // false: overflowed or took too long
};

// a = quotient * b + remainder, where no term of the remainder can be divided by the leading term of b (whose
// coefficient is positive) any further. For one divisor this is unique.
Division divide(Store& store, DimTerms a, const DimTerms& b) {
  Division result;
  const DimTerm leading = b.front();
  size_t next = 0;  // the first term of a that is not settled
  for (size_t steps = 0; next < a.size(); ++steps) {
    if (steps > 4 * max_terms) return result;
    const DimTerm term = a[next];
    const DimMonomial* monomial = store.quotient(*term.monomial, *leading.monomial);
    const int64_t factor = monomial == nullptr ? 0 : floor_of(term.coefficient, leading.coefficient);
    if (factor != 0) {
      if (factor == INT64_MIN) return result;
      Polynomial rest = add_scaled(store, a, -factor, *monomial, b);
      if (rest.is_faulty) return result;
      result.quotient.push_back({factor, monomial});
      a = std::move(rest.terms);
      if (next >= a.size() || a[next].monomial != term.monomial) continue;
    }
    ++next;
  }
  result.remainder = std::move(a);
  result.is_done = true;
  return result;
}

// --- Divisions ---

Store& store_of(Dim a, Dim b) {
  assert(!a.is_expression() || !b.is_expression() || expression_of(a).store == expression_of(b).store);
  return *expression_of(a.is_expression() ? a : b).store;
}

Interval interval_of_floor(Interval numerator, Interval divisor) {
  if (divisor.lower < 0) return {};
  divisor.lower = std::max<int64_t>(divisor.lower, 1);
  divisor.upper = std::max<int64_t>(divisor.upper, 1);
  // Without an upper bound, the quotient gets as near to 0 as it likes.
  const auto by_greatest = [&](int64_t bound) {
    return divisor.upper == plus_infinity ? (bound < 0 ? -1 : 0) : floor_of_bound(bound, divisor.upper);
  };
  return {numerator.lower >= 0 ? by_greatest(numerator.lower) : floor_of_bound(numerator.lower, divisor.lower),
          numerator.upper >= 0 ? floor_of_bound(numerator.upper, divisor.lower) : by_greatest(numerator.upper)};
}

// One normal form for all numerators that differ by multiples of the divisor: coefficients become their remainders of
// least magnitude (a tie is positive), the leading one not negative, the constant one from 0 to the divisor.
Dim floor_divide_by_number(Store& store, DimTerms numerator, int64_t divisor) {
  DimTerms quotient;
  for (DimTerm& term : numerator) {
    int64_t whole = floor_of(term.coefficient, divisor);
    int64_t remainder = term.coefficient - whole * divisor;
    if (term.monomial->degree > 0 && remainder > divisor - remainder) {
      remainder -= divisor;
      ++whole;
    }
    if (whole != 0) quotient.push_back({whole, term.monomial});
    term.coefficient = remainder;
  }
  std::erase_if(numerator, [](const DimTerm& term) { return term.coefficient == 0; });
  if (numerator.empty()) return store.expression(std::move(quotient));
  if (!quotient.empty()) {
    return store.expression(std::move(quotient)) + floor_divide_by_number(store, std::move(numerator), divisor);
  }
  if (numerator.front().monomial->degree > 0 && numerator.front().coefficient < 0) {
    // floor(x / c) = -floor((c - 1 - x) / c).
    const Polynomial opposite = add_scaled(store, {{divisor - 1, store.one}}, -1, numerator);
    return opposite.is_faulty ? Dim::unknown(opposite.fault) : -floor_divide_by_number(store, opposite.terms, divisor);
  }
  // floor((g*x + k) / (g*d)) = floor((x + floor(k/g)) / d) for integers x and k.
  const int64_t content = content_of(numerator, false, divisor);
  if (content > 1) {
    const int64_t constant = floor_of(constant_of(numerator), content);
    numerator = divided(with_constant(store, std::move(numerator), 0), content);
    return floor_divide_by_number(store, with_constant(store, std::move(numerator), constant), divisor / content);
  }
  // floor((floor(x/a) + y) / b) = floor((x + a*y) / (a*b)) for integers x and y and positive a and b; and -floor(x/a)
  // is floor((a - 1 - x) / a).
  std::optional<DimTerm> floor_term;
  int floor_term_count = 0;
  for (const DimTerm& term : numerator) {
    if (magnitude(term.coefficient) != 1 || term.monomial->degree != 1) continue;
    const DimAtom& atom = *term.monomial->factors[0].atom;
    if (atom.kind != DimAtomKind::floor_divide || !atom.operands[1].is_number()) continue;
    floor_term = term;
    ++floor_term_count;
  }
  if (floor_term_count == 1) {
    const DimAtom& inner = *floor_term->monomial->factors[0].atom;
    const int64_t sign = floor_term->coefficient;
    const int64_t inner_divisor = inner.operands[1].number();
    int64_t whole_divisor = 0;
    const Polynomial rest = add_scaled(store, numerator, -1, {*floor_term});
    Polynomial whole = add_scaled(store, {}, inner_divisor, rest.terms);
    if (!whole.is_faulty) whole = add_scaled(store, whole.terms, sign, store.terms_of(inner.operands[0]));
    if (!whole.is_faulty && sign < 0) whole = add_scaled(store, whole.terms, inner_divisor - 1, {{1, store.one}});
    if (!whole.is_faulty && !__builtin_mul_overflow(inner_divisor, divisor, &whole_divisor)) {
      return floor_divide_by_number(store, std::move(whole.terms), whole_divisor);
    }
  }
  const Interval interval = interval_of_floor(store.interval_of(numerator), {divisor, divisor});
  if (interval.lower == interval.upper) return interval.lower;
  return store.atom(DimAtomKind::floor_divide, {store.expression(std::move(numerator)), divisor}, interval);
}

Dim floor_divide_terms(Store& store, DimTerms numerator, DimTerms divisor) {
  if (divisor.empty()) return Dim::unknown(UnknownDim::division_by_zero);
  if (numerator.empty()) return 0;
  cancel(store, numerator, divisor);
  if (divisor.front().coefficient < 0 && !(negate(divisor) && negate(numerator))) {
    return Dim::unknown(UnknownDim::overflow);
  }
  if (divisor.front().monomial->degree == 0) {
    return floor_divide_by_number(store, std::move(numerator), divisor.front().coefficient);
  }
  Division division = divide(store, numerator, divisor);
  // By several terms only where that leaves nothing: b + floor(-b/(a + 1)) says no more than floor(a*b/(a + 1)).
  if (division.is_done && (divisor.size() == 1 || division.remainder.empty()) && !division.quotient.empty()) {
    const Dim quotient = store.expression(std::move(division.quotient));
    if (division.remainder.empty()) return quotient;
    return quotient + floor_divide_terms(store, std::move(division.remainder), std::move(divisor));
  }
  const Interval numerator_interval = store.interval_of(numerator);
  if (numerator_interval.lower >= 0) {
    const Polynomial gap = add_scaled(store, divisor, -1, numerator);
    if (!gap.is_faulty && store.interval_of(gap.terms).lower >= 1) return 0;
  }
  const Interval interval = interval_of_floor(numerator_interval, store.interval_of(divisor));
  return store.atom(DimAtomKind::floor_divide,
                    {store.expression(std::move(numerator)), store.expression(std::move(divisor))}, interval);
}

Dim floor_divide_dims(Dim a, Dim b) {
  Store& store = store_of(a, b);
  return floor_divide_terms(store, store.terms_of(a), store.terms_of(b));
}

Dim truncate_divide_dims(Dim a, Dim b) {
  Store& store = store_of(a, b);
  if (b.is_number(0)) return Dim::unknown(UnknownDim::division_by_zero);
  const Interval above = interval_of(a), below = interval_of(b);
  if ((above.lower >= 0 && below.lower >= 0) || (above.upper <= 0 && below.upper <= 0)) return floor_divide(a, b);
  if ((above.lower >= 0 && below.upper <= 0) || (above.upper <= 0 && below.lower >= 0)) return ceil_divide(a, b);

  DimTerms numerator = store.terms_of(a), divisor = store.terms_of(b);
  if (numerator.empty()) return 0;
  cancel(store, numerator, divisor);
  int64_t sign = 1;
  for (DimTerms* terms : {&numerator, &divisor}) {
    if (terms->front().coefficient > 0) continue;
    if (!negate(*terms)) return Dim::unknown(UnknownDim::overflow);
    sign = -sign;
  }
  const Division division = divide(store, numerator, divisor);
  if (division.is_done && division.remainder.empty()) return sign * store.expression(division.quotient);
  const Interval whole = store.interval_of(numerator);
  Interval interval;
  if (divisor.front().monomial->degree == 0) {
    const int64_t number = divisor.front().coefficient;
    const auto toward_zero = [&](int64_t bound) { return is_infinite(bound) ? bound : bound / number; };
    interval = {toward_zero(whole.lower), toward_zero(whole.upper)};
  } else if (whole.lower != minus_infinity) {
    const int64_t greatest = std::max(whole.upper, -whole.lower);
    if (greatest != plus_infinity) interval = {-greatest, greatest};
  }
  return sign * store.atom(DimAtomKind::truncate_divide,
                           {store.expression(std::move(numerator)), store.expression(std::move(divisor))}, interval);
}

// --- Least and greatest ---

void append_flattened(Store& store, DimAtomKind kind, Dim dim, std::vector<DimTerms>& operands) {
  const DimTerms terms = store.terms_of(dim);
  const DimTerm* found = nullptr;
  int found_count = 0;
  for (const DimTerm& term : terms) {
    if (term.coefficient == 1 && term.monomial->degree == 1 && term.monomial->factors[0].atom->kind == kind) {
      found = &term;
      ++found_count;
    }
  }
  // max(max(a, b) + c, d) = max(a + c, b + c, d).
  if (found_count == 1) {
    const Polynomial rest = add_scaled(store, terms, -1, {*found});
    std::vector<DimTerms> inner;
    for (const Dim operand : found->monomial->factors[0].atom->operands) {
      Polynomial sum = add_scaled(store, rest.terms, 1, store.terms_of(operand));
      if (sum.is_faulty) break;
      inner.push_back(std::move(sum.terms));
    }
    if (inner.size() == found->monomial->factors[0].atom->operands.size()) {
      operands.insert(operands.end(), inner.begin(), inner.end());
      return;
    }
  }
  operands.push_back(terms);
}

bool comes_before(Dim a, Dim b) {
  if (a.is_number() != b.is_number()) return b.is_number();
  return a.is_number() ? a.number() < b.number() : expression_of(a).index < expression_of(b).index;
}

Dim extremum(DimAtomKind kind, Dim a, Dim b) {
  Store& store = store_of(a, b);
  std::vector<DimTerms> operands;
  append_flattened(store, kind, a, operands);
  append_flattened(store, kind, b, operands);

  // Drop what another is never beaten by.
  for (size_t i = 0; i < operands.size(); ++i) {
    for (size_t j = 0; j < operands.size();) {
      bool is_beaten = i != j && operands[i] == operands[j];
      if (i != j && !is_beaten) {
        const Polynomial lead = add_scaled(store, operands[i], -1, operands[j]);
        if (!lead.is_faulty) {
          const Interval interval = store.interval_of(lead.terms);
          is_beaten = kind == DimAtomKind::max ? interval.lower >= 0 : interval.upper <= 0;
        }
      }
      if (!is_beaten) {
        ++j;
        continue;
      }
      operands.erase(operands.begin() + static_cast<ptrdiff_t>(j));
      if (j < i) --i;
    }
  }
  if (operands.size() == 1) return store.expression(std::move(operands[0]));
  if (operands.size() > max_operands) return Dim::unknown(UnknownDim::outgrown);

  // max(x + c, y + c) = max(x, y) + c, and max(g*x, g*y) = g*max(x, y) for positive g.
  DimTerms common = operands[0];
  for (const DimTerms& operand : operands) {
    std::erase_if(
        common, [&](const DimTerm& term) { return std::find(operand.begin(), operand.end(), term) == operand.end(); });
  }
  int64_t content = 0;
  for (DimTerms& operand : operands) {
    std::erase_if(operand,
                  [&](const DimTerm& term) { return std::find(common.begin(), common.end(), term) != common.end(); });
    if (!operand.empty()) content = content_of(operand, true, content);
  }
  Interval interval;
  std::vector<Dim> dims;
  for (DimTerms& operand : operands) {
    if (content > 1) operand = divided(std::move(operand), content);
    dims.push_back(store.expression(std::move(operand)));
    const Interval next = interval_of(dims.back());
    if (dims.size() == 1) {
      interval = next;
    } else if (kind == DimAtomKind::max) {
      interval = {std::max(interval.lower, next.lower), std::max(interval.upper, next.upper)};
    } else {
      interval = {std::min(interval.lower, next.lower), std::min(interval.upper, next.upper)};
    }
  }
  for (const Dim dim : dims) {
    if (dim.is_unknown()) return dim;
  }
  std::sort(dims.begin(), dims.end(), comes_before);
  return std::max<int64_t>(content, 1) * store.atom(kind, std::move(dims), interval) +
         store.expression(std::move(common));
}

Dim broadcast_dims(Dim a, Dim b) {
  Store& store = store_of(a, b);
  std::vector<Dim> operands;
  for (const Dim dim : {a, b}) {
    const DimAtom* atom = as_atom(dim);
    if (atom != nullptr && atom->kind == DimAtomKind::broadcast) {
      operands.insert(operands.end(), atom->operands.begin(), atom->operands.end());
    } else {
      operands.push_back(dim);
    }
  }
  std::erase(operands, Dim(1));
  std::sort(operands.begin(), operands.end(), comes_before);
  operands.erase(std::unique(operands.begin(), operands.end()), operands.end());
  if (operands.empty()) return 1;
  if (operands.size() == 1) return operands[0];
  // Two numbers never stand side by side: combine has met them, or one of them is the whole result.
  for (const Dim operand : operands) {
    if (operand.is_number()) return operand;
  }
  if (operands.size() > max_operands) return Dim::unknown(UnknownDim::outgrown);
  Interval interval = interval_of(operands[0]);
  for (const Dim operand : operands) interval = hull(interval, interval_of(operand));
  for (const Dim operand : operands) {
    if (interval_of(operand).lower >= 2) interval = interval & interval_of(operand);
  }
  if (interval.lower > interval.upper) return Dim::unknown(UnknownDim::mismatch);
  return store.atom(DimAtomKind::broadcast, std::move(operands), interval);
}

// --- Conditions ---

Dim less_dims(Dim a, Dim b) {
  Store& store = store_of(a, b);
  const Polynomial difference = add_scaled(store, store.terms_of(b), -1, store.terms_of(a));
  if (difference.is_faulty) return Dim::unknown(difference.fault);
  const Interval interval = store.interval_of(difference.terms);
  if (interval.lower >= 1) return 1;
  if (interval.upper <= 0) return 0;
  // g*x + k > 0 where x + ceil(k/g) > 0, for integers.
  const int64_t content = content_of(difference.terms, false);
  DimTerms terms = divided(with_constant(store, difference.terms, 0), content);
  terms = with_constant(store, std::move(terms), ceil_of(constant_of(difference.terms), content));
  const Dim operand = store.expression(std::move(terms));
  return operand.is_unknown() ? operand : store.atom(DimAtomKind::positive, {operand}, {0, 1});
}

Dim equal_dims(Dim a, Dim b) {
  Store& store = store_of(a, b);
  const Polynomial difference = add_scaled(store, store.terms_of(b), -1, store.terms_of(a));
  if (difference.is_faulty) return Dim::unknown(difference.fault);
  if (difference.terms.empty()) return 1;
  const Interval interval = store.interval_of(difference.terms);
  if (interval.lower > 0 || interval.upper < 0) return 0;
  if (interval.lower == 0 && interval.upper == 0) return 1;
  const int64_t content = content_of(difference.terms, false);
  if (constant_of(difference.terms) % content != 0) return 0;
  DimTerms terms = divided(difference.terms, content);
  if (terms.front().coefficient < 0 && !negate(terms)) return Dim::unknown(UnknownDim::overflow);
  const Dim operand = store.expression(std::move(terms));
  return operand.is_unknown() ? operand : store.atom(DimAtomKind::zero, {operand}, {0, 1});
}

Dim select_dims(Dim condition, Dim then_dim, Dim else_dim) {
  const Interval interval = interval_of(condition);
  if (interval.lower > 0 || interval.upper < 0) return then_dim;
  if (then_dim == else_dim) return then_dim;
  if (then_dim.is_unknown()) return then_dim;
  if (else_dim.is_unknown()) return else_dim;
  const auto is_truth = [](const DimAtom* atom) {
    return atom != nullptr && (atom->kind == DimAtomKind::positive || atom->kind == DimAtomKind::zero);
  };
  if (!is_truth(as_atom(condition))) {
    const Dim opposite = 1 - condition;
    if (is_truth(as_atom(opposite))) return select_dims(opposite, else_dim, then_dim);
  } else if (then_dim.is_number(1) && else_dim.is_number(0)) {
    return condition;
  }
  Store& store = *expression_of(condition).store;
  assert(!then_dim.is_expression() || expression_of(then_dim).store == &store);
  assert(!else_dim.is_expression() || expression_of(else_dim).store == &store);
  return store.atom(DimAtomKind::select, {condition, then_dim, else_dim},
                    hull(interval_of(then_dim), interval_of(else_dim)));
}

// --- The table ---

heed_dim combine(int32_t operation, heed_dim c_a, heed_dim c_b) {
  const Dim a(c_a), b(c_b);
  if (a.is_unknown()) return c_a;
  if (b.is_unknown()) return c_b;
  if (a.is_number() && b.is_number()) {
    switch (operation) {
      case HEED_DIM_ADD:
        return (a + b).c_dim();
      case HEED_DIM_SUBTRACT:
        return (a - b).c_dim();
      case HEED_DIM_MULTIPLY:
        return (a * b).c_dim();
      case HEED_DIM_FLOOR_DIVIDE:
        return floor_divide(a, b).c_dim();
      case HEED_DIM_CEIL_DIVIDE:
        return ceil_divide(a, b).c_dim();
      case HEED_DIM_TRUNCATE_DIVIDE:
        return truncate_divide(a, b).c_dim();
      case HEED_DIM_MODULO:
        return modulo(a, b).c_dim();
      case HEED_DIM_MIN:
        return min(a, b).c_dim();
      case HEED_DIM_MAX:
        return max(a, b).c_dim();
      case HEED_DIM_BROADCAST:
        return broadcast(a, b).c_dim();
      case HEED_DIM_LESS:
        return less(a, b).c_dim();
      case HEED_DIM_EQUAL:
        return equal(a, b).c_dim();
      default:
        return Dim::unknown(UnknownDim::outgrown).c_dim();
    }
  }
  Store& store = store_of(a, b);
  const auto sum = [&](int64_t scale) {
    return intern(store, add_scaled(store, store.terms_of(a), scale, store.terms_of(b)));
  };
  switch (operation) {
    case HEED_DIM_ADD:
      return sum(1).c_dim();
    case HEED_DIM_SUBTRACT:
      return sum(-1).c_dim();
    case HEED_DIM_MULTIPLY:
      return intern(store, multiply(store, store.terms_of(a), store.terms_of(b))).c_dim();
    case HEED_DIM_FLOOR_DIVIDE:
      return floor_divide_dims(a, b).c_dim();
    case HEED_DIM_CEIL_DIVIDE:
      return (b.is_number() && b.number() > 0 ? floor_divide(a + (b - 1), b) : -floor_divide(-a, b)).c_dim();
    case HEED_DIM_TRUNCATE_DIVIDE:
      return truncate_divide_dims(a, b).c_dim();
    case HEED_DIM_MODULO:
      return (a - b * floor_divide(a, b)).c_dim();
    case HEED_DIM_MIN:
      return extremum(DimAtomKind::min, a, b).c_dim();
    case HEED_DIM_MAX:
      return extremum(DimAtomKind::max, a, b).c_dim();
    case HEED_DIM_BROADCAST:
      return broadcast_dims(a, b).c_dim();
    case HEED_DIM_LESS:
      return less_dims(a, b).c_dim();
    case HEED_DIM_EQUAL:
      return equal_dims(a, b).c_dim();
    default:
      return Dim::unknown(UnknownDim::outgrown).c_dim();
  }
}

heed_dim select_c(heed_dim condition, heed_dim then_dim, heed_dim else_dim) {
  const Dim dim(condition);
  if (!dim.is_expression()) return select(dim, Dim(then_dim), Dim(else_dim)).c_dim();
  return select_dims(dim, Dim(then_dim), Dim(else_dim)).c_dim();
}

size_t text_c(heed_dim dim, char* buffer, size_t capacity) {
  const std::string text = Dim(dim).is_expression() ? text_of(Dim(dim)) : to_string(Dim(dim));
  std::memcpy(buffer, text.data(), std::min(capacity, text.size()));
  return text.size();
}

int64_t lower_bound_c(heed_dim dim) { return interval_of(Dim(dim)).lower; }
int64_t upper_bound_c(heed_dim dim) { return interval_of(Dim(dim)).upper; }

constexpr heed_dim_algebra table = {sizeof(heed_dim_algebra), combine, select_c, text_c, lower_bound_c, upper_bound_c};

[[maybe_unused]] const bool table_is_set = (dim_algebra = &table, true);

}  // namespace

// --- The store ---

DimPool::Store::Store() {
  monomials.emplace_back();
  one = &monomials.back();
}

Dim DimPool::Store::symbol(std::string_view name, int64_t lower, int64_t upper) {
  assert(lower <= upper);
  const auto index = static_cast<uint32_t>(symbols.size());
  symbols.push_back({std::string(name), index, lower, upper});
  symbol_by_name.emplace(std::string(name), index);
  const auto atom_index = static_cast<uint32_t>(atoms.size());
  atoms.push_back({DimAtomKind::symbol, atom_index, index, 1, {lower, upper}, {}});
  dim_by_symbol.push_back(expression({{1, monomial({{&atoms.back(), 1}})}}));
  return dim_by_symbol.back();
}

const DimMonomial* DimPool::Store::monomial(std::vector<DimFactor> factors) {
  if (factors.empty()) return one;
  uint64_t hash = 0, degree = 0, weight = 0;
  for (const DimFactor& factor : factors) {
    hash = mix(mix(hash, factor.atom->index), factor.power);
    degree += factor.power;
    weight += factor.atom->weight;
  }
  if (degree > max_degree || weight > max_weight) return nullptr;
  const auto [begin, end] = monomial_by_hash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second->factors == factors) return it->second;
  }
  monomials.push_back({static_cast<uint32_t>(degree), static_cast<uint32_t>(weight), std::move(factors)});
  monomial_by_hash.emplace(hash, &monomials.back());
  return &monomials.back();
}

const DimMonomial* DimPool::Store::product(const DimMonomial& a, const DimMonomial& b) {
  if (a.degree == 0) return &b;
  if (b.degree == 0) return &a;
  std::vector<DimFactor> factors;
  factors.reserve(a.factors.size() + b.factors.size());
  size_t i = 0;
  for (const DimFactor& factor : b.factors) {
    while (i < a.factors.size() && a.factors[i].atom->index < factor.atom->index) factors.push_back(a.factors[i++]);
    factors.push_back(factor);
    if (i < a.factors.size() && a.factors[i].atom == factor.atom) factors.back().power += a.factors[i++].power;
  }
  factors.insert(factors.end(), a.factors.begin() + static_cast<ptrdiff_t>(i), a.factors.end());
  return monomial(std::move(factors));
}

const DimMonomial* DimPool::Store::quotient(const DimMonomial& a, const DimMonomial& b) {
  if (b.degree == 0) return &a;
  if (b.degree > a.degree) return nullptr;
  std::vector<DimFactor> factors;
  size_t i = 0;
  for (const DimFactor& factor : a.factors) {
    if (i < b.factors.size() && b.factors[i].atom == factor.atom) {
      if (b.factors[i].power > factor.power) return nullptr;
      if (b.factors[i].power < factor.power) factors.push_back({factor.atom, factor.power - b.factors[i].power});
      ++i;
    } else {
      factors.push_back(factor);
    }
  }
  return i == b.factors.size() ? monomial(std::move(factors)) : nullptr;
}

DimTerms DimPool::Store::terms_of(Dim dim) const {
  assert(!dim.is_unknown());
  if (dim.is_expression()) return expression_of(dim).terms;
  return dim.is_number(0) ? DimTerms{} : DimTerms{{dim.number(), one}};
}

Dim DimPool::Store::expression(DimTerms terms) {
  if (terms.empty()) return 0;
  if (terms.front().monomial->degree == 0) return terms.front().coefficient;
  if (terms.size() > max_terms) return Dim::unknown(UnknownDim::outgrown);
  uint64_t hash = 0;
  uint32_t weight = 0;
  for (const DimTerm& term : terms) {
    hash = mix(mix(hash, static_cast<uint64_t>(term.coefficient)), address(term.monomial));
    weight += 1 + term.monomial->weight;
  }
  if (weight > max_weight) return Dim::unknown(UnknownDim::outgrown);
  const auto [begin, end] = expression_by_hash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second->terms == terms) return Dim(heed_dim{0, address(it->second)});
  }
  const Interval interval = interval_of(terms);
  if (interval.lower == interval.upper && !is_infinite(interval.lower)) return interval.lower;
  const auto index = static_cast<uint32_t>(expressions.size());
  expressions.push_back({this, index, weight, interval, std::move(terms)});
  expression_by_hash.emplace(hash, &expressions.back());
  return Dim(heed_dim{0, address(&expressions.back())});
}

Dim DimPool::Store::atom(DimAtomKind kind, std::vector<Dim> operands, DimInterval interval) {
  uint64_t hash = static_cast<uint64_t>(kind);
  uint32_t weight = 1;
  for (const Dim operand : operands) {
    if (operand.is_unknown()) return operand;
    hash = mix(mix(hash, operand.c_dim().expression), static_cast<uint64_t>(operand.c_dim().number));
    weight += operand.is_expression() ? expression_of(operand).weight : 1;
  }
  if (weight > max_weight) return Dim::unknown(UnknownDim::outgrown);
  const auto [begin, end] = atom_by_hash.equal_range(hash);
  for (auto it = begin; it != end; ++it) {
    if (it->second->kind == kind && it->second->operands == operands)
      return expression({{1, monomial({{it->second, 1}})}});
  }
  atoms.push_back({kind, static_cast<uint32_t>(atoms.size()), 0, weight, interval, std::move(operands)});
  const DimAtom* atom = &atoms.back();
  atom_by_hash.emplace(hash, atom);
  return expression({{1, monomial({{atom, 1}})}});
}

namespace {

Interval interval_of(const DimMonomial& monomial) {
  Interval result{1, 1};
  for (const DimFactor& factor : monomial.factors) {
    Interval power{1, 1};
    for (uint32_t i = 0; i < factor.power; ++i) power = power * factor.atom->interval;
    if (factor.power % 2 == 0) power.lower = std::max<int64_t>(power.lower, 0);
    result = result * power;
  }
  return result;
}

}  // namespace

// An atom's own interval forgets that its operands occur beside it (n - 8*floor(n/8) is 0 to 7): so each atom that
// stands alone in its term is replaced by what it is made of, and the bounds of that count too.
DimInterval DimPool::Store::interval_of(const DimTerms& terms, int depth) {
  Interval result{0, 0};
  for (const DimTerm& term : terms) {
    result = result + Interval{term.coefficient, term.coefficient} * heed::interval_of(*term.monomial);
  }
  if (depth >= max_refinement_depth || terms.size() > max_refined_terms) return result;
  if (terms.size() - (constant_of(terms) != 0) < 2) return result;
  if (depth == 0) refinement_steps = 0;
  if (++refinement_steps > max_refinement_steps) return result;
  for (const DimTerm& term : terms) {
    if (term.monomial->degree != 1) continue;
    const DimAtom& atom = *term.monomial->factors[0].atom;
    const int64_t scale = term.coefficient;
    if (atom.kind == DimAtomKind::symbol || scale == INT64_MIN) continue;
    const Polynomial rest = add_scaled(*this, terms, -1, {term});
    const auto with_operand = [&](Dim operand, Interval& interval) {
      const Polynomial sum = add_scaled(*this, rest.terms, scale, terms_of(operand));
      interval = sum.is_faulty ? Interval{} : interval_of(sum.terms, depth + 1);
    };
    switch (atom.kind) {
      case DimAtomKind::floor_divide: {
        // floor(x/c) = (x - r)/c with 0 <= r < c, so c times the whole is c*rest + scale*x - scale*r.
        if (!atom.operands[1].is_number()) break;
        const int64_t divisor = atom.operands[1].number();
        const Polynomial scaled = add_scaled(*this, {}, divisor, rest.terms);
        if (scaled.is_faulty) break;
        const Polynomial whole = add_scaled(*this, scaled.terms, scale, terms_of(atom.operands[0]));
        if (whole.is_faulty) break;
        const Interval remainder = Interval{-scale, -scale} * Interval{0, divisor - 1};
        const Interval interval = interval_of(whole.terms, depth + 1) + remainder;
        result = result & Interval{ceil_of_bound(interval.lower, divisor), floor_of_bound(interval.upper, divisor)};
        break;
      }
      case DimAtomKind::min:
      case DimAtomKind::max: {
        // scale * max is the greatest of scale * operand for a positive scale, the least for a negative one.
        const bool is_greatest = (atom.kind == DimAtomKind::max) == (scale > 0);
        Interval all = is_greatest ? Interval{minus_infinity, minus_infinity} : Interval{plus_infinity, plus_infinity};
        for (const Dim operand : atom.operands) {
          Interval next;
          with_operand(operand, next);
          all = is_greatest ? Interval{std::max(all.lower, next.lower), std::max(all.upper, next.upper)}
                            : Interval{std::min(all.lower, next.lower), std::min(all.upper, next.upper)};
        }
        result = result & all;
        break;
      }
      case DimAtomKind::select: {
        Interval then_interval, else_interval;
        with_operand(atom.operands[1], then_interval);
        with_operand(atom.operands[2], else_interval);
        result = result & hull(then_interval, else_interval);
        break;
      }
      default:
        break;
    }
  }
  return result;
}

// --- The pool ---

DimPool::DimPool() : store_(std::make_unique<Store>()) {}
DimPool::~DimPool() = default;

Dim DimPool::symbol(std::string_view name, int64_t lower, int64_t upper) {
  const auto found = store_->symbol_by_name.find(std::string(name));
  return found != store_->symbol_by_name.end() ? store_->dim_by_symbol[found->second]
                                               : store_->symbol(name, lower, upper);
}

Dim DimPool::fresh_symbol(std::string_view hint, int64_t lower, int64_t upper) {
  std::string name(hint);
  uint32_t& suffix = store_->next_suffix_by_hint[name];
  while (store_->symbol_by_name.count(name) != 0) {
    suffix = std::max<uint32_t>(suffix + 1, 2);
    name = std::string(hint) + "_" + std::to_string(suffix);
  }
  return store_->symbol(name, lower, upper);
}

uint32_t DimPool::symbol_count() const { return static_cast<uint32_t>(store_->symbols.size()); }
const DimSymbol& DimPool::symbol_info(uint32_t index) const { return store_->symbols.at(index); }
Dim DimPool::symbol_dim(uint32_t index) { return store_->dim_by_symbol.at(index); }

const DimSymbol* DimPool::find_symbol(std::string_view name) const {
  const auto found = store_->symbol_by_name.find(std::string(name));
  return found == store_->symbol_by_name.end() ? nullptr : &store_->symbols[found->second];
}

const DimSymbol* as_symbol(Dim dim) {
  const DimAtom* atom = as_atom(dim);
  if (atom == nullptr || atom->kind != DimAtomKind::symbol) return nullptr;
  return &expression_of(dim).store->symbols[atom->symbol];
}

}  // namespace heed
