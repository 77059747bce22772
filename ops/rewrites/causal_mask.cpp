// Positions of queries compared with positions of keys, rows of a triangle of constants, Trilu -> heed.CausalMask,
// where the sizes prove that the last query stands at the last key: rows run from key - query on. Two that are both
// asked for, as a sliding window and what lies behind, are one. `seen` is what may be seen, `hidden` what may not
// (torch's way round).
#include <string>

#include "attention.hpp"
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

std::optional<Dim> element_of(Match& match, std::string_view name) {
  const auto elements = match.elements(name);
  return elements && elements->size() == 1 ? std::optional((*elements)[0]) : std::nullopt;
}

// Whether all axes but one, counted from the end, have size 1, and that one has this size.
bool lies_along(TypeView type, int32_t axis_from_end, Dim size) {
  if (type.rank() < axis_from_end) return false;
  for (int32_t axis = 1; axis <= type.rank(); ++axis)
    if (!(type.dim(-axis) == (axis == axis_from_end ? size : Dim(1)))) return false;
  return true;
}

// Keys that are seen before and behind a query's own, each -1 where all are.
struct Window {
  int64_t left = -1, right = 0;
};

// heed.CausalMask of these lengths, texts, with `lead` axes of size 1 before.
std::string causal_mask_of(const std::string& query, const std::string& key, int32_t lead, Window window = {}) {
  const std::string mask = "heed.CausalMask<window = " + std::to_string(window.left) +
                           ", right_window = " + std::to_string(window.right) + ">(" + query + ", " + key + ")";
  if (lead == 0) return mask;
  std::string axes = "0";
  for (int32_t axis = 1; axis < lead; ++axis) axes += ", " + std::to_string(axis);
  return "Unsqueeze(" + mask + ", Constant<value_ints = [" + axes + "]>())";
}

// ---- positions, compared

// What a comparison with `width` says, which is a sliding window.
std::optional<Window> window_of(Match& match) {
  if (!match.type("width")) return Window{};
  const auto width = match.scalar("width");
  if (!width || *width < 1 || *width > std::numeric_limits<int32_t>::max()) return std::nullopt;
  const auto keys = static_cast<int64_t>(*width);
  return match.type("from") ? Window{keys - 1, -1} : Window{keys, keys};
}

bool accept_positions(Match& match) {
  const auto window = window_of(match);
  if (!window) return false;
  const auto row = element_of(match, "row"), row_end = element_of(match, "row_end"),
             row_step = element_of(match, "row_step");
  const auto column = element_of(match, "column"), column_end = element_of(match, "column_end"),
             column_step = element_of(match, "column_step");
  if (!row || !row_end || !row_step || !column || !column_end || !column_step) return false;
  if (!row_step->is_number(1) || !column_step->is_number(1)) return false;
  const auto rows = match.type("rows"), columns = match.type("columns");
  if (!rows->has_rank() || !columns->has_rank() || rows->element() != DataType::i64) return false;
  // Queries go down, keys to the right.
  const Dim query = *row_end - *row, key = *column_end - *column;
  if (!lies_along(*rows, 2, query) || !lies_along(*columns, 1, key)) return false;
  if (!((*row - *column) - (key - query)).is_number(0)) return false;

  // Ranges and layouts are made again for whoever else reads them.
  std::string text = "r = Range(row, row_end, row_step); c = Range(column, column_end, column_step);";
  text += match.type("row_axes") ? "rows = Unsqueeze(r, row_axes);" : "rows = Reshape(r, row_shape);";
  if (match.type("column_axes")) text += "columns = Unsqueeze(c, column_axes);";
  if (match.type("column_shape")) text += "columns = Reshape(c, column_shape);";
  const std::string mask = causal_mask_of("Sub(row_end, row)", "Sub(column_end, column)",
                                          std::max(rows->rank(), columns->rank()) - 2, *window);
  match.replace_by(text + (match.type("seen") ? "seen = " + mask : "hidden = Not(" + mask + ")"));
  return true;
}

