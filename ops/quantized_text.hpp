// Codes and the numbers that they stand for, as text of replacements: element by element, in f32. Scales and zero points are
// one for all of a tensor; what a name stands for that is absent is 0.
#pragma once

#include <algorithm>
#include <cstring>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// Whether the ranks of these are known, as far as they are there.
inline bool have_ranks(Match& match, std::initializer_list<std::string_view> names) {
  return std::all_of(names.begin(), names.end(), [&](std::string_view name) {
    const auto type = match.type(name);
    return !type || type->has_rank();
  });
}

// A scale or zero point without axes.
inline std::string as_number(Match& match, std::string_view name) {
  return match.type(name)->rank() == 0 ? std::string(name)
                                       : "Reshape(" + std::string(name) + ", Constant<value = int64[0] {}>())";
}

inline std::string numbers_of(Match& match, std::string_view x, std::string_view scale, std::string_view zero_point) {
  std::string codes = "Cast<to = 1>(" + std::string(x) + ")";
  if (match.type(zero_point)) codes = "Sub(" + codes + ", Cast<to = 1>(" + as_number(match, zero_point) + "))";
  return "Mul(" + codes + ", " + as_number(match, scale) + ")";
}

// Sets what the text needs of the type of the codes.
inline std::string codes_of(Match& match, const std::string& numbers, std::string_view scale, std::string_view zero_point,
                     DataType type) {
  const float least = type == DataType::i8 ? -128 : 0;
  match.set("code_type", static_cast<int64_t>(type));
  match.set("least_code", least);
  match.set("greatest_code", least + 255);
  std::string steps = "Round(Div(" + numbers + ", " + as_number(match, scale) + "))";
  if (match.type(zero_point)) steps = "Add(" + steps + ", Cast<to = 1>(" + as_number(match, zero_point) + "))";
  return "Cast<to = @code_type>(Min(Max(" + steps +
         ", Constant<value_float = @least_code>()), Constant<value_float = @greatest_code>()))";
}

// Whether two constants of one element are the same.
inline bool are_same(Match& match, std::string_view a, std::string_view b) {
  const auto left = match.constant(a), right = match.constant(b);
  return left && right && left->element() == right->element() && left->count() == 1 && right->count() == 1 &&
         std::memcmp(left->c.data, right->c.data, static_cast<size_t>(bits_of(left->element()) / 8)) == 0;
}

}  // namespace heed::ops
