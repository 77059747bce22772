// Text of replacements that attention's many spellings share: heads out of a hidden axis, and back into it.
#pragma once

#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {

// The constant [1, 2, 3], in a place where a value may stand.
inline std::string constant_ints(std::initializer_list<int64_t> values) {
  std::string text;
  for (const int64_t value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return "Constant<value_ints = [" + text + "]>()";
}

// "12", or "-1" where only the run tells: of one axis of a Reshape.
inline std::string size_text(Dim size) { return size.is_number() ? std::to_string(size.number()) : "-1"; }

// [batch, heads, sequence, width], named "Q_heads", of "Q" [batch, sequence, heads * width].
inline std::string split_heads(const std::string& input, int64_t heads, Dim width) {
  return input + "_heads = Transpose<perm = [0, 2, 1, 3]>(Reshape(" + input + ", Constant<value_ints = [0, 0, " +
         std::to_string(heads) + ", " + size_text(width) + "]>()));";
}

// "y" [batch, sequence, heads * width] of "y_heads" [batch, heads, sequence, width].
inline std::string join_heads(const std::string& output, Dim hidden) {
  return output + " = Reshape(Transpose<perm = [0, 2, 1, 3]>(" + output + "_heads), Constant<value_ints = [0, 0, " +
         size_text(hidden) + "]>());";
}

}  // namespace heed::ops
