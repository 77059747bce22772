// StringNormalizer: texts without stop words, in small or capital letters. Letters are Unicode's, one for one, whatever
// the locale.
#include <utf8proc.h>

#include <string>
#include <unordered_set>

#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

// What is no UTF-8 stays as it is.
std::string in_case(std::string_view text, bool is_upper) {
  std::string changed;
  const auto* bytes = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
  for (size_t at = 0; at < text.size();) {
    utf8proc_int32_t letter = 0;
    const auto length = utf8proc_iterate(bytes + at, static_cast<utf8proc_ssize_t>(text.size() - at), &letter);
    if (length <= 0) {
      changed.push_back(text[at++]);
      continue;
    }
    utf8proc_uint8_t encoded[4];
    const auto encoded_length =
        utf8proc_encode_char(is_upper ? utf8proc_toupper(letter) : utf8proc_tolower(letter), encoded);
    changed.append(reinterpret_cast<const char*>(encoded), static_cast<size_t>(encoded_length));
    at += static_cast<size_t>(length);
  }
  return changed;
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  if (x.rank() < 1)
    return Error{Code::shape_mismatch, "the input is one text; expected [text] or [1, text]"};
  const auto action = run.text("case_change_action", "NONE");
  const bool is_case_sensitive = run.integer("is_case_sensitive") != 0;
  const auto compared = [&](std::string_view text) {
    return is_case_sensitive ? std::string(text) : in_case(text, false);
  };
  std::unordered_set<std::string> stop_words;
  if (const auto given = run.texts("stopwords"))
    for (const heed_text word : *given) stop_words.insert(compared(from_c(word)));
  std::vector<std::string> kept;
  for (const heed_text text : x.as<heed_text>()) {
    const auto word = from_c(text);
    if (!stop_words.empty() && stop_words.count(compared(word))) continue;
    kept.push_back(action == "NONE" ? std::string(word) : in_case(word, action == "UPPER"));
  }
  if (kept.empty() && !stop_words.empty()) kept.emplace_back();
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  dims.back() = static_cast<int64_t>(kept.size());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  for (size_t i = 0; i < kept.size(); ++i) y.data<heed_text>()[i] = run.store_text(0, kept[i]);
  return {};
}

}  // namespace

extern const CpuKernel string_normalizer{.op_type = "StringNormalizer", .run = run};

}  // namespace heed::cpu
