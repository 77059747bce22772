// What the rewrites around heed.Attention ask of numbers in a match.
#pragma once

#include "heed/plugin.hpp"

namespace heed::ops {

// A positive number that leaves the dims of what it is multiplied with as they are.
inline std::optional<double> factor(Match& match, std::string_view name, TypeView with) {
  const auto number = match.scalar(name);
  const auto type = match.type(name);
  return number && *number > 0 && type->has_rank() && type->rank() <= with.rank() ? number : std::nullopt;
}

// What the variables `multiplier` and `divisor` of a pattern come to, 1 where it has neither; null where they are no
// numbers.
inline std::optional<double> scale_of(Match& match, TypeView with) {
  if (match.type("multiplier")) return factor(match, "multiplier", with);
  if (!match.type("divisor")) return 1.0;
  const auto divisor = factor(match, "divisor", with);
  return divisor ? std::optional(1 / *divisor) : std::nullopt;
}

// What stands where a mask hides: -inf, or a finite number so low that it swallows any score added to it, as torch
// writes.
enum class Hiding { no, finite, infinite };

inline Hiding hiding(Match& match, std::string_view name) {
  constexpr double swallows = -1e30;
  const auto number = match.scalar(name);
  if (!number || !(*number <= swallows)) return Hiding::no;
  return *number == -std::numeric_limits<double>::infinity() ? Hiding::infinite : Hiding::finite;
}

}  // namespace heed::ops
