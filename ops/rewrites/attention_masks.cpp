// Masks as transformers builds them (masking_utils.py: each position is asked for by its index, torch.vmap): what is
// true everywhere goes, and a padding mask that is gathered position by position is the padding mask itself.
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

std::optional<Dim> element_of(Match& match, std::string_view name) {
  const auto elements = match.elements(name);
  return elements && elements->size() == 1 ? std::optional((*elements)[0]) : std::nullopt;
}

bool same_dims(TypeView a, TypeView b) {
  if (!a.has_rank() || a.rank() != b.rank()) return false;
  for (int32_t axis = 0; axis < a.rank(); ++axis)
    if (!(a.dim(axis) == b.dim(axis))) return false;
  return true;
}

// ---- x and true

bool accept_and_true(Match& match) {
  return same_dims(*match.type("x"), *match.type("y")) && match.scalar("truth") == 1.0;
}

// Positions are not negative: how transformers says that every key may be seen.
bool accept_and_positions(Match& match) {
  const auto row = element_of(match, "row"), step = element_of(match, "step");
  return match.type("zero")->has_rank() && match.type("zero")->rank() == 0 && match.scalar("zero") == 0.0 && row &&
         step && row->lower_bound() >= 0 && step->lower_bound() >= 0;
}

// ---- [batch, key] read at each (batch, key)

// A Range of all the positions of an axis of this size.
bool is_whole(Match& match, std::string_view begin, std::string_view end, std::string_view step, Dim size) {
  const auto first = element_of(match, begin), last = element_of(match, end), by = element_of(match, step);
  return first && last && by && first->is_number(0) && by->is_number(1) && *last == size;
}

// Whether type is [batch, 1, 1, key] with one of these axes alone, the others 1.
bool lies_along(TypeView type, int32_t along, Dim size) {
  if (type.rank() != 4) return false;
  for (int32_t axis = 0; axis < 4; ++axis)
    if (!(type.dim(axis) == (axis == along ? size : Dim(1)))) return false;
  return true;
}

bool accept_gathered(Match& match) {
  const auto data = match.type("data"), y = match.type("y");
  if (data->rank() != 2 || y->rank() != 4) return false;
  const auto batch = element_of(match, "row_end"), key = element_of(match, "column_end");
  if (!batch || !key || !is_whole(match, "row", "row_end", "row_step", *batch) ||
      !is_whole(match, "column", "column_end", "column_step", *key))
    return false;
  if (!lies_along(*match.type("rows"), 0, *batch) || !lies_along(*match.type("columns"), 3, *key)) return false;
  if (!(y->dim(0) == *batch) || !y->dim(1).is_number(1) || !y->dim(2).is_number(1) || !(y->dim(3) == *key))
    return false;
  if (match.type("index")) {
    const int64_t axis = match.node("index").integer("axis");
    if ((axis != 4 && axis != -1) || match.node("y").integer("batch_dims") != 0) return false;
  } else {
    const auto width = element_of(match, "width");
    if (!width || !(*width == data->dim(1)) || match.node("gathered").integer("axis") != 0) return false;
    const auto flat = match.type("flat");
    if (flat->rank() != 1 && !(flat->rank() == 2 && flat->dim(1).is_number(1))) return false;
  }
  std::string text =
      "r = Range(row, row_end, row_step); c = Range(column, column_end, column_step);"
      "rows = Unsqueeze(r, row_axes); columns = Unsqueeze(c, column_axes);";
  if (match.type("places")) text += "places = Add(columns, Mul(rows, width));";  // the shape may be read off them
  std::string seen = "data";
  if (!(*batch == data->dim(0))) seen = "Gather<axis = 0>(" + seen + ", r)";
  if (!(*key == data->dim(1))) seen = "Gather<axis = 1>(" + seen + ", c)";
  match.replace_by(text + "y = Unsqueeze(" + seen + ", Constant<value_ints = [1, 2]>())");
  return true;
}

constexpr std::string_view positions =
    "r = Range(row, row_end, row_step); c = Range(column, column_end, column_step);"
    "rows = Unsqueeze(r, row_axes); columns = Unsqueeze(c, column_axes);";

const std::string by_pairs = std::string(positions) +
                             "tall = Expand(rows, tall_shape) | rows; wide = Expand(columns, wide_shape) | columns;"
                             "index = Concat(Unsqueeze(tall, last), Unsqueeze(wide, last)); y = GatherND(data, index)";
const std::string by_places =
    std::string(positions) +
    "flat = Flatten(data) | Reshape(data, flat_shape); places = Add(columns, Mul(rows, width));"
    "gathered = Gather(flat, places);"
    "line = Reshape(gathered, line_shape) | gathered; y = Reshape(line, shape)";

}  // namespace

extern const Rewrite and_true{
    .name = "and_true", .patterns = {"y = And(x, truth)"}, .replacement = "y = Identity(x)", .accept = accept_and_true};

extern const Rewrite and_positions{
    .name = "and_true",
    .patterns = {"r = Range(row, row_end, step); rows = Unsqueeze(r, axes); always = GreaterOrEqual(rows, zero);"
                 "y = And(x, always)"},
    .replacement =
        "r = Range(row, row_end, step); rows = Unsqueeze(r, axes); always = GreaterOrEqual(rows, zero);"
        "y = Expand(x, Shape(rows))",
    .accept = accept_and_positions};

extern const Rewrite gathered_mask{
    .name = "gathered_mask", .patterns = {by_pairs, by_places}, .replacement = "", .accept = accept_gathered};

}  // namespace heed::ops
