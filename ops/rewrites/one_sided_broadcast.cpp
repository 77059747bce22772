// Before opset 7 the second input of an element-wise operator was laid along the axes from attribute `axis` on. An
// Unsqueeze says the same to the operators of today, whose expressions fuse.
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

// `aligned`: the operator of today on A and B, which says it all where B ends where A ends.
template <const char* aligned>
bool accept(Match& match) {
  const auto node = match.node("C");
  const auto a = match.type("A"), b = match.type("B");
  const bool is_old = node.version() < 7 && (node.has_attribute("axis") || node.has_attribute("broadcast"));
  if (!is_old || !a || !b || !a->has_rank() || !b->has_rank()) return false;
  const int64_t given = node.integer("axis", a->rank() - b->rank()), axis = given < 0 ? given + a->rank() : given;
  const int64_t trailing = node.integer("broadcast") == 0 ? 0 : a->rank() - axis - b->rank();
  if (trailing < 0) return false;
  if (trailing == 0) {
    match.replace_by(aligned);
    return true;
  }
  std::vector<int64_t> axes;
  for (int64_t i = 0; i < trailing; ++i) axes.push_back(b->rank() + i);
  match.set("axes", axes);
  return true;
}

// Slopes of channels, axis 1.
bool accept_slopes(Match& match) {
  const auto x = match.type("X"), slope = match.type("slope");
  if (match.node("Y").version() >= 7 || !x || !slope || !x->has_rank() || !slope->has_rank()) return false;
  if (slope->rank() != 1 || x->rank() <= 2) return false;
  std::vector<int64_t> axes;
  for (int64_t axis = 1; axis < x->rank() - 1; ++axis) axes.push_back(axis);
  match.set("axes", axes);
  return true;
}

constexpr char aligned_add[] = "C = Add(A, B)";
constexpr char aligned_sub[] = "C = Sub(A, B)";
constexpr char aligned_mul[] = "C = Mul(A, B)";
constexpr char aligned_div[] = "C = Div(A, B)";
constexpr char aligned_pow[] = "C = Pow(A, B)";
constexpr char aligned_less[] = "C = Less(A, B)";
constexpr char aligned_greater[] = "C = Greater(A, B)";
constexpr char aligned_equal[] = "C = Equal(A, B)";

}  // namespace

extern const Rewrite one_sided_add{.name = "one_sided_broadcast (Add)",
                                   .patterns = {"C = Add(A, B)"},
                                   .replacement = "C = Add(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept<aligned_add>};
extern const Rewrite one_sided_sub{.name = "one_sided_broadcast (Sub)",
                                   .patterns = {"C = Sub(A, B)"},
                                   .replacement = "C = Sub(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept<aligned_sub>};
extern const Rewrite one_sided_mul{.name = "one_sided_broadcast (Mul)",
                                   .patterns = {"C = Mul(A, B)"},
                                   .replacement = "C = Mul(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept<aligned_mul>};
extern const Rewrite one_sided_div{.name = "one_sided_broadcast (Div)",
                                   .patterns = {"C = Div(A, B)"},
                                   .replacement = "C = Div(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept<aligned_div>};
extern const Rewrite one_sided_pow{.name = "one_sided_broadcast (Pow)",
                                   .patterns = {"C = Pow(A, B)"},
                                   .replacement = "C = Pow(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                   .accept = accept<aligned_pow>};
extern const Rewrite one_sided_less{.name = "one_sided_broadcast (Less)",
                                    .patterns = {"C = Less(A, B)"},
                                    .replacement = "C = Less(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                    .accept = accept<aligned_less>};
extern const Rewrite one_sided_greater{.name = "one_sided_broadcast (Greater)",
                                       .patterns = {"C = Greater(A, B)"},
                                       .replacement = "C = Greater(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                       .accept = accept<aligned_greater>};
extern const Rewrite one_sided_equal{.name = "one_sided_broadcast (Equal)",
                                     .patterns = {"C = Equal(A, B)"},
                                     .replacement = "C = Equal(A, Unsqueeze(B, Constant<value_ints = @axes>()))",
                                     .accept = accept<aligned_equal>};
extern const Rewrite one_sided_prelu{.name = "one_sided_broadcast (PRelu)",
                                     .patterns = {"Y = PRelu(X, slope)"},
                                     .replacement = "Y = PRelu(X, Unsqueeze(slope, Constant<value_ints = @axes>()))",
                                     .accept = accept_slopes};

}  // namespace heed::ops
