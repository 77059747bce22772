// Decoders: from the texts of tokens to the text that people read. Every step works as the tokens come, so that
// streaming and decoding at once are the same computation.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

class Field;

// A part of a token's text on its way through the steps; a token may come in several parts.
struct TokenPart {
  std::string text;
  bool ends_token = true;
};

// One step of one decoding; keeps back what later tokens may still change.
class DecodeStep {
 public:
  virtual ~DecodeStep() = default;
  virtual void push(TokenPart part, std::vector<TokenPart>& out) = 0;
  virtual void finish(std::vector<TokenPart>&) {}
};

// How a tokenizer decodes: what makes the steps of a new decoding, in order. Immutable.
struct Decoder {
  std::vector<std::function<std::unique_ptr<DecodeStep>()>> steps;
  double growth = 1;           // by how much it lengthens a text at most
  bool byte_level = false;     // token texts are in the byte-level alphabet
  bool byte_fallback = false;  // <0x0A> and its like are bytes
};

// Reads a decoder of tokenizer.json; null joins tokens with spaces.
Result<Decoder> read_decoder(const Field& field);

// BERT's: ## continues a word, other tokens follow a space, and spaces before punctuation go.
Decoder wordpiece_decoder();

// One text on its way through the steps.
class Decoding {
 public:
  explicit Decoding(const Decoder& decoder);
  // The text that is settled once this token is there.
  std::string push(std::string_view token);
  // The rest; nothing may be pushed after.
  std::string finish();

 private:
  std::vector<std::unique_ptr<DecodeStep>> steps_;
};

}  // namespace heed::text
