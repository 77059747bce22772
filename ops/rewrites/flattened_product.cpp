// A product whose rows were laid in one axis before it and laid out again behind it, as GPT-2's Conv1D is exported: the
// product of matrices does without, and what follows it, its residual or activation, meets it as it is.
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

bool accept(Match& match) {
  const auto flat = match.type("flat"), w = match.type("w"), y = match.type("y");
  const auto shape = match.elements("shape");
  if (!flat->has_rank() || !w->has_rank() || !y->has_rank() || !shape) return false;
  if (flat->rank() != 2 || w->rank() != 2 || y->rank() < 2 || !(y->dim(-1) == w->dim(1)) || !w->dim(0).is_number())
    return false;
  // The sizes of rows, without one that stands for what the product has there.
  for (const Dim size : shape->first(shape->size() - 1))
    if (size.is_number(0)) return false;
  match.set("channels", std::vector<int64_t>{w->dim(0).number()});
  const std::string rows =
      "first = Constant<value_ints = [0]>(); last = Constant<value_ints = [-1]>();"
      "x_rows = Reshape(x, Concat<axis = 0>(Slice(shape, first, last, first), Constant<value_ints = @channels>()));";
  const auto product = match.node("p");
  if (product.has_attribute("activation")) {
    match.set("scale", product.number("scale"));
    match.set("activation", product.text("activation"));
    match.replace_by(rows + "y = heed.FusedMatMul<scale = @scale, activation = @activation>(x_rows, w, bias)");
  } else {
    match.replace_by(rows + "y = MatMul(x_rows, w)");
  }
  return true;
}

}  // namespace

extern const Rewrite flattened_product{
    .name = "flattened_product",
    .patterns = {"flat = Reshape(x, one_axis); p = MatMul(flat, w) | heed.FusedMatMul(flat, w, bias);"
                 "y = Reshape(p, shape)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
