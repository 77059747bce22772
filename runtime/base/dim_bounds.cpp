// Bounds are read off equalities with a min, and taken out of every min that they make needless.
#include "base/dim_bounds.hpp"

#include <algorithm>

#include "base/dim_expression.hpp"

namespace heed {
namespace {

const DimAtom* as_atom(Dim dim, DimAtomKind kind) {
  const DimAtom* atom = as_atom(dim);
  return atom != nullptr && atom->kind == kind ? atom : nullptr;
}

// Whether `least` is the least of n and of what is 2 or more: 1 only where n is.
bool is_least_of(Dim least, Dim n) {
  const DimAtom* min = as_atom(least, DimAtomKind::min);
  if (min == nullptr || std::find(min->operands.begin(), min->operands.end(), n) == min->operands.end()) return false;
  return std::all_of(min->operands.begin(), min->operands.end(),
                     [&](Dim operand) { return operand == n || operand.lower_bound() >= 2; });
}

// The number and the other operand of min(64, n).
std::optional<DimBound> clamped(const DimAtom& atom) {
  if (atom.kind != DimAtomKind::min || atom.operands.size() != 2) return std::nullopt;
  const Dim a = atom.operands[0], b = atom.operands[1];
  if (a.is_number()) return DimBound{b, a.number()};
  if (b.is_number()) return DimBound{a, b.number()};
  return std::nullopt;
}

Dim within(const DimAtom& atom, Dim itself, std::span<const DimBound> bounds) {
  if (const auto clamp = clamped(atom)) {
    for (const DimBound& known : bounds)
      if (known.bound <= clamp->bound && (known.dim - clamp->dim).lower_bound() >= 0) return clamp->dim;
  }
  if (atom.kind != DimAtomKind::broadcast && atom.kind != DimAtomKind::max) return itself;
  Dim joined = heed::within(atom.operands[0], bounds);
  for (size_t i = 1; i < atom.operands.size(); ++i) {
    const Dim next = heed::within(atom.operands[i], bounds);
    joined = atom.kind == DimAtomKind::max ? max(joined, next) : broadcast(joined, next);
  }
  return joined;
}

}  // namespace

std::optional<std::pair<Dim, Dim>> equality_in_broadcast(Dim dim) {
  const DimAtom* atom = as_atom(dim, DimAtomKind::broadcast);
  if (atom == nullptr || atom->operands.size() != 2) return std::nullopt;
  const Dim a = atom->operands[0], b = atom->operands[1];
  if (is_least_of(b, a)) return std::pair(b, a);
  if (is_least_of(a, b) || (a.lower_bound() >= 2 && b.lower_bound() >= 2)) return std::pair(a, b);
  return std::nullopt;
}

std::optional<DimBound> bound_in_equality(Dim a, Dim b) {
  for (const auto& [least, dim] : {std::pair(a, b), std::pair(b, a)}) {
    const DimAtom* atom = as_atom(least);
    const auto clamp = atom == nullptr ? std::nullopt : clamped(*atom);
    if (clamp && clamp->dim == dim) return clamp;
  }
  return std::nullopt;
}

Dim within(Dim dim, std::span<const DimBound> bounds) {
  if (!dim.is_expression() || bounds.empty()) return dim;
  const DimExpression& expression = expression_of(dim);
  Dim sum = 0;
  for (const DimTerm& term : expression.terms) {
    Dim product = term.coefficient;
    for (const DimFactor& factor : term.monomial->factors) {
      const Dim itself = expression.store->expression({{1, expression.store->monomial({{factor.atom, 1}})}});
      const Dim settled = within(*factor.atom, itself, bounds);
      for (uint32_t i = 0; i < factor.power; ++i) product *= settled;
    }
    sum += product;
  }
  return sum;
}

}  // namespace heed
