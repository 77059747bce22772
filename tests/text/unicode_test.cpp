// UTF-8, and regular expressions in PCRE2's terms.
#include "text/unicode.hpp"

#include <catch2/catch.hpp>

#include "text/regex.hpp"

namespace heed::text {

TEST_CASE("bytes that are not UTF-8 are found, and each maximal part is replaced once") {
  const struct {
    const char* source;
    std::string bytes;
    std::optional<size_t> first_invalid;
    std::string decided, rest;
  } cases[] = {
      {"all characters", "aé你🙂", std::nullopt, "aé你🙂", ""},
      {"Unicode 15, table 3-8: truncated E1 80, lone E2 and 91", "\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 0,
       "\uFFFD\uFFFD\uFFFD\uFFFDA", ""},
      {"Unicode 15, table 3-9: surrogates ED A0", "\xED\xA0\x80\x41", 0, "\uFFFD\uFFFD\uFFFDA", ""},
      {"overlong C0 AF", "x\xC0\xAF", 1, "x\uFFFD\uFFFD", ""},
      {"beyond U+10FFFF", "\xF4\x90\x80\x80", 0, "\uFFFD\uFFFD\uFFFD\uFFFD", ""},
      {"lone continuation", "a\x80", 1, "a\uFFFD", ""},
      {"incomplete end of two", "a\xC3", 1, "a", "\xC3"},
      {"incomplete end of four", "\xF0\x9F\x99", 0, "", "\xF0\x9F\x99"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.source);
    CHECK(find_invalid_utf8(row.bytes) == row.first_invalid);
    std::string bytes = row.bytes;
    CHECK(take_decided_utf8(bytes) == row.decided);
    CHECK(bytes == row.rest);
  }
}

TEST_CASE("every character survives being written and read") {
  for (char32_t c = 0; c <= 0x10FFFF; c = c == 0xD7FF ? 0xE000 : c + 1) {
    std::string text;
    append_utf8(text, c);
    size_t offset = 0;
    if (next_code_point(text, offset) != c || offset != text.size()) FAIL("U+" << std::hex << static_cast<uint32_t>(c));
  }
}

TEST_CASE("patterns in Oniguruma's syntax are rewritten for PCRE2") {
  const struct {
    const char *pattern, *expected;
  } cases[] = {
      {"[^(a|[.,!])]+", "[^(a|.,!)]+"},       {"\\u00e9x", "\\x{00e9}x"},
      {"[a[:alpha:]]", "[a[:alpha:]]"},       {"\\[\\p{L}\\]", "\\[\\p{L}\\]"},
      {"[\\[\\]]\\h", "[\\[\\]][0-9a-fA-F]"}, {"[]a]", "[]a]"},
  };
  for (const auto& row : cases) {
    CAPTURE(row.pattern);
    const auto pattern = to_pcre(row.pattern);
    REQUIRE(pattern);
    CHECK(*pattern == row.expected);
  }
}

TEST_CASE("patterns that cannot be served are errors, not guesses") {
  for (const char* pattern : {"(", "[a&&b]", "[a[^b]]", "[[:alpha", "a{2,1}", "\\", "[", "\\C"}) {
    CAPTURE(pattern);
    const auto regex = Regex::compile(pattern);
    REQUIRE_FALSE(regex);
    CHECK(regex.error().code == Code::unsupported);
  }
}

TEST_CASE("a pattern that backtracks without end is stopped") {
  const auto regex = Regex::compile("(a+)+$x|(a|aa)+b");
  REQUIRE(regex);
  const auto matched = regex->each_match(std::string(5000, 'a'), [](size_t, size_t) {});
  REQUIRE_FALSE(matched);
  CHECK(matched.error().message.find("limit") != std::string::npos);
}

TEST_CASE("empty matches are passed over, one character at a time") {
  const auto regex = Regex::compile("x*");
  REQUIRE(regex);
  std::vector<std::pair<size_t, size_t>> met;
  REQUIRE(regex->each_match("éxx你x", [&](size_t begin, size_t end) { met.emplace_back(begin, end); }));
  CHECK(met == std::vector<std::pair<size_t, size_t>>{{2, 4}, {7, 8}});
}

}  // namespace heed::text
