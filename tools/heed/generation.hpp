// Generation: a decoder and its caches, token by token.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "decoder_inputs.hpp"
#include "open_model.hpp"
#include "session/session.hpp"

namespace heed::tool {

// A session of a model that reads token ids and gives logits, for one text or several at once; keys and values stay in
// it as states. Where the device fails, it goes on as ModelSource says, having read all tokens again.
class Decoder {
 public:
  // What leaves the device for each run: the last place's logits, or the id of their greatest alone.
  enum class Gives { logits, likeliest };

  // MODEL is a file or a folder; what its inputs are for is found by itself. `most_tokens` of a text are what caches
  // have room for, where the model leaves their size open. Fails where the model is no decoder, and says what was met.
  static Result<std::unique_ptr<Decoder>> open(const std::string& model, const RunOptions& options, Gives gives,
                                               int64_t most_tokens);

  const Decoding& decoding() const { return decoding_; }
  const Model& model() const { return session_->model(); }

  // Begins texts anew. padding: for each text how many of the first ids are none, as Decoding::Batch::padded wants it.
  void begin(std::vector<int64_t> padding);
  // Runs the ids [text, new] after all before them. Each of the two goes with the Gives of its name; what they give is
  // borrowed until the next call.
  Result<std::span<const float>> logits(std::span<const int64_t> ids);       // [text, vocab]
  Result<std::span<const int64_t>> likeliest(std::span<const int64_t> ids);  // [text]
  // Ids that each text has, padding included.
  int64_t length() const { return static_cast<int64_t>(read_.front().size()); }

 private:
  Decoder(ModelSource source, std::filesystem::path folder, int64_t most_tokens)
      : source_(std::move(source)), folder_(std::move(folder)), most_tokens_(most_tokens) {}
  Result<void> adopt(std::shared_ptr<const Model> model);
  int64_t text_count() const { return static_cast<int64_t>(padding_.size()); }
  Result<void> run(std::span<const int64_t> ids);
  Result<void> read_again();
  Result<void> run_once(std::span<const int64_t> ids, int64_t past);
  Result<void> fill(const DecoderInput& input, std::span<const int64_t> ids, int64_t past);

  ModelSource source_;
  std::filesystem::path folder_;
  int64_t most_tokens_;
  StopLimits limits_;  // of what writes a token
  std::shared_ptr<DecoderGraph> graph_ = std::make_shared<DecoderGraph>();  // the source fills it
  Decoding decoding_;
  std::optional<int64_t> capacity_;
  std::unique_ptr<Session> session_;
  std::vector<SharedValue> inputs_, outputs_;
  size_t next_output_ = 0;
  Tensor next_;
  std::vector<int64_t> padding_ = {0};             // by text
  std::vector<std::vector<int64_t>> read_ = {{}};  // so far, by text
};

}  // namespace heed::tool
