// TextStream: token ids in, one by one; the text that may be printed now out.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "text/tokenizer.hpp"

namespace heed::text {

class Decoding;

// For one thread. All that push and finish gave, joined, is what Tokenizer::decode gives for the same ids.
class TextStream {
 public:
  // The tokenizer must outlive the stream.
  explicit TextStream(const Tokenizer& tokenizer, bool skip_special = true);
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

}  // namespace heed::text
