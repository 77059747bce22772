// What stands before heed.Attention and that it can do itself: numbers that scale query or key, the concatenation with
// the past, heads that are repeated for groups, and masks that are proven to be causal.
#include <deque>
#include <string>

#include "attention.hpp"
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

#define OTHER_ATTRIBUTES                                                                                        \
  "top_left = @top_left, softcap = @softcap, window = @window, right_window = @right_window, qk_output_mode = " \
  "@qk_output_mode"

// ---- scales: (c q) k' = c (q k')
// --------------------------------------------------------------------------------------

bool accept_scale(Match& match) {
  const auto x = match.type("x");
  const float scale = match.node("y").number("scale");
  if (!x || x->rank() != 4 || scale <= 0) return false;
  const auto by = scale_of(match, *x);
  if (!by) return false;
  match.set("new_scale", static_cast<float>(scale * *by));
  std::string inputs;
  if (match.type("query"))
    inputs = "x, k, v";
  else if (match.type("kt"))
    inputs = "q, Transpose<perm = [0, 1, 3, 2]>(x), v";
  else
    inputs = "q, x, v";
  match.replace_by("y = heed.Attention<scale = @new_scale, causal = @causal, " OTHER_ATTRIBUTES ">(" + inputs +
                   ", mask)");
  return true;
}

// ---- the past: keys and values that new ones are appended to
// ------------------------------------------------------------

bool accept_past(Match& match) {
  for (const auto name : {"key", "value"}) {
    const int64_t axis = match.node(name).integer("axis");
    if (axis != 2 && axis != -2) return false;
  }
  const auto past_key = match.type("past_key"), past_value = match.type("past_value");
  const auto k = match.type("k"), v = match.type("v");
  for (const auto& type : {past_key, past_value, k, v})
    if (!type || type->rank() != 4) return false;
  return past_key->dim(2) == past_value->dim(2) && k->dim(2) == v->dim(2);
}

// ---- groups: key and value heads repeated, 0 0 1 1
// ------------------------------------------------------------------------

bool is_repeated(Match& match, std::string_view one, std::string_view unsqueezed, std::string_view expanded,
                 std::string_view all) {
  const auto x = match.type(one), u = match.type(unsqueezed), e = match.type(expanded), y = match.type(all);
  if (x->rank() != 4 || u->rank() != 5 || e->rank() != 5 || y->rank() != 4) return false;
  if (!u->dim(2).is_number(1) || !(u->dim(1) == x->dim(1)) || !(u->dim(3) == x->dim(2)) || !(u->dim(4) == x->dim(3)))
    return false;
  for (const int32_t axis : {0, 1, 3, 4})
    if (!(e->dim(axis) == u->dim(axis))) return false;
  return y->dim(1) == e->dim(1) * e->dim(2) && y->dim(2) == x->dim(2) && y->dim(3) == x->dim(3) &&
         y->dim(0) == x->dim(0);
}

// One axis of size 1 may stand anywhere among others of size 1: only axis 2 is between heads and keys.
bool is_axis_2(Match& match, std::string_view axes) {
  const auto list = match.elements(axes);
  return list && list->size() == 1 && ((*list)[0].is_number(2) || (*list)[0].is_number(-3));
}

bool accept_groups(Match& match) {
  return is_axis_2(match, "key_axes") && is_axis_2(match, "value_axes") && is_repeated(match, "k", "ku", "ke", "key") &&
         is_repeated(match, "v", "vu", "ve", "value");
}

// ---- causal masks
// ---------------------------------------------------------------------------------------------------------

