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

// ---- parts that lie side by side, as torch.nn.MultiheadAttention's and Falcon's queries, keys and values do

// One, or several that follow one another.
bool accept_select(Match& match) {
  const auto x = match.type("x");
  const auto index = match.constant("index");
  if (!x->has_rank() || x->rank() < 3 || !index || index->rank() > 1 || index->count() == 0)
    return false;  // of a table: heed.Embedding
  const int64_t axis = match.node("y").integer("axis");
  const auto size = x->dim(static_cast<int32_t>(axis));
  if (!size.is_number()) return false;
  const std::vector<int64_t> places = index->integers();
  const int64_t from = places[0] < 0 ? places[0] + size.number() : places[0];
  const auto count = static_cast<int64_t>(places.size());
  if (from < 0 || from + count > size.number()) return false;
  for (int64_t i = 0; i < count; ++i)
    if (places[static_cast<size_t>(i)] != from + i && places[static_cast<size_t>(i)] != from + i - size.number())
      return false;
  match.set("from", std::vector<int64_t>{from});
  match.set("to", std::vector<int64_t>{from + count});
  match.set("axes", std::vector<int64_t>{axis});
  const std::string part =
      "axes = Constant<value_ints = @axes>();"
      "part = Slice(x, Constant<value_ints = @from>(), Constant<value_ints = @to>(), axes);";
  match.replace_by(part + (index->rank() == 0 ? "y = Squeeze(part, axes)" : "y = Identity(part)"));
  return true;
}

// Heads split with the batch on one axis, [sequence, batch * head, channel], and then from it: what is a view of parts
// side by side only where they are split apart.
bool accept_heads(Match& match) {
  const auto x = match.type("x"), merged = match.type("merged"), y = match.type("y");
  if (x->rank() != 3 || merged->rank() != 3 || y->rank() != 4) return false;
  const Dim sequence = x->dim(0), batch = x->dim(1), head = y->dim(1), channel = y->dim(3);
  if (!head.is_number() || !channel.is_number() || !(x->dim(2) == head * channel)) return false;
  if (!(merged->dim(0) == sequence) || !(merged->dim(1) == batch * head) || !(merged->dim(2) == channel)) return false;
  if (!(y->dim(0) == batch) || !(y->dim(2) == sequence)) return false;
  match.set("split", std::vector<int64_t>{0, 0, head.number(), channel.number()});
  return true;
}

// ---- an axis of size 1 goes after the others are turned, so that who makes x writes it turned

bool accept_squeezed(Match& match) {
  const auto x = match.type("x");
  const auto axes = match.elements("axes");
  const auto perm = match.node("y").integers("perm");
  if (!x->has_rank() || !axes || axes->size() != 1 || !(*axes)[0].is_number() || !perm) return false;
  const int64_t given = (*axes)[0].number(), gone = given < 0 ? given + x->rank() : given;
  if (static_cast<int64_t>(perm->size()) + 1 != x->rank()) return false;
  std::vector<int64_t> wide{gone};
  for (const int64_t axis : *perm) wide.push_back(axis < gone ? axis : axis + 1);
  match.set("wide", wide);
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

extern const Rewrite unsqueezes{
    .name = "unsqueezes",
    .patterns = {"u = Unsqueeze(x, inner); y = Unsqueeze(u, outer)"},
    .replacement = "u = Unsqueeze(x, inner); y = Unsqueeze(x, Constant<value_ints = @axes>())",
    .accept = accept_unsqueezes};

extern const Rewrite transposed_matrices{
    .name = "transposed_matrices",
    .patterns = {"flat = Reshape(x, one_axis); t = Transpose<perm = [0, 2, 1]>(flat); y = Reshape(t, all_axes)"},
    .replacement = "y = Transpose<perm = @perm>(x)",
    .accept = accept_matrices};

extern const Rewrite gather_of_parts{
    .name = "gather_of_parts", .patterns = {"y = Gather(x, index)"}, .replacement = "", .accept = accept_select};

extern const Rewrite heads_from_batch{
    .name = "heads_from_batch",
    .patterns = {"merged = Reshape(x, one_axis); t = Transpose<perm = [1, 0, 2]>(merged); y = Reshape(t, two_axes)"},
    .replacement = "y = Transpose<perm = [1, 2, 0, 3]>(Reshape(x, Constant<value_ints = @split>()))",
    .accept = accept_heads};

extern const Rewrite transpose_of_squeezed{.name = "transpose_of_squeezed",
                                           .patterns = {"s = Squeeze(x, axes); y = Transpose(s)"},
                                           .replacement =
                                               "s = Squeeze(x, axes);"
                                               "y = Squeeze(Transpose<perm = @wide>(x), Constant<value_ints = [0]>())",
                                           .accept = accept_squeezed};

extern const Rewrite where_of_expanded{.name = "where_of_expanded",
                                       .patterns = {"e = Expand(x, shape); y = Where(e, a, b)"},
                                       .replacement = "e = Expand(x, shape); y = Expand(Where(x, a, b), shape)",
                                       .accept = accept_where};

}  // namespace heed::ops
