// Reading JSON that nobody vouches for.
#include "text/field.hpp"

#include <fstream>
#include <nlohmann/json.hpp>

#include "text/unicode.hpp"

namespace heed::text {
namespace {

constexpr int max_nesting = 64;  // real tokenizer.json files stay below 10

int nesting_of(std::string_view text) {
  int depth = 0, deepest = 0;
  bool in_string = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (in_string) {
      if (text[i] == '\\')
        ++i;
      else if (text[i] == '"')
        in_string = false;
    } else if (text[i] == '"') {
      in_string = true;
    } else if (text[i] == '[' || text[i] == '{') {
      deepest = std::max(deepest, ++depth);
    } else if (text[i] == ']' || text[i] == '}') {
      --depth;
    }
  }
  return deepest;
}

}  // namespace

bool Field::is_string() const { return value_->is_string(); }
bool Field::is_object() const { return value_->is_object(); }
bool Field::is_array() const { return value_->is_array(); }

bool Field::has(const char* key) const {
  if (!value_->is_object()) return false;
  const auto member = value_->find(key);
  return member != value_->end() && !member->is_null();
}

Result<Field> Field::at(const char* key) const {
  if (!value_->is_object())
    return wrong(std::string("is ") + value_->type_name() + "; expected an object with '" + key + "'");
  const auto member = value_->find(key);
  if (member == value_->end()) return wrong(std::string("has no '") + key + "'");
  return Field(*member, place_ + (place_.ends_with(':') ? " " : ".") + key);
}

Result<std::vector<Field>> Field::list(const char* key) const {
  HEED_ASSIGN(const Field member, at(key));
  return member.elements();
}

Result<std::string> Field::string(const char* key) const {
  HEED_ASSIGN(const Field member, at(key));
  return member.as_string();
}

Result<std::string> Field::string_or(const char* key, std::string fallback) const {
  if (!has(key)) return fallback;
  return string(key);
}

Result<bool> Field::boolean_or(const char* key, bool fallback) const {
  if (!has(key)) return fallback;
  HEED_ASSIGN(const Field member, at(key));
  if (!member.value_->is_boolean())
    return member.wrong(std::string("is ") + member.value_->type_name() + "; expected true or false");
  return member.value_->get<bool>();
}

Result<int64_t> Field::integer_or(const char* key, int64_t fallback) const {
  if (!has(key)) return fallback;
  HEED_ASSIGN(const Field member, at(key));
  return member.as_integer();
}

Result<std::vector<Field>> Field::elements() const {
  if (!value_->is_array()) return wrong(std::string("is ") + value_->type_name() + "; expected an array");
  std::vector<Field> fields;
  fields.reserve(value_->size());
  for (const auto& element : *value_) fields.emplace_back(element, place_ + "[" + std::to_string(fields.size()) + "]");
  return fields;
}

Result<std::string> Field::as_string() const {
  if (!value_->is_string()) return wrong(std::string("is ") + value_->type_name() + "; expected a string");
  return value_->get<std::string>();
}

Result<char32_t> Field::as_character() const {
  HEED_ASSIGN(const std::string text, as_string());
  size_t offset = 0;
  if (text.empty()) return wrong("is empty; expected one character");
  const char32_t c = next_code_point(text, offset);
  if (offset != text.size()) return wrong("is '" + text + "'; expected one character");
  return c;
}

Result<int64_t> Field::as_integer() const {
  const bool fits = value_->is_number_unsigned() ? value_->get<uint64_t>() <= INT64_MAX : value_->is_number_integer();
  if (!fits) return wrong("is " + value_->dump().substr(0, 40) + "; expected a 64-bit integer");
  return value_->get<int64_t>();
}

Error Field::wrong(std::string_view what, Code code) const { return {code, place_ + " " + std::string(what)}; }

Result<std::string> read_text_file(const std::filesystem::path& path, size_t limit_bytes) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (failure) return Error{Code::io, path.string() + ": " + failure.message()};
  if (!std::filesystem::is_regular_file(status)) return Error{Code::io, path.string() + ": not a regular file"};
  const auto size = std::filesystem::file_size(path, failure);
  if (failure) return Error{Code::io, path.string() + ": " + failure.message()};
  if (size > limit_bytes) {
    return Error{Code::io, path.string() + ": " + std::to_string(size) + " bytes; at most " +
                               std::to_string(limit_bytes) + " are read. Is it the right file?"};
  }
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size)) && size > 0) {
    return Error{Code::io, path.string() + ": cannot be read to its end"};
  }
  return text;
}

Result<nlohmann::json> parse_json(const std::string& text, const std::string& name) {
  if (text.empty()) return Error{Code::invalid_model, name + ": the file is empty"};
  if (nesting_of(text) > max_nesting) {
    return Error{Code::invalid_model, name + ": nested deeper than " + std::to_string(max_nesting) + " levels"};
  }
  try {
    return nlohmann::json::parse(text);
  } catch (const nlohmann::json::exception& failure) {
    return Error{Code::invalid_model, name + ": not JSON: " + failure.what()};
  }
}

}  // namespace heed::text
