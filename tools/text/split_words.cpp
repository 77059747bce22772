// The pre-tokenizers of tokenizer.json, one maker each, and the table of their names.
#include "text/split_words.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "text/component.hpp"
#include "text/field.hpp"
#include "text/normalize.hpp"
#include "text/regex.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

// What becomes of the matches of a pattern inside a word.
enum class Behavior { removed, isolated, merged_with_previous, merged_with_next, contiguous };

constexpr struct {
  std::string_view name;
  Behavior behavior;
} behaviors[] = {{"Removed", Behavior::removed},
                 {"Isolated", Behavior::isolated},
                 {"MergedWithPrevious", Behavior::merged_with_previous},
                 {"MergedWithNext", Behavior::merged_with_next},
                 {"Contiguous", Behavior::contiguous}};

struct Span {
  size_t begin, end;
  bool is_match;
};

// Applies a behavior to spans that cover a word from end to end.
void apply(Behavior behavior, std::vector<Span>& spans) {
  std::vector<Span> kept;
  kept.reserve(spans.size());
  switch (behavior) {
    case Behavior::isolated:
      return;
    case Behavior::removed:
      std::copy_if(spans.begin(), spans.end(), std::back_inserter(kept), [](const Span& s) { return !s.is_match; });
      break;
    case Behavior::contiguous:
      for (const Span& span : spans) {
        if (!kept.empty() && kept.back().is_match == span.is_match)
          kept.back().end = span.end;
        else
          kept.push_back(span);
      }
      break;
    case Behavior::merged_with_previous:
      for (size_t i = 0; i < spans.size(); ++i) {
        if (spans[i].is_match && i > 0 && !spans[i - 1].is_match)
          kept.back().end = spans[i].end;
        else
          kept.push_back(spans[i]);
      }
      break;
    case Behavior::merged_with_next:
      for (size_t i = spans.size(); i-- > 0;) {
        if (spans[i].is_match && i + 1 < spans.size() && !spans[i + 1].is_match)
          kept.back().begin = spans[i].begin;
        else
          kept.push_back(spans[i]);
      }
      std::reverse(kept.begin(), kept.end());
      break;
  }
  spans = std::move(kept);
}

// Cuts each word at the spans that `find(word, spans)` gives.
template <class Find>
Result<Words> cut(const Words& words, Behavior behavior, Find find) {
  Words out;
  out.text.reserve(words.text.size());
  out.ends.reserve(words.ends.size());
  std::vector<Span> spans;
  for (size_t i = 0; i < words.size(); ++i) {
    spans.clear();
    HEED_TRY(find(words[i], spans));
    apply(behavior, spans);
    if (i == 0) out.starts_text = words.starts_text && !spans.empty() && spans.front().begin == 0;
    for (const Span& span : spans) out.add(words[i].substr(span.begin, span.end - span.begin));
  }
  return out;
}

void add_span(std::vector<Span>& spans, size_t begin, size_t end, bool is_match) {
  if (begin < end) spans.push_back({begin, end, is_match});
}

// Each character for which `matches` holds is a match by itself.
template <class Matches>
SplitWords at_characters(Behavior behavior, Matches matches) {
  return [behavior, matches](Words words) {
    return cut(words, behavior, [&](std::string_view word, std::vector<Span>& spans) -> Result<void> {
      size_t done = 0;
      for (size_t offset = 0; offset < word.size();) {
        const size_t begin = offset;
        if (!matches(next_code_point(word, offset))) continue;
        add_span(spans, done, begin, false);
        add_span(spans, begin, offset, true);
        done = offset;
      }
      add_span(spans, done, word.size(), false);
      return {};
    });
  };
}

SplitWords at_pattern(Behavior behavior, bool invert, FindMatches matches) {
  return [behavior, invert, matches](Words words) {
    return cut(words, behavior, [&](std::string_view word, std::vector<Span>& spans) -> Result<void> {
      size_t done = 0;
      HEED_TRY(matches(word, [&](size_t begin, size_t end) {
        add_span(spans, done, begin, invert);
        add_span(spans, begin, end, !invert);
        done = end;
      }));
      add_span(spans, done, word.size(), invert);
      return {};
    });
  };
}

