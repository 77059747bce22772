// PCRE2 behind Regex.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.hpp"

#include <pcre2.h>

#include <algorithm>

#include "text/unicode.hpp"

namespace heed::text {
namespace {

// Oniguruma's sets. Of Latin-1 it takes the superscript digits and fractions for word characters too.
constexpr std::string_view word_set = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
constexpr std::string_view space_set =
    "\\x{9}-\\x{D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}";
constexpr std::string_view hex_set = "0-9a-fA-F";

// The set that a letter stands for behind a backslash; empty where PCRE2 agrees with Oniguruma.
std::string_view set_of(char letter) {
  switch (letter) {
    case 'w':
    case 'W':
      return word_set;
    case 's':
    case 'S':
      return space_set;
    case 'h':
    case 'H':
      return hex_set;
    default:
      return {};
  }
}

Error unsupported(std::string_view pattern, const std::string& why) {
  return {Code::unsupported, "the regular expression '" + std::string(pattern.substr(0, 200)) + "' " + why};
}

Error cannot_match(std::string_view pattern, int code) {
  PCRE2_UCHAR message[128] = {};
  pcre2_get_error_message(code, message, sizeof message);
  return {Code::unsupported, "matching the regular expression '" + std::string(pattern.substr(0, 200)) +
                                 "' failed: " + reinterpret_cast<const char*>(message)};
}

}  // namespace

Result<std::string> to_pcre(std::string_view pattern) {
  std::string out;
  int set_depth = 0;
  for (size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    const char next = i + 1 < pattern.size() ? pattern[i + 1] : '\0';
    if (c == '\\') {
      ++i;
      const std::string_view set = set_of(next);
      const bool negated = next >= 'A' && next <= 'Z';
      if (!set.empty() && !set_depth) {
        out += (negated ? "[^" : "[") + std::string(set) + "]";
      } else if (!set.empty() && !negated) {
        out += set;
      } else if (next == 'H') {
        return unsupported(pattern, "has \\H inside a set");
      } else if (next == 'u' && i + 4 < pattern.size()) {
        out += "\\x{" + std::string(pattern.substr(i + 1, 4)) + "}";
        i += 4;
      } else {
        out += c;
        if (i < pattern.size()) out += next;
      }
    } else if (set_depth == 0) {
      out += c;
      if (c == '[') {
        set_depth = 1;
        if (next == '^') out += pattern[++i];
        if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
      }
    } else if (c == '[' && next == ':') {
      const size_t end = pattern.find(":]", i);
      if (end == std::string_view::npos) return unsupported(pattern, "has '[:' without ':]'");
      out += pattern.substr(i, end + 2 - i);
      i = end + 1;
    } else if (c == '[') {
      if (next == '^') return unsupported(pattern, "has a negated set inside a set; only unions are supported");
      ++set_depth;
    } else if (c == ']') {
      if (--set_depth == 0) out += c;
    } else if (c == '&' && next == '&') {
      return unsupported(pattern, "intersects sets with '&&'; only unions are supported");
    } else {
      out += c;
    }
  }
  return out;
}

Result<Regex> Regex::compile(std::string_view pattern) {
  HEED_ASSIGN(const std::string translated, to_pcre(pattern));
  int code = 0;
  PCRE2_SIZE offset = 0;
  // MULTILINE: in Ruby's syntax ^ and $ always mean lines.
  pcre2_code* compiled =
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(translated.data()), translated.size(),
                    PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &offset, nullptr);
  if (!compiled) {
    PCRE2_UCHAR message[128] = {};
    pcre2_get_error_message(code, message, sizeof message);
    return unsupported(pattern, std::string("cannot be compiled: ") + reinterpret_cast<const char*>(message));
  }
  pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE);  // without JIT the interpreter matches
  Regex regex;
  regex.pattern_ = pattern;
  regex.code_ = std::shared_ptr<const void>(
      compiled, [](const void* p) { pcre2_code_free(static_cast<pcre2_code*>(const_cast<void*>(p))); });
  return regex;
}

Result<void> Regex::each_match(std::string_view text, const std::function<void(size_t, size_t)>& visit) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> match(pcre2_match_data_create(1, nullptr),
                                                                             pcre2_match_data_free);
  if (!match) return Error{Code::out_of_memory, "no memory to match a regular expression"};
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  for (size_t offset = 0; offset < text.size();) {
    int found = pcre2_match(code, subject, text.size(), offset, PCRE2_NO_UTF_CHECK, match.get(), nullptr);
    if (found == PCRE2_ERROR_JIT_STACKLIMIT) {  // the interpreter backtracks on the heap
      found = pcre2_match(code, subject, text.size(), offset, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, match.get(), nullptr);
    }
    if (found == PCRE2_ERROR_NOMATCH) return {};
    if (found < 0) return cannot_match(pattern_, found);
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(match.get());
    if (bounds[1] > bounds[0]) {
      // \K in a lookaround may set the start oddly; text already visited is never visited again.
      if (bounds[0] >= offset) visit(bounds[0], bounds[1]);
      if (bounds[1] <= offset) return unsupported(pattern_, "matches backwards");
      offset = bounds[1];
    } else {
      offset = std::max<size_t>(offset, bounds[1]);
      if (offset < text.size()) next_code_point(text, offset);
    }
  }
  return {};
}

}  // namespace heed::text
