// Vocabularies, and which model a file holds.
#include "text/model.hpp"

#include <nlohmann/json.hpp>

#include "text/component.hpp"
#include "text/field.hpp"

namespace heed::text {

Result<void> Vocabulary::add(std::string token, int64_t id) {
  if (id < 0 || id > max_id) {
    return Error{Code::invalid_model, "the token '" + token.substr(0, 100) + "' has the id " + std::to_string(id) +
                                          "; expected 0 to " + std::to_string(max_id)};
  }
  const auto place = ids_.insert_or_assign(std::move(token), id).first;
  if (id >= size()) tokens_.resize(static_cast<size_t>(id) + 1, nullptr);
  if (!tokens_[static_cast<size_t>(id)]) tokens_[static_cast<size_t>(id)] = &place->first;
  return {};
}

std::optional<int64_t> Vocabulary::find(std::string_view token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const std::string* Vocabulary::token(int64_t id) const {
  return id < 0 || id >= size() ? nullptr : tokens_[static_cast<size_t>(id)];
}

Result<Vocabulary> read_vocabulary(const Field& field) {
  if (!field.is_object()) return field.wrong("is not an object of tokens and their ids");
  Vocabulary vocabulary;
  for (const auto& [token, id] : field.value().items()) {
    auto number = Field(id, field.place() + "['" + token.substr(0, 100) + "']").as_integer();
    if (!number) return std::move(number).error();
    if (auto added = vocabulary.add(token, *number); !added) return std::move(added).error().within(field.place());
  }
  if (vocabulary.size() == 0) return field.wrong("is empty");
  return vocabulary;
}

Result<std::unique_ptr<Model>> read_model(const Field& field) {
  if (!field.has("type")) {
    if (field.has("merges")) return read_bpe(field);
    if (field.has("max_input_chars_per_word")) return read_wordpiece(field);
  }
  constexpr Component<std::unique_ptr<Model>> models[] = {{"BPE", read_bpe}, {"WordPiece", read_wordpiece}};
  return make_component<std::unique_ptr<Model>>(field, "model", models);
}

std::optional<unsigned char> byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return std::nullopt;
  unsigned value = 0;
  for (const char c : token.substr(3, 2)) {
    const int digit = c >= '0' && c <= '9'   ? c - '0'
                      : c >= 'A' && c <= 'F' ? c - 'A' + 10
                      : c >= 'a' && c <= 'f' ? c - 'a' + 10
                                             : -1;
    if (digit < 0) return std::nullopt;
    value = value * 16 + static_cast<unsigned>(digit);
  }
  return static_cast<unsigned char>(value);
}

}  // namespace heed::text
