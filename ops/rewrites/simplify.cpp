// What says the same with less, so that other patterns need not know every way of saying it.
#include <algorithm>
#include <deque>
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

bool same_type(Match& match) {
  const auto from = match.type("x"), to = match.type("y");
  return from && to && from->has_element() && from->c.element == to->c.element;
}

// Whether each number of the first type is one of the second.
bool keeps_numbers(DataType from, DataType to) {
  struct Kept {
    DataType from;
    Types to;
  };
  using enum DataType;
  static constexpr Kept kept[] = {{boolean, any_number},
                                  {u8, {u16, u32, u64, i16, i32, i64, f16, f32, f64}},
                                  {i8, {i16, i32, i64, f16, f32, f64}},
                                  {u16, {u32, u64, i32, i64, f32, f64}},
                                  {i16, {i32, i64, f32, f64}},
                                  {u32, {u64, i64, f64}},
                                  {i32, {i64, f64}},
                                  {f16, {f32, f64}},
                                  {bf16, {f32, f64}},
                                  {f32, {f64}}};
  for (const Kept& row : kept)
    if (row.from == from) return (row.to.bits() >> static_cast<int32_t>(to) & 1) != 0;
  return false;
}

// What is widened first need not be.
bool accept_casts(Match& match) {
  const auto x = match.type("x"), wide = match.type("wide");
  if (!x || !wide || !x->has_element() || !keeps_numbers(x->element(), wide->element())) return false;
  match.set("wide_type", int64_t{wide->c.element});
  return true;
}

// Each index is one number: a row.
bool accept_rows(Match& match) {
  const auto indices = match.type("indices");
  return match.node("y").integer("batch_dims") == 0 && indices && indices->has_rank() && indices->rank() > 1 &&
         indices->dim(-1).is_number(1);
}

// A column by a row.
bool accept_outer(Match& match) {
  const auto a = match.type("a"), b = match.type("b");
  return a && b && a->has_rank() && b->has_rank() && a->rank() >= 2 && b->rank() >= 2 && a->dim(-1).is_number(1) &&
         b->dim(-2).is_number(1) && !match.constant("a") && !match.constant("b");
}

// Two permutations, the inner one first, as one.
bool combine(Match& match) {
  const auto inner = match.node("t").integers("perm"), outer = match.node("y").integers("perm");
  const auto type = match.type("x");
  if (!type || !type->has_rank()) return false;
  const auto rank = static_cast<size_t>(type->rank());
  if (!inner || !outer || inner->size() != rank || outer->size() != rank) return false;
  std::vector<int64_t> perm;
  for (size_t axis = 0; axis < rank; ++axis) perm.push_back((*inner)[static_cast<size_t>((*outer)[axis])]);
  match.set("perm", perm);
  match.set("inner", *inner);
  return true;
}

// Axes where they were.
bool is_in_order(Match& match) {
  const auto perm = match.node("y").integers("perm");
  return perm && std::is_sorted(perm->begin(), perm->end());
}

// What works element by element, whichever way its input lies; named after what a pattern calls its result.
struct Elementwise {
  const char *result, *before, *after;  // the operator on `t`, and on `turned`
};
constexpr Elementwise elementwise[] = {
    {"relu", "Relu(t)", "Relu(turned)"},
    {"sigmoid", "Sigmoid(t)", "Sigmoid(turned)"},
    {"tanh", "Tanh(t)", "Tanh(turned)"},
    {"swish", "Swish(t)", "Swish<alpha = @alpha>(turned)"},
    {"gelu", "Gelu(t)", "Gelu<approximate = @approximate>(turned)"},
    {"neg", "Neg(t)", "Neg(turned)"},
    {"cast", "Cast(t)", "Cast<to = @to>(turned)"},
    {"product", "Mul(t, number)", "Mul(turned, number)"},
    {"quotient", "Div(t, number)", "Div(turned, number)"},
    {"sum", "Add(t, number)", "Add(turned, number)"},
};

std::vector<std::string_view> transposed_around() {
  static const auto texts = [] {
    std::deque<std::string> made;
    for (const auto& [result, before, after] : elementwise)
      made.push_back(std::string("t = Transpose(x); ") + result + " = " + before + "; y = Transpose(" + result + ")");
    return made;
  }();
  return {texts.begin(), texts.end()};
}

