// Attention over batches and heads on one axis, as torch.bmm has it and exports of BLOOM, and of Bart, OPT and Whisper
// by older transformers, spell it out. Apart, tensors are [batch, head, sequence, channel].
#include <catch2/catch.hpp>
#include <string>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string
    with_past =
        "float[batch, 3, seq, 8] q, float[batch, 3, seq, 8] k, float[batch, 3, seq, 5] v, "
        "float[batch, 3, past, 8] pk, float[batch, 3, past, 5] pv",
    masked = with_past + ", float[batch, 1, seq, past + seq] mask",
    presents = "float[batch, 3, seq, 5] y, float[batch, 3, past + seq, 8] key, float[batch, 3, past + seq, 5] value";

const std::string merged =
    "key = Concat<axis = 2>(pk, k) value = Concat<axis = 2>(pv, v) q_shape = Shape(q) i0 = Constant<value_int = 0>()"
    "i2 = Constant<value_int = 2>() axis0 = Constant<value_ints = [0]>() batch = Gather(q_shape, i0)"
    "seq = Gather(q_shape, i2) heads = Constant<value_int = 3>() bh = Mul(batch, heads) bh_d = Unsqueeze(bh, axis0)"
    "batch_d = Unsqueeze(batch, axis0) seq_d = Unsqueeze(seq, axis0) h_d = Constant<value_ints = [3]>()"
    "rest = Constant<value_ints = [-1]>() d8 = Constant<value_ints = [8]>() d5 = Constant<value_ints = [5]>()"
    "q_merged = Concat<axis = 0>(bh_d, seq_d, d8) k_merged = Concat<axis = 0>(bh_d, rest, d8)"
    "v_merged = Concat<axis = 0>(bh_d, rest, d5) scores_apart = Concat<axis = 0>(batch_d, h_d, seq_d, rest)"
    "scores_merged = Concat<axis = 0>(bh_d, seq_d, rest) y_apart = Concat<axis = 0>(batch_d, h_d, seq_d, d5)"
    "q3 = Reshape(q, q_merged) k3 = Reshape(key, k_merged) v3 = Reshape(value, v_merged)"
    "kt = Transpose<perm = [0, 2, 1]>(k3) qk = MatMul(q3, kt) c = Constant<value_float = 0.3>() ";
const std::string weighed = "o = MatMul(w3, v3) y = Reshape(o, y_apart)";

const std::vector<RewriteRow> rows = {
    {"BLOOM's: scaled scores and ALiBi's biases on one axis, the mask and weights apart",
     masked + ", float[batch, 3, past + seq] alibi",
     presents,
     merged +
         "one_d = Constant<value_ints = [1]>() alibi_merged = Concat<axis = 0>(bh_d, one_d, rest)"
         "alibi3 = Reshape(alibi, alibi_merged) s = Mul(qk, c) biased = Add(s, alibi3)"
         "s4 = Reshape(biased, scores_apart) m = Add(s4, mask) p = Softmax<axis = -1>(m)"
         "w3 = Reshape(p, scores_merged)" +
         weighed,
     {"heed.Attention", "scale = 0.3", "fired attention_past"},
     {" MatMul", "Softmax"}},
    {"Bart's: weights on one axis, too",
     masked,
     presents,
     merged +
         "s4 = Reshape(qk, scores_apart) m = Add(s4, mask) m3 = Reshape(m, scores_merged)"
         "w3 = Softmax<axis = -1>(m3)" +
         weighed,
     {"heed.Attention", "fired attention_past"},
     {" MatMul", "Softmax"}},
    {"DeBERTa's: keys scaled, a bias of places apart, hidden afterwards; others read the queries",
     with_past + ", float[batch, 3, seq, past + seq] bias, bool[batch, 1, 1, past + seq] hidden",
     presents + ", float[3*batch, seq, 8] q3",
     merged +
         "low = Constant<value_float = -3.4028234663852886e38>() scaled = Div(kt, c) product = MatMul(q3, scaled)"
         "bias3 = Reshape(bias, scores_merged) biased = Add(product, bias3) s4 = Reshape(biased, scores_apart) m = "
         "Where(hidden, low, s4)"
         "p = Softmax<axis = -1>(m) w3 = Reshape(p, scores_merged)" +
         weighed,
     {"heed.Attention", "scale = 3.33333", "fired attention_past"},
     {" MatMul", "Softmax"}},
    {"a bias along queries alone is no mask of keys",
     with_past + ", float[batch, 3, seq, 1] bias",
     presents,
     merged +
         "flat = Constant<value_ints = [1]>() bias_merged = Concat<axis = 0>(bh_d, seq_d, flat) bias3 = Reshape(bias, "
         "bias_merged) biased = Add(qk, bias3) s4 = Reshape(biased, scores_apart) p = Softmax<axis = -1>(s4)"
         "w3 = Reshape(p, scores_merged)" +
         weighed,
     {"Softmax"},
     {"heed.Attention"}},
    {"softmax over queries is no attention",
     masked,
     presents,
     merged +
         "s4 = Reshape(qk, scores_apart) m = Add(s4, mask) m3 = Reshape(m, scores_merged)"
         "w3 = Softmax<axis = 1>(m3)" +
         weighed,
     {"Softmax"},
     {"heed.Attention"}},
};

}  // namespace

TEST_CASE("attention is found where batches and heads lie on one axis") { check_rewrites(rows); }

}  // namespace heed::test
