// The post-processors of tokenizer.json: all of them put special tokens before and behind.
#include "text/post_process.hpp"

#include <nlohmann/json.hpp>

#include "text/component.hpp"
#include "text/field.hpp"

namespace heed::text {
namespace {

constexpr size_t max_special_tokens = 1024;

Result<Surround> make_template(const Field& field) {
  HEED_ASSIGN(const auto pieces, field.list("single"));
  Surround surround;
  bool behind = false;
  for (const Field& piece : pieces) {
    if (piece.has("Sequence")) {
      if (behind)
        return piece.wrong("is a second sequence; a single text stands once in its template", Code::unsupported);
      behind = true;
      continue;
    }
    HEED_ASSIGN(const Field special, piece.at("SpecialToken"));
    HEED_ASSIGN(const std::string name, special.string("id"));
    HEED_ASSIGN(const Field tokens, field.at("special_tokens"));
    HEED_ASSIGN(const Field token, tokens.at(name.c_str()));
    HEED_ASSIGN(const auto ids, token.list("ids"));
    for (const Field& id : ids) {
      HEED_ASSIGN(const int64_t number, id.as_integer());
      (behind ? surround.behind : surround.before).push_back(number);
    }
    if (surround.before.size() + surround.behind.size() > max_special_tokens) {
      return field.wrong("adds more than " + std::to_string(max_special_tokens) + " special tokens");
    }
  }
  if (!behind) return field.wrong("has a 'single' template without the text (a 'Sequence')");
  return surround;
}

Result<Surround> make_byte_level(const Field&) { return Surround{}; }  // moves offsets only

Result<int64_t> read_token_id(const Field& field, const char* name) {
  HEED_ASSIGN(const auto parts, field.list(name));
  if (parts.size() != 2) return field.wrong("has a '" + std::string(name) + "' that is not [token, id]");
  return parts[1].as_integer();
}

Result<Surround> make_cls_and_sep(const Field& field) {
  HEED_ASSIGN(const int64_t cls, read_token_id(field, "cls"));
  HEED_ASSIGN(const int64_t sep, read_token_id(field, "sep"));
  return Surround{{cls}, {sep}};
}

Result<Surround> make_sequence(const Field& field) {
  HEED_ASSIGN(const auto elements, field.list("processors"));
  Surround all;
  for (const Field& element : elements) {
    HEED_ASSIGN(const Surround inner, read_post_processor(element));
    all.before.insert(all.before.begin(), inner.before.begin(), inner.before.end());
    all.behind.insert(all.behind.end(), inner.behind.begin(), inner.behind.end());
    if (all.before.size() + all.behind.size() > max_special_tokens) {
      return field.wrong("adds more than " + std::to_string(max_special_tokens) + " special tokens");
    }
  }
  return all;
}

constexpr Component<Surround> post_processors[] = {
    {"BertProcessing", make_cls_and_sep},    {"ByteLevel", make_byte_level},
    {"RobertaProcessing", make_cls_and_sep}, {"Sequence", make_sequence},
    {"TemplateProcessing", make_template},
};

}  // namespace

Result<Surround> read_post_processor(const Field& field) {
  if (field.value().is_null()) return Surround{};
  return make_component<Surround>(field, "post-processor", post_processors);
}

}  // namespace heed::text
