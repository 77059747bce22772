// generation_config.json, config.json and tokenizer_config.json, as Hugging Face's transformers write them, and
// genai_config.json of onnxruntime's genai.
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

// A file of settings, and the member that they stand in; empty: the whole.
struct ConfigFile {
  const char* name;
  const char* member;
};

std::string place_of(const std::filesystem::path& folder, const ConfigFile& file) {
  return (folder / file.name).string() + ":" + (*file.member ? " " + std::string(file.member) : "");
}

// The settings; none where the file or its member is missing.
Result<nlohmann::json> read_config(const std::filesystem::path& folder, const ConfigFile& file) {
  HEED_ASSIGN(nlohmann::json config, read_object(folder / file.name));
  if (!*file.member) return config;
  const auto member = config.find(file.member);
  return member != config.end() && member->is_object() ? *member : nlohmann::json::object();
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
  constexpr ConfigFile files[] = {{"generation_config.json", ""}, {"genai_config.json", "model"}, {"config.json", ""}};
  for (const auto& file : files) {
    HEED_ASSIGN(const nlohmann::json config, read_config(model_folder, file));
    const Field field(config, place_of(model_folder, file));
    HEED_ASSIGN(const auto bos, read_ids(field, "bos_token_id"));
    if (!hints.bos && !bos.empty()) hints.bos = bos.front();
    HEED_ASSIGN(auto eos, read_ids(field, "eos_token_id"));
    if (hints.eos.empty()) hints.eos = std::move(eos);
  }

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

Result<std::optional<ContextHint>> read_context(const std::filesystem::path& model_folder) {
  constexpr ConfigFile files[] = {{"genai_config.json", "model"}, {"config.json", ""}, {"config.json", "text_config"}};
  constexpr const char* keys[] = {"context_length", "max_position_embeddings", "n_positions", "n_ctx", "max_seq_len"};
  for (const auto& file : files) {
    HEED_ASSIGN(const nlohmann::json config, read_config(model_folder, file));
    const Field field(config, place_of(model_folder, file));
    for (const char* key : keys) {
      HEED_ASSIGN(const int64_t tokens, field.integer_or(key, 0));
      if (tokens <= 0) continue;
      const std::string member = *file.member ? file.member + std::string(".") : "";
      return std::optional(ContextHint{tokens, file.name + (": " + member) + key});
    }
  }
  return std::optional<ContextHint>();
}

}  // namespace heed::text
