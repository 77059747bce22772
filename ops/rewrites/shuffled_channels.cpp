// Two halves put one after the other and then dealt out in turn, as ShuffleNet shuffles its channels -> a Concat along an
// axis behind theirs: who makes the halves can write them where they go.
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// [n, c, rest...] twice -> [n, 2 c, rest...] -> [n, 2, c, rest...] -> [n, c, 2, rest...] -> [n, 2 c, rest...]
bool accept(Match& match) {
  const auto a = match.type("a"), b = match.type("b"), parts = match.type("parts"), y = match.type("y");
  const auto perm = match.node("turned").integers("perm");
  if (!a->has_rank() || !b->has_rank() || !parts->has_rank() || !y->has_rank() || !perm) return false;
  const int32_t rank = a->rank();
  if (rank < 2 || b->rank() != rank || parts->rank() != rank + 1 || y->rank() != rank) return false;
  const int64_t axis = match.node("c").integer("axis", 1);
  if (axis != 1 && axis + rank != 1) return false;
  if (!parts->dim(1).is_number(2) || !(y->dim(1) == a->dim(1) * 2)) return false;
  for (int32_t i = 0; i < rank; ++i) {
    if (!(a->dim(i) == b->dim(i)) || !(parts->dim(i == 0 ? 0 : i + 1) == a->dim(i))) return false;
    if (i != 1 && !(y->dim(i) == a->dim(i))) return false;
  }
  for (int64_t i = 0; i <= rank; ++i)
    if ((*perm)[static_cast<size_t>(i)] != (i == 1 ? 2 : i == 2 ? 1 : i)) return false;
  return true;
}

}  // namespace

extern const Rewrite shuffled_channels{
    .name = "shuffled_channels",
    .patterns = {"c = Concat(a, b); parts = Reshape(c, inner); turned = Transpose(parts); y = Reshape(turned, outer)"},
    .replacement = "axis = Constant<value_ints = [2]>(); y = Reshape(Concat<axis = 2>(Unsqueeze(a, axis), Unsqueeze(b, axis)), "
                   "outer)",
    .accept = accept};

}  // namespace heed::ops
