// ops/rewrites/layer_normalization.cpp and rms_normalization.cpp: normalisations as exporters spell them out.
#include <catch2/catch.hpp>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string x = "float[batch, seq, 5] x", y = "float[batch, seq, 5] y", half_x = "float16[batch, seq, 5] x",
                  half_y = "float16[batch, seq, 5] y";
const std::string parameters =
    "w = Constant<value_floats = [0.5, -1.25, 2.0, 1.0, 0.75]>() b = Constant<value_floats = [0.1, 0.2, 0.3, -0.4, "
    "0.5]>()"
    "e = Constant<value_float = 1e-5>() one = Constant<value_float = 1.0>() two = Constant<value_float = 2.0>() ";
// Up to opset 17 axes are an attribute, from 18 on an input.
const std::string last = "axes = Constant<value_ints = [-1]>() ";
const std::string centered = "m = ReduceMean<axes = [-1]>(x) c = Sub(x, m) ",
                  centered_18 = last + "m = ReduceMean(x, axes) c = Sub(x, m) ";

const std::vector<RewriteRow> layers = {
    {.what = "torch at opset 14",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + centered +
              "q = Pow(c, two) v = ReduceMean<axes = [-1]>(q) s = Add(v, e) d = Sqrt(s) n = Div(c, d) u = Mul(n, w)"
              "y = Add(u, b)",
     .wanted = {"LayerNormalization<axis = -1", "epsilon = 0.000010"},
     .unwanted = {"ReduceMean", "Mul", "Add", "heed.FusedElementwise"},
     .opset = 14},
    {.what = "axes as inputs, squares as products, the inverse of the root",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + centered_18 +
              "q = Mul(c, c) v = ReduceMean(q, axes) s = Add(e, v) d = Sqrt(s) i = Reciprocal(d) n = Mul(i, c)"
              "u = Mul(w, n) y = Add(b, u)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "one over the root, two axes, without scale and bias",
     .inputs = x,
     .outputs = y,
     .nodes = parameters +
              "axes = Constant<value_ints = [1, -1]>() m = ReduceMean(x, axes) c = Sub(x, m) q = Pow(c, two)"
              "v = ReduceMean(q, axes) s = Add(v, e) d = Sqrt(s) i = Div(one, d) y = Mul(c, i)",
     .wanted = {"LayerNormalization<axis = -2>"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "power of minus a half, two scales, and a bias of one number",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + centered_18 +
              "power = Constant<value_float = -0.5>() q = Mul(c, c) v = ReduceMean(q, axes) s = Add(v, e)"
              "i = Pow(s, power) n = Mul(c, i) t = Mul(n, w) u = Mul(t, two) y = Add(u, one)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "what is centered twice is the same",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + centered_18 +
              "again = Sub(x, m) q = Pow(again, two) v = ReduceMean(q, axes) s = Add(v, e) d = Sqrt(s) n = Div(c, d)"
              "y = Mul(n, w)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "what is normalised once and scaled twice, as in GPT-NeoX",
     .inputs = x,
     .outputs = y + ", float[batch, seq, 5] z",
     .nodes = parameters + centered_18 +
              "q = Pow(c, two) v = ReduceMean(q, axes) s = Add(v, e) d = Sqrt(s) n = Div(c, d) t = Mul(n, w)"
              "y = Add(t, b) u = Mul(n, b) z = Add(u, w)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "16-bit floats, normalised in f32",
     .inputs = half_x,
     .outputs = half_y,
     .nodes = parameters + last +
              "f = Cast<to = 1>(x) m = ReduceMean(f, axes) c = Sub(f, m) q = Pow(c, two) v = ReduceMean(q, axes)"
              "s = Add(v, e) d = Sqrt(s) n = Div(c, d) u = Mul(n, w) p = Add(u, b) y = Cast<to = 10>(p)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "Cast", "heed.FusedElementwise"},
     .tolerance = 4e-3},
    {.what = "16-bit floats of torch at opset 14, whose squares are f64",
     .inputs = half_x,
     .outputs = half_y,
     .nodes = parameters +
              "e64 = Constant<value = double {1e-5}>() two64 = Constant<value = double {2.0}>()"
              "m = ReduceMean<axes = [-1]>(x) c = Sub(x, m) f = Cast<to = 11>(c) q = Pow(f, two64)"
              "v = ReduceMean<axes = [-1]>(q) s = Add(v, e64) d = Sqrt(s) n = Div(f, d) p = Cast<to = 10>(n)"
              "wh = Cast<to = 10>(w) bh = Cast<to = 10>(b) u = Mul(p, wh) y = Add(u, bh)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "Cast"},
     .tolerance = 4e-3,
     .opset = 14},
    {.what = "16-bit floats, scaled after the cast",
     .inputs = half_x,
     .outputs = half_y,
     .nodes = parameters + last +
              "f = Cast<to = 1>(x) m = ReduceMean(f, axes) c = Sub(f, m) q = Pow(c, two) v = ReduceMean(q, axes)"
              "s = Add(v, e) d = Sqrt(s) n = Div(c, d) p = Cast<to = 10>(n) wh = Cast<to = 10>(w) y = Mul(p, wh)",
     .wanted = {"LayerNormalization"},
     .unwanted = {"ReduceMean", "Cast", "heed.FusedElementwise"},
     .tolerance = 4e-3},
    {.what = "a bias of rows is no bias of channels",
     .inputs = x + ", float[batch, seq, 1] r",
     .outputs = y,
     .nodes = parameters + "n = LayerNormalization(x, w) y = Add(n, r)",
     .wanted = {"LayerNormalization", "heed.FusedElementwise"},
     .unwanted = {}},
    {.what = "a residual is no bias",
     .inputs = x + ", float[batch, seq, 5] r",
     .outputs = y,
     .nodes = parameters + "n = LayerNormalization(x, w) y = Add(n, r)",
     .wanted = {"LayerNormalization", "heed.FusedElementwise"},
     .unwanted = {}},
    {.what = "a variance along other axes than the mean is none",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + centered +
              "q = Pow(c, two) v = ReduceMean<axes = [1]>(q) s = Add(v, e) d = Sqrt(s) y = Div(c, d)",
     .wanted = {"ReduceMean"},
     .unwanted = {"LayerNormalization"},
     .opset = 17},
    {.what = "an axis in the middle is no row",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + "axes = Constant<value_ints = [1]>() m = ReduceMean(x, axes) c = Sub(x, m) q = Pow(c, two)"
                           "v = ReduceMean(q, axes) s = Add(v, e) d = Sqrt(s) y = Div(c, d)",
     .wanted = {"ReduceMean"},
     .unwanted = {"LayerNormalization"}},
    {.what = "cubes are no squares",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + centered_18 +
              "three = Constant<value_float = 3.0>() q = Pow(c, three) a = Abs(q) v = ReduceMean(a, axes) s = Add(v, e)"
              "d = Sqrt(s) y = Div(c, d)",
     .wanted = {"ReduceMean"},
     .unwanted = {"LayerNormalization"}},
    {.what = "a deviation that others read is theirs",
     .inputs = x,
     .outputs = y + ", float[batch, seq, 1] d",
     .nodes =
         parameters + centered_18 + "q = Pow(c, two) v = ReduceMean(q, axes) s = Add(v, e) d = Sqrt(s) y = Div(c, d)",
     .wanted = {"ReduceMean"},
     .unwanted = {"LayerNormalization"}},
};

const std::vector<RewriteRow> roots = {
    {.what = "Llama at opset 17",
     .inputs = x,
     .outputs = y,
     .nodes = parameters +
              "q = Pow(x, two) m = ReduceMean<axes = [-1], keepdims = 1>(q) s = Add(m, e) r = Sqrt(s) i = Div(one, r)"
              "n = Mul(x, i) y = Mul(w, n)",
     .wanted = {"RMSNormalization<axis = -1", "epsilon = 0.000010"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"},
     .opset = 17},
    {.what = "the reciprocal of the root, squares as products",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + last +
              "q = Mul(x, x) m = ReduceMean(q, axes) s = Add(m, e) r = Sqrt(s) i = Reciprocal(r) n = Mul(x, i)"
              "y = Mul(n, w)",
     .wanted = {"RMSNormalization"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "without a scale",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + last + "q = Pow(x, two) m = ReduceMean(q, axes) s = Add(m, e) r = Sqrt(s) y = Div(x, r)",
     .wanted = {"RMSNormalization"},
     .unwanted = {"ReduceMean", "heed.FusedElementwise"}},
    {.what = "Gemma's scale, which is near 1",
     .inputs = x,
     .outputs = y,
     .nodes = parameters + last +
              "power = Constant<value_float = -0.5>() q = Pow(x, two) m = ReduceMean(q, axes) s = Add(m, e)"
              "i = Pow(s, power) n = Mul(x, i) near = Add(w, one) y = Mul(n, near)",
     .wanted = {"RMSNormalization"},
     .unwanted = {"ReduceMean", "Add", "heed.FusedElementwise"}},
    {.what = "16-bit floats, normalised in f32, scaled after the cast; others read the cast",
     .inputs = half_x,
     .outputs = half_y + ", float[batch, seq, 5] z",
     .nodes = parameters + last +
              "f = Cast<to = 1>(x) q = Pow(f, two) m = ReduceMean(q, axes) s = Add(m, e) r = Sqrt(s) i = Div(one, r)"
              "n = Mul(f, i) h = Cast<to = 10>(n) wh = Cast<to = 10>(w) y = Mul(h, wh) z = Mul(f, two)",
     .wanted = {"RMSNormalization"},
     .unwanted = {"ReduceMean"},
     .tolerance = 4e-3},
    {.what = "16-bit floats, scaled before the cast",
     .inputs = half_x,
     .outputs = half_y,
     .nodes = parameters + last +
              "f = Cast<to = 1>(x) q = Pow(f, two) m = ReduceMean(q, axes) s = Add(m, e) r = Sqrt(s) i = Div(one, r)"
              "n = Mul(f, i) near = Add(w, one) u = Mul(n, near) y = Cast<to = 10>(u)",
     .wanted = {"RMSNormalization"},
     .unwanted = {"ReduceMean", "Cast", "heed.FusedElementwise"},
     .tolerance = 4e-3},
    {.what = "squares of something else",
     .inputs = x + ", float[batch, seq, 5] z",
     .outputs = y,
     .nodes = parameters + last + "q = Mul(z, z) m = ReduceMean(q, axes) s = Add(m, e) r = Sqrt(s) y = Div(x, r)",
     .wanted = {"ReduceMean"},
     .unwanted = {"RMSNormalization"}},
    {.what = "a mean without its axis",
     .inputs = "float[7, 5] x",
     .outputs = "float[7, 5] y",
     .nodes = parameters + "axes = Constant<value_ints = [0, 1]>() q = Mul(x, x) m = ReduceMean<keepdims = 0>(q, axes)"
                           "s = Add(m, e) r = Sqrt(s) y = Div(x, r)",
     .wanted = {"ReduceMean"},
     .unwanted = {"RMSNormalization"}},
    {.what = "a scale of rows is no scale of channels",
     .inputs = x + ", float[batch, seq, 1] r",
     .outputs = y,
     .nodes = parameters + "n = RMSNormalization(x, w) y = Mul(n, r)",
     .wanted = {"RMSNormalization", "heed.FusedElementwise"},
     .unwanted = {}},
};

}  // namespace

TEST_CASE("layer normalisation that is spelled out becomes one step") { check_rewrites(layers); }

TEST_CASE("division by the root of the mean square becomes RMSNormalization") { check_rewrites(roots); }

}  // namespace heed::test
