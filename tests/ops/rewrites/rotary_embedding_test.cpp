// ops/rewrites/rotary_embedding.cpp: rotary position embedding as exporters spell it out.
#include <catch2/catch.hpp>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string q = "float[batch, 3, seq, 8] q, ", y = "float[batch, 3, seq, 8] y", ids = "int64[batch, seq] ids";
const std::string lists =
    "zero = Constant<value_ints = [0]>() one = Constant<value_ints = [1]>() two = Constant<value_ints = [2]>()"
    "three = Constant<value_ints = [3]>() four = Constant<value_ints = [4]>() eight = Constant<value_ints = [8]>()"
    "last = Constant<value_ints = [-1]>() end = Constant<value_ints = [9223372036854775807]>() ";
// Cosines and sines [batch, 1, seq, 8], computed from positions; torch scales them by 1.
const std::string frequencies =
    lists + "inverse = Constant<value_floats = [1.0, 0.4, 0.15, 0.05]>() scaling = Constant<value_float = 1.0>() ";
const std::string waves =
    "both = Concat<axis = -1>(freqs, freqs) c0 = Cos(both) c1 = Mul(c0, scaling) s0 = Sin(both) s1 = Mul(s0, scaling)"
    "cos = Unsqueeze(c1, one) sin = Unsqueeze(s1, one) ";
const std::string computed =
    frequencies + "u = Unsqueeze(ids, two) p = Cast<to = 1>(u) freqs = Mul(p, inverse)" + waves;
// Constant tables [16, 8] whose halves are equal.
const std::string tables =
    lists +
    "a = Constant<value_float = 0.0>() b = Constant<value_float = 6.4>() d = Constant<value_float = 0.1>()"
    "table_dims = Constant<value_ints = [16, 4]>() list = Range(a, b, d) angles = Reshape(list, table_dims)"
    "twice = Concat<axis = 1>(angles, angles) cos_table = Cos(twice) sin_table = Sin(twice) ";
const std::string gathered =
    "cg = Gather(cos_rows, ids) sg = Gather(sin_rows, ids) cos = Unsqueeze(cg, one) sin = Unsqueeze(sg, one) ";

std::string halves(const std::string& x) {
  return "x1 = Slice(" + x + ", zero, four, three, one) x2 = Slice(" + x + ", four, end, three, one) ";
}
std::string turned(const std::string& x) {
  return "n = Neg(x2) t = Concat<axis = -1>(n, x1) xc = Mul(" + x + ", cos) ts = Mul(t, sin) y = Add(xc, ts)";
}

// Cosines and sines of pairs [batch, seq, 2], each twice in a row as GPT-J has them: [batch, seq, 1, 4].
const std::string pairs =
    lists +
    "inverse = Constant<value_floats = [1.0, 0.2]>() u = Unsqueeze(ids, two) p = Cast<to = 1>(u)"
    "angles = Mul(p, inverse) c = Cos(angles) s = Sin(angles) axes = Constant<value_ints = [2, 4]>()"
    "ce = Unsqueeze(c, axes) se = Unsqueeze(s, axes)"
    "laid = Constant<value_ints = [0, 0, 1, 4]>() twice = Constant<value_ints = [1, 1, 1, 1, 2]>() ";
const std::string tiled = "cp = Tile(ce, twice) sp = Tile(se, twice) cos = Reshape(cp, laid) sin = Reshape(sp, laid) ",
                  expanded =
                      "cp = Expand(ce, twice) sp = Expand(se, twice) cos = Reshape(cp, laid) sin = Reshape(sp, laid) ";
std::string even_and_odd(const std::string& x, const std::string& result) {
  return "x1 = Slice(" + x + ", zero, end, three, two) x2 = Slice(" + x +
         ", one, end, three, two) n = Neg(x2) nu = Unsqueeze(n, last) xu = Unsqueeze(x1, last)"
         "st = Concat<axis = -1>(nu, xu) st_shape = Shape(st) front = Slice(st_shape, zero, three, zero)"
         "flat = Concat<axis = 0>(front, last) t = Reshape(st, flat) xc = Mul(" +
         x + ", cos) ts = Mul(t, sin) " + result + " = Add(xc, ts)";
}

