// Every CPU kernel: the table of contents of this folder.
#include "cpu.hpp"

#include "heed/plugin.hpp"

namespace heed::cpu {

// Element by element: elementwise_binary.cpp, comparison.cpp, logic.cpp, elementwise_unary.cpp, where.cpp, clip.cpp,
// cast.cpp
extern const CpuKernel
    add, sub, mul, div, mod, pow, min_of, max_of, equal_to, less_than, less_or_equal, greater, greater_or_equal,
    logical_and, logical_or, logical_xor, logical_not, relu, sigmoid, tanh_of, erf_of, exp_of, log_of, sqrt_of,
    reciprocal, sin_of, cos_of, floor_of, ceil_of, softplus, neg, abs_of, sign, gelu, swish, where, clip, cast,
    cast_like;
// activations.cpp, trigonometry.cpp, bitwise.cpp; and of comparison.cpp, elementwise_binary.cpp, elementwise_unary.cpp
extern const CpuKernel
    elu, celu, selu, leaky_relu, thresholded_relu, hard_sigmoid, hard_swish, softsign, mish, shrink, prelu, swiglu,
    fast_gelu, tan_of, asin_of, acos_of, atan_of, sinh_of, cosh_of, asinh_of, acosh_of, atanh_of, bitwise_and,
    bitwise_or, bitwise_xor, bitwise_not, bit_shift, is_nan, is_inf, sum_of, mean_of, round_of;
// More of reduce.cpp and dense_views.cpp
extern const CpuKernel
    reduce_l1, reduce_log_sum, reduce_log_sum_exp, bit_cast;
// Along axes: softmax.cpp, reduce.cpp, arg_max.cpp, layer_normalization.cpp, rms_normalization.cpp,
// rotary_embedding.cpp
extern const CpuKernel
    softmax, log_softmax, hardmax, reduce_sum, reduce_mean, reduce_prod, reduce_l2, reduce_sum_square, reduce_max,
    reduce_min, arg_max, arg_min, layer_normalization, rms_normalization, rotary_embedding;
// More of rotary_embedding.cpp
extern const CpuKernel
    heed_rotary_embedding;
// More sums of products: einsum.cpp
extern const CpuKernel
    einsum;
// More of random.cpp, and det.cpp, lrn.cpp
extern const CpuKernel
    bernoulli, det, lrn;
// Losses: negative_log_likelihood_loss.cpp
extern const CpuKernel
    negative_log_likelihood_loss;
// Views, where they have to be copies: dense_views.cpp, transpose.cpp, slice.cpp, expand.cpp, split.cpp, heed_copy.cpp
extern const CpuKernel
    reshape, flatten, squeeze, unsqueeze, identity, transpose, slice, expand, split, heed_copy;
// Tensors from sizes, indices and parts: shape.cpp, constant.cpp, constant_of_shape.cpp, range.cpp, concat.cpp,
// gather.cpp, trilu.cpp, non_zero.cpp, random.cpp
extern const CpuKernel
    shape, size, constant, constant_of_shape, range, concat, gather, trilu, non_zero, random_normal,
    random_normal_like, random_uniform, random_uniform_like;
// Elements moved: pad.cpp, tile.cpp, center_crop_pad.cpp, depth_to_space.cpp, gather_nd.cpp, scatter.cpp
extern const CpuKernel
    pad, tile, center_crop_pad, depth_to_space, space_to_depth, gather_elements, gather_nd, scatter, scatter_elements,
    scatter_nd, tensor_scatter;
// Lines along an axis, kept in or put into order: cum_sum.cpp, top_k.cpp, compress.cpp, unique.cpp,
// reverse_sequence.cpp, lp_normalization.cpp
extern const CpuKernel
    cum_sum, cum_prod, top_k, compress, unique, reverse_sequence, lp_normalization;
// Tensors of two values, and masks: one_hot.cpp, eye_like.cpp, dropout.cpp
extern const CpuKernel
    one_hot, eye_like, dropout;
// Sums of products, and pooling: matmul.cpp, heed_attention.cpp, conv.cpp, max_pool.cpp, onnx_gemm.cpp
extern const CpuKernel
    matmul, matmul_neon, matmul_avx2, matmul_avx512, matmul_avx512_bf16, matmul_amx,
    fused_matmul, fused_matmul_neon, fused_matmul_avx2, fused_matmul_avx512, fused_matmul_avx512_bf16, fused_matmul_amx,
    heed_attention, heed_attention_neon, heed_attention_avx2, heed_attention_avx512,
    heed_rotary_attention, heed_rotary_attention_neon, heed_rotary_attention_avx2, heed_rotary_attention_avx512,
    conv, max_pool, gemm;
// More pooling: average_pool.cpp
extern const CpuKernel
    average_pool, lp_pool, global_lp_pool;
// Recurrent layers: heed_recurrence.cpp
extern const CpuKernel
    heed_recurrence, heed_recurrence_neon, heed_recurrence_avx2, heed_recurrence_avx512;
// Images in other sizes: resize.cpp
extern const CpuKernel
    resize, upsample;
// More sequences: sequence.cpp
extern const CpuKernel
    split_to_sequence;
// More sums of products: conv_transpose.cpp
extern const CpuKernel
    conv_transpose;
// More texts: string_split.cpp, string_normalizer.cpp, regex_full_match.cpp, tf_idf_vectorizer.cpp
extern const CpuKernel
    string_split, string_normalizer, regex_full_match, tf_idf_vectorizer;
// Elements between others: grid_sample.cpp, affine_grid.cpp
extern const CpuKernel
    grid_sample, affine_grid;
// Boxes: non_max_suppression.cpp
extern const CpuKernel
    non_max_suppression;
// Front ends of sound: mel_weight_matrix.cpp
extern const CpuKernel
    mel_weight_matrix;
// Convolutions of f32 by vectors: conv_vectors.cpp
// Convolutions that finish their sums, and those of f32 by vectors: conv.cpp, conv_vectors.cpp
extern const CpuKernel fused_conv, conv_neon, conv_avx2, conv_avx512, fused_conv_neon, fused_conv_avx2, fused_conv_avx512;
// Images that lie channels last: conv_channels.cpp, pool_channels.cpp
extern const CpuKernel conv_channels_neon, conv_channels_avx2, conv_channels_avx512, fused_conv_channels_neon,
    fused_conv_channels_avx2, fused_conv_channels_avx512, max_pool_channels_neon, max_pool_channels_avx2,
    max_pool_channels_avx512, average_pool_channels_neon, average_pool_channels_avx2, average_pool_channels_avx512;
// Pooling by vectors: pool_vectors.cpp
extern const CpuKernel max_pool_neon, max_pool_avx2, max_pool_avx512, average_pool_neon, average_pool_avx2, average_pool_avx512;
// Of mixtures of experts: heed_expert_matmul.cpp
extern const CpuKernel heed_expert_matmul;
// Heed's own, beside attention: heed_causal_mask.cpp, heed_embedding.cpp, fused_elementwise.cpp
extern const CpuKernel
    heed_causal_mask, heed_embedding, fused_elementwise, fused_elementwise_neon, fused_elementwise_avx2,
    fused_elementwise_avx512;
// Weights laid out anew: heed_pack.cpp
extern const CpuKernel heed_pack;
// Texts, sequences, optionals: string_concat.cpp, sequence.cpp, optional.cpp
extern const CpuKernel
    string_concat, sequence_construct, sequence_empty, sequence_insert, sequence_erase, sequence_at, sequence_length,
    concat_from_sequence, optional_of, optional_has_element, optional_get_element;
// Of narrow integers and floats: quantize_linear.cpp, gather_block_quantized.cpp
extern const CpuKernel
    quantize_linear, dequantize_linear, com_microsoft_quantize_linear, com_microsoft_dequantize_linear,
    dynamic_quantize_linear, gather_block_quantized;
// MaxPool of bytes: max_pool_bytes.cpp
extern const CpuKernel max_pool_bytes;
// Convolutions of bytes: conv_integer.cpp
extern const CpuKernel conv_integer, conv_integer_neon, conv_integer_avx2, conv_integer_avx_vnni, conv_integer_avx512, conv_integer_avx512_vnni,
    qlinear_conv, qlinear_conv_neon, qlinear_conv_avx2, qlinear_conv_avx_vnni, qlinear_conv_avx512, qlinear_conv_avx512_vnni;
// Products of 8-bit integers: matmul_integer.cpp
extern const CpuKernel
    matmul_integer, matmul_integer_neon, matmul_integer_avx2, matmul_integer_avx512,
    qlinear_matmul, qlinear_matmul_neon, qlinear_matmul_avx2, qlinear_matmul_avx512,
    matmul_integer_to_float, matmul_integer_to_float_neon, matmul_integer_to_float_avx2, matmul_integer_to_float_avx512,
    dynamic_quantize_matmul, dynamic_quantize_matmul_neon, dynamic_quantize_matmul_avx2, dynamic_quantize_matmul_avx512;
extern const CpuKernel
    matmul_integer_avx_vnni, matmul_integer_avx512_vnni, qlinear_matmul_avx_vnni, qlinear_matmul_avx512_vnni,
    matmul_integer_to_float_avx_vnni, matmul_integer_to_float_avx512_vnni, dynamic_quantize_matmul_avx_vnni,
    dynamic_quantize_matmul_avx512_vnni;
extern const CpuKernel fused_matmul_integer_to_float, fused_matmul_integer_to_float_neon,
    fused_matmul_integer_to_float_avx2, fused_matmul_integer_to_float_avx_vnni,
    fused_matmul_integer_to_float_avx512, fused_matmul_integer_to_float_avx512_vnni,
    fused_dynamic_quantize_matmul, fused_dynamic_quantize_matmul_neon, fused_dynamic_quantize_matmul_avx2,
    fused_dynamic_quantize_matmul_avx_vnni, fused_dynamic_quantize_matmul_avx512,
    fused_dynamic_quantize_matmul_avx512_vnni;
extern const CpuKernel
    matmul_integer_amx, qlinear_matmul_amx, matmul_integer_to_float_amx, dynamic_quantize_matmul_amx,
    fused_matmul_integer_to_float_amx, fused_dynamic_quantize_matmul_amx;
// Products of packed codes: matmul_nbits.cpp
extern const CpuKernel matmul_nbits, matmul_nbits_neon, matmul_nbits_avx2, matmul_nbits_avx512;
extern const CpuKernel matmul_nbits_avx_vnni, matmul_nbits_avx512_vnni;
extern const CpuKernel fused_matmul_nbits, fused_matmul_nbits_neon, fused_matmul_nbits_avx2, fused_matmul_nbits_avx_vnni,
    fused_matmul_nbits_avx512, fused_matmul_nbits_avx512_vnni;
// With a state that lives on: linear_attention.cpp, causal_conv_with_state.cpp
extern const CpuKernel
    linear_attention, com_microsoft_linear_attention, causal_conv_with_state, com_microsoft_causal_conv_with_state;
// More of random.cpp
extern const CpuKernel multinomial;
// ai.onnx.ml: label_encoder.cpp, tree_ensemble.cpp
extern const CpuKernel label_encoder, tree_ensemble;
// Images: col2im.cpp, max_unpool.cpp, roi_pooling.cpp, heed_deformed_windows.cpp
extern const CpuKernel col2im, max_unpool, roi_align, max_roi_pool, heed_deformed_windows;
// Signals: dft.cpp
extern const CpuKernel dft, stft;

namespace {

PluginContent content() {
  return {
      .name = "cpu",
      .version = "0.1.0",
      .cpu_kernels =
          {
              &add, &sub, &mul, &div, &mod, &pow, &min_of, &max_of, &equal_to, &less_than, &less_or_equal, &greater,
              &greater_or_equal, &logical_and, &logical_or, &logical_xor, &logical_not, &relu, &sigmoid, &tanh_of,
              &erf_of, &exp_of, &log_of, &sqrt_of, &reciprocal, &sin_of, &cos_of, &floor_of, &ceil_of, &softplus,
              &neg, &abs_of, &sign, &gelu, &swish, &where, &clip, &cast, &cast_like,
              &elu, &celu, &selu, &leaky_relu, &thresholded_relu, &hard_sigmoid, &hard_swish, &softsign, &mish, &shrink,
              &prelu, &swiglu, &fast_gelu, &tan_of, &asin_of, &acos_of, &atan_of, &sinh_of, &cosh_of, &asinh_of,
              &acosh_of, &atanh_of, &bitwise_and, &bitwise_or, &bitwise_xor, &bitwise_not, &bit_shift, &is_nan,
              &is_inf, &sum_of, &mean_of, &round_of,
              &bernoulli, &det, &lrn,
              &einsum,
              &negative_log_likelihood_loss,
              &reduce_l1, &reduce_log_sum, &reduce_log_sum_exp, &bit_cast,
              &softmax, &log_softmax, &hardmax, &reduce_sum, &reduce_mean, &reduce_prod, &reduce_l2, &reduce_sum_square,
              &reduce_max, &reduce_min, &arg_max, &arg_min, &layer_normalization, &rms_normalization,
              &rotary_embedding,
              &heed_rotary_embedding,
              &reshape, &flatten, &squeeze, &unsqueeze, &identity, &transpose, &slice, &expand, &split, &heed_copy,
              &shape, &size, &constant, &constant_of_shape, &range, &concat, &gather, &trilu, &non_zero,
              &random_normal, &random_normal_like, &random_uniform, &random_uniform_like,
              &pad, &tile, &center_crop_pad, &depth_to_space, &space_to_depth, &gather_elements, &gather_nd, &scatter,
              &scatter_elements, &scatter_nd, &tensor_scatter,
              &cum_sum, &cum_prod, &top_k, &compress, &unique, &reverse_sequence, &lp_normalization,
              &one_hot, &eye_like, &dropout,
              &matmul, &matmul_neon, &matmul_avx2, &matmul_avx512, &matmul_avx512_bf16, &matmul_amx,
              &fused_matmul, &fused_matmul_neon, &fused_matmul_avx2, &fused_matmul_avx512, &fused_matmul_avx512_bf16,
              &fused_matmul_amx,
              &heed_attention, &heed_attention_neon, &heed_attention_avx2, &heed_attention_avx512,
              &heed_rotary_attention, &heed_rotary_attention_neon, &heed_rotary_attention_avx2,
              &heed_rotary_attention_avx512,
              &conv, &max_pool, &gemm,
              &average_pool, &lp_pool, &global_lp_pool,
              &heed_recurrence, &heed_recurrence_neon, &heed_recurrence_avx2, &heed_recurrence_avx512,
              &resize, &upsample,
              &split_to_sequence,
              &conv_transpose,
              &string_split, &string_normalizer, &regex_full_match, &tf_idf_vectorizer,
              &grid_sample, &affine_grid,
              &non_max_suppression,
              &mel_weight_matrix,
              &max_pool_neon, &max_pool_avx2, &max_pool_avx512, &average_pool_neon, &average_pool_avx2, &average_pool_avx512,
              &fused_conv, &conv_neon, &conv_avx2, &conv_avx512, &fused_conv_neon, &fused_conv_avx2, &fused_conv_avx512,
              &heed_expert_matmul,
              &heed_causal_mask, &heed_embedding, &fused_elementwise, &fused_elementwise_neon,
              &fused_elementwise_avx2, &fused_elementwise_avx512,
              &heed_pack,
              &string_concat, &sequence_construct, &sequence_empty, &sequence_insert, &sequence_erase, &sequence_at,
              &sequence_length, &concat_from_sequence, &optional_of, &optional_has_element, &optional_get_element,
              &quantize_linear, &dequantize_linear, &com_microsoft_quantize_linear, &com_microsoft_dequantize_linear,
              &dynamic_quantize_linear, &gather_block_quantized,
              &conv_channels_neon, &conv_channels_avx2, &conv_channels_avx512, &fused_conv_channels_neon,
              &fused_conv_channels_avx2, &fused_conv_channels_avx512, &max_pool_channels_neon, &max_pool_channels_avx2,
              &max_pool_channels_avx512, &average_pool_channels_neon, &average_pool_channels_avx2,
              &average_pool_channels_avx512,
              &max_pool_bytes,
              &conv_integer, &conv_integer_neon, &conv_integer_avx2, &conv_integer_avx_vnni, &conv_integer_avx512, &conv_integer_avx512_vnni,
              &qlinear_conv, &qlinear_conv_neon, &qlinear_conv_avx2, &qlinear_conv_avx_vnni, &qlinear_conv_avx512, &qlinear_conv_avx512_vnni,
              &matmul_integer, &matmul_integer_neon, &matmul_integer_avx2, &matmul_integer_avx512,
              &qlinear_matmul, &qlinear_matmul_neon, &qlinear_matmul_avx2, &qlinear_matmul_avx512,
              &matmul_integer_to_float, &matmul_integer_to_float_neon, &matmul_integer_to_float_avx2, &matmul_integer_to_float_avx512,
              &dynamic_quantize_matmul, &dynamic_quantize_matmul_neon, &dynamic_quantize_matmul_avx2, &dynamic_quantize_matmul_avx512,
              &matmul_integer_avx_vnni, &matmul_integer_avx512_vnni, &qlinear_matmul_avx_vnni,
              &qlinear_matmul_avx512_vnni, &matmul_integer_to_float_avx_vnni, &matmul_integer_to_float_avx512_vnni,
              &dynamic_quantize_matmul_avx_vnni, &dynamic_quantize_matmul_avx512_vnni,
              &fused_matmul_integer_to_float, &fused_matmul_integer_to_float_neon,
              &fused_matmul_integer_to_float_avx2, &fused_matmul_integer_to_float_avx_vnni,
              &fused_matmul_integer_to_float_avx512, &fused_matmul_integer_to_float_avx512_vnni,
              &fused_dynamic_quantize_matmul, &fused_dynamic_quantize_matmul_neon,
              &fused_dynamic_quantize_matmul_avx2, &fused_dynamic_quantize_matmul_avx_vnni,
              &fused_dynamic_quantize_matmul_avx512, &fused_dynamic_quantize_matmul_avx512_vnni,
              &matmul_integer_amx, &qlinear_matmul_amx, &matmul_integer_to_float_amx, &dynamic_quantize_matmul_amx,
              &fused_matmul_integer_to_float_amx, &fused_dynamic_quantize_matmul_amx,
              &matmul_nbits, &matmul_nbits_neon, &matmul_nbits_avx2, &matmul_nbits_avx512,
              &matmul_nbits_avx_vnni, &matmul_nbits_avx512_vnni,
              &linear_attention, &com_microsoft_linear_attention, &causal_conv_with_state,
              &com_microsoft_causal_conv_with_state,
              &fused_matmul_nbits, &fused_matmul_nbits_neon, &fused_matmul_nbits_avx2, &fused_matmul_nbits_avx_vnni,
              &fused_matmul_nbits_avx512, &fused_matmul_nbits_avx512_vnni,
              &multinomial,
              &label_encoder, &tree_ensemble,
              &col2im, &max_unpool, &roi_align, &max_roi_pool, &heed_deformed_windows,
              &dft, &stft,
          },
  };
}

}  // namespace
}  // namespace heed::cpu

const heed_plugin* heed_cpu_entry(const heed_host* host) {
  static const heed::detail::Tables tables{heed::cpu::content()};
  return heed::enter(host, tables);
}
