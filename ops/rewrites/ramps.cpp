// Rows of positions: a slice of a Range, and a Range plus a number, are Ranges themselves. So what is computed from
// positions (a causal mask) is recognised however its author counted.
#include <algorithm>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

bool is_one(const std::optional<std::span<const Dim>>& elements) {
  return elements && elements->size() == 1 && (*elements)[0].is_number(1);
}

// The one element of a list or scalar.
std::optional<Dim> element_of(Match& match, std::string_view name) {
  const auto elements = match.elements(name);
  return elements && elements->size() == 1 ? std::optional((*elements)[0]) : std::nullopt;
}

// From a number on that is not negative, to the end.
bool accept_slice(Match& match) {
  const auto from = element_of(match, "from"), to = element_of(match, "to");
  const auto type = match.type("ramp"), from_type = match.type("from");
  if (!from || !to || !type || type->rank() != 1 || from_type->element() != DataType::i64 ||
      type->element() != DataType::i64)
    return false;
  if (match.type("steps") && !is_one(match.elements("steps"))) return false;
  if (!is_one(match.elements("delta")) || from->lower_bound() < 0) return false;
  constexpr int64_t past_any_end = std::numeric_limits<int32_t>::max();
  return (to->is_number() && to->number() >= past_any_end) || *to == type->dim(0);
}

bool accept_sum(Match& match) {
  const auto ramp = match.type("ramp"), offset = match.type("offset");
  return ramp && offset && ramp->element() == DataType::i64 && offset->has_rank() && offset->rank() <= 1 &&
         element_of(match, "offset");
}

}  // namespace

extern const Rewrite slice_of_range{
    .name = "slice_of_range",
    .patterns = {"ramp = Range(start, limit, delta); y = Slice(ramp, from, to, axes, steps)"},
    .replacement =
        "ramp = Range(start, limit, delta); shape = Constant<value_ints = [-1]>(); none = Constant<value_int = 0>();"
        "first = Add(start, Gather(Reshape(from, shape), none)); y = Range(first, limit, delta)",
    .accept = accept_slice};

extern const Rewrite range_plus_number{
    .name = "range_plus_number",
    .patterns = {"ramp = Range(start, limit, delta); y = Add(ramp, offset)"},
    .replacement =
        "ramp = Range(start, limit, delta); shape = Constant<value_ints = [-1]>(); none = Constant<value_int = 0>();"
        "number = Gather(Reshape(offset, shape), none);"
        "y = Range(Add(start, number), Add(limit, number), delta)",
    .accept = accept_sum};

}  // namespace heed::ops
