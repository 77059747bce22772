// Generation: a decoder with states and a tokenizer, token by token.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "open_model.hpp"
#include "session/session.hpp"

namespace heed::tool {

// A session of a model that reads token ids and gives logits; keys and values stay in it as states. Where the device
// fails, it goes on as ModelSource says, having read all tokens again.
class Decoder {
 public:
  // What leaves the device for each run: the last place's logits, or the id of their greatest alone.
  enum class Gives { logits, likeliest };

  // MODEL is a file or a folder. Finds the model's inputs by type and name: ids [batch, seq] i64, and where there are: a
  // mask over past and new tokens, and positions. Fails where the model does not look like a decoder, and says what is
  // missing.
  static Result<std::unique_ptr<Decoder>> open(const std::string& model, const RunOptions& options, Gives gives);

  // Runs the ids after all before them. Each of the two goes with the Gives of its name.
  Result<std::span<const float>> logits(std::span<const int64_t> ids);  // [vocab] f32, borrowed until the next call
  Result<int64_t> likeliest(std::span<const int64_t> ids);
  // How many tokens it can take in all; INT64_MAX: no limit is known.
  int64_t context() const { return context_; }
  int64_t length() const { return static_cast<int64_t>(read_.size()); }
  void reset();
  const Model& model() const { return session_->model(); }

 private:
  explicit Decoder(ModelSource source) : source_(std::move(source)) {}
  Result<void> adopt(std::shared_ptr<const Model> model);
  Result<const heed_value*> run(std::span<const int64_t> ids);
  Result<void> run_once(std::span<const int64_t> ids, int64_t past);

  ModelSource source_;
  std::unique_ptr<Session> session_;
  std::vector<SharedValue> inputs_, outputs_;
  size_t ids_input_ = 0, next_output_ = 0;
  std::optional<size_t> mask_input_, positions_input_;
  int64_t context_ = INT64_MAX;
  std::vector<int64_t> read_;  // so far
};

}  // namespace heed::tool
