// Masks of sliding windows, as transformers' exports spell them out: what heed.Attention takes as its window, what
// stays a mask, and what is none. Shapes are torch's: q, k and v [batch, head, sequence, channel].
#include <catch2/catch.hpp>
#include <string>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string inputs =
                      "float[batch, 3, seq, 8] q, float[batch, 3, seq, 8] k, float[batch, 3, seq, 5] v, "
                      "float[batch, 3, past, 8] pk, float[batch, 3, past, 5] pv",
                  padded = inputs + ", bool[batch, 1, 1, past + seq] padding", y = "float[batch, 3, seq, 5] y",
                  presents = y + ", float[batch, 3, total, 8] key, float[batch, 3, total, 5] value";

// Positions as transformers' masking_utils.py asks for them: rows [1, 1, seq, 1], columns [1, 1, 1, past + seq].
const std::string positions =
    "zero = Constant<value_int = 0>() one = Constant<value_int = 1>() two = Constant<value_int = 2>()"
    "axes012 = Constant<value_ints = [0, 1, 2]>() axes013 = Constant<value_ints = [0, 1, 3]>()"
    "pk_shape = Shape(pk) q_shape = Shape(q) past = Gather(pk_shape, two) seq = Gather(q_shape, two)"
    "total = Add(past, seq) fresh = Range(zero, seq, one) queries = Add(fresh, past) keys = Range(zero, total, one)"
    "rows = Unsqueeze(queries, axes013) columns = Unsqueeze(keys, axes012) width = Constant<value_int = 3>() ";
const std::string causal = "causal = LessOrEqual(columns, rows) ";
const std::string behind = "from = Sub(rows, width) near = Greater(columns, from) ";
const std::string around = "apart = Sub(rows, columns) distance = Abs(apart) near = LessOrEqual(distance, width) ";
const std::string infinite = "low = Constant<value_float = -inf>() ",
                  lowest = "low = Constant<value_float = -3.4028234663852886e38>() ";
const std::string attended =
    "nothing = Constant<value_float = 0.0>() bias = Where(seen, nothing, low)"
    "key = Concat<axis = 2>(pk, k) value = Concat<axis = 2>(pv, v) kt = Transpose<perm = [0, 1, 3, 2]>(key)"
    "qk = MatMul(q, kt) m = Add(qk, bias) p = Softmax<axis = -1>(m) nan = IsNaN(p) w = Where(nan, nothing, p)"
    "y = MatMul(w, value)";

// A table of ones, as GPT-Neo keeps it, [1, 1, 24, 24], the last 3 keys of each row, and rows cut out of it.
const std::string ramps =
    "big = Constant<value_int = 24>() ramp = Range(zero, big, one) tall = Constant<value_ints = [1, 1, 24, 1]>()"
    "ramp_rows = Reshape(ramp, tall) ramp_from = Sub(ramp_rows, width) near = Greater(ramp, ramp_from) ";
const std::string cut =
    "ones = And(behind, near) table = Cast<to = 2>(ones) axis0 = Constant<value_ints = [0]>() axis2 = "
    "Constant<value_ints = [2]>() axis3 = Constant<value_ints = [3]>()"
    "nil = Constant<value_ints = [0]>() step = Constant<value_ints = [1]>() past_d = Unsqueeze(past, axis0)"
    "total_d = Unsqueeze(total, axis0) cut_rows = Slice(table, past_d, total_d, axis2, step)"
    "part = Slice(cut_rows, nil, total_d, axis3, step) seen = Cast<to = 9>(part)"
    "key = Concat<axis = 2>(pk, k) value = Concat<axis = 2>(pv, v) kt = Transpose<perm = [0, 1, 3, 2]>(key)"
    "qk = MatMul(q, kt) m = Where(seen, qk, low) p = Softmax<axis = -1>(m) y = MatMul(p, value)";

const std::vector<RewriteRow> rows = {
    {"Mistral's: the window and the causal mask",
     inputs,
     presents,
     positions + behind + causal + infinite + "seen = And(near, causal)" + attended,
     {"heed.Attention<causal = 1", ">window = 2>"},
     {"heed.CausalMask", "Softmax", "Where", "And"}},
    {"by the lowest float, where each query sees itself",
     inputs,
     presents,
     positions + behind + causal + lowest + "seen = And(causal, near)" + attended,
     {"heed.Attention<causal = 1", ">window = 2>"},
     {"heed.CausalMask", "Softmax", "Where", "And"}},
    {"with padding, which stays a mask",
     padded,
     presents,
     positions + behind + causal + infinite + "both = And(near, causal) seen = And(both, padding)" + attended,
     {"heed.Attention<causal = 1", ">window = 2>"},
     {"heed.CausalMask", "Softmax", "Where", "And"}},
    {"Gemma's: other layers see all that is behind",
     inputs,
     presents + ", float[batch, 3, seq, 5] y2",
     positions + behind + causal + infinite + "seen = And(near, causal)" + attended +
         "all = Where(causal, nothing, low) qk2 = MatMul(k, kt) m2 = Add(qk2, all) p2 = Softmax<axis = -1>(m2) y2 = "
         "MatMul(p2, value)",
     {"heed.Attention<causal = 1", ">window = 2>", ">window = -1>"},
     {"heed.CausalMask", "Softmax", "Where", "And"}},
    {"ModernBERT's: on both sides, with positions that are all seen",
     padded,
     presents,
     positions + around + infinite +
         "always = GreaterOrEqual(rows, zero) there = And(near, always) seen = And(there, padding)" + attended,
     {"heed.Attention<causal = 0", ">window = 3>", ">right_window = 3>"},
     {"heed.CausalMask", "Softmax", "Where", "And", "GreaterOrEqual"}},
    {"all positions of queries, and padding",
     padded,
     presents,
     positions + infinite + "always = GreaterOrEqual(rows, zero) seen = And(always, padding)" + attended,
     {"heed.Attention<causal = 0"},
     {"Softmax", "Where", "And", "GreaterOrEqual"}},
    {"GPT-Neo's: rows of a band of ones",
     inputs,
     presents,
     positions + lowest + ramps + "behind = LessOrEqual(ramp, ramp_rows)" + cut,
     {"heed.Attention<causal = 1", ">window = 2>"},
     {"heed.CausalMask", "Softmax", "Where", "Slice"}},
    {"a band beside the diagonal is none",
     inputs,
     presents,
     positions + lowest + ramps + "behind = Less(ramp, ramp_rows)" + cut,
     {"heed.Attention<causal = 0", "Slice"},
     {"heed.CausalMask"}},
    {"a window of a width that the model computes stays a mask",
     inputs + ", int64[batch, 1, 1, 1] padding",
     presents,
     positions + "keys_seen = Add(padding, one) from = Sub(rows, keys_seen) near = Greater(columns, from) " + causal +
         infinite + "seen = And(near, causal)" + attended,
     {"heed.Attention<causal = 1", ">window = -1>"},
     {"Softmax"}},
    {"rows from 0 on are no window with a past",
     inputs,
     presents,
     positions + "rows0 = Unsqueeze(fresh, axes013) from = Sub(rows0, width) near = Greater(columns, from) " + causal +
         infinite + "seen = And(near, causal)" + attended,
     {"heed.Attention<causal = 1", ">window = -1>"},
     {"Softmax"}},
};

}  // namespace

TEST_CASE("sliding windows that exporters spell out become attention's") { check_rewrites(rows); }

}  // namespace heed::test
