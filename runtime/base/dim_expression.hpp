// The normal form behind Dim, for the files of base/ that build, print and evaluate it. Not for other rooms.
//
// An expression is a polynomial with integer coefficients over atoms; an atom is a symbol or an operation that no
// polynomial can state, over operands in normal form. Everything is interned, so equal means the same address.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/dim.hpp"

namespace heed {

enum class DimAtomKind : uint8_t {
  symbol,
  floor_divide,     // operands: numerator, divisor; ceiling and modulo are stated with it
  truncate_divide,  // operands: numerator, divisor
  min,              // two operands or more
  max,              // two operands or more
  broadcast,        // two operands or more
  positive,         // 1 where the operand is greater than 0, else 0
  zero,             // 1 where the operand is 0, else 0
  select,           // operands: condition, where it is not 0, where it is 0
};

// The numbers that something can take; the ends of int64_t stand for no bound.
struct DimInterval {
  int64_t lower = INT64_MIN, upper = INT64_MAX;
};

struct DimAtom {
  DimAtomKind kind = DimAtomKind::symbol;
  uint32_t index = 0;   // in its store, by age
  uint32_t symbol = 0;  // for a symbol
  uint32_t weight = 1;
  DimInterval interval;
  std::vector<Dim> operands;
};

struct DimFactor {
  const DimAtom* atom;
  uint32_t power;
  bool operator==(const DimFactor&) const = default;
};

// A product of atoms, oldest first. The one without factors is 1.
struct DimMonomial {
  uint32_t degree = 0;
  uint32_t weight = 0;
  std::vector<DimFactor> factors;
};

struct DimTerm {
  int64_t coefficient;  // not 0
  const DimMonomial* monomial;
  bool operator==(const DimTerm&) const = default;
};

// By degree, greatest first, and then by their atoms (graded lexicographic order): the constant comes last.
using DimTerms = std::vector<DimTerm>;

struct DimExpression {
  DimPool::Store* store = nullptr;
  uint32_t index = 0;   // in its store, by age
  uint32_t weight = 0;  // how many terms and factors its text would have: bounds text and recursion
  DimInterval interval;
  DimTerms terms;  // at least one is not constant
};

inline const DimExpression& expression_of(Dim dim) {
  return *reinterpret_cast<const DimExpression*>(static_cast<uintptr_t>(dim.c_dim().expression));
}

// The atom that a Dim is, where it is one alone.
inline const DimAtom* as_atom(Dim dim) {
  if (!dim.is_expression()) return nullptr;
  const DimTerms& terms = expression_of(dim).terms;
  if (terms.size() != 1 || terms[0].coefficient != 1 || terms[0].monomial->degree != 1) return nullptr;
  return terms[0].monomial->factors[0].atom;
}

struct DimPool::Store {
  Store();

  Dim symbol(std::string_view name, int64_t lower, int64_t upper);

  const DimMonomial* monomial(std::vector<DimFactor> factors);
  const DimMonomial* product(const DimMonomial& a, const DimMonomial& b);
  // Null where b does not divide a.
  const DimMonomial* quotient(const DimMonomial& a, const DimMonomial& b);

  DimTerms terms_of(Dim dim) const;
  Dim expression(DimTerms terms);
  Dim atom(DimAtomKind kind, std::vector<Dim> operands, DimInterval interval);
  DimInterval interval_of(const DimTerms& terms, int depth = 0);

  std::deque<DimSymbol> symbols;
  std::unordered_map<std::string, uint32_t> symbol_by_name;
  std::unordered_map<std::string, uint32_t> next_suffix_by_hint;
  std::deque<DimAtom> atoms;
  std::deque<DimMonomial> monomials;
  std::deque<DimExpression> expressions;
  std::vector<Dim> dim_by_symbol;
  std::unordered_multimap<uint64_t, const DimAtom*> atom_by_hash;
  std::unordered_multimap<uint64_t, const DimMonomial*> monomial_by_hash;
  std::unordered_multimap<uint64_t, const DimExpression*> expression_by_hash;
  const DimMonomial* one = nullptr;
  int refinement_steps = 0;  // of the interval_of under way
};

std::string text_of(Dim dim);

}  // namespace heed
