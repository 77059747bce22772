// ops/rewrites/identities.cpp, views.cpp, flattened_product.cpp and simplify.cpp: what exports say in more words than
// it takes.
#include <catch2/catch.hpp>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string x = "float[batch, seq, 5] x", y = "float[batch, seq, 5] y", n = "int64[batch, seq] n",
                  m = "int64[batch, seq] m";
const std::string numbers =
    "zero = Constant<value_float = 0.0>() one = Constant<value_float = 1.0>() two = Constant<value_float = 2.0>()"
    "three = Constant<value_float = 3.0>() ";
const std::string lists =
    "l0 = Constant<value_ints = [0]>() l1 = Constant<value_ints = [1]>() l2 = Constant<value_ints = [2]>()"
    "l3 = Constant<value_ints = [3]>() l5 = Constant<value_ints = [5]>() last = Constant<value_ints = [-1]>()"
    "end = Constant<value_ints = [9223372036854775807]>() ";

RewriteRow row(const char* what, const std::string& nodes, std::vector<const char*> wanted,
               std::vector<const char*> unwanted) {
  return {.what = what, .inputs = x, .outputs = y, .nodes = nodes, .wanted = wanted, .unwanted = unwanted};
}

const std::vector<RewriteRow> rows = {
    // identities.cpp
    row("times and over 1, plus and minus 0, to the power of 1",
        numbers + "a = Mul(one, x) b = Div(a, one) c = Add(b, zero) d = Sub(c, zero) e = Pow(d, one) y = Neg(e)",
        {"expression = y = neg(x0)"}, {}),
    row("0 minus x is not x", numbers + "y = Sub(zero, x)", {"expression = y = 0 - x0"}, {}),
    row("a 1 that adds axes is more than a 1",
        "one = Constant<value = float[1, 1, 1, 1] {1.0}>() l0 = Constant<value_ints = [0]>() a = Mul(x, one)"
        "y = Squeeze(a, l0)",
        {"heed.FusedElementwise"}, {"fired times_one"}),
    {.what = "integers times 1, to the power of 2",
     .inputs = n,
     .outputs = m,
     .nodes = "one = Constant<value_int = 1>() two = Constant<value_int = 2>() a = Mul(n, one) m = Pow(a, two)",
     .wanted = {"Mul"},
     .unwanted = {"Pow"}},
    row("squares and cubes", numbers + "a = Pow(x, two) b = Pow(x, three) y = Add(a, b)", {"fired power_as_product"},
        {"Pow"}),
    row("1 over x", numbers + "y = Div(one, x)", {"fired quotient_as_reciprocal"}, {}),
    {.what = "1 over an integer stays",
     .inputs = n,
     .outputs = m,
     .nodes = "one = Constant<value_int = 1>() a = Abs(n) b = Add(a, one) m = Div(one, b)",
     .wanted = {"Div"},
     .unwanted = {"Reciprocal"}},
    // views.cpp
    row("views that change nothing",
        lists + "shape = Shape(x) ones = Constant<value_ints = [1, 1, 1]>() a = Expand(x, shape) b = Tile(a, ones)"
                "c = Concat<axis = 1>(b) d = Slice(c, l0, end, l1, l1) y = Neg(d)",
        {"heed.FusedElementwise"}, {"Expand", "Tile", "Concat", "Slice"}),
    row("what is turned round is not the same",
        lists + "l4 = Constant<value_ints = [4]>() first = Constant<value_ints = "
                "[-9223372036854775807]>() y = Slice(x, l4, first, l2, last)",
        {"Slice"}, {}),
    row("there and back",
        lists + "a = Unsqueeze(x, l2) b = Squeeze(a, l2) c = Neg(b) d = Unsqueeze(c, l0) flat = "
                "Constant<value_ints = [0, -1, 5]>() s = Shape(x) y = Reshape(d, s)",
        {"heed.FusedElementwise"}, {"Unsqueeze", "Squeeze", "Reshape"}),
    row("split and joined", "a, b, c = Split<axis = -1, num_outputs = 3>(x) j = Concat<axis = 2>(a, b, c) y = Neg(j)",
        {"heed.FusedElementwise"}, {"Split", "Concat"}),
    row("split and joined in another order",
        "a, b, c = Split<axis = -1, num_outputs = 3>(x) y = Concat<axis = 2>(b, a, c)", {"Concat"},
        {"fired cut_and_joined"}),
    row("cut and joined",
        lists + "a = Slice(x, l0, l2, last, l1) b = Slice(x, l2, end, last, l1) j = Concat<axis = -1>(a, b) y = Neg(j)",
        {"heed.FusedElementwise"}, {"Slice", "Concat"}),
    row("cut with a part in both",
        lists + "a = Slice(x, l0, l3, last, l1) b = Slice(x, l3, end, last, l1) "
                "y = Concat<axis = -1>(b, a)",
        {"Concat"}, {"fired cut_and_joined"}),
    // simplify.cpp
    row("transposed around what works element by element",
        numbers + "t = Transpose<perm = [2, 0, 1]>(x) a = Mul(t, two) b = Transpose<perm = [1, 2, 0]>(a) c = Neg(b)"
                  "d = Transpose<perm = [1, 0, 2]>(c) e = Tanh(d) y = Transpose<perm = [1, 0, 2]>(e)",
        {"heed.FusedElementwise"}, {"Transpose"}),
    row("transposed before and after a cast",
        "t = Transpose<perm = [2, 0, 1]>(x) a = Cast<to = 10>(t) b = Transpose<perm = [1, 2, 0]>(a) y = Cast<to = "
        "1>(b)",
        {"Cast<to = 10"}, {"Transpose"}),
    {.what = "a list of numbers lies along an axis",
     .inputs = "float[3, 3] x",
     .outputs = "float[3, 3] y",
     .nodes = "l = Constant<value_floats = [1.0, 2.0, 3.0]>() t = Transpose<perm = [1, 0]>(x) a = Mul(t, l)"
              "y = Transpose<perm = [1, 0]>(a)",
     .wanted = {"Transpose"},
     .unwanted = {}},
    {.what = "casts through a wider type",
     .inputs = "float16[batch, seq] h, " + n,
     .outputs = "float16[batch, seq] y, " + m,
     .nodes = "a = Cast<to = 1>(h) y = Cast<to = 10>(a) b = Cast<to = 6>(n) m = Cast<to = 7>(b)",
     .wanted = {"fired casts", "Cast<to = 6"},
     .unwanted = {}},
    {.what = "rows by GatherND",
     .inputs = "float[9, 5] table, int64[batch, seq, 1] at",
     .outputs = y,
     .nodes = "y = GatherND(table, at)",
     .wanted = {"heed.Embedding"},
     .unwanted = {"GatherND"}},
    {.what = "a column by a row",
     .inputs = "float[batch, seq, 1] a, float[batch, 1, 5] b",
     .outputs = y,
     .nodes = "y = MatMul(a, b)",
     .wanted = {"heed.FusedElementwise"},
     .unwanted = {"MatMul"}},
    {.what = "a column by columns",
     .inputs = "float[batch, seq, 1] a, float[1, 5] b",
     .outputs = y,
     .nodes = "y = MatMul(a, b)",
     .wanted = {"heed.FusedElementwise"},
     .unwanted = {"MatMul"}},
    // flattened_product.cpp
    {.what = "GPT-2's Conv1D with its residual",
     .inputs = "float[batch, seq, 4] a, " + x,
     .outputs = y,
     .nodes = "w = Constant<value = float[4, 5] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}>()"
              "b = Constant<value_floats = [0.1, 0.2, 0.3, 0.4, 0.5]>() flat = Constant<value_ints = [-1, 4]>()"
              "f = Reshape(a, flat) g = Gemm(f, w, b) shape = Shape(x) r = Reshape(g, shape) y = Add(r, x)",
     .wanted = {"heed.FusedMatMul"},
     .unwanted = {"Reshape", "heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "heads that are joined on the way",
     .inputs = "float[batch, seq, 2, 2] a",
     .outputs = y,
     .nodes = "w = Constant<value = float[4, 5] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}>()"
              "flat = Constant<value_ints = [-1, 4]>() f = Reshape(a, flat) g = MatMul(f, w) s = Shape(a)"
              "l0 = Constant<value_ints = [0]>() l2 = Constant<value_ints = [2]>() l5 = Constant<value_ints = [5]>()"
              "lead = Slice(s, l0, l2) shape = Concat<axis = 0>(lead, l5) r = Reshape(g, shape) y = Tanh(r)",
     .wanted = {"heed.FusedMatMul"},
     .unwanted = {"heed.FusedElementwise"},
     .tolerance = 1e-5},
    {.what = "rows that are laid out across columns",
     .inputs = "float[6, 4] a",
     .outputs = "float[5, 6] y",
     .nodes = "w = Constant<value = float[4, 5] {1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2}>()"
              "flat = Constant<value_ints = [-1, 4]>() f = Reshape(a, flat) g = MatMul(f, w)"
              "shape = Constant<value_ints = [5, 6]>() y = Reshape(g, shape)",
     .wanted = {"MatMul"},
     .unwanted = {"fired flattened_product"}},
};

}  // namespace

TEST_CASE("what exports say in more words is simplified") { check_rewrites(rows); }

}  // namespace heed::test
