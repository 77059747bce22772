// Normalizers: what happens to the text before it is cut into words.
#pragma once

#include <functional>
#include <string>

#include "heed/result.hpp"

namespace heed::text {

class Field;

// Text in and out is UTF-8 and at most this long; a step that grows it beyond is an error.
inline constexpr size_t max_text_bytes = size_t{1} << 28;

using Normalizer = std::function<Result<std::string>(std::string)>;

// Reads a normalizer of tokenizer.json; null gives one that changes nothing.
Result<Normalizer> read_normalizer(const Field& field);

struct BertNormalization {
  bool clean_text = true, handle_chinese_chars = true, strip_accents = true, lowercase = true;
};
Normalizer bert_normalizer(BertNormalization options);

}  // namespace heed::text
