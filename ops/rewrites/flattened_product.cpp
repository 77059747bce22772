// A product whose rows were laid in one axis before it and laid out again behind it, as GPT-2's Conv1D is exported: the
// product of matrices does without, and what follows it, its residual or activation, meets it as it is.
#include "products.hpp"

namespace heed::ops {
namespace {

bool accept(Match& match) {
  const auto flat = match.type("flat"), p = match.type("p"), y = match.type("y");
  const auto shape = match.elements("shape");
  if (!flat->has_rank() || !p->has_rank() || !y->has_rank() || !shape) return false;
  if (flat->rank() != 2 || p->rank() != 2 || y->rank() < 2 || !(y->dim(-1) == p->dim(1))) return false;
  if (match.type("a_scale")) return false;  // which may be of a row each
  // Codes of b lie in an order of their own.
  const Dim channels = match.type("scales") ? flat->dim(1) : match.type("b")->dim(0);
  if (!channels.is_number()) return false;
  // The sizes of rows, without one that stands for what the product has there.
  for (const Dim size : shape->first(shape->size() - 1))
    if (size.is_number(0)) return false;
  match.set("channels", std::vector<int64_t>{channels.number()});
  const std::string rows =
      "first = Constant<value_ints = [0]>(); last = Constant<value_ints = [-1]>();"
      "x_rows = Reshape(x, Concat<axis = 0>(Slice(shape, first, last, first), Constant<value_ints = @channels>()));";
  match.replace_by(rows + product_again(match, "x_rows", finish_of(match)));
  return true;
}

}  // namespace

extern const Rewrite flattened_product{
    .name = "flattened_product",
    .patterns = {"flat = Reshape(x, one_axis);" ANY_PRODUCT("flat") "y = Reshape(p, shape)"},
    .replacement = "",
    .accept = accept};

}  // namespace heed::ops
