// Generation: a decoder with states and a tokenizer, token by token.
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "session/session.hpp"

namespace heed::tool {

// A session of a model that reads token ids and gives logits; keys and values stay in it as states.
class Decoder {
 public:
  // Finds the model's inputs by type and name: ids [batch, seq] i64, and where there are: a mask over past and new
  // tokens, and positions. Fails where the model does not look like a decoder, and says what is missing.
  static Result<std::unique_ptr<Decoder>> create(std::shared_ptr<const Model> model,
                                                 const SessionOptions& options = {});

  // Runs the ids after all before them. Logits [seq, vocab] f32, borrowed until the next call.
  Result<std::span<const float>> run(std::span<const int64_t> ids);
  int64_t vocab_size() const { return vocab_size_; }
  // How many tokens it can take in all; INT64_MAX: no limit is known.
  int64_t context() const { return context_; }
  int64_t length() const { return length_; }
  void reset();
  Session& session() { return *session_; }

 private:
  Decoder() = default;
  std::unique_ptr<Session> session_;
  std::vector<SharedValue> inputs_, outputs_;
  size_t ids_input_ = 0, logits_output_ = 0;
  std::optional<size_t> mask_input_, positions_input_;
  int64_t vocab_size_ = 0, context_ = INT64_MAX, length_ = 0;
};

}  // namespace heed::tool
