// Rotary position embedding as exporters spell it out, x cos + turned(x) sin -> RotaryEmbedding. torch repeats the
// cosines and sines for both channels of a pair; here each is proven to stand there twice, by bringing the tables to
// the form Concat(c, c) first, wherever that was said.
#include <cstring>
#include <string>

#include "heed/plugin.hpp"
#include "slices.hpp"

namespace heed::ops {
namespace {

// ---- tables of two equal halves ----------------------------------------------------------------------------------

// f(Concat(c, c)) = Concat(f(c), f(c)), for what leaves the last axis as it is.
#define HALVES "both = Concat(c, c);"
#define HALVES_AGAIN "both = Concat<axis = @both_axis>(c, c); y = Concat<axis = -1>(part, part);"

bool accept_halves(Match& match) {
  const auto both = match.type("both"), y = match.type("y");
  if (!both || !both->has_rank() || !y || !y->has_rank() || y->rank() < 1 || !joins_channels(match, "both"))
    return false;
  match.set("both_axis", match.node("both").integer("axis"));
  if (match.type("number")) return match.scalar("number") && match.type("number")->rank() <= both->rank();
  // Of views: the axes before the last.
  const auto keeps_last = [&](int64_t axis, int32_t rank) { return (axis < 0 ? axis + rank : axis) < rank - 1; };
  if (match.type("axes")) {
    const auto axes = match.elements("axes");
    if (!axes) return false;
    for (const Dim axis : *axes)
      if (!axis.is_number() || !keeps_last(axis.number(), std::max(both->rank(), y->rank()))) return false;
  }
  if (match.type("ids")) return keeps_last(match.node("y").integer("axis"), both->rank());
  return true;
}

// Whether the last axis of a constant holds the same bytes twice.
bool has_equal_halves(TensorView table) {
  if (table.rank() < 2 || table.count() == 0 || table.dim(-1) % 2 != 0) return false;
  const size_t element_bytes = table.element() == DataType::f32 ? 4 : 2;
  if (table.element() != DataType::f32 && table.element() != DataType::f16 && table.element() != DataType::bf16)
    return false;
  const size_t half_bytes = static_cast<size_t>(table.dim(-1)) / 2 * element_bytes;
  const auto* row = static_cast<const char*>(table.c.data);
  for (int64_t rows = table.count() / table.dim(-1); rows-- > 0; row += 2 * half_bytes)
    if (std::memcmp(row, row + half_bytes, half_bytes) != 0) return false;
  return true;
}

bool accept_table(Match& match) {
  const auto table = match.constant("table");
  if (!table || !has_equal_halves(*table)) return false;
  if (match.type("ids") && match.node("y").integer("axis") != 0) return false;
  if (match.type("y_starts")) {
    const auto axes = match.elements("y_axes");
    if (!axes) return false;
    for (const Dim axis : *axes)
      if (!axis.is_number() || axis.number() == -1 || axis.number() == table->rank() - 1) return false;
  }
  match.set("start", std::vector<int64_t>{0});
  match.set("half", std::vector<int64_t>{table->dim(-1) / 2});
  return true;
}

// ---- the turn ----------------------------------------------------------------------------------------------------

// Brings a table of pairs, which broadcasts to x, to [batch, sequence, pair], where the batch may be 1: text that makes
// `result` of `table`. `dims` are the table's; null where it has no such form. x is [batch, head, sequence, channel],
// or, where `heads_follow`, [batch, sequence, head, channel].
std::optional<std::string> cache_of(const std::string& table, const std::string& result, const Dims& dims, TypeView x,
                                    bool heads_follow) {
  const int32_t sequence_axis = heads_follow ? 1 : 2, head_axis = heads_follow ? 2 : 1;
  if (dims.size() == 4) {
    if (!dims[head_axis].is_number(1) || !(dims[sequence_axis] == x.dim(sequence_axis))) return std::nullopt;
    if (!dims[0].is_number(1) && !(dims[0] == x.dim(0))) return std::nullopt;
    return result + " = Squeeze(" + table + ", Constant<value_ints = [" + std::to_string(head_axis) + "]>());";
  }
  if (heads_follow) return std::nullopt;
  if (dims.size() == 3 && dims[0].is_number(1) && dims[1] == x.dim(2)) return result + " = Identity(" + table + ");";
  if (dims.size() == 2 && dims[0] == x.dim(2))
    return result + " = Unsqueeze(" + table + ", Constant<value_ints = [0]>());";
  return std::nullopt;
}

// The replacement of y by a RotaryEmbedding of x, with `cos` and `sin` of these names and dims, one number a pair.
bool turn(Match& match, const std::string& cos, const std::string& sin, const Dims& cos_dims, const Dims& sin_dims,
          const std::string& again, const char* interleaved) {
  const auto x = *match.type("x");
  for (const bool heads_follow : {false, true}) {
    const auto cos_cache = cache_of(cos, "cos_cache", cos_dims, x, heads_follow);
    const auto sin_cache = cache_of(sin, "sin_cache", sin_dims, x, heads_follow);
    if (!cos_cache || !sin_cache) continue;
    const std::string called = std::string("RotaryEmbedding<interleaved = ") + interleaved + ">(";
    match.replace_by(again + *cos_cache + *sin_cache + "y = " +
                     (heads_follow ? "Transpose<perm = [0, 2, 1, 3]>(" + called +
                                         "Transpose<perm = [0, 2, 1, 3]>(x), cos_cache, sin_cache))"
                                   : called + "x, cos_cache, sin_cache)"));
    return true;
  }
  return false;
}

bool is_turned(Match& match) {
  const auto x = match.type("x");
  return x && x->has_rank() && x->rank() == 4 && x->has_element() && is_float(x->element()) &&
         x->element() != DataType::f64 && x->dim(-1).is_number() && x->dim(-1).number() % 2 == 0;
}

// Whether x1 and x2 are the halves of x, or its even and odd channels.
bool are_halves(Match& match) {
  const auto x = *match.type("x"), x1 = *match.type("x1"), x2 = *match.type("x2");
  const int64_t half = x.dim(-1).number() / 2;
  if (!x1.dim(-1).is_number(half) || !x2.dim(-1).is_number(half)) return false;
  if (match.node("x1").output_count() == 2) {
    const int64_t axis = match.node("x1").integer("axis");
    return axis == -1 || axis == 3;
  }
  const auto first = cut_of(match, "x1", x), second = cut_of(match, "x2", x);
  return first && second && first->axis == 3 && second->axis == 3 && first->step == 1 && second->step == 1 &&
         first->start == 0 && second->start == half;
}

bool are_even_and_odd(Match& match) {
  const auto x = *match.type("x"), x1 = *match.type("x1"), x2 = *match.type("x2");
  const int64_t half = x.dim(-1).number() / 2;
  const auto even = cut_of(match, "x1", x), odd = cut_of(match, "x2", x);
  return x1.dim(-1).is_number(half) && x2.dim(-1).is_number(half) && even && odd && even->axis == 3 && odd->axis == 3 &&
         even->step == 2 && odd->step == 2 && even->start == 0 && odd->start == 1;
}

Dims dims_of(TypeView type) { return {type.dims().begin(), type.dims().end()}; }

bool accept_halves_turned(Match& match) {
  if (!is_turned(match) || !are_halves(match) || !joins_channels(match, "turned")) return false;
  const auto c = match.type("c"), s = match.type("s");
  if (!c->has_rank() || !s->has_rank() || !joins_channels(match, "cos") || !joins_channels(match, "sin")) return false;
  return turn(match, "c", "s", dims_of(*c), dims_of(*s),
              "cos = Concat<axis = -1>(c, c); sin = Concat<axis = -1>(s, s);", "0");
}

// Cosines and sines of pairs already: [x1 c - x2 s, x2 c + x1 s].
bool accept_halves_joined(Match& match) {
  if (!is_turned(match) || !are_halves(match) || !joins_channels(match, "y")) return false;
  const auto c = match.type("c"), s = match.type("s");
  const Dim half = match.type("x1")->dim(-1);
  if (!c->has_rank() || !s->has_rank() || !(c->dim(-1) == half) || !(s->dim(-1) == half)) return false;
  return turn(match, "c", "s", dims_of(*c), dims_of(*s), "", "0");
}

// [.., pair, 1] of a table repeated along its last axis to [.., pair, 2], and laid in one: null where it is not.
std::optional<Dims> pairs_of(Match& match, const std::string& table) {
  const auto each = match.type(table + "_each"), pairs = match.type(table + "_pairs"), whole = match.type(table);
  if (!each || !each->has_rank() || !pairs->has_rank() || !whole->has_rank()) return std::nullopt;
  if (each->rank() != pairs->rank() || each->rank() != whole->rank() + 1 || !each->dim(-1).is_number(1) ||
      !pairs->dim(-1).is_number(2))
    return std::nullopt;
  for (int32_t axis = 0; axis + 1 < each->rank(); ++axis)
    if (!(each->dim(axis) == pairs->dim(axis))) return std::nullopt;
  for (int32_t axis = 0; axis + 1 < whole->rank(); ++axis)
    if (!(whole->dim(axis) == pairs->dim(axis))) return std::nullopt;
  Dims dims = dims_of(*each);
  dims.pop_back();
  return dims;
}

bool accept_interleaved(Match& match) {
  if (!is_turned(match) || !are_even_and_odd(match)) return false;
  const auto x = *match.type("x"), pairs = *match.type("pairs"), turned = *match.type("turned");
  // Reshape lays [.., pair, 2] in one.
  if (!joins_channels(match, "pairs") || pairs.rank() != 5 || turned.rank() != 4) return false;
  for (int32_t axis = 0; axis < 4; ++axis)
    if (!(turned.dim(axis) == x.dim(axis)) || (axis < 3 && !(pairs.dim(axis) == x.dim(axis)))) return false;
  const auto cos_dims = pairs_of(match, "cos"), sin_dims = pairs_of(match, "sin");
  if (!cos_dims || !sin_dims) return false;
  const bool by_tile = match.type("cos_repeats").has_value();
  if (by_tile != match.type("sin_repeats").has_value()) return false;
  // Their sizes are asked for, to lay pairs in one.
  const std::string repeated =
      by_tile ? "cos_pairs = Tile(cos_each, cos_repeats); sin_pairs = Tile(sin_each, sin_repeats);"
              : "cos_pairs = Expand(cos_each, cos_expanded); sin_pairs = Expand(sin_each, sin_expanded);";
  const std::string again =
      repeated + SLICE("x1", "x") SLICE("x2", "x")
      "pairs = Concat<axis = -1>(Unsqueeze(Neg(x2), x2_last), Unsqueeze(x1, x1_last));"
      "cos = Reshape<allowzero = @cos_zero>(cos_pairs, cos_shape);"
      "sin = Reshape<allowzero = @sin_zero>(sin_pairs, sin_shape);";
  match.set("cos_zero", match.node("cos").integer("allowzero"));
  match.set("sin_zero", match.node("sin").integer("allowzero"));
  return turn(match, "cos_pair", "sin_pair", *cos_dims, *sin_dims,
              again +
                  "last = Constant<value_ints = [-1]>(); cos_pair = Squeeze(cos_each, last);"
                  "sin_pair = Squeeze(sin_each, last);",
              "1");
}

// ---- a part of the channels --------------------------------------------------------------------------------------

bool accept_part(Match& match) {
  const auto q = match.type("q"), part = match.type("part"), rest = match.type("rest");
  const auto node = match.node("turned");
  if (!q || !q->has_rank() || q->rank() != 4 || !part->dim(-1).is_number() || !joins_channels(match, "y")) return false;
  if (match.node("part").output_count() == 2) {
    const int64_t axis = match.node("part").integer("axis");
    if (axis != -1 && axis != 3) return false;
  } else {
    const auto first = cut_of(match, "part", *q), second = cut_of(match, "rest", *q);
    if (!first || !second || first->axis != 3 || second->axis != 3 || first->step != 1 || second->step != 1 ||
        first->start != 0 || second->start != part->dim(-1).number())
      return false;
  }
  if (!(part->dim(-1) + rest->dim(-1) == q->dim(-1))) return false;
  match.set("channels", part->dim(-1).number());
  match.set("interleaved", node.integer("interleaved"));
  const std::string turned = "RotaryEmbedding<interleaved = @interleaved, rotary_embedding_dim = @channels>(";
  match.replace_by("y = " + (match.type("heads") ? "Transpose<perm = [0, 2, 1, 3]>(" + turned +
                                                       "Transpose<perm = [0, 2, 1, 3]>(q), cos, sin, positions))"
                                                 : turned + "q, cos, sin, positions)"));
  return true;
}

#define PART_OF_HEADS "turned = RotaryEmbedding(part, cos, sin, positions); y = Concat(turned, rest)"
#define PART_OF_TRANSPOSED                                                                              \
  "heads = Transpose<perm = [0, 2, 1, 3]>(part); turned = RotaryEmbedding(heads, cos, sin, positions);" \
  "back = Transpose<perm = [0, 2, 1, 3]>(turned); y = Concat(back, rest)"

}  // namespace

extern const Rewrite rotary_tables{
    .name = "rotary_tables",
    .patterns = {"y = Gather(table, ids)"},
    .replacement =
        "last = Constant<value_ints = [-1]>(); half = Slice(table, Constant<value_ints = @start>(),"
        "Constant<value_ints = @half>(), last); part = Gather(half, ids);"
        "y = Concat<axis = -1>(part, part)",
    .accept = accept_table};

extern const Rewrite rotary_table_rows{
    .name = "rotary_tables",
    .patterns = {SLICE("y", "table")},
    .replacement =
        "last = Constant<value_ints = [-1]>(); half = Slice(table, Constant<value_ints = @start>(),"
        "Constant<value_ints = @half>(), last); part = Slice(half, y_starts, y_ends, y_axes, y_steps);"
        "y = Concat<axis = -1>(part, part)",
    .accept = accept_table};

#define OF_HALVES(pattern, of_part)                                                                                  \
  {                                                                                                                  \
    .name = "rotary_tables", .patterns = {HALVES "y = " pattern}, .replacement = "part = " of_part ";" HALVES_AGAIN, \
    .accept = accept_halves                                                                                          \
  }

extern const Rewrite rotary_cos = OF_HALVES("Cos(both)", "Cos(c)");
extern const Rewrite rotary_sin = OF_HALVES("Sin(both)", "Sin(c)");
extern const Rewrite rotary_cast = OF_HALVES("Cast(both)", "Cast<to = @to>(c)");
extern const Rewrite rotary_scale = OF_HALVES("Mul(both, number)", "Mul(c, number)");
extern const Rewrite rotary_unsqueeze = OF_HALVES("Unsqueeze(both, axes)", "Unsqueeze(c, axes)");
extern const Rewrite rotary_squeeze = OF_HALVES("Squeeze(both, axes)", "Squeeze(c, axes)");
extern const Rewrite rotary_gather = OF_HALVES("Gather(both, ids)", "Gather<axis = @axis>(c, ids)");

#define HALVES_TURNED                                                     \
  "turned = Concat(Neg(x2), x1); cos = Concat(c, c); sin = Concat(s, s);" \
  "y = Add(Mul(x, cos), Mul(turned, sin))"
#define HALVES_JOINED "y = Concat(Sub(Mul(x1, c), Mul(x2, s)), Add(Mul(x2, c), Mul(x1, s)))"

extern const Rewrite rotary_halves{
    .name = "rotary_embedding",
    .patterns = {SLICE("x1", "x") SLICE("x2", "x") HALVES_TURNED, "x1, x2 = Split(x, sizes);" HALVES_TURNED},
    .replacement = "",
    .accept = accept_halves_turned};

extern const Rewrite rotary_joined{
    .name = "rotary_embedding",
    .patterns = {SLICE("x1", "x") SLICE("x2", "x") HALVES_JOINED, "x1, x2 = Split(x, sizes);" HALVES_JOINED},
    .replacement = "",
    .accept = accept_halves_joined};

#define PAIRS_TURNED                                                                                     \
  "pairs = Concat(Unsqueeze(Neg(x2), x2_last), Unsqueeze(x1, x1_last)); turned = Reshape(pairs, shape);" \
  "cos_pairs = Tile(cos_each, cos_repeats) | Expand(cos_each, cos_expanded);"                            \
  "sin_pairs = Tile(sin_each, sin_repeats) | Expand(sin_each, sin_expanded);"                            \
  "cos = Reshape(cos_pairs, cos_shape); sin = Reshape(sin_pairs, sin_shape); y = Add(Mul(x, cos), Mul(turned, sin))"

extern const Rewrite rotary_interleaved{.name = "rotary_embedding",
                                        .patterns = {SLICE("x1", "x") SLICE("x2", "x") PAIRS_TURNED},
                                        .replacement = "",
                                        .accept = accept_interleaved};

extern const Rewrite rotary_part{
    .name = "rotary_embedding",
    .patterns = {SLICE("part", "q") SLICE("rest", "q") PART_OF_HEADS, "part, rest = Split(q, sizes);" PART_OF_HEADS,
                 SLICE("part", "q") SLICE("rest", "q") PART_OF_TRANSPOSED,
                 "part, rest = Split(q, sizes);" PART_OF_TRANSPOSED},
    .replacement = "",
    .accept = accept_part};

}  // namespace heed::ops
