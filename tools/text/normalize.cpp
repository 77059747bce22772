// The normalizers of tokenizer.json, one maker each, and the table of their names.
#include "text/normalize.hpp"

#include <nlohmann/json.hpp>

#include "text/component.hpp"
#include "text/field.hpp"
#include "text/regex.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

template <class Keep>
std::string keep_if(std::string_view text, Keep keep) {
  std::string kept;
  kept.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    const size_t begin = offset;
    if (keep(next_code_point(text, offset))) kept.append(text, begin, offset - begin);
  }
  return kept;
}

// BERT keeps \t, \n and \r as spaces, and drops what cannot be seen.
std::string clean(std::string_view text) {
  std::string cleaned;
  cleaned.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    const size_t begin = offset;
    const char32_t c = next_code_point(text, offset);
    if (c == '\t' || c == '\n' || c == '\r') {
      cleaned += ' ';
    } else if (c != 0 && c != 0xFFFD && !is_control(c)) {
      if (is_white_space(c))
        cleaned += ' ';
      else
        cleaned.append(text, begin, offset - begin);
    }
  }
  return cleaned;
}

std::string set_chinese_apart(std::string_view text) {
  std::string apart;
  apart.reserve(text.size());
  for (size_t offset = 0; offset < text.size();) {
    const size_t begin = offset;
    const bool chinese = is_chinese(next_code_point(text, offset));
    if (chinese) apart += ' ';
    apart.append(text, begin, offset - begin);
    if (chinese) apart += ' ';
  }
  return apart;
}

std::string strip(std::string_view text, bool left, bool right) {
  size_t begin = text.size(), end = 0;
  for (size_t offset = 0; offset < text.size();) {
    const size_t at = offset;
    if (!is_white_space(next_code_point(text, offset))) {
      begin = std::min(begin, at);
      end = offset;
    }
  }
  if (begin >= end) return left || right ? std::string() : std::string(text);
  if (!left) begin = 0;
  if (!right) end = text.size();
  return std::string(text.substr(begin, end - begin));
}

Result<Normalizer> make_sequence(const Field& field) {
  HEED_ASSIGN(const auto elements, field.list("normalizers"));
  std::vector<Normalizer> steps;
  for (const Field& element : elements) {
    HEED_ASSIGN(steps.emplace_back(), read_normalizer(element));
  }
  return Normalizer([steps](std::string text) -> Result<std::string> {
    for (const auto& step : steps) {
      HEED_ASSIGN(text, step(std::move(text)));
      if (text.size() > max_text_bytes) return too_long("normalizer");
    }
    return text;
  });
}

Result<Normalizer> make_prepend(const Field& field) {
  HEED_ASSIGN(const std::string prefix, field.string("prepend"));
  return Normalizer([prefix](std::string text) -> Result<std::string> { return text.empty() ? text : prefix + text; });
}

Result<Normalizer> make_replace(const Field& field) {
  HEED_ASSIGN(const FindMatches find, read_pattern(field));
  HEED_ASSIGN(const std::string content, field.string("content"));
  return Normalizer([find, content](std::string text) -> Result<std::string> {
    std::string replaced;
    size_t done = 0;
    bool fits = true;
    HEED_TRY(find(text, [&](size_t begin, size_t end) {
      if (!fits) return;
      replaced.append(text, done, begin - done) += content;
      done = end;
      fits = replaced.size() <= max_text_bytes;
    }));
    if (!fits) return too_long("normalizer");
    return replaced.append(text, done, std::string::npos);
  });
}

template <NormalForm form>
Result<Normalizer> make_normal_form(const Field&) {
  return Normalizer([](std::string text) { return to_normal_form(text, form); });
}

Result<Normalizer> make_lowercase(const Field&) {
  return Normalizer([](std::string text) -> Result<std::string> { return to_lower(text); });
}

Result<Normalizer> make_strip_accents(const Field&) {
  return Normalizer(
      [](std::string text) -> Result<std::string> { return keep_if(text, [](char32_t c) { return !is_mark(c); }); });
}

Result<Normalizer> make_strip(const Field& field) {
  HEED_ASSIGN(const bool left, field.boolean_or("strip_left", true));
  HEED_ASSIGN(const bool right, field.boolean_or("strip_right", true));
  return Normalizer([left, right](std::string text) -> Result<std::string> { return strip(text, left, right); });
}

Result<Normalizer> make_bert(const Field& field) {
  BertNormalization options;
  HEED_ASSIGN(options.clean_text, field.boolean_or("clean_text", true));
  HEED_ASSIGN(options.handle_chinese_chars, field.boolean_or("handle_chinese_chars", true));
  HEED_ASSIGN(options.lowercase, field.boolean_or("lowercase", true));
  HEED_ASSIGN(options.strip_accents, field.boolean_or("strip_accents", options.lowercase));
  return bert_normalizer(options);
}

constexpr Component<Normalizer> normalizers[] = {
    {"BertNormalizer", make_bert},
    {"Lowercase", make_lowercase},
    {"NFC", make_normal_form<NormalForm::nfc>},
    {"NFD", make_normal_form<NormalForm::nfd>},
    {"NFKC", make_normal_form<NormalForm::nfkc>},
    {"NFKD", make_normal_form<NormalForm::nfkd>},
    {"Prepend", make_prepend},
    {"Replace", make_replace},
    {"Sequence", make_sequence},
    {"Strip", make_strip},
    {"StripAccents", make_strip_accents},
};

}  // namespace

Result<Normalizer> read_normalizer(const Field& field) {
  if (field.value().is_null()) return Normalizer([](std::string text) -> Result<std::string> { return text; });
  return make_component<Normalizer>(field, "normalizer", normalizers);
}

Normalizer bert_normalizer(BertNormalization options) {
  return [options](std::string text) -> Result<std::string> {
    if (options.clean_text) text = clean(text);
    if (options.handle_chinese_chars) text = set_chinese_apart(text);
    if (options.strip_accents) {
      HEED_ASSIGN(const std::string decomposed, to_normal_form(text, NormalForm::nfd));
      text = keep_if(decomposed, [](char32_t c) { return !is_nonspacing_mark(c); });
    }
    return options.lowercase ? to_lower(text) : text;
  };
}

}  // namespace heed::text
