// The two models of this room: byte-pair encoding and WordPiece. A model turns one word into token ids.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

class Field;

struct StringHash {
  using is_transparent = void;
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

// Token texts and their ids.
class Vocabulary {
 public:
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  static constexpr int64_t max_id = (int64_t{1} << 24) - 1;  // the largest real vocabularies hold about 2^18 tokens

  // A token met again takes the new id; of two tokens with one id the first stays its text. Ids are 0 to max_id.
  Result<void> add(std::string token, int64_t id);
  std::optional<int64_t> find(std::string_view token) const;
  // Null for an id without a token.
  const std::string* token(int64_t id) const;
  int64_t size() const { return static_cast<int64_t>(tokens_.size()); }  // largest id + 1

 private:
  std::unordered_map<std::string, int64_t, StringHash, std::equal_to<>> ids_;
  std::vector<const std::string*> tokens_;  // keys of ids_
};

// Immutable; any thread may call it.
class Model {
 public:
  virtual ~Model() = default;
  // Appends the ids of one word (UTF-8, not empty).
  virtual Result<void> tokenize(std::string_view word, std::vector<int64_t>& ids) const = 0;
  const Vocabulary& vocabulary() const { return vocabulary_; }

 protected:
  Vocabulary vocabulary_;
};

// Reads the member "model" of tokenizer.json; its type may be missing in old files.
Result<std::unique_ptr<Model>> read_model(const Field& field);

Result<Vocabulary> read_vocabulary(const Field& field);
Result<std::unique_ptr<Model>> read_bpe(const Field& field);
Result<std::unique_ptr<Model>> read_wordpiece(const Field& field);

// WordPiece as BERT uses it, over a vocabulary read elsewhere.
Result<std::unique_ptr<Model>> bert_wordpiece(Vocabulary vocabulary);

// The byte that "<0x0A>" and its like stand for.
std::optional<unsigned char> byte_of_token(std::string_view token);

}  // namespace heed::text
