// Dims turned into numbers: one at a time with readable errors, or many by flat code.
#include <algorithm>
#include <cassert>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "base/dim.hpp"
#include "base/dim_expression.hpp"

namespace heed {
namespace {

enum Operation : uint8_t {
  number,               // immediate
  symbol,               // the value of symbol a
  multiply,             // a * b
  scale,                // immediate * a
  add_scaled,           // a + immediate * b
  add_number,           // a + immediate
  floor_divide_number,  // floor(a / immediate), which is positive
  floor_divide_slots,   // floor(a / b)
  truncate_divide_slots,
  min_slots,
  max_slots,
  broadcast_slots,
  positive,      // 0 < a
  zero,          // a == 0
  select_slots,  // a ? b : slot immediate
};

enum class Failure { none, overflow, division_by_zero, mismatch, missing_value };

// A number, or why there is none and on which expression.
struct Outcome {
  int64_t value = 0;
  Failure failure = Failure::none;
  int64_t left = 0, right = 0;  // what met, for a mismatch
  uint32_t symbol = 0;          // for a missing value
};

Outcome outcome_of(Dim dim) {
  if (dim.is_number()) return {dim.number()};
  return {0, dim.why_unknown() == UnknownDim::division_by_zero ? Failure::division_by_zero : Failure::overflow};
}

// Recursion is bounded by the weight of an expression. Branches that are not taken are not looked at.
Outcome evaluate_dim(Dim dim, std::span<const int64_t> values);

Outcome evaluate_atom(const DimAtom& atom, std::span<const int64_t> values) {
  if (atom.kind == DimAtomKind::symbol) {
    if (atom.symbol < values.size()) return {values[atom.symbol]};
    return {0, Failure::missing_value, 0, 0, atom.symbol};
  }
  const Outcome first = evaluate_dim(atom.operands[0], values);
  if (first.failure != Failure::none) return first;
  switch (atom.kind) {
    case DimAtomKind::positive:
      return {first.value > 0};
    case DimAtomKind::zero:
      return {first.value == 0};
    case DimAtomKind::select:
      return evaluate_dim(atom.operands[first.value != 0 ? 1 : 2], values);
    default:
      break;
  }
  Outcome result = first;
  for (size_t i = 1; i < atom.operands.size(); ++i) {
    const Outcome next = evaluate_dim(atom.operands[i], values);
    if (next.failure != Failure::none) return next;
    const int64_t a = result.value, b = next.value;
    switch (atom.kind) {
      case DimAtomKind::floor_divide:
        result = outcome_of(floor_divide(Dim(a), Dim(b)));
        break;
      case DimAtomKind::truncate_divide:
        result = outcome_of(truncate_divide(Dim(a), Dim(b)));
        break;
      case DimAtomKind::min:
        result.value = std::min(a, b);
        break;
      case DimAtomKind::max:
        result.value = std::max(a, b);
        break;
      default:  // broadcast
        if (a != b && a != 1 && b != 1) return {0, Failure::mismatch, a, b};
        result.value = a == 1 ? b : a;
    }
    if (result.failure != Failure::none) return result;
  }
  return result;
}

Outcome evaluate_monomial(const DimMonomial& monomial, std::span<const int64_t> values) {
  Outcome product{1};
  for (const DimFactor& factor : monomial.factors) {
    const Outcome value = evaluate_atom(*factor.atom, values);
    if (value.failure != Failure::none) return value;
    for (uint32_t i = 0; i < factor.power; ++i) {
      if (__builtin_mul_overflow(product.value, value.value, &product.value)) return {0, Failure::overflow};
    }
  }
  return product;
}

// Sums in 128 bits, so that no order of the terms overflows where the result does not. 64 products of two 64-bit
// numbers could leave even that, so each product must fit 64 bits.
Outcome evaluate_dim(Dim dim, std::span<const int64_t> values) {
  if (!dim.is_expression()) return outcome_of(dim);
  __int128 sum = 0;
  for (const DimTerm& term : expression_of(dim).terms) {
    Outcome product = evaluate_monomial(*term.monomial, values);
    if (product.failure != Failure::none) return product;
    if (__builtin_mul_overflow(product.value, term.coefficient, &product.value)) return {0, Failure::overflow};
    sum += product.value;
  }
  if (sum < INT64_MIN || sum > INT64_MAX) return {0, Failure::overflow};
  return {static_cast<int64_t>(sum)};
}

void collect_symbols(Dim dim, std::set<uint32_t>& symbols, std::unordered_set<const DimAtom*>& seen) {
  if (!dim.is_expression()) return;
  for (const DimTerm& term : expression_of(dim).terms) {
    for (const DimFactor& factor : term.monomial->factors) {
      if (!seen.insert(factor.atom).second) continue;
      if (factor.atom->kind == DimAtomKind::symbol) symbols.insert(factor.atom->symbol);
      for (const Dim operand : factor.atom->operands) collect_symbols(operand, symbols, seen);
    }
  }
}

Error error_of(const Outcome& outcome, Dim dim, std::span<const int64_t> values) {
  std::string text = "'" + to_string(dim) + "'";
  std::string_view separator = " with ";
  for (const uint32_t index : symbols_of(dim)) {
    if (index >= values.size()) continue;
    text +=
        std::string(separator) + expression_of(dim).store->symbols[index].name + " = " + std::to_string(values[index]);
    separator = ", ";
  }
  switch (outcome.failure) {
    case Failure::mismatch:
      return {Code::shape_mismatch, text + ": " + std::to_string(outcome.left) + " and " +
                                        std::to_string(outcome.right) + " do not broadcast"};
    case Failure::division_by_zero:
      return {Code::invalid_argument, text + ": division by zero"};
    case Failure::missing_value:
      return {Code::invalid_argument,
              text + ": the value of '" + expression_of(dim).store->symbols[outcome.symbol].name + "' is not known"};
    default:
      return {Code::invalid_argument, text + ": does not fit 64 bits"};
  }
}

// A copy in the pool of the replacements. Parts that occur several times are replaced once.
class Substitution {
 public:
  explicit Substitution(std::span<const Dim> by_symbol) : by_symbol_(by_symbol) {}

