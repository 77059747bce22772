// What stands before heed.Attention and that it can do itself: numbers that scale query or key, the concatenation with
// the past, heads that are repeated for groups, and masks that are proven to be causal.
#include <algorithm>
#include <string>

#include "attention.hpp"
#include "heed/plugin.hpp"

namespace heed::ops {
namespace {

#define OTHER_ATTRIBUTES                                                                                        \
  "top_left = @top_left, softcap = @softcap, window = @window, right_window = @right_window, qk_output_mode = " \
  "@qk_output_mode"

std::string with_mask(const std::string& mask) {
  return "y, present_key, present_value = heed.Attention<scale = @scale, causal = @causal, " OTHER_ATTRIBUTES
         ">(q, k, v, " +
         mask + ", past_key, past_value, valid, sinks)";
}

// ---- scales: (c q) k' = c (q k')
// --------------------------------------------------------------------------------------

bool accept_scale(Match& match) {
  const auto x = match.type("x");
  const float scale = match.node("y").number("scale");
  if (!x || !x->has_rank() || scale <= 0) return false;
  const auto by = scale_of(match, *x);
  if (!by) return false;
  match.set("new_scale", static_cast<float>(scale * *by));
  const std::string unscaled = match.type("axes") ? "Unsqueeze(x, axes)"
                               : match.type("kt") ? "Transpose<perm = [0, 1, 3, 2]>(x)"
                               : match.type("heads")
                                   ? "Transpose<perm = [0, 2, 1, 3]>(Reshape<allowzero = @allowzero>(x, shape))"
                                   : "x";
  if (match.type("heads")) match.set("allowzero", match.node("heads").integer("allowzero"));
  const std::string inputs = match.type("query") ? unscaled + ", k, v" : "q, " + unscaled + ", v";
  match.replace_by("y = heed.Attention<scale = @new_scale, causal = @causal, " OTHER_ATTRIBUTES ">(" + inputs +
                   ", mask)");
  return true;
}

// ---- the past: keys and values that new ones are appended to
// ------------------------------------------------------------

// A past whose sequence stands before its heads stays a Concat: appended to where it lies, and read with strides.
bool accept_past(Match& match) {
  for (const auto name : {"all_keys", "all_values"}) {
    const int64_t axis = match.node(name).integer("axis");
    if (axis != 2 && axis != -2) return false;
  }
  const auto past_key = match.type("past_key"), past_value = match.type("past_value");
  const auto k = match.type("k"), v = match.type("v");
  for (const auto& type : {past_key, past_value, k, v})
    if (!type || type->rank() != 4) return false;
  return past_key->dim(2) == past_value->dim(2) && k->dim(2) == v->dim(2);
}

// How long past and new ones are together does not wait for their concatenation, which attention then makes: else a
// mask that is as long would wait for the attention that it masks.
bool accept_length(Match& match) {
  const auto past = match.type("past"), fresh = match.type("fresh");
  if (!past->has_rank() || past->rank() != 4 || !fresh->has_rank() || fresh->rank() != 4) return false;
  const auto in_range = [](int64_t axis) { return std::clamp<int64_t>(axis < 0 ? axis + 4 : axis, 0, 4); };
  const int64_t start = in_range(match.node("n").integer("start")), end = in_range(match.node("n").integer("end", 4));
  const int64_t axis = match.node("all").integer("axis");
  if (start >= end || match.node("all").input_count() != 2) return false;
  std::vector<int64_t> grows;  // 1 for the axis along which they are joined
  for (int64_t each = start; each < end; ++each) grows.push_back(each == in_range(axis));
  match.set("start", start);
  match.set("end", end);
  match.set("grows", grows);
  match.set("axis", axis);
  return true;
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

bool accept_groups(Match& match) {
  return is_repeated(match, "k", "ku", "ke", "key") && is_repeated(match, "v", "vu", "ve", "value");
}

// ---- masks: of two values, repeated, causal
// -------------------------------------------------------------------------------

// How many keys there are, with the past; none where a rank is not 4.
std::optional<Dim> key_count(Match& match) {
  const auto k = match.type("k"), past = match.type("past_key");
  if (!k || k->rank() != 4 || (past && past->rank() != 4)) return std::nullopt;
  return past ? past->dim(2) + k->dim(2) : k->dim(2);
}

// 0 or -inf as booleans.
bool accept_boolean(Match& match) {
  const auto seen = match.type("visible") ? match.type("visible") : match.type("hidden"), mask = match.type("mask");
  const auto key = key_count(match);
  if (!key || !seen->has_rank() || seen->rank() < 1 || !(seen->dim(-1) == *key) || mask->rank() > 4) return false;
  if (match.scalar("zero") != 0.0 || hiding(match, "low") != Hiding::infinite) return false;
  const std::string made = match.type("visible") ? "mask = Where(visible, zero, low); seen = Identity(visible);"
                                                 : "mask = Where(hidden, low, zero); seen = Not(hidden);";
  match.replace_by(made + with_mask("seen"));
  return true;
}

// heed.Attention repeats a mask itself, but not along keys.
bool accept_expanded(Match& match) {
  const auto one = match.type("one"), mask = match.type("mask");
  const auto key = key_count(match);
  return key && one->has_rank() && one->rank() >= 1 && mask->rank() <= 4 && one->dim(-1) == *key;
}

bool accept_causal(Match& match) {
  const auto q = match.type("q"), causal = match.type("causal_mask"), whole = match.type("mask");
  const auto key = key_count(match);
  if (!key || !q || q->rank() != 4 || !causal->has_rank() || !whole->has_rank()) return false;
  const auto node = match.node("y");
  if (node.integer("causal") != 0 || node.integer("top_left") != 0) return false;
  const Dim query = q->dim(2);
  if (!(causal->dim(0) == query) || !(causal->dim(1) == *key)) return false;
  const auto wide = match.type("wide");
  if (!wide->has_rank() || wide->rank() < 2 || !(wide->dim(-1) == *key) || !(wide->dim(-2) == query)) return false;
  for (int32_t axis = 3; axis <= wide->rank(); ++axis)
    if (!wide->dim(-axis).is_number(1)) return false;

  const auto window = match.node("causal_mask");
  const int64_t left = window.integer("window", -1), right = window.integer("right_window", 0);
  if (node.integer("window", -1) != -1 || node.integer("right_window", -1) != -1) return false;
  match.set("left", left);
  match.set("right", right);
  match.set("is_causal", int64_t{right == 0});
  match.set("seen_ahead", right == 0 ? int64_t{-1} : right);
  std::string made = "causal_mask = heed.CausalMask<window = @left, right_window = @right>(query_length, key_length);",
              name = "causal_mask";
  if (match.type("axes")) made += "wide = Unsqueeze(causal_mask, axes);", name = "wide";
  const auto rest = match.type("rest");
  if (rest) {
    if (!rest->has_rank() || rest->rank() < 1 || !(rest->dim(-1) == *key)) return false;
    made += "both = And(" + name + ", rest);", name = "both";
  }
  if (match.type("low")) {
    const Hiding how = hiding(match, "low");
    if (match.scalar("zero") != 0.0 || how == Hiding::no) return false;
    // A query that sees no key weighs all alike where the number is finite; here each sees the first key at least.
    if (how == Hiding::finite && (rest || (*key - query).lower_bound() < 0)) return false;
    made += "mask = Where(" + name + ", zero, low);";
  }
  match.replace_by(
      made +
      "y, present_key, present_value = heed.Attention<scale = @scale, causal = @is_causal, softcap = @softcap, "
      "window = @left, right_window = @seen_ahead, qk_output_mode = @qk_output_mode>(q, k, v, " +
      (rest ? "rest" : "") + ", past_key, past_value)");
  return true;
}

}  // namespace

// Only where there is no past yet: one that is not scaled would have to be.
extern const Rewrite attention_scale{
    .name = "attention_scale",
    .patterns = {"scaled = Mul(x, multiplier) | Div(x, divisor); query = Unsqueeze(scaled, axes) | scaled;"
                 "y = heed.Attention(query, k, v, mask)",
                 "scaled = Mul(x, multiplier) | Div(x, divisor); key = Unsqueeze(scaled, axes) | scaled;"
                 "y = heed.Attention(q, key, v, mask)",
                 "kt = Mul(x, multiplier) | Div(x, divisor); key = Transpose<perm = [0, 1, 3, 2]>(kt);"
                 "y = heed.Attention(q, key, v, mask)",
                 // Whisper and OPT scale before heads are split.
                 "scaled = Mul(x, multiplier) | Div(x, divisor); heads = Reshape(scaled, shape);"
                 "query = Transpose<perm = [0, 2, 1, 3]>(heads); y = heed.Attention(query, k, v, mask)"},
    .replacement = "",
    .accept = accept_scale};

extern const Rewrite attention_past{
    .name = "attention_past",
    .patterns = {"all_keys = Concat(past_key, k); all_values = Concat(past_value, v);"
                 "y = heed.Attention(q, all_keys, all_values, mask)"},
    .replacement = "y, all_keys, all_values = heed.Attention<scale = @scale, causal = @causal, " OTHER_ATTRIBUTES
                   ">(q, k, v, mask, past_key, past_value)",
    .accept = accept_past};

extern const Rewrite appended_length{
    .name = "appended_length",
    .patterns = {"all = Concat(past, fresh); n = Shape(all)"},
    .replacement =
        "all = Concat<axis = @axis>(past, fresh); n = Add(Shape<start = @start, end = @end>(past),"
        "Mul(Shape<start = @start, end = @end>(fresh), Constant<value_ints = @grows>()))",
    .accept = accept_length};

extern const Rewrite attention_groups{
    .name = "attention_groups",
    .patterns = {"ku = Unsqueeze(k, key_axes) | Reshape(k, key_groups);"
                 "ke = Expand(ku, key_shape) | Tile(ku, key_repeats);"
                 "key = Reshape(ke, key_heads);"
                 "vu = Unsqueeze(v, value_axes) | Reshape(v, value_groups);"
                 "ve = Expand(vu, value_shape) | Tile(vu, value_repeats);"
                 "value = Reshape(ve, value_heads);"
                 "y = heed.Attention(q, key, value, mask)"},
    .replacement = "y = heed.Attention<scale = @scale, causal = @causal, " OTHER_ATTRIBUTES ">(q, k, v, mask)",
    .accept = accept_groups};

extern const Rewrite attention_boolean_mask{
    .name = "attention_boolean_mask",
    .patterns = {"mask = Where(visible, zero, low) | Where(hidden, low, zero);"
                 "y, present_key, present_value = heed.Attention(q, k, v, mask, past_key, past_value, valid, sinks)"},
    .replacement = "",
    .accept = accept_boolean};

extern const Rewrite attention_expanded_mask{
    .name = "attention_expanded_mask",
    .patterns = {"mask = Expand(one, shape);"
                 "y, present_key, present_value = heed.Attention(q, k, v, mask, past_key, past_value, valid, sinks)"},
    .replacement =
        "mask = Expand(one, shape); y, present_key, present_value = heed.Attention<scale = @scale, causal = "
        "@causal, " OTHER_ATTRIBUTES ">(q, k, v, one, past_key, past_value, valid, sinks)",
    .accept = accept_expanded};

extern const Rewrite attention_causal{
    .name = "attention_causal",
    .patterns = {"causal_mask = heed.CausalMask(query_length, key_length);"
                 "wide = Unsqueeze(causal_mask, axes) | causal_mask;"
                 "both = And(wide, rest) | wide;"
                 "mask = Where(both, zero, low) | both;"
                 "y, present_key, present_value = heed.Attention(q, k, v, mask, past_key, past_value)"},
    .replacement = "",
    .accept = accept_causal};

}  // namespace heed::ops
