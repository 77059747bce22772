// Dim: a size or an element of a shape tensor: a number, or an expression over symbols in one normal form.
// Shared by the runtime and by plugins; whoever owns the expressions (base/dim.hpp in the runtime) is behind a table.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string>

#include "heed/plugin.h"

namespace heed {

// What combines expressions. The runtime sets it to its own table before main; the SDK sets a shared plugin's copy to
// the host's, which is why it is hidden: each library has one.
[[gnu::visibility("hidden")]] inline const heed_dim_algebra* dim_algebra = nullptr;

// Why a Dim is unknown. The algebra has no errors; an unknown operand makes the result unknown, with the same reason.
enum class UnknownDim : int64_t {
  outgrown = 0,          // more than 64 terms, or nested too deep: compute it at bind instead
  overflow = 1,          // does not fit 64 bits
  division_by_zero = 2,  //
  mismatch = 3,          // a broadcast of two numbers that differ, neither of them 1
};

// Equal expressions are equal bits. An unknown Dim stands for no size: replace it by a symbol, or report it, before it
// goes into a shape. Expressions live as long as their graph; combining those of one graph is for one thread at a time.
class Dim {
 public:
  constexpr Dim() = default;
  constexpr Dim(int64_t number) : value_{number, 0} {}
  constexpr explicit Dim(heed_dim value) : value_(value) {}
  static constexpr Dim unknown(UnknownDim why) { return Dim(heed_dim{static_cast<int64_t>(why), unknown_expression}); }

  constexpr bool is_number() const { return value_.expression == 0; }
  constexpr bool is_number(int64_t number) const { return value_.expression == 0 && value_.number == number; }
  constexpr bool is_unknown() const { return value_.expression == unknown_expression; }
  constexpr bool is_expression() const { return value_.expression > unknown_expression; }
  constexpr int64_t number() const { return assert(is_number()), value_.number; }
  constexpr UnknownDim why_unknown() const { return assert(is_unknown()), static_cast<UnknownDim>(value_.number); }
  constexpr heed_dim c_dim() const { return value_; }

  // The least and greatest number that it can be shown to take; INT64_MIN and INT64_MAX also mean "no bound known".
  int64_t lower_bound() const {
    return is_number() ? value_.number : is_unknown() || !dim_algebra ? INT64_MIN : dim_algebra->lower_bound(value_);
  }
  int64_t upper_bound() const {
    return is_number() ? value_.number : is_unknown() || !dim_algebra ? INT64_MAX : dim_algebra->upper_bound(value_);
  }

  friend constexpr bool operator==(Dim a, Dim b) {
    return a.value_.number == b.value_.number && a.value_.expression == b.value_.expression;
  }

  friend constexpr Dim operator+(Dim a, Dim b) { return combine(HEED_DIM_ADD, a, b); }
  friend constexpr Dim operator-(Dim a, Dim b) { return combine(HEED_DIM_SUBTRACT, a, b); }
  friend constexpr Dim operator*(Dim a, Dim b) { return combine(HEED_DIM_MULTIPLY, a, b); }
  friend constexpr Dim operator-(Dim a) { return combine(HEED_DIM_SUBTRACT, 0, a); }
  constexpr Dim& operator+=(Dim b) { return *this = *this + b; }
  constexpr Dim& operator-=(Dim b) { return *this = *this - b; }
  constexpr Dim& operator*=(Dim b) { return *this = *this * b; }

  // Divisions round down, up, and towards zero. A division by zero is unknown; where a divisor cancels, it is taken to
  // be other than zero: (a * b) / b is a.
  friend constexpr Dim floor_divide(Dim a, Dim b) { return combine(HEED_DIM_FLOOR_DIVIDE, a, b); }
  friend constexpr Dim ceil_divide(Dim a, Dim b) { return combine(HEED_DIM_CEIL_DIVIDE, a, b); }
  friend constexpr Dim truncate_divide(Dim a, Dim b) { return combine(HEED_DIM_TRUNCATE_DIVIDE, a, b); }
  // a - b * floor(a / b): the sign follows the divisor, as in Python.
  friend constexpr Dim modulo(Dim a, Dim b) { return combine(HEED_DIM_MODULO, a, b); }
  friend constexpr Dim min(Dim a, Dim b) { return combine(HEED_DIM_MIN, a, b); }
  friend constexpr Dim max(Dim a, Dim b) { return combine(HEED_DIM_MAX, a, b); }
  // The size of an axis on which a and b meet: the one that is not 1. That they fit is for the caller to prove or to
  // check at bind: broadcast(n, 12) is 12.
  friend constexpr Dim broadcast(Dim a, Dim b) { return combine(HEED_DIM_BROADCAST, a, b); }
  // 1 where true, else 0.
  friend constexpr Dim less(Dim a, Dim b) { return combine(HEED_DIM_LESS, a, b); }
  friend constexpr Dim equal(Dim a, Dim b) { return combine(HEED_DIM_EQUAL, a, b); }
  // then_dim where the condition is not 0.
  friend constexpr Dim select(Dim condition, Dim then_dim, Dim else_dim) {
    if (condition.is_number()) return condition.value_.number != 0 ? then_dim : else_dim;
    if (condition.is_unknown()) return condition;
    return dim_algebra ? Dim(dim_algebra->select(condition.value_, then_dim.value_, else_dim.value_))
                       : unknown(UnknownDim::outgrown);
  }