  Dim replace(Dim dim) {
    if (!dim.is_expression()) return dim;
    Dim sum = 0;
    for (const DimTerm& term : expression_of(dim).terms) {
      Dim product = term.coefficient;
      for (const DimFactor& factor : term.monomial->factors) {
        const Dim atom = replace(*factor.atom);
        for (uint32_t i = 0; i < factor.power; ++i) product *= atom;
      }
      sum += product;
    }
    return sum;
  }

 private:
  Dim replace(const DimAtom& atom) {
    const auto found = replaced_.find(&atom);
    if (found != replaced_.end()) return found->second;
    const Dim result = replace_anew(atom);
    replaced_.emplace(&atom, result);
    return result;
  }

  Dim replace_anew(const DimAtom& atom) {
    if (atom.kind == DimAtomKind::symbol) {
      return atom.symbol < by_symbol_.size() ? by_symbol_[atom.symbol] : Dim::unknown(UnknownDim::outgrown);
    }
    Dim result = replace(atom.operands[0]);
    switch (atom.kind) {
      case DimAtomKind::positive:
        return less(0, result);
      case DimAtomKind::zero:
        return equal(result, 0);
      case DimAtomKind::select:
        return select(result, replace(atom.operands[1]), replace(atom.operands[2]));
      default:
        break;
    }
    for (size_t i = 1; i < atom.operands.size(); ++i) {
      const Dim next = replace(atom.operands[i]);
      switch (atom.kind) {
        case DimAtomKind::floor_divide:
          result = floor_divide(result, next);
          break;
        case DimAtomKind::truncate_divide:
          result = truncate_divide(result, next);
          break;
        case DimAtomKind::min:
          result = min(result, next);
          break;
        case DimAtomKind::max:
          result = max(result, next);
          break;
        default:
          result = broadcast(result, next);
      }
    }
    return result;
  }

