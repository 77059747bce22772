// Streaming is decoding that has not ended.
#include "text/stream.hpp"

#include <algorithm>

#include "text/decode.hpp"

namespace heed::text {

TextStream::TextStream(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(&tokenizer), skip_special_(skip_special), decoding_(std::make_unique<Decoding>(tokenizer.decoder())) {}
TextStream::TextStream(TextStream&&) noexcept = default;
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

StopAt::StopAt(std::vector<std::string> stops) : stops_(std::move(stops)) { std::erase(stops_, ""); }

std::string StopAt::push(std::string_view piece) {
  if (met_) return {};
  kept_ += piece;
  // The stop that is whole first; of several, the longest.
  size_t end = kept_.size(), whole = std::string::npos;
  for (const auto& stop : stops_) {
    const size_t at = kept_.find(stop);
    if (at == std::string::npos || std::pair(at + stop.size(), at) >= std::pair(whole, end)) continue;
    whole = at + stop.size();
    end = at;
  }
  met_ = whole != std::string::npos;
  if (!met_) {  // the longest end of it that begins a stop
    for (const auto& stop : stops_)
      for (size_t length = std::min(stop.size() - 1, kept_.size()); length > kept_.size() - end; --length)
        if (std::string_view(kept_).ends_with(std::string_view(stop).substr(0, length))) end = kept_.size() - length;
  }
  std::string free = kept_.substr(0, end);
  kept_.erase(0, met_ ? std::string::npos : end);
  return free;
}

}  // namespace heed::text
