// generation_config.json and tokenizer_config.json, as Hugging Face's transformers write them.
#include "text/hints.hpp"

#include <nlohmann/json.hpp>

#include "text/field.hpp"

namespace heed::text {
namespace {

constexpr size_t max_file_bytes = size_t{16} << 20;

Result<nlohmann::json> read_object(const std::filesystem::path& path) {
  if (std::error_code failure; !std::filesystem::exists(path, failure)) return nlohmann::json::object();
  HEED_ASSIGN(const std::string text, read_text_file(path, max_file_bytes));
  HEED_ASSIGN(nlohmann::json object, parse_json(text, path.string()));
  if (!object.is_object()) return Error{Code::invalid_model, path.string() + ": not a JSON object"};
  return object;
}

// One id or a list of them.
Result<std::vector<int64_t>> read_ids(const Field& object, const char* key) {
  std::vector<int64_t> ids;
  if (!object.has(key)) return ids;
  HEED_ASSIGN(const Field member, object.at(key));
  if (!member.is_array()) {
    HEED_ASSIGN(ids.emplace_back(), member.as_integer());
    return ids;
  }
  HEED_ASSIGN(const auto elements, member.elements());
  for (const Field& element : elements) {
    HEED_ASSIGN(ids.emplace_back(), element.as_integer());
  }
  return ids;
}

// The token's text, or an object with its "content".
Result<std::string> read_token(const Field& object, const char* key) {
  if (!object.has(key)) return std::string();
  HEED_ASSIGN(const Field member, object.at(key));
  return member.is_object() ? member.string("content") : member.as_string();
}

}  // namespace

Result<Hints> read_hints(const std::filesystem::path& model_folder) {
  Hints hints;
  const auto generation_path = model_folder / "generation_config.json";
  HEED_ASSIGN(const nlohmann::json generation, read_object(generation_path));
  const Field generation_field(generation, generation_path.string() + ":");
  HEED_ASSIGN(const auto bos, read_ids(generation_field, "bos_token_id"));
  if (!bos.empty()) hints.bos = bos.front();
  HEED_ASSIGN(hints.eos, read_ids(generation_field, "eos_token_id"));

  const auto tokenizer_path = model_folder / "tokenizer_config.json";
  HEED_ASSIGN(const nlohmann::json tokenizer, read_object(tokenizer_path));
  const Field tokenizer_field(tokenizer, tokenizer_path.string() + ":");
  HEED_ASSIGN(hints.bos_token, read_token(tokenizer_field, "bos_token"));
  HEED_ASSIGN(hints.eos_token, read_token(tokenizer_field, "eos_token"));
  if (tokenizer_field.has("do_lower_case")) {
    HEED_ASSIGN(hints.lower_case, tokenizer_field.boolean_or("do_lower_case", true));
  }
  return hints;
}

}  // namespace heed::text
