// Regular expressions as tokenizer files write them (Oniguruma's Ruby syntax), matched by PCRE2.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "heed/result.hpp"

namespace heed::text {

// Immutable once compiled; any thread may match.
class Regex {
 public:
  static Result<Regex> compile(std::string_view pattern);

  // Visits the non-empty matches from left to right as (begin, end) in bytes. The text must be UTF-8.
  // A pattern that backtracks beyond PCRE2's limits is an error.
  Result<void> each_match(std::string_view text, const std::function<void(size_t, size_t)>& visit) const;

 private:
  std::string pattern_;
  std::shared_ptr<const void> code_;
};

// Rewrites what PCRE2 reads differently: \w, \s, \h, \uXXXX, and sets inside sets. Inside a set, \W and \S are PCRE2's.
Result<std::string> to_pcre(std::string_view pattern);

}  // namespace heed::text
