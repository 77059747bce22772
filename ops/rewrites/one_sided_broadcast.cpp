// Before opset 7 the second input of an element-wise operator was laid along the axes from attribute `axis` on. An
// Unsqueeze says the same to the operators of today, whose expressions fuse.
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

bool accept(Match& match) {
  const auto node = match.node("C");
  const auto a = match.type("A"), b = match.type("B");
  if (node.version() >= 7 || !node.has_attribute("axis") || !a || !b || !a->has_rank() || !b->has_rank()) return false;
  const int64_t given = node.integer("axis"), axis = given < 0 ? given + a->rank() : given;
  const int64_t trailing = a->rank() - axis - b->rank();
  if (trailing <= 0) return false;
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < trailing; ++i) axes.push_back(b->rank() + i);
  match.set("axes", axes);
  return true;
}

}  // namespace

extern const Rewrite one_sided_add{.name = "one_sided_broadcast (Add)",
                                   .patterns = {"C = Add(A, B)"},
                                   .replacement = "C = Add(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept};
extern const Rewrite one_sided_sub{.name = "one_sided_broadcast (Sub)",
                                   .patterns = {"C = Sub(A, B)"},
                                   .replacement = "C = Sub(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept};
extern const Rewrite one_sided_mul{.name = "one_sided_broadcast (Mul)",
                                   .patterns = {"C = Mul(A, B)"},
                                   .replacement = "C = Mul(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept};
extern const Rewrite one_sided_div{.name = "one_sided_broadcast (Div)",
                                   .patterns = {"C = Div(A, B)"},
                                   .replacement = "C = Div(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept};
extern const Rewrite one_sided_pow{.name = "one_sided_broadcast (Pow)",
                                   .patterns = {"C = Pow(A, B)"},
                                   .replacement = "C = Pow(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept};
extern const Rewrite one_sided_less{.name = "one_sided_broadcast (Less)",
                                    .patterns = {"C = Less(A, B)"},
                                    .replacement = "C = Less(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                    .accept = accept};
extern const Rewrite one_sided_greater{.name = "one_sided_broadcast (Greater)",
                                       .patterns = {"C = Greater(A, B)"},
                                       .replacement = "C = Greater(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                       .accept = accept};
extern const Rewrite one_sided_equal{.name = "one_sided_broadcast (Equal)",
                                     .patterns = {"C = Equal(A, B)"},
                                     .replacement = "C = Equal(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                     .accept = accept};

}  // namespace heed::ops
