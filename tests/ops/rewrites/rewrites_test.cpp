// The fusions of ops/rewrites: what becomes of graphs as exporters write them, what must not, and that a rewritten
// model gives what it gave before. Shapes are torch's: q, k and v [batch, head, sequence, channel].
#include <catch2/catch.hpp>
#include <string>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

// Positions of keys [past + seq] and, of the new ones, of queries.
const std::string positions =
    "zero = Constant<value_int = 0>() one = Constant<value_int = 1>() axis0 = Constant<value_ints = [0]>() axis1 = "
    "Constant<value_ints = [1]>() two = Constant<value_int = 2>()"
    "pk_shape = Shape(pk) q_shape = Shape(q) past = Gather(pk_shape, two) seq = Gather(q_shape, two) total = Add(past, "
    "seq)"
    "keys = Range(zero, total, one) ";
// torch: keys[past:].unsqueeze(1)
const std::string sliced_rows =
    "from = Unsqueeze(past, axis0) end = Constant<value_ints = [9223372036854775807]>() step = Constant<value_ints = "
    "[1]>()"
    "queries = Slice(keys, from, end, axis0, step) rows = Unsqueeze(queries, axis1) ";
const std::string lowest = "low = Constant<value_float = -3.4028234663852886e38>() ",
                  lowest_half = "low = Constant<value = float16[1] {-65504}>() ",
                  infinite = "low = Constant<value_float = -inf>() ";
const std::string appended = "key = Concat<axis = 2>(pk, k) value = Concat<axis = -2>(pv, v) ";
const std::string scores =
    "kt = Transpose<perm = [0, 1, 3, 2]>(key) s8 = Constant<value_float = 2.5>() qk = MatMul(q, kt) s = Div(qk, s8) ";
const std::string weighed = "p = Softmax<axis = -1>(m) y = MatMul(p, value)";

const std::string qkv = "float[batch, 3, seq, 8] q, float[batch, 3, seq, 8] k, float[batch, 3, seq, 5] v";
const std::string with_past = qkv + ", float[batch, 3, past, 8] pk, float[batch, 3, past, 5] pv";
const std::string y = "float[batch, 3, seq, 5] y",
                  presents = y + ", float[batch, 3, total, 8] key, float[batch, 3, total, 5] value";

const std::string plain = "kt = Transpose<perm = [0, 1, 3, 2]>(k) c = Constant<value_float = 0.3>() ";

// A constant w [8, 5] and a constant bias [5].
const std::string weights =
    "zero = Constant<value_float = 0.0>() forty = Constant<value_float = 40.0>() five = Constant<value_float = 5.0>()"
    "step = Constant<value_float = 1.0>() dims = Constant<value_ints = [8, 5]>()"
    "w_list = Range(zero, forty, step) w_sines = Sin(w_list) w = Reshape(w_sines, dims)"
    "bias_list = Range(zero, five, step) bias = Cos(bias_list) ";
const std::string x = "float[batch, seq, 8] x", x_and_r = x + ", float[batch, seq, 5] r",
                  projected = "float[batch, seq, 5] y",
                  one_half = "one = Constant<value_float = 1.0>() half = Constant<value_float = 0.5>() ";

// torch's scaled_dot_product_attention, as both of its exporters write it: the root of the scale on either side, keys
// transposed with all axes before them as one, a guard against rows of -inf.
const std::string root_scaled =
                      "half = Constant<value_float = 0.6>() zero_f = Constant<value_float = 0.0>()"
                      "sq = Mul(q, half) sk = Mul(kt, half) qk = MatMul(sq, sk) ",
                  guarded = "p = Softmax<axis = -1>(m) nan = IsNaN(p) w = Where(nan, zero_f, p) y = MatMul(w, value)";
const std::string transposed_as_one =
    "key_shape = Shape(key) minus = Constant<value_ints = [-1]>() minus2 = Constant<value_ints = [-2]>()"
    "least = Constant<value_ints = [-9223372036854775808]>() end_of_all = Constant<value_ints = "
    "[9223372036854775807]>()"
    "width = Slice(key_shape, minus, end_of_all) length = Slice(key_shape, minus2, minus)"
    "lead = Slice(key_shape, least, minus2) flat_shape = Concat<axis = 0>(minus, length, width)"
    "flat = Reshape(key, flat_shape) flat_t = Transpose<perm = [0, 2, 1]>(flat)"
    "t_shape = Concat<axis = 0>(lead, width, length) kt = Reshape(flat_t, t_shape) ";
// transformers' masks ask for each position by index: [batch, 1, query, key].
const std::string padding = ", int64[batch, total] padding";
const std::string indices =
    "axes12 = Constant<value_ints = [1, 2]>() axes01 = Constant<value_ints = [0, 1]>() axis3 = Constant<value_ints = "
    "[3]>() axis2 = Constant<value_ints = [2]>() last = Constant<value_ints = [-1]>() batch_axis = Constant<value_int "
    "= "
    "0>() batch = Gather(q_shape, batch_axis) batches = Range(zero, batch, one) fresh = Range(zero, seq, one)"
    "queries = Add(fresh, past) b12 = Unsqueeze(batches, axes12) bs = Unsqueeze(b12, axis3)"
    "q01 = Unsqueeze(queries, axes01) qs = Unsqueeze(q01, axis3) k01 = Unsqueeze(keys, axes01) ks = Unsqueeze(k01, "
    "axis2)"
    "always = Constant<value = bool {1}>() seen_pad = Cast<to = 9>(padding) ";
const std::string by_pairs =
    "most = Max(bs, ks) most_shape = Shape(most) be = Expand(bs, most_shape) bu = Unsqueeze(be, last)"
    "ke = Expand(ks, most_shape) ku = Unsqueeze(ke, last) pairs = Concat<axis = -1>(bu, ku)"
    "not_pad = GatherND(seen_pad, pairs) ";