#define POSITIONS                                                                  \
  "r = Range(row, row_end, row_step); c = Range(column, column_end, column_step);" \
  "rows = Unsqueeze(r, row_axes) | Reshape(r, row_shape);"                         \
  "columns = Unsqueeze(c, column_axes) | Reshape(c, column_shape) | c;"

// ---- two, both asked for

Window window_of(const NodeView& mask) { return {mask.integer("window", -1), mask.integer("right_window", 0)}; }

bool accept_both(Match& match) {
  const auto a = match.type("a"), b = match.type("b"), seen = match.type("seen");
  if (!a->has_rank() || !b->has_rank() || !(a->dim(0) == b->dim(0)) || !(a->dim(1) == b->dim(1))) return false;
  const auto less = [](int64_t left, int64_t right) {
    return left < 0 || right < 0 ? std::max(left, right) : std::min(left, right);
  };
  const Window first = window_of(match.node("a")), second = window_of(match.node("b"));
  // Both are made again for whoever else reads them.
  std::string text = "a = " + causal_mask_of("query", "key", 0, first) + ";" +
                     "b = " + causal_mask_of("query_of_b", "key_of_b", 0, second) + ";";
  if (match.type("axes_of_a")) text += "wide_a = Unsqueeze(a, axes_of_a);";
  if (match.type("axes_of_b")) text += "wide_b = Unsqueeze(b, axes_of_b);";
  const Window both{less(first.left, second.left), less(first.right, second.right)};
  match.replace_by(text + "seen = " + causal_mask_of("query", "key", seen->rank() - 2, both));
  return true;
}

// ---- a triangle of ones [..., n, n], of which a few rows and columns are cut out, as GPT-2 was long written;
// GPT-Neo's local attention has a band of them

std::optional<Window> window_of(const TensorView& table) {
  if (table.rank() < 2 || (table.element() != DataType::boolean && table.element() != DataType::u8))
    return std::nullopt;
  const int64_t size = table.dim(-1);
  if (size == 0 || table.dim(-2) != size || table.count() != size * size) return std::nullopt;
  const auto* at = table.data<uint8_t>();
  int64_t first = 0;  // that the last row sees
  while (first < size && at[(size - 1) * size + first] == 0) ++first;
  for (int64_t row = 0; row < size; ++row)
    for (int64_t column = 0; column < size; ++column)
      if ((at[row * size + column] != 0) != (column <= row && (first == 0 || row - column < size - first)))
        return std::nullopt;
  return Window{first == 0 ? -1 : size - first - 1, 0};
}

// Whether a Slice goes in steps of 1 along one axis, told from the end (1 is the last), of a tensor of this rank.
bool is_along(Match& match, std::string_view axes, std::string_view steps, int32_t axis_from_end, int32_t rank) {
  const auto axis = element_of(match, axes), step = element_of(match, steps);
  return axis && (axis->is_number(rank - axis_from_end) || axis->is_number(-axis_from_end)) &&
         (!match.type(steps) || (step && step->is_number(1)));
}

bool accept_triangle(Match& match) {
  const auto table = match.constant("table");
  const auto scores = match.type("y");
  const auto from = element_of(match, "row"), to = element_of(match, "row_end"), first = element_of(match, "column"),
             key = element_of(match, "column_end");
  const auto window = table ? window_of(*table) : std::nullopt;
  if (!window || !from || !to || !first || !key) return false;
  if (!is_along(match, "row_axes", "row_steps", 2, table->rank())) return false;
  if (!is_along(match, "column_axes", "column_steps", 1, table->rank())) return false;
  // The last row is the one of the last key. Where the table is too short, the scores have another shape.
  if (from->lower_bound() < 0 || !(*to == *key) || !first->is_number(0)) return false;
  if (!scores->has_rank() || scores->rank() < table->rank()) return false;
  if (!(scores->dim(-2) == *to - *from) || !(scores->dim(-1) == *key)) return false;
  std::string text =
      "cut_rows = Slice(table, row, row_end, row_axes, row_steps);"
      "cut = Slice(cut_rows, column, column_end, column_axes, column_steps);";
  if (table->element() != DataType::boolean) text += "visible = Cast<to = 9>(cut);";
  match.replace_by(text + "y = Where(" + causal_mask_of("Sub(row_end, row)", "column_end", table->rank() - 2, *window) +
                   ", scores, low)");
  return true;
}