  // "12", "past + seq", "ceil(n/2)"; "?" and the reason where unknown.
  friend std::string to_string(Dim dim) {
    if (dim.is_number()) return std::to_string(dim.value_.number);
    if (dim.is_unknown()) {
      constexpr const char* names[] = {"?outgrown", "?overflow", "?division by zero", "?mismatch"};
      return dim.value_.number >= 0 && dim.value_.number < 4 ? names[dim.value_.number] : "?";
    }
    if (!dim_algebra) return "?";
    std::string text(64, '\0');
    size_t size = dim_algebra->text(dim.value_, text.data(), text.size());
    if (size > text.size()) {
      text.resize(size);
      size = dim_algebra->text(dim.value_, text.data(), text.size());
    }
    text.resize(size);
    return text;
  }

 private:
  static constexpr uint64_t unknown_expression = 1;  // the address of no expression

  static constexpr Dim combine(heed_dim_operation operation, Dim a, Dim b) {
    if (a.is_number() && b.is_number()) return combine_numbers(operation, a.value_.number, b.value_.number);
    if (a.is_unknown()) return a;
    if (b.is_unknown()) return b;
    return dim_algebra ? Dim(dim_algebra->combine(operation, a.value_, b.value_)) : unknown(UnknownDim::outgrown);
  }

  static constexpr Dim combine_numbers(heed_dim_operation operation, int64_t a, int64_t b) {
    int64_t result = 0;
    switch (operation) {
      case HEED_DIM_ADD:
        return __builtin_add_overflow(a, b, &result) ? unknown(UnknownDim::overflow) : Dim(result);
      case HEED_DIM_SUBTRACT:
        return __builtin_sub_overflow(a, b, &result) ? unknown(UnknownDim::overflow) : Dim(result);
      case HEED_DIM_MULTIPLY:
        return __builtin_mul_overflow(a, b, &result) ? unknown(UnknownDim::overflow) : Dim(result);
      case HEED_DIM_FLOOR_DIVIDE:
      case HEED_DIM_CEIL_DIVIDE:
      case HEED_DIM_TRUNCATE_DIVIDE:
      case HEED_DIM_MODULO: {
        if (b == 0) return unknown(UnknownDim::division_by_zero);
        if (a == INT64_MIN && b == -1) {
          return operation == HEED_DIM_MODULO ? Dim(0) : unknown(UnknownDim::overflow);
        }
        const int64_t quotient = a / b, remainder = a % b;
        const bool same_sign = (remainder < 0) == (b < 0);
        if (operation == HEED_DIM_MODULO) return remainder != 0 && !same_sign ? remainder + b : remainder;
        if (operation == HEED_DIM_FLOOR_DIVIDE) return quotient - (remainder != 0 && !same_sign);
        if (operation == HEED_DIM_CEIL_DIVIDE) return quotient + (remainder != 0 && same_sign);
        return quotient;
      }
      case HEED_DIM_MIN:
        return a < b ? a : b;
      case HEED_DIM_MAX:
        return a < b ? b : a;
      case HEED_DIM_BROADCAST:
        return a == b || b == 1 ? Dim(a) : a == 1 ? Dim(b) : unknown(UnknownDim::mismatch);
      case HEED_DIM_LESS:
        return a < b;
      case HEED_DIM_EQUAL:
        return a == b;
    }
    return unknown(UnknownDim::outgrown);
  }

  heed_dim value_{0, 0};
};

static_assert(sizeof(Dim) == sizeof(heed_dim));

}  // namespace heed