  std::span<const Dim> by_symbol_;
  std::unordered_map<const DimAtom*, Dim> replaced_;
};

}  // namespace

std::vector<uint32_t> symbols_of(Dim dim) {
  std::set<uint32_t> symbols;
  std::unordered_set<const DimAtom*> seen;
  collect_symbols(dim, symbols, seen);
  return {symbols.begin(), symbols.end()};
}

Result<int64_t> evaluate(Dim dim, std::span<const int64_t> symbol_values) {
  const Outcome outcome = evaluate_dim(dim, symbol_values);
  if (outcome.failure != Failure::none) return error_of(outcome, dim, symbol_values);
  return outcome.value;
}

Dim substitute(Dim dim, std::span<const Dim> by_symbol) { return Substitution(by_symbol).replace(dim); }

std::optional<SolvedSymbol> solve_for_symbol(Dim dim, int64_t value, std::span<const std::optional<int64_t>> known) {
  if (!dim.is_expression()) return {};
  const auto is_known = [&](uint32_t symbol) { return symbol < known.size() && known[symbol].has_value(); };
  if (const DimSymbol* symbol = as_symbol(dim)) {
    if (is_known(symbol->index)) return {};
    return SolvedSymbol{symbol->index, value};
  }
  std::vector<int64_t> values(expression_of(dim).store->symbols.size(), 0);
  for (size_t i = 0; i < values.size(); ++i) values[i] = is_known(static_cast<uint32_t>(i)) ? *known[i] : 0;

  std::optional<uint32_t> unknown;
  int64_t coefficient = 0, rest = 0;  // dim = coefficient * unknown + rest
  for (const DimTerm& term : expression_of(dim).terms) {
    int64_t product = term.coefficient;
    bool has_unknown = false;
    for (const DimFactor& factor : term.monomial->factors) {
      if (factor.atom->kind == DimAtomKind::symbol && !is_known(factor.atom->symbol)) {
        if (has_unknown || factor.power != 1 || unknown.value_or(factor.atom->symbol) != factor.atom->symbol) return {};
        unknown = factor.atom->symbol;
        has_unknown = true;
        continue;
      }
      for (const Dim operand : factor.atom->operands) {
        for (const uint32_t symbol : symbols_of(operand)) {
          if (!is_known(symbol)) return {};
        }
      }
      const Outcome outcome = evaluate_atom(*factor.atom, values);
      if (outcome.failure != Failure::none) return {};
      for (uint32_t i = 0; i < factor.power; ++i) {
        if (__builtin_mul_overflow(product, outcome.value, &product)) return {};
      }
    }
    int64_t& sum = has_unknown ? coefficient : rest;
    if (__builtin_add_overflow(sum, product, &sum)) return {};
  }
  int64_t gap = 0;
  if (!unknown || coefficient == 0 || __builtin_sub_overflow(value, rest, &gap)) return {};
  if (coefficient == -1 && gap == INT64_MIN) return {};
  if (gap % coefficient != 0) return {};
  return SolvedSymbol{*unknown, gap / coefficient};
}

// --- The program ---

uint32_t DimProgram::emit(uint8_t operation, uint32_t a, uint32_t b, int64_t immediate) {
  code_.push_back({operation, slots_used_, a, b, immediate});
  return slots_used_++;
}

uint32_t DimProgram::add(Dim dim) {
  assert(!dim.is_unknown());
  const uint32_t slot = compile(dim);
  if (slot_was_added_.size() <= slot) slot_was_added_.resize(slot + 1, false);
  if (!slot_was_added_[slot]) added_.emplace_back(dim, slot);
  slot_was_added_[slot] = true;
  return slot;
}

uint32_t DimProgram::compile(Dim dim) {
  const auto found = slot_of_dim_.find(dim);
  if (found != slot_of_dim_.end()) return found->second;
  uint32_t slot = 0;
  if (dim.is_number()) {
    slot = emit(number, 0, 0, dim.number());
  } else {
    const DimTerms& terms = expression_of(dim).terms;
    bool is_first = true;
    for (const DimTerm& term : terms) {
      if (term.monomial->degree == 0) {  // the last one
        slot = emit(add_number, slot, 0, term.coefficient);
        continue;
      }
      const uint32_t product = compile_monomial(term.monomial);
      if (!is_first) {
        slot = emit(add_scaled, slot, product, term.coefficient);
      } else if (term.coefficient == 1) {
        slot = product;
      } else {
        slot = emit(scale, product, 0, term.coefficient);
      }
      is_first = false;
    }
  }
  slot_of_dim_.emplace(dim, slot);
  return slot;
}

uint32_t DimProgram::compile_monomial(const void* pointer) {
  const auto found = slot_of_part_.find(pointer);
  if (found != slot_of_part_.end()) return found->second;
  const auto& monomial = *static_cast<const DimMonomial*>(pointer);
  std::optional<uint32_t> slot;
  for (const DimFactor& factor : monomial.factors) {
    const uint32_t atom = compile_atom(factor.atom);
    for (uint32_t i = 0; i < factor.power; ++i) slot = slot ? emit(multiply, *slot, atom) : atom;
  }
  slot_of_part_.emplace(pointer, *slot);
  return *slot;
}

uint32_t DimProgram::compile_atom(const void* pointer) {
  const auto found = slot_of_part_.find(pointer);
  if (found != slot_of_part_.end()) return found->second;
  const auto& atom = *static_cast<const DimAtom*>(pointer);
  uint32_t slot = 0;
  if (atom.kind == DimAtomKind::symbol) {
    slot = emit(symbol, atom.symbol, 0);
    required_symbols_.insert(std::lower_bound(required_symbols_.begin(), required_symbols_.end(), atom.symbol),
                             atom.symbol);
  } else if (atom.kind == DimAtomKind::floor_divide && atom.operands[1].is_number()) {
    slot = emit(floor_divide_number, compile(atom.operands[0]), 0, atom.operands[1].number());
  } else if (atom.kind == DimAtomKind::select) {
    const uint32_t condition = compile(atom.operands[0]), then_slot = compile(atom.operands[1]);
    slot = emit(select_slots, condition, then_slot, compile(atom.operands[2]));
  } else {
    slot = compile(atom.operands[0]);
    if (atom.kind == DimAtomKind::positive) slot = emit(positive, slot, 0);
    if (atom.kind == DimAtomKind::zero) slot = emit(zero, slot, 0);
    for (size_t i = 1; i < atom.operands.size(); ++i) {
      const uint32_t next = compile(atom.operands[i]);
      const Operation operation = atom.kind == DimAtomKind::floor_divide      ? floor_divide_slots
                                  : atom.kind == DimAtomKind::truncate_divide ? truncate_divide_slots
                                  : atom.kind == DimAtomKind::min             ? min_slots
                                  : atom.kind == DimAtomKind::max             ? max_slots
                                                                              : broadcast_slots;
      slot = emit(operation, slot, next);
    }
  }
  slot_of_part_.emplace(pointer, slot);
  return slot;
}

// Any failure is looked at again expression by expression: it may lie in a branch that is not taken, and its text
// names the expression.
Result<void> DimProgram::run_each(std::span<const int64_t> symbol_values, std::span<int64_t> slots) const {
  for (const auto& [dim, slot] : added_) {
    HEED_ASSIGN(slots[slot], evaluate(dim, symbol_values));
  }
  return {};
}

Result<void> DimProgram::run(std::span<const int64_t> symbol_values, std::span<int64_t> slots) const {
  assert(slots.size() >= slots_used_);
  if (!required_symbols_.empty() && required_symbols_.back() >= symbol_values.size()) {
    return run_each(symbol_values, slots);
  }
  int64_t* const slot = slots.data();
  bool failed = false;
  for (const Instruction& step : code_) {
    const int64_t immediate = step.immediate;
    int64_t result = 0;
    switch (static_cast<Operation>(step.operation)) {
      case number:
        result = immediate;
        break;
      case symbol:
        result = symbol_values[step.a];
        break;
      case multiply:
        failed |= __builtin_mul_overflow(slot[step.a], slot[step.b], &result);
        break;
      case scale:
        failed |= __builtin_mul_overflow(slot[step.a], immediate, &result);
        break;
      case add_scaled:
        failed |= __builtin_mul_overflow(slot[step.b], immediate, &result);
        failed |= __builtin_add_overflow(slot[step.a], result, &result);
        break;
      case add_number:
        failed |= __builtin_add_overflow(slot[step.a], immediate, &result);
        break;
      case floor_divide_number: {
        const int64_t a = slot[step.a];
        result = a / immediate - (a % immediate < 0);
        break;
      }
      case floor_divide_slots:
      case truncate_divide_slots: {
        const int64_t a = slot[step.a], b = slot[step.b];
        if (b == 0 || (a == INT64_MIN && b == -1)) {
          failed = true;
          break;
        }
        result = a / b;
        if (step.operation == floor_divide_slots) result -= a % b != 0 && (a < 0) != (b < 0);
        break;
      }
      case min_slots:
        result = std::min(slot[step.a], slot[step.b]);
        break;
      case max_slots:
        result = std::max(slot[step.a], slot[step.b]);
        break;
      case broadcast_slots: {
        const int64_t a = slot[step.a], b = slot[step.b];
        failed |= a != b && a != 1 && b != 1;
        result = a == 1 ? b : a;
        break;
      }
      case positive:
        result = slot[step.a] > 0;
        break;
      case zero:
        result = slot[step.a] == 0;
        break;
      case select_slots:
        result = slot[slot[step.a] != 0 ? step.b : static_cast<uint32_t>(immediate)];
        break;
    }
    slot[step.destination] = result;
  }
  if (failed) [[unlikely]]
    return run_each(symbol_values, slots);
  return {};
}

}  // namespace heed