// ---- a triangle that Trilu cuts out of one number [n, n], as torch writes is_causal and
// generate_square_subsequent_mask

bool accept_trilu(Match& match) {
  const auto square = match.type("square");
  const auto shape = match.elements("shape");
  if (square->rank() != 2 || !(square->dim(0) == square->dim(1)) || !shape || shape->size() != 2) return false;
  if (!((*shape)[1] == square->dim(1))) return false;
  const double diagonal = match.type("k") ? match.scalar("k").value_or(-1) : 0;
  const std::string text =
      "length = Gather(shape, Constant<value_int = -1>()); mask = heed.CausalMask(length, length);";
  if (match.type("bias")) {
    if (diagonal != 1 || hiding(match, "number") == Hiding::no) return false;
    match.replace_by(text + "bias = Where(mask, CastLike(Constant<value_float = 0.0>(), number), number)");
    return true;
  }
  const auto number = match.scalar("number");
  if (diagonal != 0 || !number || *number == 0) return false;
  if (match.type("hidden")) {
    if (match.scalar("zero") != 0.0) return false;
    match.replace_by(text + "hidden = Not(mask)");
    return true;
  }
  if (match.type("seen")->element() != DataType::boolean) return false;
  match.replace_by(text + "seen = Identity(mask)");
  return true;
}

}  // namespace

extern const Rewrite causal_mask{
    .name = "causal_mask",
    .patterns = {POSITIONS "seen = LessOrEqual(columns, rows)", POSITIONS "seen = GreaterOrEqual(rows, columns)",
                 POSITIONS "hidden = Greater(columns, rows)", POSITIONS "hidden = Less(rows, columns)",
                 POSITIONS "from = Sub(rows, width); seen = Greater(columns, from)",
                 POSITIONS "apart = Sub(rows, columns) | Sub(columns, rows); seen = LessOrEqual(Abs(apart), width)"},
    .replacement = "",
    .accept = accept_positions};

extern const Rewrite causal_masks{
    .name = "causal_mask",
    .patterns = {"a = heed.CausalMask(query, key); b = heed.CausalMask(query_of_b, key_of_b);"
                 "wide_a = Unsqueeze(a, axes_of_a) | a; wide_b = Unsqueeze(b, axes_of_b) | b;"
                 "seen = And(wide_a, wide_b)"},
    .replacement = "",
    .accept = accept_both};

extern const Rewrite causal_triangle{
    .name = "causal_mask",
    .patterns = {"cut_rows = Slice(table, row, row_end, row_axes, row_steps);"
                 "cut = Slice(cut_rows, column, column_end, column_axes, column_steps);"
                 "visible = Cast<to = 9>(cut) | cut;"
                 "y = Where(visible, scores, low)"},
    .replacement = "",
    .accept = accept_triangle};

extern const Rewrite causal_trilu{
    .name = "causal_mask",
    .patterns = {"square = Expand(number, shape); hidden = Equal(Trilu<upper = 0>(square, k), zero)",
                 "square = Expand(number, shape); bias = Trilu<upper = 1>(square, k)",
                 "square = Expand(number, shape); seen = Trilu<upper = 0>(square, k)"},
    .replacement = "",
    .accept = accept_trilu};

}  // namespace heed::ops