const std::vector<RewriteRow> rows = {
    {.what = "Llama, angles as a product of positions and frequencies",
     .inputs = q + ids,
     .outputs = y,
     .nodes = computed + halves("q") + turned("q"),
     .wanted = {"RotaryEmbedding<interleaved = 0"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "angles as a matrix product, as before",
     .inputs = q + ids,
     .outputs = y,
     .nodes = frequencies +
              "column_dims = Constant<value_ints = [1, 4, 1]>() column = Reshape(inverse, column_dims)"
              "u = Unsqueeze(ids, one) p = Cast<to = 1>(u) product = MatMul(column, p)"
              "freqs = Transpose<perm = [0, 2, 1]>(product)" +
              waves + halves("q") + turned("q"),
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "queries and keys by one pair of tables",
     .inputs = q + "float[batch, 2, seq, 8] k, " + ids,
     .outputs = y + ", float[batch, 2, seq, 8] z",
     .nodes = computed + halves("q") + turned("q") +
              "k1 = Slice(k, zero, four, three, one) k2 = Slice(k, four, end, three, one) kn = Neg(k2)"
              "kt = Concat<axis = 3>(kn, k1) kc = Mul(cos, k) ks = Mul(sin, kt) z = Add(ks, kc)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat", "Neg"},
     .tolerance = 1e-5},
    {.what = "rows of tables by positions",
     .inputs = q + ids,
     .outputs = y,
     .nodes = tables + "cos_rows = Identity(cos_table) sin_rows = Identity(sin_table)" + gathered + halves("q") +
              turned("q"),
     .wanted = {"RotaryEmbedding", "heed.Embedding"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "tables cut to a length before",
     .inputs = q + ids + ", float[past] w",
     .outputs = y,
     .nodes = tables +
              "most = Constant<value_ints = [9]>() w_shape = Shape(w) more = Add(most, zero)"
              "cos_rows = Slice(cos_table, zero, more, zero, one) sin_rows = Slice(sin_table, zero, more, zero, one)" +
              gathered + halves("q") + turned("q"),
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "one sequence of positions for the whole batch",
     .inputs = q + "int64[1, seq] ids",
     .outputs = y,
     .nodes = computed + halves("q") + turned("q"),
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "halves by Split",
     .inputs = q + ids,
     .outputs = y,
     .nodes = computed + "x1, x2 = Split<axis = -1, num_outputs = 2>(q)" + turned("q"),
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "halves turned one by one",
     .inputs = q + ids,
     .outputs = y,
     .nodes = frequencies +
              "u = Unsqueeze(ids, two) p = Cast<to = 1>(u) freqs = Mul(p, inverse) f = Unsqueeze(freqs, one)"
              "c = Cos(f) s = Sin(f)" +
              halves("q") +
              "ac = Mul(x1, c) bs = Mul(x2, s) l = Sub(ac, bs) bc = Mul(x2, c) as = Mul(x1, s) r = Add(bc, as)"
              "y = Concat<axis = -1>(l, r)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "GPT-NeoX: a part of the channels",
     .inputs = "float[batch, 3, seq, 13] w, " + ids,
     .outputs = "float[batch, 3, seq, 13] z",
     .nodes = computed + "part = Slice(w, zero, eight, three, one) rest = Slice(w, eight, end, three, one)" +
              halves("part") + turned("part") + "z = Concat<axis = -1>(y, rest)",
     .wanted = {"RotaryEmbedding<interleaved = 0", "rotary_embedding_dim = 8"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "GPT-J: interleaved, a part of the channels, before heads are transposed",
     .inputs = "float[batch, seq, 3, 7] w, " + ids,
     .outputs = "float[batch, 3, seq, 7] z",
     .nodes = pairs + tiled + "part = Slice(w, zero, four, three, one) rest = Slice(w, four, end, three, one)" +
              even_and_odd("part", "y") + "j = Concat<axis = -1>(y, rest) z = Transpose<perm = [0, 2, 1, 3]>(j)",
     .wanted = {"RotaryEmbedding<interleaved = 1", "rotary_embedding_dim = 4"},
     .unwanted = {"Concat", "Tile"},
     .tolerance = 1e-5},
    {.what = "interleaved, pairs by Expand",
     .inputs = "float[batch, seq, 3, 4] w, " + ids,
     .outputs = "float[batch, seq, 3, 4] y",
     .nodes = pairs + expanded + even_and_odd("w", "y"),
     .wanted = {"RotaryEmbedding<interleaved = 1"},
     .unwanted = {"Concat"},
     .tolerance = 1e-5},
    {.what = "16-bit floats, cosines computed in f32",
     .inputs = "float16[batch, 3, seq, 8] q, " + ids,
     .outputs = "float16[batch, 3, seq, 8] y",
     .nodes =
         frequencies +
         "u = Unsqueeze(ids, two) p = Cast<to = 1>(u) freqs = Mul(p, inverse) both = Concat<axis = -1>(freqs, freqs)"
         "c0 = Cos(both) s0 = Sin(both) c1 = Cast<to = 10>(c0) s1 = Cast<to = 10>(s0)"
         "cos = Unsqueeze(c1, one) sin = Unsqueeze(s1, one)" +
         halves("q") + turned("q"),
     .wanted = {"RotaryEmbedding"},
     .unwanted = {"Concat"},
     .tolerance = 8e-3},
    {.what = "turned the other way round",
     .inputs = q + ids,
     .outputs = y,
     .nodes = computed + halves("q") +
              "n = Neg(x1) t = Concat<axis = -1>(x2, n) xc = Mul(q, cos) ts = Mul(t, sin) y = Add(xc, ts)",
     .wanted = {"Concat"},
     .unwanted = {"RotaryEmbedding"},
     .tolerance = 1e-5},
    {.what = "halves that differ",
     .inputs = q + ids,
     .outputs = y,
     .nodes = frequencies +
              "u = Unsqueeze(ids, two) p = Cast<to = 1>(u) freqs = Mul(p, inverse) other = Mul(freqs, inverse)"
              "both = Concat<axis = -1>(freqs, other) c1 = Cos(both) s1 = Sin(both)"
              "cos = Unsqueeze(c1, one) sin = Unsqueeze(s1, one)" +
              halves("q") + turned("q"),
     .wanted = {"Concat"},
     .unwanted = {"RotaryEmbedding"},
     .tolerance = 1e-5},
    {.what = "tables whose halves differ",
     .inputs = q + ids,
     .outputs = y,
     .nodes = lists +
              "a = Constant<value_float = 0.0>() b = Constant<value_float = 12.8>() d = Constant<value_float = 0.1>()"
              "table_dims = Constant<value_ints = [16, 8]>() list = Range(a, b, d) angles = Reshape(list, table_dims)"
              "cos_rows = Cos(angles) sin_rows = Sin(angles)" +
              gathered + halves("q") + turned("q"),
     .wanted = {"Concat"},
     .unwanted = {"RotaryEmbedding"},
     .tolerance = 1e-5},
    {.what = "cosines of their own for each head",
     .inputs = "float[batch, 3, 5, 8] q, float[batch, 3, 5, 4] f",
     .outputs = "float[batch, 3, 5, 8] y",
     .nodes = lists + "both = Concat<axis = -1>(f, f) cos = Cos(both) sin = Sin(both)" + halves("q") + turned("q"),
     .wanted = {"Concat"},
     .unwanted = {"RotaryEmbedding"},
     .tolerance = 1e-5},
};

}  // namespace

TEST_CASE("rotary embedding that is spelled out becomes one step") { check_rewrites(rows); }

}  // namespace heed::test
