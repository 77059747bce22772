// Views of views, as one: what exporters spell out in steps is one Unsqueeze, one Transpose.
#include <string>

#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// ---- Unsqueeze of Unsqueeze

// The axes as they count in a tensor of this rank, as a row of flags.
std::optional<std::vector<bool>> new_axes(const std::optional<std::span<const Dim>>& axes, int64_t rank) {
  if (!axes) return std::nullopt;
  std::vector<bool> is_new(static_cast<size_t>(rank), false);
  for (const Dim axis : *axes) {
    if (!axis.is_number() || axis.number() < -rank || axis.number() >= rank) return std::nullopt;
    is_new[static_cast<size_t>(axis.number() < 0 ? axis.number() + rank : axis.number())] = true;
  }
  return is_new;
}

bool accept_unsqueezes(Match& match) {
  const auto inner_type = match.type("u"), outer_type = match.type("y");
  if (!inner_type->has_rank() || !outer_type->has_rank()) return false;
  const auto inner = new_axes(match.elements("inner"), inner_type->rank());
  const auto outer = new_axes(match.elements("outer"), outer_type->rank());
  if (!inner || !outer) return false;
  std::vector<int64_t> axes;
  size_t of_inner = 0;
  for (size_t axis = 0; axis < outer->size(); ++axis)
    if ((*outer)[axis] || (*inner)[of_inner++]) axes.push_back(static_cast<int64_t>(axis));
  match.set("axes", axes);
  return true;
}

// ---- matrices transposed as torch's second exporter does: all axes before them as one

bool accept_matrices(Match& match) {
  const auto x = match.type("x"), flat = match.type("flat"), y = match.type("y");
  if (!x->has_rank() || !flat->has_rank() || !y->has_rank() || x->rank() < 3 || y->rank() != x->rank()) return false;
  if (!(flat->dim(1) == x->dim(-2)) || !(flat->dim(2) == x->dim(-1))) return false;
  const int32_t rank = x->rank();
  std::vector<int64_t> perm;
  for (int32_t axis = 0; axis < rank; ++axis) {
    perm.push_back(axis < rank - 2 ? axis : 2 * rank - 3 - axis);
    if (!(y->dim(axis) == x->dim(static_cast<int32_t>(perm.back())))) return false;
  }
  match.set("perm", perm);
  return true;
}

// ---- what is chosen between two numbers need not be repeated before

bool accept_where(Match& match) {
  const auto x = match.type("x");
  const auto a = match.constant("a"), b = match.constant("b");
  return x->has_rank() && a && b && a->count() == 1 && b->count() == 1 && a->rank() <= x->rank() &&
         b->rank() <= x->rank();
}

}  // namespace

extern const Rewrite unsqueezes{.name = "unsqueezes",
                                .patterns = {"u = Unsqueeze(x, inner); y = Unsqueeze(u, outer)"},
                                .replacement = "u = Unsqueeze(x, inner); y = Unsqueeze(x, Constant<value_ints = @axes>())",
                                .accept = accept_unsqueezes};

extern const Rewrite transposed_matrices{
    .name = "transposed_matrices",
    .patterns = {"flat = Reshape(x, one_axis); t = Transpose<perm = [0, 2, 1]>(flat); y = Reshape(t, all_axes)"},
    .replacement = "y = Transpose<perm = @perm>(x)",
    .accept = accept_matrices};

extern const Rewrite where_of_expanded{.name = "where_of_expanded",
                                       .patterns = {"e = Expand(x, shape); y = Where(e, a, b)"},
                                       .replacement = "e = Expand(x, shape); y = Expand(Where(x, a, b), shape)",
                                       .accept = accept_where};

}  // namespace heed::ops
