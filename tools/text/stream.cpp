// Streaming is decoding that has not ended.
#include "text/stream.hpp"

#include "text/decode.hpp"

namespace heed::text {

TextStream::TextStream(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(&tokenizer), skip_special_(skip_special), decoding_(std::make_unique<Decoding>(tokenizer.decoder())) {}
TextStream::~TextStream() = default;

std::string TextStream::push(int64_t id) {
  const std::string* token = tokenizer_->token_to_decode(id, skip_special_);
  return token ? decoding_->push(*token) : std::string();
}

std::string TextStream::finish() {
  std::string rest = decoding_->finish();
  decoding_ = std::make_unique<Decoding>(tokenizer_->decoder());
  return rest;
}

}  // namespace heed::text
