// ops/rewrites/rotary_attention.cpp: attention that turns its queries and new keys itself.
#include <catch2/catch.hpp>

#include "ops/rewrites/rewrite_rows.hpp"

namespace heed::test {
namespace {

const std::string heads = "float[batch, 4, seq, 8] q, float[batch, 2, seq, 8] k, float[batch, 2, seq, 5] v",
                  flat = "float[batch, seq, 32] q, float[batch, seq, 16] k, float[batch, seq, 10] v",
                  tables = ", float[20, 4] cos, float[20, 4] sin, int64[batch, seq] at",
                  caches = ", float[batch, 2, past, 8] pk, float[batch, 2, past, 5] pv",
                  y = "float[batch, 4, seq, 5] y", flat_y = "float[batch, seq, 20] y",
                  grown = ", float[batch, 2, total, 8] key, float[batch, 2, total, 5] value";

std::string turned(const std::string& attributes = "", const std::string& positions = ", at") {
  return "tq = RotaryEmbedding<" + attributes + ">(q, cos, sin" + positions + ") tk = RotaryEmbedding<" + attributes +
         ">(k, cos, sin" + positions + ") ";
}

const std::vector<RewriteRow> rows = {
    {.what = "halves, no cache",
     .inputs = heads + tables,
     .outputs = y,
     .nodes = turned("interleaved = 0") + "y = heed.Attention<causal = 1>(tq, tk, v)",
     .wanted = {"fired rotary_attention"},
     .unwanted = {},
     .tolerance = 1e-5},
    {.what = "pairs side by side, behind a cache",
     .inputs = heads + tables + caches,
     .outputs = y + grown,
     .nodes = turned("interleaved = 1") + "y, key, value = heed.Attention<causal = 1>(tq, tk, v, , pk, pv)",
     .wanted = {"fired rotary_attention"},
     .unwanted = {},
     .tolerance = 1e-5},
    {.what = "a part of the channels, and a mask",
     .inputs = heads + ", float[20, 3] cos, float[20, 3] sin, int64[batch, seq] at" + caches + ", bool[batch, 1, seq, total] m",
     .outputs = y + grown,
     .nodes = turned("rotary_embedding_dim = 6") + "y, key, value = heed.Attention(tq, tk, v, m, pk, pv)",
     .wanted = {"fired rotary_attention"},
     .unwanted = {},
     .tolerance = 1e-5},
    {.what = "pairs of a part of the channels, angles of each place of each sequence",
     .inputs = heads + ", float[batch, seq, 2] cos, float[batch, seq, 2] sin" + caches,
     .outputs = y + grown,
     .nodes = turned("interleaved = 1, rotary_embedding_dim = 4", "") +
              "y, key, value = heed.Attention<softcap = 3.0>(tq, tk, v, , pk, pv)",
     .wanted = {"fired rotary_attention"},
     .unwanted = {},
     .tolerance = 1e-5},
    {.what = "turned before heads are split off",
     .inputs = flat + tables + caches,
     .outputs = flat_y + grown,
     .nodes = "tq = RotaryEmbedding<num_heads = 4>(q, cos, sin, at) tk = RotaryEmbedding<num_heads = 2>(k, cos, sin, at)"
              "y, key, value = Attention<is_causal = 1, q_num_heads = 4, kv_num_heads = 2>(tq, tk, v, , pk, pv)",
     .wanted = {"fired rotary_heads", "fired rotary_attention"},
     .unwanted = {},
     .runs_as_it_is = false,
     .tolerance = 1e-5},
    {.what = "f16, a score of one query and of many",
     .inputs = "float16[batch, 4, seq, 8] q, float16[batch, 2, seq, 8] k, float16[batch, 2, seq, 8] v, "
               "float16[20, 4] cos, float16[20, 4] sin, int64[batch, seq] at, float16[batch, 2, past, 8] pk, "
               "float16[batch, 2, past, 8] pv",
     .outputs = "float16[batch, 4, seq, 8] y, float16[batch, 2, total, 8] key, float16[batch, 2, total, 8] value",
     .nodes = turned() + "y, key, value = heed.Attention<causal = 1>(tq, tk, v, , pk, pv)",
     .wanted = {"fired rotary_attention"},
     .unwanted = {},
     .tolerance = 4e-3},
    {.what = "a mask that becomes causal first",
     .inputs = heads + tables,
     .outputs = y,
     .nodes = "length = Shape<start = 2, end = 3>(q) one = Constant<value = bool[1] {1}>() zero = Constant<value_int = 0>()"
              "square = Concat<axis = 0>(length, length) all = Expand(one, square) m = Trilu<upper = 0>(all, zero)" +
              turned() + "y = heed.Attention(tq, tk, v, m)",
     .wanted = {"fired rotary_attention"},
     .unwanted = {"Trilu"},
     .tolerance = 1e-5},
    {.what = "queries alone",
     .inputs = heads + tables,
     .outputs = y,
     .nodes = "tq = RotaryEmbedding(q, cos, sin, at) y = heed.Attention(tq, k, v)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {" fired rotary_attention"},
     .tolerance = 1e-5},
    {.what = "queries and keys at other places",
     .inputs = heads + tables + ", int64[batch, seq] at_keys",
     .outputs = y,
     .nodes = "tq = RotaryEmbedding(q, cos, sin, at) tk = RotaryEmbedding(k, cos, sin, at_keys) y = heed.Attention(tq, tk, v)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {" fired rotary_attention"},
     .tolerance = 1e-5},
    {.what = "queries in another way than keys",
     .inputs = heads + tables,
     .outputs = y,
     .nodes = "tq = RotaryEmbedding(q, cos, sin, at) tk = RotaryEmbedding<interleaved = 1>(k, cos, sin, at)"
              "y = heed.Attention(tq, tk, v)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {" fired rotary_attention"},
     .tolerance = 1e-5},
    {.what = "turned keys that others read",
     .inputs = heads + tables,
     .outputs = y + ", float[batch, 2, seq, 8] tk",
     .nodes = turned() + "y = heed.Attention(tq, tk, v)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {" fired rotary_attention"},
     .tolerance = 1e-5},
    {.what = "weights that are asked for",
     .inputs = heads + tables,
     .outputs = y + ", float[batch, 4, seq, seq] w",
     .nodes = turned() + "y, key, value, w = heed.Attention<qk_output_mode = 3>(tq, tk, v)",
     .wanted = {"RotaryEmbedding"},
     .unwanted = {" fired rotary_attention"},
     .tolerance = 1e-5},
};

}  // namespace

TEST_CASE("attention turns queries and keys itself") { check_rewrites(rows); }

}  // namespace heed::test
