// UTF-8 and the few Unicode properties that tokenizers ask for. Offsets and sizes are in bytes.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "heed/result.hpp"

namespace heed::text {

inline constexpr std::string_view replacement_character = "\xEF\xBF\xBD";  // U+FFFD

// What stands at one place of a byte string.
struct Utf8Step {
  enum Kind { valid, invalid, incomplete } kind;
  char32_t code_point;  // only when valid
  size_t size;          // invalid: the longest start of a character (at least 1); incomplete: all that is left
};

// Reads one character at `offset`, which must be inside the text; `incomplete` means that more bytes may complete it.
Utf8Step read_utf8(std::string_view text, size_t offset);

// Reads the character at `offset` of text known to be UTF-8, and moves the offset behind it.
char32_t next_code_point(std::string_view text, size_t& offset);
void append_utf8(std::string& text, char32_t code_point);

// The offset of the first byte that is not UTF-8, incomplete ends included.
std::optional<size_t> find_invalid_utf8(std::string_view text);

// Moves from `bytes` all that is decided, with U+FFFD for each maximal invalid part; an incomplete end stays there.
std::string take_decided_utf8(std::string& bytes);

// Properties as in the Unicode Character Database; the version is utf8proc's.
bool is_white_space(char32_t c);
bool is_punctuation(char32_t c);      // general category P*, and all ASCII symbols
bool is_number(char32_t c);           // N*
bool is_mark(char32_t c);             // M*
bool is_nonspacing_mark(char32_t c);  // Mn
bool is_control(char32_t c);          // Cc, Cf, Co
bool is_word(char32_t c);             // Alphabetic, M*, Nd, Pc, Join_Control: \w of Unicode Technical Standard 18
bool is_chinese(char32_t c);          // the ideograph blocks that BERT sets apart

// Lower case, character by character: what depends on neighbours (a final sigma) is not looked at.
std::string to_lower(std::string_view text);

enum class NormalForm { nfc, nfd, nfkc, nfkd };
Result<std::string> to_normal_form(std::string_view text, NormalForm form);

}  // namespace heed::text