const std::string by_places =
    "pad_shape = Shape(seen_pad) pad_width = Gather(pad_shape, one_d) flat_pad = Flatten<axis = 2>(seen_pad)"
    "starts = Mul(bs, pad_width) places = Add(ks, starts) picked = Gather(flat_pad, places) line = Reshape(picked, "
    "last)"
    "places_shape = Shape(places) not_pad = Reshape(line, places_shape) ";
const std::string one_d = "one_d = Constant<value_ints = [1]>() ";
const std::string causal_and_padding =
    "le = LessOrEqual(ks, qs) le2 = And(always, le) both = And(le2, not_pad) seq_d = Unsqueeze(seq, axis0)"
    "batch_d = Unsqueeze(batch, axis0) total_d = Unsqueeze(total, axis0)"
    "mask_shape = Concat<axis = 0>(batch_d, one_d, seq_d, total_d) mask4 = Expand(both, mask_shape) ";

const std::string triangle =
    "sixteen = Constant<value_int = 16>() ramp = Range(zero, sixteen, one) tall = Constant<value_ints = [1, 1, 16, "
    "1]>()"
    "ramp_rows = Reshape(ramp, tall) lower = LessOrEqual(ramp, ramp_rows) tri = Cast<to = 2>(lower)"
    "axis2 = Constant<value_ints = [2]>() axis3 = Constant<value_ints = [3]>() ";
const std::string cut_triangle =
    "past_d = Unsqueeze(past, axis0) total_d = Unsqueeze(total, axis0) nil = Constant<value_ints = [0]>()"
    "cut_rows = Slice(tri, past_d, total_d, axis2, axis1) cut = Slice(cut_rows, nil, total_d, axis3, axis1)"
    "seen = Cast<to = 9>(cut) ";
const std::string square =
    "q_shape = Shape(q) two_d = Constant<value_ints = [2]>() n = Gather(q_shape, two_d)"
    "shape = Concat<axis = 0>(n, n) ";

// Buffers of 29 places, the new keys and values from `at` on.
const std::string with_buffers =
                      "float[batch, 4, seq, 8] q, float[batch, 2, seq, 8] k, float[batch, 2, seq, 5] v, "
                      "float[batch, 2, 29, 8] pk, float[batch, 2, 29, 5] pv, int64[batch] at",
                  buffers = "float[batch, 4, seq, 5] y, float[batch, 2, 29, 8] key, float[batch, 2, 29, 5] value",
                  scattered = "key = TensorScatter(pk, k, at) value = TensorScatter(pv, v, at) "
                              "y = Attention<is_causal = 1>(q, key, value, \"\", \"\", \"\", valid)";

