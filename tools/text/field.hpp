// A value inside a JSON file together with its place, so that whatever is wrong with it can be told by name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "heed/result.hpp"

namespace heed::text {

// A view into a parsed file, which must outlive it. The place of a whole file is its name and a colon.
class Field {
 public:
  Field(const nlohmann::json& value, std::string place) : value_(&value), place_(std::move(place)) {}

  const nlohmann::json& value() const { return *value_; }
  const std::string& place() const { return place_; }
  bool is_string() const;
  bool is_object() const;
  bool is_array() const;
  bool has(const char* key) const;  // there, and not null

  // The members of an object; a missing or wrongly typed one is an error that names it.
  Result<Field> at(const char* key) const;
  Result<std::vector<Field>> list(const char* key) const;
  Result<std::string> string(const char* key) const;
  Result<std::string> string_or(const char* key, std::string fallback) const;
  Result<bool> boolean_or(const char* key, bool fallback) const;
  Result<int64_t> integer_or(const char* key, int64_t fallback) const;

  // The value itself.
  Result<std::vector<Field>> elements() const;
  Result<std::string> as_string() const;
  Result<char32_t> as_character() const;  // a string of exactly one
  Result<int64_t> as_integer() const;

  Error wrong(std::string_view what, Code code = Code::invalid_model) const;

 private:
  const nlohmann::json* value_;
  std::string place_;
};

// The content of a regular file; larger ones than `limit_bytes` are refused.
Result<std::string> read_text_file(const std::filesystem::path& path, size_t limit_bytes);

// Parses JSON whose nesting is bounded; errors start with `name`.
Result<nlohmann::json> parse_json(const std::string& text, const std::string& name);

}  // namespace heed::text
