// Views that change nothing, or that lead back to where they began.
#include "heed/plugin.hpp"
#include "slices.hpp"

namespace heed::ops {
namespace {

bool is_as_before(Match& match) {
  const auto x = match.type("x"), y = match.type("y");
  if (!x || !y || !x->has_rank() || !y->has_rank() || x->rank() != y->rank()) return false;
  for (int32_t axis = 0; axis < x->rank(); ++axis)
    if (!(x->dim(axis) == y->dim(axis))) return false;
  return true;
}

// As long as before, unless turned round.
bool accept_slice(Match& match) {
  if (!is_as_before(match)) return false;
  if (!match.type("y_steps")) return true;
  const auto steps = match.elements("y_steps");
  return steps && std::all_of(steps->begin(), steps->end(), [](Dim step) { return step.lower_bound() > 0; });
}

int64_t axis_of(NodeView node, TypeView of, int64_t otherwise) {
  const int64_t axis = node.integer("axis", otherwise);
  return axis < 0 ? axis + of.rank() : axis;
}

// The parts of a Split stand in the order in which they are joined.
bool accept_split_parts(Match& match) {
  const auto x = match.type("x"), y = match.type("y");
  if (!is_as_before(match)) return false;
  return axis_of(match.node("a"), *x, 0) == axis_of(match.node("y"), *y, 1);
}

bool accept_cut_parts(Match& match) {
  const auto x = match.type("x");
  if (!is_as_before(match)) return false;
  const auto first = cut_of(match, "a", *x), second = cut_of(match, "b", *x);
  if (!first || !second || first->axis != second->axis || first->step != 1 || second->step != 1) return false;
  return first->axis == axis_of(match.node("y"), *x, 1) && first->start == 0 &&
         match.type("a")->dim(first->axis).is_number(second->start);
}

#define VIEW "v = Reshape(x, inner) | Squeeze(x, inner) | Unsqueeze(x, inner) | Flatten(x);"

}  // namespace

extern const Rewrite unchanged{.name = "unchanged",
                               .patterns = {"y = Expand(x, shape)", "y = Tile(x, repeats)", "y = Concat(x)"},
                               .replacement = "y = Identity(x)",
                               .accept = is_as_before};

extern const Rewrite whole_slice{
    .name = "unchanged", .patterns = {SLICE("y", "x")}, .replacement = "y = Identity(x)", .accept = accept_slice};

extern const Rewrite there_and_back{
    .name = "there_and_back",
    .patterns = {VIEW "y = Reshape(v, outer)", VIEW "y = Squeeze(v, outer)", VIEW "y = Unsqueeze(v, outer)"},
    .replacement = "y = Identity(x)",
    .accept = is_as_before};

extern const Rewrite split_and_joined{
    .name = "cut_and_joined",
    .patterns = {"a, b = Split(x, sizes); y = Concat(a, b)", "a, b, c = Split(x, sizes); y = Concat(a, b, c)"},
    .replacement = "y = Identity(x)",
    .accept = accept_split_parts};

extern const Rewrite cut_and_joined{.name = "cut_and_joined",
                                    .patterns = {SLICE("a", "x") SLICE("b", "x") "y = Concat(a, b)"},
                                    .replacement = "y = Identity(x)",
                                    .accept = accept_cut_parts};

}  // namespace heed::ops