bool combine_around(Match& match) {
  if (!combine(match)) return false;
  if (match.type("number") && (!match.scalar("number") || match.type("number")->rank() > match.type("x")->rank()))
    return false;
  const auto* between = std::find_if(std::begin(elementwise), std::end(elementwise),
                                     [&](const Elementwise& each) { return match.type(each.result).has_value(); });
  const auto node = match.node(between->result);
  match.set("alpha", node.number("alpha", 1));
  match.set("approximate", node.text("approximate", "none"));
  match.set("to", node.integer("to"));
  match.replace_by(std::string("t = Transpose<perm = @inner>(x); turned = Transpose<perm = @perm>(x); y = ") +
                   between->after);
  return true;
}

// A sum meets its numbers two by two, which fuses.
bool accept_mean(Match& match) {
  std::string inputs;
  int64_t count = 0;
  for (const char* name : {"a", "b", "c", "d", "e", "f", "g", "h"}) {
    if (!match.type(name)) break;
    inputs += (count++ ? ", " : "") + std::string(name);
  }
  const auto a = match.type("a");
  if (!a || !a->has_element() || match.node("y").input_count() != count) return false;
  match.set("count", static_cast<float>(count));
  match.set("type", int64_t{a->c.element});
  match.replace_by("y = Div(Sum(" + inputs + "), Cast<to = @type>(Constant<value_float = @count>()))");
  return true;
}

bool accept_fast_gelu(Match& match) {
  const std::string x = match.type("bias") ? "Add(x, bias)" : "x";
  match.replace_by("y = Gelu<approximate = \"tanh\">(" + x + ")");
  return true;
}

// Dropout drops in training alone, which opset 12 and later tell by an input. A mask in the type of the data (before
// opset 10) is left to the kernel.
bool is_inference(Match& match) {
  const auto dropout = match.node("y");
  if (dropout.version() < 10 && dropout.has_output(1)) return false;
  if (!match.type("training")) return true;
  const auto training = match.constant("training");
  return training && training->count() == 1 && training->integers()[0] == 0;
}

}  // namespace

// A product before it takes the bias and the Gelu along.
extern const Rewrite fast_gelu_as_gelu{.name = "fast_gelu_as_gelu",
                                       .patterns = {"y = com.microsoft.FastGelu(x, bias)"},
                                       .replacement = "",
                                       .accept = accept_fast_gelu};

extern const Rewrite mean_as_sum{
    .name = "mean_as_sum", .patterns = {"y = Mean(a, b, c, d, e, f, g, h)"}, .replacement = "", .accept = accept_mean};

extern const Rewrite cast_to_same{
    .name = "cast_to_same", .patterns = {"y = Cast(x)"}, .replacement = "y = Identity(x)", .accept = same_type};

extern const Rewrite casts{.name = "casts",
                           .patterns = {"wide = Cast(x); y = Cast(wide)"},
                           .replacement = "wide = Cast<to = @wide_type>(x); y = Cast<to = @to>(x)",
                           .accept = accept_casts};

extern const Rewrite gather_of_rows{
    .name = "gather_of_rows",
    .patterns = {"y = GatherND(data, indices)"},
    .replacement = "y = Gather<axis = 0>(data, Squeeze(indices, Constant<value_ints = [-1]>()))",
    .accept = accept_rows};

extern const Rewrite outer_product{.name = "outer_product",
                                   .patterns = {"y = MatMul(a, b)"},
                                   .replacement = "y = Mul(a, b)",
                                   .accept = accept_outer};

extern const Rewrite where_not{.name = "where_not",
                               .patterns = {"n = Not(condition); y = Where(n, a, b)"},
                               .replacement = "n = Not(condition); y = Where(condition, b, a)"};

extern const Rewrite not_not{
    .name = "not_not", .patterns = {"n = Not(x); y = Not(n)"}, .replacement = "n = Not(x); y = Identity(x)"};

extern const Rewrite axes_in_order{
    .name = "transposes", .patterns = {"y = Transpose(x)"}, .replacement = "y = Identity(x)", .accept = is_in_order};

extern const Rewrite transposes{.name = "transposes",
                                .patterns = {"t = Transpose(x); y = Transpose(t)"},
                                .replacement = "t = Transpose<perm = @inner>(x); y = Transpose<perm = @perm>(x)",
                                .accept = combine};

extern const Rewrite transposes_around{
    .name = "transposes", .patterns = transposed_around(), .replacement = "", .accept = combine_around};

extern const Rewrite dropout_as_identity{
    .name = "dropout",
    .patterns = {"y, mask = Dropout(x, ratio, training)"},
    .replacement = "y = Identity(x); mask = ConstantOfShape<value = bool[1] {1}>(Shape(x))",
    .accept = is_inference};

}  // namespace heed::ops
