// Reading and finding added tokens.
#include "text/added_tokens.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/field.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

constexpr size_t max_content_bytes = 4096;  // bounds what one place of a text can cost

// The last character before `offset`.
char32_t character_before(std::string_view text, size_t offset) {
  do --offset;
  while (offset > 0 && (static_cast<unsigned char>(text[offset]) & 0xC0) == 0x80);
  return next_code_point(text, offset);
}

bool touches_word(std::string_view text, size_t begin, size_t end) {
  if (begin > 0 && is_word(character_before(text, begin))) return true;
  return end < text.size() && is_word(next_code_point(text, end));
}

size_t skip_space_before(std::string_view text, size_t begin, size_t least) {
  while (begin > least) {
    size_t at = begin;
    do --at;
    while (at > least && (static_cast<unsigned char>(text[at]) & 0xC0) == 0x80);
    size_t offset = at;
    if (!is_white_space(next_code_point(text, offset))) break;
    begin = at;
  }
  return begin;
}

size_t skip_space_behind(std::string_view text, size_t end) {
  while (end < text.size()) {
    size_t offset = end;
    if (!is_white_space(next_code_point(text, offset))) break;
    end = offset;
  }
  return end;
}

}  // namespace

Result<AddedTokens> AddedTokens::read(const std::vector<Field>& fields, const Vocabulary& vocabulary,
                                      const Normalizer& normalizer) {
  std::vector<AddedToken> tokens;
  for (const Field& field : fields) {
    AddedToken token;
    HEED_ASSIGN(token.content, field.string("content"));
    HEED_ASSIGN(const Field id, field.at("id"));
    HEED_ASSIGN(token.id, id.as_integer());
    HEED_ASSIGN(token.special, field.boolean_or("special", false));
    HEED_ASSIGN(token.lstrip, field.boolean_or("lstrip", false));
    HEED_ASSIGN(token.rstrip, field.boolean_or("rstrip", false));
    HEED_ASSIGN(token.single_word, field.boolean_or("single_word", false));
    HEED_ASSIGN(token.normalized, field.boolean_or("normalized", !token.special));
    if (token.content.empty()) continue;
    if (token.content.size() > max_content_bytes) {
      return field.wrong("has a content of " + std::to_string(token.content.size()) + " bytes; at most " +
                         std::to_string(max_content_bytes) + " are supported");
    }
    if (const auto known = vocabulary.find(token.content)) token.id = *known;
    if (token.id < 0 || token.id > Vocabulary::max_id) {
      return id.wrong("is " + std::to_string(token.id) + "; expected 0 to " + std::to_string(Vocabulary::max_id));
    }
    tokens.push_back(std::move(token));
  }
  return from(std::move(tokens), normalizer);
}

Result<AddedTokens> AddedTokens::from(std::vector<AddedToken> tokens, const Normalizer& normalizer) {
  AddedTokens added;
  added.tokens_ = std::move(tokens);
  for (size_t i = 0; i < added.tokens_.size(); ++i) {
    AddedToken& token = added.tokens_[i];
    added.by_id_[token.id] = i;
    token.decoded = token.content;
    if (token.normalized) {
      HEED_ASSIGN(token.decoded, normalizer(token.content));
    }
    (token.normalized ? added.normalized_ : added.raw_).add(token.decoded, i);
  }
  return added;
}

const AddedToken* AddedTokens::find(int64_t id) const {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &tokens_[found->second];
}

const AddedToken* AddedTokens::find(std::string_view content) const {
  for (const AddedToken& token : tokens_) {
    if (token.content == content) return &token;
  }
  return nullptr;
}

void AddedTokens::Matcher::add(const std::string& content, size_t token) {
  if (content.empty() || content.size() > max_content_bytes) return;
  tokens[content] = token;
  auto& known = lengths[static_cast<unsigned char>(content.front())];
  if (std::find(known.begin(), known.end(), content.size()) == known.end()) {
    known.insert(std::upper_bound(known.begin(), known.end(), content.size(), std::greater<>{}), content.size());
  }
}

std::vector<Segment> AddedTokens::cut(std::string_view text, const Matcher& matcher) const {
  std::vector<Segment> segments;
  size_t done = 0;
  const auto add_text = [&](size_t end) {
    if (end > done) segments.push_back({text.substr(done, end - done)});
  };
  for (size_t offset = 0; offset < text.size() && !matcher.tokens.empty();) {
    const AddedToken* met = nullptr;
    size_t end = offset;
    for (const size_t length : matcher.lengths[static_cast<unsigned char>(text[offset])]) {
      if (length > text.size() - offset) continue;
      const auto found = matcher.tokens.find(text.substr(offset, length));
      if (found == matcher.tokens.end()) continue;
      met = &tokens_[found->second];
      end = offset + length;
      break;
    }
    if (!met) {
      ++offset;
      continue;
    }
    if (met->single_word && touches_word(text, offset, end)) {
      offset = end;
      continue;
    }
    const size_t begin = met->lstrip ? skip_space_before(text, offset, done) : offset;
    if (met->rstrip) end = skip_space_behind(text, end);
    add_text(begin);
    segments.push_back({text.substr(begin, end - begin), met});
    offset = done = end;
  }
  add_text(text.size());
  return segments;
}

}  // namespace heed::text