Result<Behavior> read_behavior(const Field& field, const std::string& fallback) {
  HEED_ASSIGN(const std::string name, field.string_or("behavior", fallback));
  for (const auto& [known, behavior] : behaviors) {
    if (known == name) return behavior;
  }
  return field.wrong("has the behavior '" + name +
                     "'; expected Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

Result<SplitWords> make_sequence(const Field& field) {
  HEED_ASSIGN(const auto elements, field.list("pretokenizers"));
  std::vector<SplitWords> steps;
  for (const Field& element : elements) {
    HEED_ASSIGN(steps.emplace_back(), read_pre_tokenizer(element));
  }
  return SplitWords([steps](Words words) -> Result<Words> {
    for (const auto& step : steps) {
      HEED_ASSIGN(words, step(std::move(words)));
      if (words.text.size() > max_text_bytes) return too_long("pre-tokenizer");
    }
    return words;
  });
}

Result<SplitWords> make_byte_level(const Field& field) {
  HEED_ASSIGN(const bool add_prefix_space, field.boolean_or("add_prefix_space", true));
  HEED_ASSIGN(const bool use_regex, field.boolean_or("use_regex", true));
  // GPT-2's pattern (Radford et al. 2019, encoder.py).
  HEED_ASSIGN(const Regex pattern,
              Regex::compile("'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"));
  const SplitWords split = at_pattern(Behavior::isolated, false, [pattern](std::string_view text, const auto& visit) {
    return pattern.each_match(text, visit);
  });
  return SplitWords([=](Words words) -> Result<Words> {
    if (add_prefix_space) {
      Words prefixed;
      for (size_t i = 0; i < words.size(); ++i)
        prefixed.add(words[i].front() == ' ' ? std::string(words[i]) : " " + std::string(words[i]));
      prefixed.starts_text = words.starts_text;
      words = std::move(prefixed);
    }
    if (use_regex) {
      HEED_ASSIGN(words, split(std::move(words)));
    }
    Words mapped;
    mapped.starts_text = words.starts_text;
    mapped.text.reserve(words.text.size() * 5 / 4);
    mapped.ends.reserve(words.size());
    for (size_t i = 0; i < words.size(); ++i) mapped.add(to_byte_level(words[i]));
    return mapped;
  });
}

Result<SplitWords> make_whitespace(const Field&) {
  enum Kind { word, space, other };
  return SplitWords([](Words words) {
    return cut(words, Behavior::removed, [](std::string_view text, std::vector<Span>& spans) -> Result<void> {
      Kind kind = space;
      size_t begin = 0;
      for (size_t offset = 0; offset < text.size();) {
        const size_t at = offset;
        const char32_t c = next_code_point(text, offset);
        const Kind met = is_word(c) ? word : is_white_space(c) ? space : other;
        if (met == kind) continue;
        add_span(spans, begin, at, kind == space);
        begin = at;
        kind = met;
      }
      add_span(spans, begin, text.size(), kind == space);
      return {};
    });
  });
}

Result<SplitWords> make_whitespace_split(const Field&) { return at_characters(Behavior::removed, is_white_space); }

Result<SplitWords> make_bert(const Field&) { return bert_words(); }

Result<SplitWords> make_split(const Field& field) {
  HEED_ASSIGN(const FindMatches matches, read_pattern(field));
  HEED_ASSIGN(const Behavior behavior, read_behavior(field, "Isolated"));
  HEED_ASSIGN(const bool invert, field.boolean_or("invert", false));
  return at_pattern(behavior, invert, matches);
}

Result<SplitWords> make_metaspace(const Field& field) {
  std::string replacement = "\xE2\x96\x81";
  if (field.has("replacement")) {
    HEED_ASSIGN(const Field member, field.at("replacement"));
    HEED_TRY(member.as_character());
    HEED_ASSIGN(replacement, member.as_string());
  }
  HEED_ASSIGN(const bool add_prefix_space,
              field.boolean_or("add_prefix_space", true));  // before prepend_scheme existed
  HEED_ASSIGN(const std::string scheme, field.string_or("prepend_scheme", add_prefix_space ? "always" : "never"));
  if (scheme != "always" && scheme != "first" && scheme != "never") {
    return field.wrong("has the prepend_scheme '" + scheme + "'; expected always, first or never");
  }
  HEED_ASSIGN(const bool split, field.boolean_or("split", true));
  const SplitWords cut_before = at_pattern(
      Behavior::merged_with_next, false,
      [replacement](std::string_view text, const std::function<void(size_t, size_t)>& visit) -> Result<void> {
        for (size_t at = text.find(replacement); at != text.npos;
             at = text.find(replacement, at + replacement.size())) {
          visit(at, at + replacement.size());
        }
        return {};
      });
  return SplitWords([=](Words words) -> Result<Words> {
    Words marked;
    marked.starts_text = words.starts_text;
    std::string word;
    for (size_t i = 0; i < words.size(); ++i) {
      word.clear();
      for (const char c : words[i]) {
        if (c == ' ')
          word += replacement;
        else
          word += c;
      }
      const bool prepend = scheme == "always" || (scheme == "first" && i == 0 && words.starts_text);
      if (prepend && !word.starts_with(replacement)) word.insert(0, replacement);
      marked.add(word);
    }
    return split ? cut_before(std::move(marked)) : Result<Words>(std::move(marked));
  });
}

Result<SplitWords> make_punctuation(const Field& field) {
  HEED_ASSIGN(const Behavior behavior, read_behavior(field, "Isolated"));
  return at_characters(behavior, is_punctuation);
}

Result<SplitWords> make_digits(const Field& field) {
  HEED_ASSIGN(const bool individual, field.boolean_or("individual_digits", false));
  return at_characters(individual ? Behavior::isolated : Behavior::contiguous, is_number);
}

constexpr Component<SplitWords> pre_tokenizers[] = {
    {"BertPreTokenizer", make_bert}, {"ByteLevel", make_byte_level},    {"Digits", make_digits},
    {"Metaspace", make_metaspace},   {"Punctuation", make_punctuation}, {"Sequence", make_sequence},
    {"Split", make_split},           {"Whitespace", make_whitespace},   {"WhitespaceSplit", make_whitespace_split},
};

// The alphabet: printable Latin-1 bytes stand for themselves, the others for U+0100 and up (GPT-2, encoder.py).
constexpr std::array<char16_t, 256> byte_alphabet = [] {
  std::array<char16_t, 256> alphabet{};
  char16_t next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    alphabet[static_cast<size_t>(byte)] = printable ? static_cast<char16_t>(byte) : next++;
  }
  return alphabet;
}();

constexpr std::array<int16_t, 0x144> byte_of_character = [] {
  std::array<int16_t, 0x144> bytes{};
  for (auto& byte : bytes) byte = -1;
  for (int byte = 0; byte < 256; ++byte) bytes[byte_alphabet[static_cast<size_t>(byte)]] = static_cast<int16_t>(byte);
  return bytes;
}();

}  // namespace

Result<SplitWords> read_pre_tokenizer(const Field& field) {
  if (field.value().is_null()) return SplitWords([](Words words) -> Result<Words> { return words; });
  return make_component<SplitWords>(field, "pre-tokenizer", pre_tokenizers);
}

SplitWords bert_words() {
  return [spaces = at_characters(Behavior::removed, is_white_space),
          punctuation = at_characters(Behavior::isolated, is_punctuation)](Words words) -> Result<Words> {
    HEED_ASSIGN(words, spaces(std::move(words)));
    return punctuation(std::move(words));
  };
}

std::string to_byte_level(std::string_view bytes) {
  std::string characters;
  characters.reserve(bytes.size() * 2);
  for (const char byte : bytes) append_utf8(characters, byte_alphabet[static_cast<unsigned char>(byte)]);
  return characters;
}

std::string from_byte_level(std::string_view token) {
  std::string bytes;
  for (size_t offset = 0; offset < token.size();) {
    const char32_t c = next_code_point(token, offset);
    if (c >= byte_of_character.size() || byte_of_character[c] < 0) return std::string(token);
    bytes += static_cast<char>(byte_of_character[c]);
  }
  return bytes;
}

}  // namespace heed::text
