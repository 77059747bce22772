// ops/rewrites/gelu.cpp and silu.cpp: activations as exporters spell them out.
#include <catch2/catch.hpp>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string x = "float[batch, seq, 5] x", y = "float[batch, seq, 5] y";
const std::string numbers =
    "one = Constant<value_float = 1.0>() two = Constant<value_float = 2.0>() half = Constant<value_float = 0.5>()"
    "three = Constant<value_float = 3.0>() sqrt2 = Constant<value_float = 1.4142135>()"
    "sqrt_half = Constant<value_float = 0.70710677>() small = Constant<value_float = 0.044715>()"
    "root = Constant<value_float = 0.7978845608>() ";

RewriteRow row(const char* what, const std::string& nodes, std::vector<const char*> wanted,
               std::vector<const char*> unwanted = {}) {
  return {.what = what, .inputs = x, .outputs = y, .nodes = numbers + nodes, .wanted = wanted, .unwanted = unwanted};
}

const std::vector<RewriteRow> rows = {
    row("gelu of torch's first exporter", "d = Div(x, sqrt2) e = Erf(d) f = Add(e, one) m = Mul(x, f) y = Mul(m, half)",
        {"fired gelu\n"}),
    row("gelu of torch's second exporter",
        "d = Div(x, sqrt2) e = Erf(d) f = Add(e, one) h = Mul(half, f) y = Mul(x, h)", {"fired gelu\n"}),
    row("half first, a product with the root of a half",
        "d = Mul(sqrt_half, x) e = Erf(d) f = Add(one, e) h = Mul(half, x) y = Mul(f, h)", {"fired gelu\n"}),
    row("error function of another number", "d = Div(x, two) e = Erf(d) f = Add(e, one) m = Mul(x, f) y = Mul(m, half)",
        {"Fused"}, {" fired gelu"}),
    row("of another value on the way",
        "a = Abs(x) d = Div(a, sqrt2) e = Erf(d) f = Add(e, one) m = Mul(x, f) y = Mul(m, half)", {"Fused"},
        {" fired gelu"}),
    row("GPT-2's new gelu",
        "h = Mul(x, half) c = Pow(x, three) s = Mul(c, small) i = Add(x, s) r = Mul(i, root) t = Tanh(r) f = Add(t, "
        "one)"
        "y = Mul(h, f)",
        {"fired gelu_tanh"}),
    row("torch's gelu by tanh, a product of three",
        "q = Mul(x, x) c = Mul(x, q) s = Mul(small, c) i = Add(x, s) r = Mul(root, i) t = Tanh(r) f = Add(one, t)"
        "h = Mul(half, x) y = Mul(h, f)",
        {"fired gelu_tanh"}),
    row("x taken out of the sum, as in gelu_fast",
        "l = Mul(x, root) s = Mul(x, small) q = Mul(s, x) o = Add(q, one) r = Mul(l, o) t = Tanh(r) f = Add(t, one)"
        "h = Mul(x, half) y = Mul(h, f)",
        {"fired gelu_tanh"}),
    row("the same with a square",
        "l = Mul(x, root) p = Pow(x, two) q = Mul(p, small) o = Add(q, one) r = Mul(l, o) t = Tanh(r) f = Add(t, one)"
        "h = Mul(f, half) y = Mul(x, h)",
        {"fired gelu_tanh"}),
    row("a square is no cube",
        "h = Mul(x, half) c = Pow(x, two) s = Mul(c, small) i = Add(x, s) r = Mul(i, root) t = Tanh(r) f = Add(t, one)"
        "y = Mul(h, f)",
        {"Fused"}, {" fired gelu_tanh"}),
    row("silu", "s = Sigmoid(x) y = Mul(x, s)", {"fired silu"}),
    row("silu by the exponential", "n = Neg(x) e = Exp(n) d = Add(one, e) y = Div(x, d)", {"fired silu"}),
    row("quick gelu", "a = Constant<value_float = 1.702>() m = Mul(x, a) s = Sigmoid(m) y = Mul(s, x)", {"fired silu"}),
    row("a gate of another value", "a = Abs(x) s = Sigmoid(a) y = Mul(x, s)", {"Fused"}, {" fired silu"}),
    row("two divided", "n = Neg(x) e = Exp(n) d = Add(two, e) y = Div(x, d)", {"Fused"}, {" fired silu"}),
    {.what = "SwiGLU between products",
     .inputs = "float[batch, seq, 2] a",
     .outputs = "float[batch, seq, 3] y",
     .nodes = "w = Constant<value = float[2, 3] {1, -2, 3, 0.5, 0.25, -1}>()"
              "v = Constant<value = float[2, 3] {2, 1, 0.5, -3, 1, 2}>() g = MatMul(a, w) s = Sigmoid(g) t = Mul(g, s)"
              "u = MatMul(a, v) y = Mul(t, u)",
     .wanted = {"gated = 1"},
     .unwanted = {"heed.FusedElementwise"}},
    {.what = "what broadcasts to a product is no gate",
     .inputs = "float[batch, seq, 2] a, float[batch, 1, 3] g",
     .outputs = "float[batch, seq, 3] y",
     .nodes = "v = Constant<value = float[2, 3] {2, 1, 0.5, -3, 1, 2}>() u = MatMul(a, v) y = Mul(g, u)",
     .wanted = {"heed.FusedElementwise"},
     .unwanted = {"fired matmul_gate"}},
    {.what = "a number of more axes than x",
     .inputs = "float[batch, 5] x",
     .outputs = "float[1, batch, 5] y",
     .nodes = "a = Constant<value = float[1, 1, 1] {1.702}>() m = Mul(x, a) s = Sigmoid(m) y = Mul(s, x)",
     .wanted = {"Fused"},
     .unwanted = {" fired silu"}},
};

}  // namespace

TEST_CASE("activations that are spelled out become one node") { check_rewrites(rows); }

}  // namespace heed::test