bool accept_causal(Match& match) {
  const auto q = match.type("q"), k = match.type("k"), past = match.type("past_key"),
             causal = match.type("causal_mask");
  const auto mask = match.type("mask") ? match.type("mask") : causal;
  if (!q || !k || q->rank() != 4 || k->rank() != 4 || !mask->has_rank() || !causal->has_rank()) return false;
  if (past && past->rank() != 4) return false;
  const auto node = match.node("y");
  if (node.integer("causal") != 0 || node.integer("top_left") != 0) return false;
  const Dim query = q->dim(2), key = past ? past->dim(2) + k->dim(2) : k->dim(2);
  if (!(causal->dim(0) == query) || !(causal->dim(1) == key)) return false;
  if (mask->rank() < 2 || !(mask->dim(-1) == key) || !(mask->dim(-2) == query)) return false;
  for (int32_t axis = 3; axis <= mask->rank(); ++axis)
    if (!mask->dim(-axis).is_number(1)) return false;

  std::string made = "causal_mask = heed.CausalMask(query_length, key_length);";
  if (match.type("wide")) made += "wide = Unsqueeze(causal_mask, axes);";
  if (match.type("low")) {
    const auto zero = match.scalar("zero");
    const Hiding how = hiding(match, "low");
    if (!zero || *zero != 0 || how == Hiding::no) return false;
    // A query that sees no key weighs all alike where the number is finite; here each sees the first key at least.
    if (how == Hiding::finite && (key - query).lower_bound() < 0) return false;
    made += std::string("mask = Where(") + (match.type("wide") ? "wide" : "causal_mask") + ", zero, low);";
  } else {
    made += match.type("mask") ? "mask = Unsqueeze(causal_mask, axes);" : "";
  }
  match.replace_by(made + "y, present_key, present_value = heed.Attention<scale = @scale, causal = 1, " OTHER_ATTRIBUTES
                          ">(q, k, v, , past_key, past_value)");
  return true;
}

}  // namespace

// Only where there is no past yet: one that is not scaled would have to be.
extern const Rewrite attention_scale{
    .name = "attention_scale",
    .patterns =
        {"query = Mul(x, multiplier); y = heed.Attention(query, k, v, mask)",
         "query = Div(x, divisor); y = heed.Attention(query, k, v, mask)",
         "key = Mul(x, multiplier); y = heed.Attention(q, key, v, mask)",
         "key = Div(x, divisor); y = heed.Attention(q, key, v, mask)",
         "kt = Mul(x, multiplier); key = Transpose<perm = [0, 1, 3, 2]>(kt); y = heed.Attention(q, key, v, mask)",
         "kt = Div(x, divisor); key = Transpose<perm = [0, 1, 3, 2]>(kt); y = heed.Attention(q, key, v, mask)"},
    .replacement = "",
    .accept = accept_scale};

extern const Rewrite attention_past{
    .name = "attention_past",
    .patterns = {"key = Concat(past_key, k); value = Concat(past_value, v); y = heed.Attention(q, key, value, mask)"},
    .replacement = "y, key, value = heed.Attention<scale = @scale, causal = @causal, " OTHER_ATTRIBUTES
                   ">(q, k, v, mask, past_key, past_value)",
    .accept = accept_past};

extern const Rewrite attention_groups{
    .name = "attention_groups",
    .patterns = {"ku = Unsqueeze(k, key_axes); ke = Expand(ku, key_shape); key = Reshape(ke, key_heads);"
                 "vu = Unsqueeze(v, value_axes); ve = Expand(vu, value_shape); value = Reshape(ve, value_heads);"
                 "y = heed.Attention(q, key, value, mask)"},
    .replacement = "y = heed.Attention<scale = @scale, causal = @causal, " OTHER_ATTRIBUTES ">(q, k, v, mask)",
    .accept = accept_groups};

extern const Rewrite attention_causal{
    .name = "attention_causal",
    .patterns = {"causal_mask = heed.CausalMask(query_length, key_length);"
                 "y, present_key, present_value = heed.Attention(q, k, v, causal_mask, past_key, past_value)",
                 "causal_mask = heed.CausalMask(query_length, key_length); mask = Unsqueeze(causal_mask, axes);"
                 "y, present_key, present_value = heed.Attention(q, k, v, mask, past_key, past_value)",
                 "causal_mask = heed.CausalMask(query_length, key_length); mask = Where(causal_mask, zero, low);"
                 "y, present_key, present_value = heed.Attention(q, k, v, mask, past_key, past_value)",
                 "causal_mask = heed.CausalMask(query_length, key_length); wide = Unsqueeze(causal_mask, axes);"
                 "mask = Where(wide, zero, low);"
                 "y, present_key, present_value = heed.Attention(q, k, v, mask, past_key, past_value)"},
    .replacement = "",
    .accept = accept_causal};

}  // namespace heed::ops
