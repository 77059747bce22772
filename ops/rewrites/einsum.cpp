// Einsum -> what it is in other words, where it is: of many inputs, Einsums of two; of two inputs with a label to sum
// over, a MatMul; of one input, ReduceSum and Transpose.
#include "heed/einsum.hpp"

#include <algorithm>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

using Labels = std::vector<int32_t>;
constexpr const char* names[] = {"a", "b", "c", "d", "e", "f", "g", "h"};

bool has(const Labels& labels, int32_t label) { return std::find(labels.begin(), labels.end(), label) != labels.end(); }

bool has_diagonal(const Labels& labels) {
  return std::any_of(labels.begin(), labels.end(),
                     [&](int32_t label) { return std::count(labels.begin(), labels.end(), label) > 1; });
}

std::string list(const std::vector<int64_t>& numbers) {
  std::string text;
  for (const int64_t number : numbers) text += (text.empty() ? "" : ", ") + std::to_string(number);
  return "[" + text + "]";
}
std::string constant(const std::vector<int64_t>& numbers) { return "Constant<value_ints = " + list(numbers) + ">()"; }

// `value`, of the axes `from`, with the axes `to`, which are the same in another order.
std::string transposed(const std::string& value, const Labels& from, const Labels& to) {
  if (from == to) return value;
  std::vector<int64_t> perm;
  for (const int32_t label : to) perm.push_back(std::find(from.begin(), from.end(), label) - from.begin());
  return "Transpose<perm = " + list(perm) + ">(" + value + ")";
}

struct Term {
  TypeView type;
  Labels labels;
  Dim size_of(int32_t label) const {
    return type.dim(static_cast<int32_t>(std::find(labels.begin(), labels.end(), label) - labels.begin()));
  }
};

std::string reduced(const Term& a, const Labels& output) {
  Labels kept;
  std::vector<int64_t> axes;
  for (size_t axis = 0; axis < a.labels.size(); ++axis) {
    if (has(output, a.labels[axis]))
      kept.push_back(a.labels[axis]);
    else
      axes.push_back(static_cast<int64_t>(axis));
  }
  const std::string sum = axes.empty() ? "a" : "ReduceSum<keepdims = 0>(a, " + constant(axes) + ")";
  return "y = " + (kept == output ? (axes.empty() ? "Identity(a)" : sum) : transposed(sum, kept, output));
}

// The size of labels as one axis: a number, or -1 where one of them has an unknown size; nullopt where more have.
std::optional<int64_t> merged(const Term& term, const Labels& labels) {
  int64_t size = 1;
  for (const int32_t label : labels) {
    const Dim dim = term.size_of(label);
    if (dim.is_number(0)) return std::nullopt;
    if (labels.size() > 1 && !dim.is_number()) return std::nullopt;
    size = dim.is_number() ? size * dim.number() : -1;
  }
  return size;
}

// Shapes for Reshape; false where they have more than one -1.
bool is_told(const std::vector<int64_t>& sizes) { return std::count(sizes.begin(), sizes.end(), -1) <= 1; }

