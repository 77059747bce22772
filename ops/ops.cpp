// Every built-in operator: the table of contents of this folder.
#include "ops.hpp"

#include "heed/plugin.hpp"

namespace heed::ops {

// Element by element: elementwise_binary.cpp, comparison.cpp, logic.cpp, elementwise_unary.cpp, where.cpp, clip.cpp,
// cast.cpp
extern const Operator add, sub, mul, div, mod, pow, min_of, max_of;
extern const Operator equal_to, less_than, less_or_equal, greater, greater_or_equal;
extern const Operator logical_and, logical_or, logical_xor, logical_not;
extern const Operator relu, sigmoid, tanh_of, erf_of, exp_of, log_of, sqrt_of, reciprocal, sin_of, cos_of, floor_of,
    ceil_of, softplus, neg, abs_of, sign, swish, gelu;
extern const Operator where, clip, cast, cast_like;
// activations.cpp, trigonometry.cpp, bitwise.cpp; and of comparison.cpp, elementwise_binary.cpp, elementwise_unary.cpp
extern const Operator elu, celu, selu, leaky_relu, thresholded_relu, hard_sigmoid, hard_swish, softsign, mish, shrink;
extern const Operator prelu, swiglu, com_microsoft_gelu, bias_gelu, quick_gelu, fast_gelu, bias_add;
extern const Operator tan_of, asin_of, acos_of, atan_of, sinh_of, cosh_of, asinh_of, acosh_of, atanh_of;
extern const Operator bitwise_and, bitwise_or, bitwise_xor, bitwise_not, bit_shift;
extern const Operator is_nan, is_inf, sum_of, mean_of, round_of;
// More of reduce.cpp and dense_views.cpp
extern const Operator reduce_l1, reduce_log_sum, reduce_log_sum_exp, bit_cast;
// Along axes: softmax.cpp, reduce.cpp, arg_max.cpp, layer_normalization.cpp, rms_normalization.cpp,
// rotary_embedding.cpp
extern const Operator softmax, log_softmax, hardmax;
extern const Operator reduce_sum, reduce_mean, reduce_prod, reduce_l2, reduce_sum_square, reduce_max, reduce_min;
extern const Operator arg_max, arg_min, layer_normalization, rms_normalization, rotary_embedding;
// More sums of products: einsum.cpp
extern const Operator einsum;
// More of random.cpp, and det.cpp, lrn.cpp
extern const Operator bernoulli, det, lrn;
// Losses: negative_log_likelihood_loss.cpp
extern const Operator negative_log_likelihood_loss, softmax_cross_entropy_loss;
// Other looks at the same elements: dense_views.cpp, transpose.cpp, slice.cpp, expand.cpp, split.cpp
extern const Operator reshape, flatten, squeeze, unsqueeze, identity, transpose, slice, expand, split;
// Tensors from sizes, indices and parts: shape.cpp, constant.cpp, constant_of_shape.cpp, range.cpp, concat.cpp,
// gather.cpp, trilu.cpp, non_zero.cpp, random.cpp
extern const Operator shape, size, constant, constant_of_shape, range, concat, gather, trilu, non_zero;
extern const Operator random_normal, random_normal_like, random_uniform, random_uniform_like;
// Elements moved: pad.cpp, tile.cpp, center_crop_pad.cpp, depth_to_space.cpp, gather_nd.cpp, scatter.cpp
extern const Operator pad, tile, center_crop_pad, depth_to_space, space_to_depth;
extern const Operator gather_elements, gather_nd, scatter, scatter_elements, scatter_nd, tensor_scatter;
// Lines along an axis, kept in or put into order: cum_sum.cpp, top_k.cpp, compress.cpp, unique.cpp,
// reverse_sequence.cpp, lp_normalization.cpp, mean_variance_normalization.cpp
extern const Operator cum_sum, cum_prod, top_k, compress, unique, reverse_sequence;
extern const Operator lp_normalization, mean_variance_normalization;
// Tensors of two values, and masks: one_hot.cpp, eye_like.cpp, dropout.cpp
extern const Operator one_hot, eye_like, dropout;
// Other names of operators above: com_microsoft.cpp
extern const Operator com_microsoft_pad, com_microsoft_range, com_microsoft_trilu;
// Sums, normalized: skip_layer_normalization.cpp, embed_layer_normalization.cpp
extern const Operator skip_layer_normalization, skip_simplified_layer_normalization, simplified_layer_normalization,
    com_microsoft_simplified_layer_normalization, embed_layer_normalization;
// Mixtures of experts: mixture_of_experts.cpp, heed_expert_matmul.cpp
extern const Operator mixture_of_experts, quantized_mixture_of_experts, heed_expert_matmul;
// More products of com.microsoft: com_microsoft_matmul.cpp
extern const Operator com_microsoft_fused_matmul, com_microsoft_fused_gemm;
// Sums of products: matmul.cpp, gemm.cpp, conv.cpp, max_pool.cpp, ai_onnx_attention.cpp
extern const Operator matmul, gemm, conv, max_pool, attention;
// More pooling: average_pool.cpp
extern const Operator average_pool, lp_pool, global_average_pool, global_max_pool, global_lp_pool;
// Normalizations by channels: batch_normalization.cpp
extern const Operator batch_normalization;
extern const Rewrite batch_normalization_lowered;
// Of instances and groups: group_normalization.cpp
extern const Operator instance_normalization, group_normalization;
// Recurrent layers: recurrent_layers.cpp, heed_recurrence.cpp
extern const Operator rnn, gru, lstm, heed_recurrence;
extern const Rewrite rnn_lowered, gru_lowered, lstm_lowered;
// Images in other sizes: resize.cpp
extern const Operator resize, upsample;
// More control flow and sequences: scan.cpp, sequence_map.cpp, sequence.cpp
extern const Operator scan, sequence_map, split_to_sequence;
extern const ControlKernel scan_control, sequence_map_control;
// More sums of products: conv_transpose.cpp
extern const Operator conv_transpose;
// More texts: string_split.cpp, string_normalizer.cpp, regex_full_match.cpp, tf_idf_vectorizer.cpp
extern const Operator string_split, string_normalizer, regex_full_match, tf_idf_vectorizer;
// Elements between others: grid_sample.cpp, affine_grid.cpp
extern const Operator grid_sample, affine_grid;
// Boxes: non_max_suppression.cpp
extern const Operator non_max_suppression;
// Front ends of sound: mel_weight_matrix.cpp, window_functions.cpp
extern const Operator mel_weight_matrix, hann_window, hamming_window, blackman_window;
// Convolutions that finish their sums: fused_conv.cpp
extern const Operator fused_conv;
// Texts, sequences, optionals, control flow: string_concat.cpp, sequence.cpp, optional.cpp, if.cpp, loop.cpp
extern const Operator string_concat;
extern const Operator sequence_construct, sequence_empty, sequence_insert, sequence_erase, sequence_at, sequence_length,
    concat_from_sequence;
extern const Operator optional_of, optional_has_element, optional_get_element;
extern const Operator if_else, loop;
extern const ControlKernel if_else_control, loop_control;
// Heed's own: heed_attention.cpp, heed_causal_mask.cpp, heed_embedding.cpp, heed_copy.cpp, fused_elementwise.cpp,
// fused_matmul.cpp
extern const Operator heed_attention, heed_rotary_attention, heed_causal_mask, heed_embedding, heed_copy, fused_elementwise,
    fused_matmul;
// Of narrow integers and floats: quantize_linear.cpp, dynamic_quantize_linear.cpp, gather_block_quantized.cpp
extern const Operator quantize_linear, dequantize_linear, com_microsoft_quantize_linear, com_microsoft_dequantize_linear,
    dynamic_quantize_linear, gather_block_quantized;
// Products of 8-bit integers: matmul_integer.cpp
extern const Operator matmul_integer, qlinear_matmul, matmul_integer_to_float, dynamic_quantize_matmul,
    fused_matmul_integer_to_float, fused_dynamic_quantize_matmul;
// Convolutions of bytes: conv_integer.cpp
extern const Operator conv_integer, qlinear_conv;
// Quantised tensors of com.microsoft, and the rest of its vision: com_microsoft_qlinear.cpp, com_microsoft_vision.cpp
extern const Operator qlinear_add, qlinear_mul, qlinear_sigmoid, qlinear_leaky_relu, qlinear_softmax, qlinear_where, qlinear_concat,
    qlinear_average_pool, qlinear_global_average_pool, qgemm, nhwc_max_pool, com_microsoft_fused_conv,
    group_norm;
// Weights laid out for the products that follow: heed_pack.cpp
extern const Operator heed_pack;
// Products of packed codes: matmul_nbits.cpp
extern const Operator matmul_nbits, fused_matmul_nbits;
// com.microsoft's attention: com_microsoft_attention.cpp, group_query_attention.cpp, multi_head_attention.cpp; and of
// rotary_embedding.cpp
extern const Operator com_microsoft_attention, qattention, group_query_attention, multi_head_attention;
extern const Operator heed_rotary_embedding, com_microsoft_rotary_embedding;
// With a state that lives on: linear_attention.cpp, causal_conv_with_state.cpp
extern const Operator linear_attention, com_microsoft_linear_attention, causal_conv_with_state,
    com_microsoft_causal_conv_with_state;
// More of random.cpp
extern const Operator multinomial;
// FlexAttention: flex_attention.cpp, heed_apply.cpp
extern const Operator flex_attention, heed_apply;
extern const Rewrite flex_attention_lowered;
extern const ControlKernel heed_apply_control;
// Images: col2im.cpp, max_unpool.cpp, roi_pooling.cpp, deform_conv.cpp
extern const Operator col2im, max_unpool, roi_align, max_roi_pool, deform_conv, heed_deformed_windows;
extern const Rewrite max_unpool_lowered, deform_conv_lowered;
// Steps of optimizers: optimizers.cpp
extern const Operator adagrad, adam, momentum;
extern const Rewrite adagrad_lowered, adam_lowered, momentum_lowered;
// ai.onnx.ml: label_encoder.cpp, array_feature_extractor.cpp, tree_ensemble.cpp
extern const Operator label_encoder, array_feature_extractor, binarizer, tree_ensemble;
extern const Rewrite array_feature_extractor_lowered, binarizer_lowered;
// Old forms: tile.cpp
extern const Rewrite tile_numbers;
// Signals: dft.cpp, stft.cpp
extern const Operator dft, stft;
extern const Rewrite stft_lowered;
// Fusions and simplifications: the files in rewrites/; what lowers an operator of com.microsoft stands beside its
// contract. What comes first is tried first.
extern const Rewrite one_sided_add, one_sided_sub, one_sided_mul, one_sided_div, one_sided_pow, one_sided_less,
    one_sided_greater, one_sided_equal;
extern const Rewrite cast_to_same, where_not, not_not, transposes, slice_of_range, range_plus_number, embedding,
    causal_mask, causal_masks, ai_onnx_attention, attention_scattered, attention_core, attention_scale,
    attention_groups, appended_length, attention_past, attention_causal;
extern const Rewrite dropout_as_identity;
extern const Rewrite gemm_as_matmul, matmul_gelu, matmul_silu, matmul_relu, matmul_sigmoid, matmul_tanh, matmul_scale,
    matmul_bias, matmul_residual, matmul_gate;
extern const Rewrite conv_scale, conv_bias, conv_residual_sum, conv_relu, conv_clip, conv_sigmoid,
    conv_tanh, conv_silu, conv_gelu, conv_leaky_relu, conv_hard_sigmoid, conv_hard_swish;
extern const Rewrite gather_of_blocks, gather_before_dequantize, matmul_of_blocks, dequantized_matmul, quantized_matmul,
    matmul_integer_to_float_of_sums, dynamic_quantize_matmul_of_codes, fused_dynamic_quantize_matmul_of_codes;
// Views of views, and masks: layouts.cpp, merged_heads.cpp, attention_masks.cpp, attention_inputs.cpp
extern const Rewrite gather_of_parts, heads_from_batch, transpose_of_squeezed;
extern const Rewrite merged_scores, merged_weights, merged_values;
extern const Rewrite unsqueezes, transposed_matrices, where_of_expanded, and_true, and_positions, gathered_mask;
extern const Rewrite attention_boolean_mask, attention_expanded_mask, causal_triangle, causal_trilu;
extern const Rewrite skip_layer_normalization_lowered, skip_simplified_layer_normalization_lowered,
    simplified_layer_normalization_lowered, embed_layer_normalization_lowered;
extern const Rewrite mixture_of_experts_lowered, quantized_mixture_of_experts_lowered;
extern const Rewrite com_microsoft_fused_matmul_lowered, com_microsoft_fused_gemm_lowered;
extern const Rewrite com_microsoft_attention_lowered, qattention_lowered, group_query_attention_lowered,
    multi_head_attention_lowered;
extern const Rewrite qlinear_add_lowered, qlinear_mul_lowered, qlinear_sigmoid_lowered, qlinear_leaky_relu_lowered,
    qlinear_softmax_lowered, qlinear_where_lowered, qlinear_concat_lowered, qlinear_average_pool_lowered,
    qlinear_global_average_pool_lowered, qgemm_lowered, nhwc_max_pool_lowered, fused_conv_lowered,
    group_norm_lowered;
// Quantised vision: quantized_conv.cpp, quantized_movement.cpp, shuffled_channels.cpp
extern const Rewrite quantized_conv, quantized_parts, quantized_before_moved, unsqueezed_codes, requantized,
    shuffled_channels;
extern const Rewrite one_sided_prelu, mean_as_sum, einsum_lowered, fast_gelu_as_gelu;
extern const Rewrite layer_normalization_core, layer_normalization_scale, layer_normalization_bias,
    layer_normalization_casts;
extern const Rewrite rms_normalization_core, rms_normalization_scale, rms_normalization_casts;
extern const Rewrite gelu_by_erf, gelu_by_tanh, silu;
extern const Rewrite times_one, plus_zero, power_as_product, quotient_as_reciprocal;
extern const Rewrite unchanged, whole_slice, there_and_back, split_and_joined, cut_and_joined;
extern const Rewrite axes_in_order, transposes_around, casts, gather_of_rows, outer_product, flattened_product;
extern const Rewrite rotary_tables, rotary_table_rows, rotary_cos, rotary_sin, rotary_cast, rotary_scale,
    rotary_unsqueeze, rotary_squeeze, rotary_gather, rotary_halves, rotary_joined, rotary_interleaved, rotary_part;
extern const Rewrite rotary_heads, rotary_heads_counted, rotary_attention;

namespace {

PluginContent content() {
  return {
      .name = "ops",
      .version = "0.1.0",
      .operators =
          {
              &add, &sub, &mul, &div, &mod, &pow, &min_of, &max_of,
              &equal_to, &less_than, &less_or_equal, &greater, &greater_or_equal,
              &logical_and, &logical_or, &logical_xor, &logical_not,
              &relu, &sigmoid, &tanh_of, &erf_of, &exp_of, &log_of, &sqrt_of, &reciprocal, &sin_of, &cos_of, &floor_of,
              &ceil_of, &softplus, &neg, &abs_of, &sign, &swish, &gelu,
              &where, &clip, &cast, &cast_like,
              &elu, &celu, &selu, &leaky_relu, &thresholded_relu, &hard_sigmoid, &hard_swish, &softsign, &mish, &shrink,
              &prelu, &swiglu, &com_microsoft_gelu, &bias_gelu, &quick_gelu, &fast_gelu, &bias_add,
              &tan_of, &asin_of, &acos_of, &atan_of, &sinh_of, &cosh_of, &asinh_of, &acosh_of, &atanh_of,
              &bitwise_and, &bitwise_or, &bitwise_xor, &bitwise_not, &bit_shift,
              &is_nan, &is_inf, &sum_of, &mean_of, &round_of,
              &bernoulli, &det, &lrn,
              &einsum,
              &negative_log_likelihood_loss, &softmax_cross_entropy_loss,
              &reduce_l1, &reduce_log_sum, &reduce_log_sum_exp, &bit_cast,
              &softmax, &log_softmax, &hardmax,
              &reduce_sum, &reduce_mean, &reduce_prod, &reduce_l2, &reduce_sum_square, &reduce_max, &reduce_min,
              &arg_max, &arg_min, &layer_normalization, &rms_normalization, &rotary_embedding,
              &reshape, &flatten, &squeeze, &unsqueeze, &identity, &transpose, &slice, &expand, &split,
              &shape, &size, &constant, &constant_of_shape, &range, &concat, &gather, &trilu, &non_zero,
              &random_normal, &random_normal_like, &random_uniform, &random_uniform_like,
              &pad, &tile, &center_crop_pad, &depth_to_space, &space_to_depth,
              &gather_elements, &gather_nd, &scatter, &scatter_elements, &scatter_nd, &tensor_scatter,
              &cum_sum, &cum_prod, &top_k, &compress, &unique, &reverse_sequence,
              &lp_normalization, &mean_variance_normalization,
              &one_hot, &eye_like, &dropout,
              &com_microsoft_pad, &com_microsoft_range, &com_microsoft_trilu,
              &skip_layer_normalization, &skip_simplified_layer_normalization, &simplified_layer_normalization,
              &com_microsoft_simplified_layer_normalization, &embed_layer_normalization,
              &mixture_of_experts, &quantized_mixture_of_experts, &heed_expert_matmul,
              &com_microsoft_fused_matmul, &com_microsoft_fused_gemm,
              &matmul, &gemm, &conv, &max_pool, &attention,
              &average_pool, &lp_pool, &global_average_pool, &global_max_pool, &global_lp_pool,
              &batch_normalization,
              &instance_normalization, &group_normalization,
              &rnn, &gru, &lstm, &heed_recurrence,
              &resize, &upsample,
              &scan, &sequence_map, &split_to_sequence,
              &conv_transpose,
              &string_split, &string_normalizer, &regex_full_match, &tf_idf_vectorizer,
              &grid_sample, &affine_grid,
              &non_max_suppression,
              &mel_weight_matrix, &hann_window, &hamming_window, &blackman_window,
              &fused_conv,
              &string_concat,
              &sequence_construct, &sequence_empty, &sequence_insert, &sequence_erase, &sequence_at, &sequence_length,
              &concat_from_sequence,
              &optional_of, &optional_has_element, &optional_get_element,
              &if_else, &loop,
              &heed_attention, &heed_rotary_attention, &heed_causal_mask, &heed_embedding, &heed_copy, &fused_elementwise,
              &fused_matmul,
              &quantize_linear, &dequantize_linear, &com_microsoft_quantize_linear, &com_microsoft_dequantize_linear,
              &dynamic_quantize_linear, &gather_block_quantized,
              &matmul_integer, &qlinear_matmul, &matmul_integer_to_float, &dynamic_quantize_matmul,
              &fused_matmul_integer_to_float, &fused_dynamic_quantize_matmul,
              &matmul_nbits, &fused_matmul_nbits,
              &conv_integer, &qlinear_conv,
              &qlinear_add, &qlinear_mul, &qlinear_sigmoid, &qlinear_leaky_relu, &qlinear_softmax, &qlinear_where,
              &qlinear_concat, &qlinear_average_pool, &qlinear_global_average_pool, &qgemm, &nhwc_max_pool,
              &com_microsoft_fused_conv, &group_norm,
              &heed_pack,
              &com_microsoft_attention, &qattention,
              &group_query_attention, &multi_head_attention,
              &heed_rotary_embedding, &com_microsoft_rotary_embedding,
              &linear_attention, &com_microsoft_linear_attention, &causal_conv_with_state,
              &com_microsoft_causal_conv_with_state,
              &multinomial,
              &adagrad, &adam, &momentum,
              &label_encoder, &array_feature_extractor, &binarizer, &tree_ensemble,
              &flex_attention, &heed_apply,
              &col2im, &max_unpool, &roi_align, &max_roi_pool, &deform_conv, &heed_deformed_windows,
              &dft, &stft,
          },
      .control_kernels = {&if_else_control, &loop_control, &scan_control, &sequence_map_control,
                          &heed_apply_control},
      .rewrites =
          {
              &one_sided_add, &one_sided_sub, &one_sided_mul, &one_sided_div, &one_sided_pow, &one_sided_less,
              &one_sided_greater, &one_sided_equal,
              &times_one, &plus_zero, &power_as_product, &quotient_as_reciprocal,
              &axes_in_order, &transposes_around, &casts, &gather_of_rows, &outer_product, &flattened_product,
              &rotary_tables, &rotary_table_rows, &rotary_cos, &rotary_sin, &rotary_cast, &rotary_scale,
              &rotary_unsqueeze, &rotary_squeeze, &rotary_gather, &rotary_halves, &rotary_joined, &rotary_interleaved,
              &rotary_part, &rotary_heads, &rotary_heads_counted,
              &skip_layer_normalization_lowered, &skip_simplified_layer_normalization_lowered,
              &simplified_layer_normalization_lowered, &embed_layer_normalization_lowered,
              &mixture_of_experts_lowered, &quantized_mixture_of_experts_lowered,
              &com_microsoft_fused_matmul_lowered, &com_microsoft_fused_gemm_lowered,
              &batch_normalization_lowered,
              &rnn_lowered, &gru_lowered, &lstm_lowered,
              &qlinear_add_lowered, &qlinear_mul_lowered, &qlinear_sigmoid_lowered, &qlinear_leaky_relu_lowered,
              &qlinear_softmax_lowered, &qlinear_where_lowered, &qlinear_concat_lowered,
              &qlinear_average_pool_lowered, &qlinear_global_average_pool_lowered, &qgemm_lowered,
              &nhwc_max_pool_lowered, &fused_conv_lowered, &group_norm_lowered,
              &one_sided_prelu, &mean_as_sum, &einsum_lowered, &fast_gelu_as_gelu,
              &max_unpool_lowered, &deform_conv_lowered,
              &stft_lowered,
              &adagrad_lowered, &adam_lowered, &momentum_lowered,
              &array_feature_extractor_lowered, &binarizer_lowered,
              &tile_numbers,
              &flex_attention_lowered,
              &gather_of_blocks, &gather_before_dequantize, &matmul_of_blocks, &dequantized_matmul, &quantized_matmul,
              &matmul_integer_to_float_of_sums, &dynamic_quantize_matmul_of_codes,
              &fused_dynamic_quantize_matmul_of_codes,
              &quantized_conv, &quantized_parts, &quantized_before_moved, &unsqueezed_codes, &requantized,
              &shuffled_channels,
              &gather_of_parts, &heads_from_batch, &transpose_of_squeezed,
              &merged_scores, &merged_weights, &merged_values,
              &unsqueezes, &transposed_matrices, &where_of_expanded, &and_true, &and_positions, &gathered_mask,
              &attention_boolean_mask, &attention_expanded_mask, &causal_triangle, &causal_trilu,
              &cast_to_same, &where_not, &not_not, &transposes, &slice_of_range, &range_plus_number, &embedding,
              &attention_scattered,
              &com_microsoft_attention_lowered, &qattention_lowered,
              &group_query_attention_lowered, &multi_head_attention_lowered,
              &causal_mask, &causal_masks, &ai_onnx_attention, &attention_core, &attention_scale, &attention_groups,
              &appended_length, &attention_past, &attention_causal,
              &dropout_as_identity,
              &layer_normalization_core, &layer_normalization_scale, &layer_normalization_bias,
              &layer_normalization_casts,
              &rms_normalization_core, &rms_normalization_scale, &rms_normalization_casts,
              &gelu_by_erf, &gelu_by_tanh, &silu,
              &conv_scale, &conv_bias, &conv_relu, &conv_clip, &conv_sigmoid, &conv_tanh,
              &conv_silu, &conv_gelu, &conv_leaky_relu, &conv_hard_sigmoid, &conv_hard_swish, &conv_residual_sum,
              &gemm_as_matmul, &matmul_gelu, &matmul_silu, &matmul_relu,
              &matmul_sigmoid, &matmul_tanh, &matmul_scale, &matmul_bias, &matmul_residual,
              &matmul_gate,
              &unchanged, &whole_slice, &there_and_back, &split_and_joined, &cut_and_joined,
              &rotary_attention,
          },
  };
}

}  // namespace
}  // namespace heed::ops

const heed_plugin* heed_ops_entry(const heed_host* host) {
  static const heed::detail::Tables tables{heed::ops::content()};
  return heed::enter(host, tables);
}
