// TextStream: token ids in, one by one; the text that may be printed now out. StopAt ends it at given texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "text/tokenizer.hpp"

namespace heed::text {

class Decoding;

// For one thread. All that push and finish gave, joined, is what Tokenizer::decode gives for the same ids.
class TextStream {
 public:
  // The tokenizer must outlive the stream.
  explicit TextStream(const Tokenizer& tokenizer, bool skip_special = true);
  TextStream(TextStream&&) noexcept;
  ~TextStream();

  // The text that no later token can change: whole characters only, perhaps none.
  std::string push(int64_t id);

  // What was kept back, with U+FFFD for a character that stays incomplete; then the stream begins anew.
  std::string finish();

 private:
  const Tokenizer* tokenizer_;
  bool skip_special_;
  std::unique_ptr<Decoding> decoding_;
};

// Lets a text through up to the first place where one of the stops begins, in whatever pieces it comes.
class StopAt {
 public:
  // Empty ones stop nothing.
  explicit StopAt(std::vector<std::string> stops);

  // What of the text so far may be printed now, and was not given before: what could begin a stop is kept back.
  std::string push(std::string_view piece);
  // Whether a stop was met: all that follows is left out.
  bool met() const { return met_; }
  // What was kept back.
  std::string finish() { return std::exchange(kept_, {}); }

 private:
  std::vector<std::string> stops_;
  std::string kept_;
  bool met_ = false;
};

}  // namespace heed::text
