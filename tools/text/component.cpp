// What several kinds of parts share: patterns and the limit on growing text.
#include "text/component.hpp"

#include "text/normalize.hpp"
#include "text/regex.hpp"

namespace heed::text {

Result<FindMatches> read_pattern(const Field& field) {
  HEED_ASSIGN(const Field pattern, field.at("pattern"));
  if (pattern.has("String") || pattern.is_string()) {
    HEED_ASSIGN(const std::string needle, pattern.is_string() ? pattern.as_string() : pattern.string("String"));
    return FindMatches(
        [needle](std::string_view text, const std::function<void(size_t, size_t)>& visit) -> Result<void> {
          if (needle.empty()) return {};
          for (size_t at = text.find(needle); at != text.npos; at = text.find(needle, at + needle.size())) {
            visit(at, at + needle.size());
          }
          return {};
        });
  }
  if (!pattern.has("Regex")) return pattern.wrong("has neither 'String' nor 'Regex'");
  HEED_ASSIGN(const std::string expression, pattern.string("Regex"));
  auto regex = Regex::compile(expression);
  if (!regex) return std::move(regex).error().within(pattern.place());
  return FindMatches(
      [compiled = std::move(regex).value()](std::string_view text, const std::function<void(size_t, size_t)>& visit) {
        return compiled.each_match(text, visit);
      });
}

Error too_long(std::string_view step) {
  return {Code::out_of_memory, "the text grows beyond " + std::to_string(max_text_bytes) + " bytes in a " +
                                   std::string(step) + "; give it in parts"};
}

}  // namespace heed::text
