// WordPiece (Devlin et al. 2018): the longest token that starts the rest of the word, again and again.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "text/field.hpp"
#include "text/model.hpp"
#include "text/unicode.hpp"

namespace heed::text {
namespace {

class WordPiece : public Model {
 public:
  WordPiece(Vocabulary vocabulary, int64_t unknown, std::string prefix, int64_t max_characters)
      : unknown_(unknown), prefix_(std::move(prefix)), max_characters_(max_characters) {
    vocabulary_ = std::move(vocabulary);
    for (int64_t id = 0; id < vocabulary_.size(); ++id) {
      if (const std::string* token = vocabulary_.token(id)) longest_bytes_ = std::max(longest_bytes_, token->size());
    }
  }

  Result<void> tokenize(std::string_view word, std::vector<int64_t>& ids) const override {
    std::vector<size_t> starts;  // of its characters, and the word's end
    for (size_t offset = 0; offset < word.size(); next_code_point(word, offset)) starts.push_back(offset);
    starts.push_back(word.size());
    const size_t count = starts.size() - 1, first = ids.size();
    if (static_cast<int64_t>(count) > max_characters_) {
      ids.push_back(unknown_);
      return {};
    }
    std::string candidate;
    for (size_t begin = 0; begin < count;) {
      size_t end = std::min(count, begin + longest_bytes_);  // no token is longer: linear in the word
      std::optional<int64_t> found;
      for (; end > begin; --end) {
        const std::string_view piece = word.substr(starts[begin], starts[end] - starts[begin]);
        candidate = begin > 0 ? prefix_ : "";
        candidate += piece;
        found = vocabulary_.find(candidate);
        if (found) break;
      }
      if (!found) {  // one part that cannot be spelt makes the whole word unknown
        ids.resize(first);
        ids.push_back(unknown_);
        return {};
      }
      ids.push_back(*found);
      begin = end;
    }
    return {};
  }

 private:
  int64_t unknown_;
  std::string prefix_;
  int64_t max_characters_;
  size_t longest_bytes_ = 0;
};

}  // namespace

Result<std::unique_ptr<Model>> read_wordpiece(const Field& field) {
  HEED_ASSIGN(const std::string unknown, field.string_or("unk_token", "[UNK]"));
  HEED_ASSIGN(std::string prefix, field.string_or("continuing_subword_prefix", "##"));
  HEED_ASSIGN(const int64_t max_characters, field.integer_or("max_input_chars_per_word", 100));
  HEED_ASSIGN(const Field vocab, field.at("vocab"));
  HEED_ASSIGN(Vocabulary vocabulary, read_vocabulary(vocab));
  const auto unknown_id = vocabulary.find(unknown);
  if (!unknown_id) return field.wrong("has the unk_token '" + unknown.substr(0, 100) + "', which is not in its vocab");
  return std::unique_ptr<Model>(
      std::make_unique<WordPiece>(std::move(vocabulary), *unknown_id, std::move(prefix), max_characters));
}

Result<std::unique_ptr<Model>> bert_wordpiece(Vocabulary vocabulary) {
  const auto unknown_id = vocabulary.find("[UNK]");
  if (!unknown_id) return Error{Code::invalid_model, "no line is '[UNK]': not a vocabulary of BERT's kind"};
  return std::unique_ptr<Model>(std::make_unique<WordPiece>(std::move(vocabulary), *unknown_id, "##", 100));
}

}  // namespace heed::text
