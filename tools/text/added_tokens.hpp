// Added tokens: texts that become one token before anything else looks at them, such as <|endoftext|>.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "heed/result.hpp"
#include "text/model.hpp"
#include "text/normalize.hpp"

namespace heed::text {

class Field;

struct AddedToken {
  int64_t id = 0;
  std::string content;
  bool special = false;      // leaves no trace in decoded text
  bool lstrip = false;       // takes the white space before it
  bool rstrip = false;       // takes the white space behind it
  bool single_word = false;  // only where no word character touches it
  bool normalized = true;    // is looked for in normalized text
  std::string decoded = {};  // what it is in decoded text: the content, normalized where it is looked for so
};

// A part of a text: an added token, or what lies between.
struct Segment {
  std::string_view text;
  const AddedToken* token = nullptr;
};

class AddedTokens {
 public:
  // Reads the member "added_tokens"; a content that the vocabulary has keeps the vocabulary's id.
  static Result<AddedTokens> read(const std::vector<Field>& fields, const Vocabulary& vocabulary,
                                  const Normalizer& normalizer);
  static Result<AddedTokens> from(std::vector<AddedToken> tokens, const Normalizer& normalizer);

  const std::vector<AddedToken>& all() const { return tokens_; }
  const AddedToken* find(int64_t id) const;
  const AddedToken* find(std::string_view content) const;

  // Cuts at the tokens that are looked for in raw, or in normalized text: the leftmost, then the longest. Linear but
  // for the number of different lengths of tokens with one first byte.
  std::vector<Segment> cut_raw(std::string_view text) const { return cut(text, raw_); }
  std::vector<Segment> cut_normalized(std::string_view text) const { return cut(text, normalized_); }

 private:
  struct Matcher {
    std::unordered_map<std::string, size_t, StringHash, std::equal_to<>> tokens;  // indices into tokens_
    std::array<std::vector<size_t>, 256> lengths;                                 // by first byte, longest first
    void add(const std::string& content, size_t token);
  };
  std::vector<Segment> cut(std::string_view text, const Matcher& matcher) const;

  std::vector<AddedToken> tokens_;
  std::unordered_map<int64_t, size_t> by_id_;
  Matcher raw_, normalized_;
};

}  // namespace heed::text
