// Pre-tokenizers: cutting normalized text into words, within which the model then finds its tokens.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

class Field;

// Words one behind the other; none is empty.
struct Words {
  std::string text;
  std::vector<size_t> ends;  // ends[i] is where word i ends and word i + 1 begins
  bool starts_text = false;  // the first word begins where the user's text begins

  size_t size() const { return ends.size(); }
  std::string_view operator[](size_t i) const {
    const size_t begin = i == 0 ? 0 : ends[i - 1];
    return std::string_view(text).substr(begin, ends[i] - begin);
  }
  void add(std::string_view word) {
    if (word.empty()) return;
    text += word;
    ends.push_back(text.size());
  }
};

using SplitWords = std::function<Result<Words>(Words)>;

// Reads a pre-tokenizer of tokenizer.json; null gives one that cuts nothing.
Result<SplitWords> read_pre_tokenizer(const Field& field);

// BERT's: at white space, and each punctuation character by itself.
SplitWords bert_words();

// The byte-level alphabet of GPT-2: every byte as a printable character.
std::string to_byte_level(std::string_view bytes);
// Back again, or the token's own bytes where it holds a character outside that alphabet.
std::string from_byte_level(std::string_view token);

}  // namespace heed::text
