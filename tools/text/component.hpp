// How the parts of tokenizer.json become functions: a table of names and makers for each kind of part.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "heed/result.hpp"
#include "text/field.hpp"

namespace heed::text {

template <class Made>
struct Component {
  std::string_view type;
  Result<Made> (*make)(const Field&);
};

// Makes the part that the field's "type" names; an unknown one is an error that lists those there are.
template <class Made>
Result<Made> make_component(const Field& field, std::string_view kind, std::span<const Component<Made>> table) {
  HEED_ASSIGN(const std::string type, field.string("type"));
  std::string known;
  for (const auto& component : table) {
    if (component.type == type) return component.make(Field(field.value(), field.place() + " (" + type + ")"));
    known += (known.empty() ? "" : ", ") + std::string(component.type);
  }
  return field.wrong("is a " + std::string(kind) + " of type '" + type.substr(0, 100) + "'; supported: " + known,
                     Code::unsupported);
}

template <class Made, size_t size>
Result<Made> make_component(const Field& field, std::string_view kind, const Component<Made> (&table)[size]) {
  return make_component<Made>(field, kind, std::span<const Component<Made>>(table, size));
}

// Visits the non-empty matches of a pattern from left to right as (begin, end).
using FindMatches =
    std::function<Result<void>(std::string_view text, const std::function<void(size_t, size_t)>& visit)>;

// Reads the member "pattern": {"String": ...} or {"Regex": ...}.
Result<FindMatches> read_pattern(const Field& field);

Error too_long(std::string_view step);

}  // namespace heed::text