// [batch..., rows, summed] and [batch..., summed, columns], each of rows, summed and columns one axis.
std::optional<std::string> as_matmul(const Term& a, const Term& b, const Labels& output) {
  Labels batch, rows, summed, columns;
  for (const int32_t label : a.labels) {
    if (has(b.labels, label)) {
      if (!(a.size_of(label) == b.size_of(label))) return std::nullopt;
      (has(output, label) ? batch : summed).push_back(label);
    } else if (has(output, label)) {
      rows.push_back(label);
    } else {
      return std::nullopt;
    }
  }
  for (const int32_t label : b.labels) {
    if (has(a.labels, label)) continue;
    if (!has(output, label)) return std::nullopt;
    columns.push_back(label);
  }
  if (summed.empty()) return std::nullopt;
  const auto row_count = merged(a, rows), sum_count = merged(a, summed), column_count = merged(b, columns);
  if (!row_count || !sum_count || !column_count) return std::nullopt;

  std::vector<int64_t> a_sizes, b_sizes, y_sizes;
  for (const int32_t label : batch) {
    const Dim size = a.size_of(label);
    if (size.is_number(0)) return std::nullopt;
    const int64_t number = size.is_number() ? size.number() : 0;  // 0: the axis that stands there
    for (auto* sizes : {&a_sizes, &b_sizes, &y_sizes}) sizes->push_back(number);
  }
  const auto joined = [](std::initializer_list<Labels> parts) {
    Labels all;
    for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
  };
  const Labels a_order = joined({batch, rows, summed}), b_order = joined({batch, summed, columns}),
               y_order = joined({batch, rows, columns});
  std::string left = transposed("a", a.labels, a_order), right = transposed("b", b.labels, b_order);
  if (rows.size() != 1 || summed.size() != 1) {
    a_sizes.insert(a_sizes.end(), {*row_count, *sum_count});
    if (!is_told(a_sizes)) return std::nullopt;
    left = "Reshape(" + left + ", " + constant(a_sizes) + ")";
  }
  if (columns.size() != 1 || summed.size() != 1) {
    b_sizes.insert(b_sizes.end(), {*sum_count, *column_count});
    if (!is_told(b_sizes)) return std::nullopt;
    right = "Reshape(" + right + ", " + constant(b_sizes) + ")";
  }
  std::string product = "MatMul(" + left + ", " + right + ")";
  if (rows.size() != 1 || columns.size() != 1) {
    for (const int32_t label : rows) y_sizes.push_back(a.size_of(label).is_number() ? a.size_of(label).number() : -1);
    for (const int32_t label : columns)
      y_sizes.push_back(b.size_of(label).is_number() ? b.size_of(label).number() : -1);
    if (!is_told(y_sizes)) return std::nullopt;
    product = "Reshape(" + product + ", " + constant(y_sizes) + ")";
  }
  return "y = " + transposed(product, y_order, output);
}

// Labels as letters, those of the ellipsis too; nothing where letters run out.
std::optional<std::string> letters(const Labels& labels) {
  std::string text;
  for (const int32_t label : labels) {
    if (label >= detail::ellipsis_label) return std::nullopt;
    text += static_cast<char>(label < 26 ? 'A' + label : 'a' + label - 26);
  }
  return text;
}

// The first two inputs as one, of the labels that the rest or the output asks for.
bool pair(Match& match, const EinsumEquation& equation) {
  const size_t count = equation.inputs.size();
  Labels met;
  for (size_t k = 0; k < 2; ++k)
    for (const int32_t label : equation.inputs[k]) {
      bool is_asked_for = has(equation.output, label);
      for (size_t other = 2; other < count; ++other) is_asked_for = is_asked_for || has(equation.inputs[other], label);
      if (is_asked_for && !has(met, label)) met.push_back(label);
    }
  const auto a = letters(equation.inputs[0]), b = letters(equation.inputs[1]), t = letters(met),
             y = letters(equation.output);
  if (!a || !b || !t || !y) return false;
  std::string rest = *t, inputs = "t";
  for (size_t k = 2; k < count; ++k) {
    const auto term = letters(equation.inputs[k]);
    if (!term) return false;
    rest += "," + *term;
    inputs += std::string(", ") + names[k];
  }
  match.set("first", *a + "," + *b + "->" + *t);
  match.set("rest", rest + "->" + *y);
  match.replace_by("t = Einsum<equation = @first>(a, b); y = Einsum<equation = @rest>(" + inputs + ")");
  return true;
}

bool accept(Match& match) {
  std::vector<Term> terms;
  std::vector<int32_t> ranks;
  for (const char* name : names) {
    const auto type = match.type(name);
    if (!type) break;
    if (!type->has_rank() || (!is_float(type->element()) && bits_of(type->element()) < 32))
      return false;  // MatMul takes no other integers
    terms.push_back({*type, {}});
    ranks.push_back(type->rank());
  }
  if (match.node("y").input_count() != static_cast<int32_t>(terms.size())) return false;
  const auto equation = parse_einsum(match.node("y").text("equation"), ranks);
  if (!equation) return false;
  if (terms.size() > 2) return pair(match, *equation);
  for (size_t k = 0; k < terms.size(); ++k) {
    terms[k].labels = equation->inputs[k];
    if (has_diagonal(terms[k].labels)) return false;
  }
  const std::optional<std::string> text =
      terms.size() == 1 ? reduced(terms[0], equation->output) : as_matmul(terms[0], terms[1], equation->output);
  if (!text) return false;
  match.replace_by(*text);
  return true;
}

}  // namespace

extern const Rewrite einsum_lowered{
    .name = "einsum", .patterns = {"y = Einsum(a, b, c, d, e, f, g, h)"}, .replacement = "", .accept = accept};

}  // namespace heed::ops
