// Positions of queries compared with positions of keys -> heed.CausalMask, where the sizes prove that the last query
// stands at the last key: rows run from key - query on. `y` is what may be seen, `h` what is hidden (torch's way
// round).
#include <deque>
#include <string>

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

// Which of the names that alternative patterns use this one has.
std::string_view used_name(Match& match, std::initializer_list<std::string_view> names) {
  for (const auto name : names)
    if (match.type(name)) return name;
  return {};
}

bool accept(Match& match) {
  const auto row = element_of(match, "row"), row_end = element_of(match, "row_end"),
             row_step = element_of(match, "row_step");
  const auto column = element_of(match, "column"), column_end = element_of(match, "column_end"),
             column_step = element_of(match, "column_step");
  if (!row || !row_end || !row_step || !column || !column_end || !column_step) return false;
  if (!row_step->is_number(1) || !column_step->is_number(1)) return false;
  const auto rows = used_name(match, {"unsqueezed_rows", "reshaped_rows"});
  const auto columns = used_name(match, {"unsqueezed_columns", "reshaped_columns", "c"});
  const auto rows_type = match.type(rows), columns_type = match.type(columns);
  if (!rows_type->has_rank() || !columns_type->has_rank() || rows_type->element() != DataType::i64) return false;
  // Queries go down, keys to the right.
  const Dim query = *row_end - *row, key = *column_end - *column;
  if (!lies_along(*rows_type, 2, query) || !lies_along(*columns_type, 1, key)) return false;
  if (!((*row - *column) - (key - query)).is_number(0)) return false;

  // Ranges and layouts are made again for whoever else reads them.
  const std::string_view result = used_name(match, {"y", "h"});
  std::string text = "r = Range(row, row_end, row_step); c = Range(column, column_end, column_step);";
  text += rows == "unsqueezed_rows" ? "unsqueezed_rows = Unsqueeze(r, row_layout);"
                                    : "reshaped_rows = Reshape(r, row_layout);";
  if (columns == "unsqueezed_columns") text += "unsqueezed_columns = Unsqueeze(c, column_layout);";
  if (columns == "reshaped_columns") text += "reshaped_columns = Reshape(c, column_layout);";
  std::string mask = "heed.CausalMask(Sub(row_end, row), Sub(column_end, column))";
  const int32_t lead = std::max(rows_type->rank(), columns_type->rank()) - 2;
  if (lead > 0) {
    std::string axes = "0";
    for (int32_t axis = 1; axis < lead; ++axis) axes += ", " + std::to_string(axis);
    mask = "Unsqueeze(" + mask + ", Constant<value_ints = [" + axes + "]>())";
  }
  match.replace_by(text + std::string(result) + " = " + (result == "y" ? mask : "Not(" + mask + ")"));
  return true;
}

// Each layout of rows and columns with each comparison.
std::vector<std::string_view> patterns() {
  static const auto texts = [] {
    std::deque<std::string> made;
    const std::string ranges = "r = Range(row, row_end, row_step); c = Range(column, column_end, column_step);";
    for (const std::string rows :
         {"unsqueezed_rows = Unsqueeze(r, row_layout);", "reshaped_rows = Reshape(r, row_layout);"}) {
      const std::string row = rows.substr(0, rows.find(' '));
      for (const std::string columns :
           {"", "unsqueezed_columns = Unsqueeze(c, column_layout);", "reshaped_columns = Reshape(c, column_layout);"}) {
        const std::string column = columns.empty() ? "c" : columns.substr(0, columns.find(' '));
        for (const std::string& comparison :
             {"y = LessOrEqual(" + column + ", " + row + ")", "y = GreaterOrEqual(" + row + ", " + column + ")",
              "h = Greater(" + column + ", " + row + ")", "h = Less(" + row + ", " + column + ")"})
          made.push_back(ranges + rows + columns + comparison);
      }
    }
    return made;
  }();
  return {texts.begin(), texts.end()};
}

}  // namespace

extern const Rewrite causal_mask{.name = "causal_mask", .patterns = patterns(), .replacement = "", .accept = accept};

}  // namespace heed::ops