const std::vector<RewriteRow> rows = {
    // embedding.cpp
    {"rows of a table",
     "float[37, 8] table, int64[batch, seq] ids",
     "float[batch, seq, 8] y",
     "y = Gather(table, ids)",
     {"heed.Embedding"},
     {"Gather"}},
    {"columns are no rows",
     "float[37, 8] table, int64[seq] ids",
     "float[37, seq] y",
     "y = Gather<axis = 1>(table, ids)",
     {"Gather"},
     {"heed.Embedding"}},
    {"a list is no table",
     "float[37] table, int64[seq] ids",
     "float[seq] y",
     "y = Gather(table, ids)",
     {"Gather"},
     {"heed.Embedding"}},
    // causal_mask.cpp, and the way through attention.cpp
    {"torch's causal attention with a past, hidden by the lowest float",
     with_past,
     presents,
     positions + sliced_rows + appended + scores + lowest + "hidden = Greater(keys, rows) m = Where(hidden, low, s)" +
         weighed,
     {"heed.Attention<causal = 1"},
     {"Softmax", "MatMul", "heed.CausalMask", "Where", "Concat"}},
    {"the same by -inf, through a cast of booleans",
     with_past,
     presents,
     positions + sliced_rows + appended + scores + infinite +
         "h = Greater(keys, rows) hidden = Cast<to = 9>(h) m = Where(hidden, low, s)" + weighed,
     {"heed.Attention<causal = 1"},
     {"Softmax", "Where", "Concat"}},
    {"what may be seen",
     with_past,
     presents,
     positions + sliced_rows + appended + scores + infinite + "seen = LessOrEqual(keys, rows) m = Where(seen, s, low)" +
         weighed,
     {"heed.Attention<causal = 1"},
     {"Softmax", "Where"}},
    {"rows counted from the past on, compared from the other side",
     with_past,
     presents,
     positions + "fresh = Range(zero, seq, one) queries = Add(fresh, past) rows = Unsqueeze(queries, axis1)" +
         appended + scores + infinite + "hidden = Less(rows, keys) m = Where(hidden, low, s)" + weighed,
     {"heed.Attention<causal = 1"},
     {"Softmax", "Where"}},
    {"an additive mask",
     with_past,
     presents,
     positions + sliced_rows + appended + scores + lowest +
         "nothing = Constant<value_float = 0.0>() hidden = Greater(keys, rows) bias = Where(hidden, low, nothing) m = "
         "Add(s, bias)" +
         weighed,
     {"heed.Attention<causal = 1"},
     {"Softmax", "Where"}},
    {"one position too far is not causal",
     with_past,
     presents,
     positions + sliced_rows + appended + scores + lowest +
         "further = Add(keys, one) seen = LessOrEqual(further, rows) m = Where(seen, s, low)" + weighed,
     {"heed.Attention<causal = 0"},
     {"heed.CausalMask"}},
    {"rows from 0 on are not causal with a past",
     with_past,
     presents,
     positions + "fresh = Range(zero, seq, one) rows = Unsqueeze(fresh, axis1)" + appended + scores + infinite +
         "hidden = Greater(keys, rows) m = Where(hidden, low, s)" + weighed,
     {"heed.Attention<causal = 0"},
     {"heed.CausalMask"}},
    {"keys that look back at queries are not causal",
     with_past,
     presents,
     positions + sliced_rows + appended + scores + lowest +
         "seen = GreaterOrEqual(keys, rows) m = Where(seen, s, low)" + weighed,
     {"heed.Attention<causal = 0"},
     {"heed.CausalMask"}},
    {"rows of a triangle of ones, as GPT-2 was long written",
     with_past,
     presents,
     positions + triangle + cut_triangle + appended + scores + lowest + "m = Where(seen, s, low)" + weighed,
     {"heed.Attention<causal = 1"},
     {"Softmax", "Where", "Slice", "Cast"}},
    {"and a padding mask that is added",
     with_past + ", float[batch, 1, 1, past + seq] padding_bias",
     presents,
     positions + triangle + cut_triangle + appended + scores + lowest +
         "w = Where(seen, s, low) m = Add(w, padding_bias)" + weighed,
     {"heed.Attention"},
     {"Softmax", "Slice", "MatMul"}},
    {.what = "and a padding mask that is added, in halves, whose lowest does not swallow a score",
     .inputs = "float16[batch, 3, seq, 8] q, float16[batch, 3, seq, 8] k, float16[batch, 3, seq, 5] v, float16[batch, 3, past, "
               "8] pk, float16[batch, 3, past, 5] pv, bool[batch, 1, 1, past + seq] padded",
     .outputs = "float16[batch, 3, seq, 5] y",
     .nodes = positions + triangle + cut_triangle + appended + lowest_half +
              "kt = Transpose<perm = [0, 1, 3, 2]>(key) s8 = Constant<value = float16[1] {2.5}>() qk = MatMul(q, kt)"
              "s = Div(qk, s8) nothing = Constant<value = float16[1] {0}>() padding = Where(padded, low, nothing)"
              "w = Where(seen, s, low) m = Add(w, padding)" + weighed,
     .wanted = {"heed.Attention"},
     .unwanted = {"Softmax", "Slice", "MatMul"},
     .tolerance = 2e-3},
    {"a mask whose length is asked of all keys, as GPT-Neo's",
     with_past + ", float[batch, 1, 1, past + seq] padding_bias",
     presents,
     "key = Concat<axis = -2>(pk, k) value = Concat<axis = 2>(pv, v) zero = Constant<value_int = 0>() axis0 = "
     "Constant<value_ints = [0]>() one = Constant<value_int = 1>() axis1 = Constant<value_ints = [1]>() total_d = "
     "Shape<start = -2, end = -1>(key) seq_d = Shape<start = 2, end = 3>(q) total = Squeeze(total_d, axis0)"
     "seq = Squeeze(seq_d, axis0) past = Sub(total, seq) keys = Range(zero, total, one)"
     "queries = Range(past, total, one) rows = Unsqueeze(queries, axis1)" +
         scores + lowest +
         "seen = LessOrEqual(keys, rows) w = Where(seen, s, low) m = Add(w, padding_bias)" + weighed,
     {"heed.Attention", "fired attention_past"},
     {"Softmax", "MatMul"}},
    {"past values whose length the model calls by another name",
     qkv + ", float[batch, 3, past, 8] pk, float[batch, 3, before, 5] pv",
     presents,
     positions + appended + scores + "p = Softmax<axis = -1>(s) y = MatMul(p, value)",
     {"heed.Attention"},
     {"Softmax", "MatMul"}},
    {"a mask whose sizes the model calls by another name",
     with_past + ", float[batch, 1, seq, total] mask",
     presents,
     positions + appended + scores + "m = Add(s, mask)" + weighed,
     {"heed.Attention"},
     {"Softmax", "MatMul", "heed.Copy"}},
    {"the first rows of a triangle are not causal with a past",
     with_past,
     presents,
     positions + triangle +
         "total_d = Unsqueeze(total, axis0) from = Constant<value_ints = [0]>()"
         "seq_d = Unsqueeze(seq, axis0) cut_rows = Slice(tri, from, seq_d, axis2, axis1)"
         "cut = Slice(cut_rows, from, total_d, axis3, axis1) seen = Cast<to = 9>(cut)" +
         appended + scores + lowest + "m = Where(seen, s, low)" + weighed,
     {"heed.Attention<causal = 0"},
     {"heed.CausalMask"}},
    {"is_causal of torch's sdpa: Trilu of ones",
     qkv,
     y,
     square + plain +
         "one_f = Constant<value_float = 1.0>() zero_f = Constant<value_float = 0.0>()"
         "ones = Expand(one_f, shape) lower = Trilu<upper = 0>(ones) hidden = Equal(lower, zero_f)" +
         infinite +
         "bias = Where(hidden, low, zero_f) qk = MatMul(q, kt) m = Add(qk, bias) p = Softmax<axis = -1>(m)"
         "y = MatMul(p, v)",
     {"heed.Attention<causal = 1"},
     {"Softmax", "Where", "Trilu"}},
    {"torch's square subsequent mask: Trilu of -inf",
     qkv,
     y,
     square + plain + infinite +
         "one_i = Constant<value_int = 1>() full = Expand(low, shape)"
         "bias = Trilu<upper = 1>(full, one_i) qk = MatMul(q, kt) m = Add(qk, bias) p = Softmax<axis = -1>(m)"
         "y = MatMul(p, v)",
     {"heed.Attention<causal = 1"},
     {"Softmax", "Trilu"}},
    {"another diagonal is not causal",
     qkv,
     y,
     square + plain + infinite +
         "two_i = Constant<value_int = 2>() full = Expand(low, shape)"
         "bias = Trilu<upper = 1>(full, two_i) qk = MatMul(q, kt) m = Add(qk, bias) p = Softmax<axis = -1>(m)"
         "y = MatMul(p, v)",
     {"heed.Attention", "Trilu"},
     {"heed.CausalMask"}},
    {"a past whose sequence stands before its heads",
     "float[batch, 3, seq, 8] q, float[batch, seq, 3, 8] k, float[batch, seq, 3, 5] v, float[batch, past, 3, 8] pk,"
     "float[batch, past, 3, 5] pv",
     y + ", float[batch, total, 3, 8] key, float[batch, total, 3, 5] value",
     "key = Concat<axis = 1>(pk, k) value = Concat<axis = -3>(pv, v) kt = Transpose<perm = [0, 2, 3, 1]>(key)"
     "vt = Transpose<perm = [0, 2, 1, 3]>(value) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, vt)",
     {"heed.Attention", "Concat"},
     {"Softmax", "MatMul", "Transpose<perm = [0, 1, 3, 2]>"}},
    // layouts.cpp, attention_masks.cpp
    {"torch's sdpa with transformers' masks, by -inf: causal, and the padding is left",
     with_past + padding,
     presents,
     positions + one_d + indices + by_places + causal_and_padding + appended +
         "kt = Transpose<perm = [0, 1, 3, 2]>(key)" + root_scaled + infinite +
         "bias = Where(mask4, zero_f, low) m = Add(qk, bias)" + guarded,
     {"heed.Attention<causal = 1"},
     {"Softmax", "MatMul", "Where", "IsNaN", "Mul", "And", "Flatten"}},
    {"the same as the second exporter writes it, by the lowest float: all is one bias",
     with_past + padding,
     presents,
     positions + one_d + indices + by_pairs + causal_and_padding + appended + transposed_as_one + root_scaled + lowest +
         "bias = Where(mask4, zero_f, low) m = Add(qk, bias)" + guarded,
     {"heed.Attention"},
     {"Softmax", "MatMul", "IsNaN", "Mul", "GatherND", "Transpose"}},
    {"the same of a mask whose batch the model calls by another name",
     with_past + ", int64[texts, total] padding",
     presents,
     positions + one_d + indices + by_pairs + causal_and_padding + appended + transposed_as_one + root_scaled + lowest +
         "bias = Where(mask4, zero_f, low) m = Add(qk, bias)" + guarded,
     {"heed.Attention"},
     {"Softmax", "MatMul", "IsNaN", "Mul", "GatherND", "Transpose"}},
    {"a batch's own padding alone, repeated for each query",
     qkv + ", bool[batch, seq] seen",
     y,
     plain + infinite +
         "zero_f = Constant<value_float = 0.0>() axes12 = Constant<value_ints = [1, 2]>() zero = Constant<value_int = "
         "0>()"
         "one = Constant<value_int = 1>() q_shape = Shape(q) batch_d = Constant<value_ints = [0]>()"
         "two = Constant<value_ints = [2]>() one_d = Constant<value_ints = [1]>() b = Gather(q_shape, batch_d)"
         "s = Gather(q_shape, two) sq = Squeeze(s) queries = Range(zero, sq, one) axes = Constant<value_ints = [0, 1, "
         "3]>()"
         "rows = Unsqueeze(queries, axes) all = GreaterOrEqual(rows, zero) pad = Unsqueeze(seen, axes12)"
         "shape = Concat<axis = 0>(b, one_d, s, s) one_row = Expand(pad, shape) both = And(all, one_row)"
         "bias = Where(both, zero_f, low) qk = MatMul(q, kt) m = Add(qk, bias) p = Softmax<axis = -1>(m)"
         "nan = IsNaN(p) w = Where(nan, zero_f, p) y = MatMul(w, v)",
     {"heed.Attention"},
     {"Softmax", "Where", "And", "Range"}},
    {"a padding mask read at other positions",
     with_past + padding,
     presents,
     positions + one_d + indices +
         "pad_shape = Shape(seen_pad) pad_width = Gather(pad_shape, one_d) flat_pad = Flatten<axis = 2>(seen_pad)"
         "starts = Mul(bs, pad_width) odd = Add(ks, starts) places = Div(odd, two) picked = Gather(flat_pad, places)"
         "line = Reshape(picked, last) places_shape = Shape(places) not_pad = Reshape(line, places_shape)" +
         causal_and_padding + appended + "kt = Transpose<perm = [0, 1, 3, 2]>(key)" + root_scaled + infinite +
         "bias = Where(mask4, zero_f, low) m = Add(qk, bias)" + guarded,
     {"heed.Attention<causal = 1", "Gather"},
     {"Softmax"}},
    // attention.cpp
    {"T5's relative positions, and a mask",
     qkv + ", float[1, 3, seq, seq] positions_bias, float[batch, 1, 1, seq] mask",
     y,
     plain +
         "qk = MatMul(q, kt) s = Add(qk, positions_bias) m = Add(s, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
     {"heed.Attention"},
     {"Softmax", "MatMul"}},
    {"softcap, as Gemma 2 writes it",
     qkv,
     y,
     plain + "cap = Constant<value_float = 1.5>() qk = MatMul(q, kt) s = Mul(qk, c) d = Div(s, cap) t = Tanh(d)"
             "u = Mul(t, cap) p = Softmax<axis = -1>(u) y = MatMul(p, v)",
     {"softcap = 1.5"},
     {"Softmax", "Tanh", "MatMul"}},
    {"a softcap of two numbers is none",
     qkv,
     y,
     plain +
         "cap = Constant<value_float = 1.5>() cap2 = Constant<value_float = 2.5>() qk = MatMul(q, kt) s = Mul(qk, c)"
         "d = Div(s, cap) t = Tanh(d) u = Mul(t, cap2) p = Softmax<axis = -1>(u) y = MatMul(p, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"a softmax of wider numbers",
     qkv,
     y,
     plain + "qk = MatMul(q, kt) s = Mul(qk, c) wide = Cast<to = 11>(s) p = Softmax<axis = -1>(wide)"
             "w = Cast<to = 1>(p) y = MatMul(w, v)",
     {"heed.Attention"},
     {"Softmax", "Cast"}},
    {"weights that are widened and narrowed again",
     qkv,
     y,
     plain + "qk = MatMul(q, kt) s = Mul(qk, c) p = Softmax<axis = -1>(s) wide = Cast<to = 11>(p)"
             "w = Cast<to = 1>(wide) y = MatMul(w, v)",
     {"heed.Attention"},
     {"Softmax", "Cast"}},
    {"weights that are narrower on their way",
     qkv,
     y,
     plain + "qk = MatMul(q, kt) s = Mul(qk, c) p = Softmax<axis = -1>(s) narrow = Cast<to = 10>(p)"
             "w = Cast<to = 1>(narrow) y = MatMul(w, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"heads as torch.nn.MultiheadAttention has them: with the batch on one axis",
     "float[heads, seq, 8] q, float[seq, heads, 8] k, float[heads, seq, 5] v",
     "float[heads, seq, 5] y",
     "c = Constant<value_float = 0.3>() sq = Mul(q, c) kt = Transpose<perm = [1, 2, 0]>(k) qk = MatMul(sq, kt)"
     "p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"heed.Attention", "scale = 0.3"},
     {"Softmax", "Mul"}},
    {"queries, keys and values as torch.nn.MultiheadAttention lays them side by side",
     "float[seq, heads, 3, 8] qkv",
     "float[seq, heads, 8] y",
     "first = Constant<value_ints = [0]>() last2 = Constant<value_ints = [-2]>() u = Unsqueeze(qkv, first)"
     "t = Transpose<perm = [3, 1, 2, 0, 4]>(u) parts = Squeeze(t, last2) i0 = Constant<value_int = 0>()"
     "i1 = Constant<value_int = 1>() i2 = Constant<value_int = -1>() q3 = Gather(parts, i0) k3 = Gather(parts, i1)"
     "v3 = Gather(parts, i2) q = Transpose<perm = [1, 0, 2]>(q3) kt = Transpose<perm = [1, 2, 0]>(k3)"
     "v = Transpose<perm = [1, 0, 2]>(v3) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) o = MatMul(p, v)"
     "y = Transpose<perm = [1, 0, 2]>(o)",
     {"heed.Attention"},
     {"Softmax", "Gather"}},
    {"the same through scaled_dot_product_attention",
     "float[seq, batch, 72] qkv",
     "float[batch, 3, seq, 8] y",
     "in_parts = Constant<value_ints = [0, 0, 3, 24]>() i0 = Constant<value_int = 0>() i1 = Constant<value_int = 1>()"
     "i2 = Constant<value_int = 2>() three_d = Constant<value_ints = [3]>() eight_d = Constant<value_ints = [8]>()"
     "x4 = Reshape(qkv, in_parts) parts = Transpose<perm = [2, 0, 1, 3]>(x4) q3 = Gather(parts, i0)"
     "k3 = Gather(parts, i1) v3 = Gather(parts, i2) dims = Shape(q3) s = Gather(dims, i0) b = Gather(dims, i1)"
     "bh = Mul(b, three_d) axis0 = Constant<value_ints = [0]>() s_d = Unsqueeze(s, axis0) b_d = Unsqueeze(b, axis0)"
     "one_axis = Concat<axis = 0>(s_d, bh, eight_d) two_axes = Concat<axis = 0>(b_d, three_d, s_d, eight_d)"
     "qm = Reshape(q3, one_axis) qt = Transpose<perm = [1, 0, 2]>(qm) q = Reshape(qt, two_axes)"
     "km = Reshape(k3, one_axis) kx = Transpose<perm = [1, 0, 2]>(km) k = Reshape(kx, two_axes)"
     "vm = Reshape(v3, one_axis) vx = Transpose<perm = [1, 0, 2]>(vm) v = Reshape(vx, two_axes)"
     "kt = Transpose<perm = [0, 1, 3, 2]>(k) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"heed.Attention"},
     {"Softmax", "heed.Copy"}},
    {"queries, keys and values as Falcon lays them in one row of heads",
     "float[batch, seq, 5, 8] qkv",
     "float[batch, seq, 3, 8] y",
     "i0 = Constant<value_ints = [0, 1, 2]>() i1 = Constant<value_ints = [-2]>() i2 = Constant<value_ints = [4]>()"
     "q3 = Gather<axis = 2>(qkv, i0) k3 = Gather<axis = -2>(qkv, i1) v3 = Gather<axis = 2>(qkv, i2)"
     "q = Transpose<perm = [0, 2, 1, 3]>(q3) kt = Transpose<perm = [0, 2, 3, 1]>(k3)"
     "v = Transpose<perm = [0, 2, 1, 3]>(v3) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) o = MatMul(p, v)"
     "y = Transpose<perm = [0, 2, 1, 3]>(o)",
     {"heed.Attention"},
     {"Softmax", "Gather"}},
    {"parts that do not follow one another are gathered",
     "float[batch, seq, 5, 8] qkv",
     "float[batch, seq, 3, 8] y",
     "i = Constant<value_ints = [0, 2, 3]>() y = Gather<axis = 2>(qkv, i)",
     {"Gather"},
     {"Slice"}},
    {"Whisper's and OPT's scale, before heads are split",
     "float[batch, seq, 24] x, float[batch, 3, seq, 8] k, float[batch, 3, seq, 5] v",
     y,
     "c = Constant<value_float = 0.3>() sx = Mul(x, c) shape = Constant<value_ints = [0, 0, 3, 8]>()"
     "heads = Reshape(sx, shape) q = Transpose<perm = [0, 2, 1, 3]>(heads) kt = Transpose<perm = [0, 1, 3, 2]>(k)"
     "qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"heed.Attention", "scale = 0.3"},
     {"Softmax", "Mul"}},
    {"OPT's queries, as many as tokens or as places that the padding leaves",
     "float[batch, seq, 24] x, float[batch, total, 24] more, float[batch, 3, seq, 8] k, float[batch, 3, seq, 5] v,"
     "float[batch, 1, seq, seq] mask",
     "float[batch, 3, new, 5] y",
     "first = Constant<value_ints = [0]>() axis = Constant<value_ints = [1]>() count = Shape<start = 1, end = 2>(x)"
     "part = Slice(more, first, count, axis) x2 = Add(x, part) shape = Constant<value_ints = [0, 0, 3, 8]>()"
     "heads = Reshape(x2, shape) q = Transpose<perm = [0, 2, 1, 3]>(heads) kt = Transpose<perm = [0, 1, 3, 2]>(k)"
     "qk = MatMul(q, kt) m = Add(qk, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
     {"heed.Attention"},
     {"Softmax"}},
    {"16-bit queries, keys and values that a mask of f32 makes wide, as torch's scripts write them",
     "float16[batch, 3, seq, 8] q, float16[batch, 3, seq, 8] k, float16[batch, 3, seq, 5] v, float[batch, 1, seq, seq] mask",
     y,
     "kt = Transpose<perm = [0, 1, 3, 2]>(k) c = Constant<value = float16 {0.5}>() sq = Mul(q, c) sk = Mul(kt, c)"
     "qk = MatMul(sq, sk) wide_qk = Cast<to = 1>(qk) m = Add(wide_qk, mask) p = Softmax<axis = -1>(m)"
     "wide_v = Cast<to = 1>(v) y = MatMul(p, wide_v)",
     {"heed.Attention", "scale = 0.25"},
     {"Softmax", "MatMul", "Mul"},
     true,
     5e-3},
    {"values that were whole numbers are none of attention's",
     "float[batch, 3, seq, 8] q, float[batch, 3, seq, 8] k, int64[batch, 3, seq, 5] v",
     y,
     plain + "qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) wide_v = Cast<to = 1>(v) y = MatMul(p, wide_v)",
     {"heed.Attention", "Cast"},
     {"Softmax"}},
    {"zeros that are no zeros guard nothing",
     qkv,
     y,
     plain + "one = Constant<value_float = 1.0>() qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) nan = IsNaN(p)"
             "w = Where(nan, one, p) y = MatMul(w, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"the bare core",
     qkv,
     y,
     plain + "qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"heed.Attention<scale = 1.0"},
     {"Softmax"}},
    {"scaled by a product",
     qkv,
     y,
     plain + "qk = MatMul(q, kt) s = Mul(c, qk) p = Softmax<axis = 3>(s) y = MatMul(p, v)",
     {"scale = 0.3"},
     {"Softmax"}},
    {"query scaled before",
     qkv,
     y,
     plain + "sq = Mul(q, c) qk = MatMul(sq, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"scale = 0.3"},
     {"Softmax", "Mul"}},
    {"both scaled, torch's way",
     qkv,
     y,
     plain + "sq = Mul(q, c) sk = Mul(kt, c) qk = MatMul(sq, sk) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"scale = 0.0900"},
     {"Softmax", "Mul", "MatMul"}},
    {"keys straight from [batch, sequence, head, channel]",
     "float[batch, 3, seq, 8] q, float[batch, seq, 3, 8] k, float[batch, 3, seq, 5] v",
     y,
     "kt = Transpose<perm = [0, 2, 3, 1]>(k) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"heed.Attention", "Transpose<perm = [0, 2, 1, 3]"},
     {"Softmax"}},
    {"a mask that is added",
     qkv + ", float[batch, 1, seq, seq] mask",
     y,
     plain + "qk = MatMul(q, kt) m = Add(mask, qk) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
     {"heed.Attention"},
     {"Softmax", "Add"}},
    {"a boolean mask from outside, hidden by the lowest float",
     qkv + ", bool[seq, seq] mask",
     y,
     plain + lowest + "qk = MatMul(q, kt) m = Where(mask, qk, low) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
     {"heed.Attention", "Where"},
     {"Softmax"}},
    {.what = "the same in halves: where all is hidden, all weigh the same",
     .inputs = "float16[batch, 3, seq, 8] q, float16[batch, 3, seq, 8] k, float16[batch, 3, seq, 5] v, bool[seq, seq] mask",
     .outputs = "float16[batch, 3, seq, 5] y",
     .nodes = lowest_half + "kt = Transpose<perm = [0, 1, 3, 2]>(k) qk = MatMul(q, kt) m = Where(mask, qk, low)"
                            "p = Softmax<axis = -1>(m) y = MatMul(p, v)",
     .wanted = {"heed.Attention", "Where"},
     .unwanted = {"Softmax"},
     .tolerance = 2e-3},
    {"a number that does not hide for sure",
     qkv + ", bool[seq, seq] mask",
     y,
     plain + "low = Constant<value_float = -100.0>() qk = MatMul(q, kt) m = Where(mask, qk, low) p = Softmax<axis = "
             "-1>(m) y = MatMul(p, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"a mask along queries alone is no mask of keys",
     qkv + ", float[seq, 1] mask",
     y,
     plain + "qk = MatMul(q, kt) m = Add(qk, mask) p = Softmax<axis = -1>(m) y = MatMul(p, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"softmax over queries is no attention",
     qkv,
     y,
     plain + "qk = MatMul(q, kt) p = Softmax<axis = 2>(qk) y = MatMul(p, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"weights that are an output stay",
     qkv,
     y + ", float[batch, 3, seq, seq] p",
     plain + "qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"heads that are broadcast are no attention",
     "float[batch, 3, seq, 8] q, float[batch, 1, seq, 8] k, float[batch, 3, seq, 5] v",
     y,
     plain + "qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"Softmax"},
     {"heed.Attention"}},
    {"one head of keys and values for all queries",
     "float[batch, 3, seq, 8] q, float[batch, 1, seq, 8] k, float[batch, 1, seq, 5] v",
     y,
     plain + "qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, v)",
     {"heed.Attention"},
     {"Softmax"}},
    {"groups of heads, repeated by Tile",
     "float[2, 6, 7, 8] q, float[2, 3, 7, 8] k, float[2, 3, 7, 5] v",
     "float[2, 6, 7, 5] y",
     "ks = Constant<value_ints = [2, 3, 1, 7, 8]>() vs = Constant<value_ints = [2, 3, 1, 7, 5]>()"
     "kh = Constant<value_ints = [2, 6, 7, 8]>() vh = Constant<value_ints = [2, 6, 7, 5]>()"
     "twice = Constant<value_ints = [1, 1, 2, 1, 1]>() ku = Reshape(k, ks) ke = Tile(ku, twice) kr = Reshape(ke, kh)"
     "vu = Reshape(v, vs) ve = Tile(vu, twice) vr = Reshape(ve, vh)"
     "kt = Transpose<perm = [0, 1, 3, 2]>(kr) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, vr)",
     {"heed.Attention"},
     {"Softmax", "Tile"}},
    {"heads repeated in another order are no groups",
     "float[2, 6, 7, 8] q, float[2, 3, 7, 8] k, float[2, 3, 7, 5] v",
     "float[2, 6, 7, 5] y",
     "ks = Constant<value_ints = [2, 1, 3, 7, 8]>() vs = Constant<value_ints = [2, 1, 3, 7, 5]>()"
     "kh = Constant<value_ints = [2, 6, 7, 8]>() vh = Constant<value_ints = [2, 6, 7, 5]>()"
     "twice = Constant<value_ints = [1, 2, 1, 1, 1]>() ku = Reshape(k, ks) ke = Tile(ku, twice) kr = Reshape(ke, kh)"
     "vu = Reshape(v, vs) ve = Tile(vu, twice) vr = Reshape(ve, vh)"
     "kt = Transpose<perm = [0, 1, 3, 2]>(kr) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, vr)",
     {"heed.Attention", "Tile"},
     {"Softmax"}},
    {"groups of heads, repeated as Hugging Face does",
     "float[2, 6, 7, 8] q, float[2, 3, 7, 8] k, float[2, 3, 7, 5] v",
     "float[2, 6, 7, 5] y",
     "axis = Constant<value_ints = [2]>() ks = Constant<value_ints = [2, 3, 2, 7, 8]>() vs = Constant<value_ints = [2, "
     "3, 2, 7, 5]>() kh = Constant<value_ints = [2, 6, 7, 8]>() vh = Constant<value_ints = [2, 6, 7, 5]>()"
     "ku = Unsqueeze(k, axis) ke = Expand(ku, ks) kr = Reshape(ke, kh) vu = Unsqueeze(v, axis) ve = Expand(vu, vs) vr "
     "= Reshape(ve, vh)"
     "kt = Transpose<perm = [0, 1, 3, 2]>(kr) qk = MatMul(q, kt) p = Softmax<axis = -1>(qk) y = MatMul(p, vr)",
     {"heed.Attention"},
     {"Softmax", "Expand"}},
    // ai_onnx_attention.cpp
    {"ai.onnx Attention of rank 4",
     with_past + ", float[seq, total] mask",
     presents,
     "y, key, value = Attention<is_causal = 1, softcap = 3.0>(q, k, v, mask, pk, pv)",
     {"heed.Attention<causal = 1"},
     {" Attention"},
     false},
    {"of rank 3, with groups",
     "float[batch, seq, 24] q, float[batch, seq, 8] k, float[batch, seq, 10] v",
     "float[batch, seq, 30] y",
     "y = Attention<q_num_heads = 6, kv_num_heads = 2, scale = 0.5>(q, k, v)",
     {"heed.Attention"},
     {" Attention"},
     false},
    {"caches that are scattered into",
     with_buffers,
     buffers,
     "n = Shape<start = 2, end = 3>(q) valid = Add(n, at)" + scattered,
     {"heed.Attention"},
     {"TensorScatter"},
     false},
    {"caches that wrap around",
     with_buffers,
     buffers,
     "n = Shape<start = 2, end = 3>(q) valid = Add(at, n) key = TensorScatter<mode = \"circular\">(pk, k, at) "
     "value = TensorScatter(pv, v, at) y = Attention<is_causal = 1>(q, key, value, \"\", \"\", \"\", valid)",
     {"TensorScatter", "heed.Attention"},
     {},
     false},
    {"caches of which more may be valid", with_buffers + ", int64[batch] valid", buffers, scattered,
     {"TensorScatter", "heed.Attention"}, {}, false},
    // group_query_attention.cpp, multi_head_attention.cpp, com_microsoft_attention.cpp
    {"GroupQueryAttention, packed and turned",
     "float[batch, seq, 64] q, float[batch, 2, past, 8] pk, float[batch, 2, past, 8] pv, "
     "float[64, 4] cos, float[64, 4] sin",
     "float[batch, seq, 32] y, float[batch, 2, total, 8] key, float[batch, 2, total, 8] value",
     "one = Constant<value_ints = [1]>() old = Shape<start = 2, end = 3>(pk) fresh = Shape<start = 1, end = 2>(q) "
     "all = Add(old, fresh) all_keys = Cast<to = 6>(all) before = Sub(all, one) batches = Shape<start = 0, end = 1>(q) "
     "each = Expand(before, batches) last = Cast<to = 6>(each) "
     "y, key, value = com.microsoft.GroupQueryAttention<num_heads = 4, kv_num_heads = 2, do_rotary = 1>"
     "(q, \"\", \"\", pk, pv, last, all_keys, cos, sin)",
     {"heed.RotaryAttention"},
     {"GroupQueryAttention", "Concat", "heed.RotaryEmbedding"},
     false},
    {"MultiHeadAttention of what products make, its biases theirs",
     x,
     "float[batch, seq, 5] y",
     weights + "p = MatMul(x, w) one_zero = Concat<axis = 0>(bias, bias, bias) "
               "y = com.microsoft.MultiHeadAttention<num_heads = 1>(p, p, p, one_zero)",
     {"heed.Attention"},
     {"MultiHeadAttention"},
     false},
    {"Attention with its projection",
     x,
     "float[batch, seq, 4] y",
     "zero = Constant<value_float = 0.0>() all = Constant<value_float = 96.0>() step = Constant<value_float = 1.0>() "
     "dims = Constant<value_ints = [8, 12]>() list = Range(zero, all, step) sines = Sin(list) w = Reshape(sines, dims) "
     "y = com.microsoft.Attention<num_heads = 2>(x, w)",
     {"heed.Attention", " MatMul"},
     {"com.microsoft"},
     false},
    // matmul_epilogue.cpp
    {"a bias behind weights",
     x,
     projected,
     weights + "p = MatMul(x, w) y = Add(bias, p)",
     {"heed.FusedMatMul"},
     {"MatMul", "Add", "heed.FusedElementwise"}},
    {"a bias with more axes",
     x,
     projected,
     weights + "wide = Constant<value_ints = [1, 5]>() row = Reshape(bias, wide) p = MatMul(x, w) y = Add(p, row)",
     {"heed.FusedMatMul"},
     {"MatMul", "Add", "Reshape", "heed.FusedElementwise"}},
    {"a bias with more axes than the product",
     "float[seq, 8] x",
     "float[1, seq, 5] y",
     weights + "wide = Constant<value_ints = [1, 1, 5]>() row = Reshape(bias, wide) p = MatMul(x, w) y = Add(p, row)",
     {" MatMul", "heed.FusedElementwise"},
     {"heed.FusedMatMul"}},
    {"a scale, a bias, an activation, a residual",
     x_and_r,
     projected,
     weights + "four = Constant<value_float = 4.0>() p = MatMul(x, w) s = Div(p, four) t = Add(s, bias) u = Tanh(t) "
               "y = Add(r, u)",
     {"heed.FusedMatMul"},
     {"MatMul", "heed.FusedElementwise"}},
    {"gelu as torch spells it out",
     x,
     projected,
     weights + one_half +
         "root = Constant<value_float = 1.4142135>() p = MatMul(x, w) t = Add(p, bias) d = Div(t, root) e = Erf(d)"
         "f = Add(e, one) m = Mul(t, f) y = Mul(m, half)",
     {"heed.FusedMatMul"},
     {"MatMul", "Erf", "heed.FusedElementwise"}},
    {"gelu by tanh",
     x,
     projected,
     weights + one_half +
         "three = Constant<value_float = 3.0>() small = Constant<value_float = 0.044715>()"
         "root = Constant<value_float = 0.7978845608>() p = MatMul(x, w) c = Pow(p, three) s = Mul(c, small)"
         "i = Add(p, s) q = Mul(i, root) t = Tanh(q) f = Add(t, one) h = Mul(p, half) y = Mul(h, f)",
     {"heed.FusedMatMul"},
     {"MatMul", "Tanh", "heed.FusedElementwise"}},
    {"FastGelu of a bias",
     x,
     projected,
     weights + "p = MatMul(x, w) y = com.microsoft.FastGelu(p, bias)",
     {"heed.FusedMatMul"},
     {"MatMul", "Add", "Gelu", "heed.FusedElementwise"}},
    {"FastGelu",
     x,
     projected,
     weights + "p = MatMul(x, w) y = com.microsoft.FastGelu(p)",
     {"heed.FusedMatMul"},
     {"MatMul"}},
    {"BiasGelu",
     x,
     projected,
     weights + "p = MatMul(x, w) y = com.microsoft.BiasGelu(p, bias)",
     {"heed.FusedMatMul"},
     {"MatMul", "Add", "Gelu", "heed.FusedElementwise"}},
    {"silu", x, projected, weights + "p = MatMul(x, w) s = Sigmoid(p) y = Mul(p, s)", {"heed.FusedMatMul"}, {"MatMul"}},
    {"a swish that is no silu",
     x,
     projected,
     weights + "p = MatMul(x, w) y = Swish<alpha = 1.5>(p)",
     {" MatMul"},
     {"heed.FusedMatMul"}},
    {"what is an error function of another number is no gelu",
     x,
     projected,
     weights + one_half +
         "root = Constant<value_float = 1.5>() p = MatMul(x, w) d = Div(p, root) e = Erf(d) f = Add(e, one)"
         "m = Mul(p, f) y = Mul(m, half)",
     {" MatMul"},
     {"heed.FusedMatMul"}},
    {"a product that others read is theirs",
     x,
     projected + ", float[batch, seq, 5] p",
     weights + "p = MatMul(x, w) y = Add(p, bias)",
     {" MatMul"},
     {"heed.FusedMatMul"}},
    {"behind a residual nothing more",
     x_and_r,
     projected,
     weights + "p = MatMul(x, w) t = Add(p, r) y = Relu(t)",
     {"heed.FusedMatMul", "heed.FusedElementwise"},
     {" MatMul"}},
    {"a product of what no constant is",
     "float[batch, seq, 8] x, float[8, 5] v, float[5] c",
     projected,
     "p = MatMul(x, v) y = Add(p, c)",
     {" MatMul"},
     {"heed.FusedMatMul"}},
    {"Gemm over turned weights",
     "float[seq, 5] x",
     "float[seq, 8] y",
     weights + "eight = Constant<value_float = 8.0>() c_list = Range(zero, eight, step) c = Sin(c_list)"
               "p = Gemm<transB = 1, alpha = 0.5>(x, w, c) y = Relu(p)",
     {"heed.FusedMatMul"},
     {"Gemm", "MatMul", "Transpose", "Relu"}},
    {"Gemm of inputs, everything turned and scaled",
     "float[8, seq] u, float[5, 8] v, float[seq, 1] c",
     "float[seq, 5] y",
     "y = Gemm<transA = 1, transB = 1, alpha = 0.5, beta = 2.0>(u, v, c)",
     {" MatMul"},
     {"Gemm"}},
    {"Gemm without its last input",
     "float[seq, 8] x, float[8, 5] v",
     "float[seq, 5] y",
     "y = Gemm(x, v)",
     {" MatMul"},
     {"Gemm"}},
};

}  // namespace

TEST_CASE("graphs as exporters write them are rewritten, and give what they gave before") { check_rewrites(rows); }

}  // namespace heed::test
