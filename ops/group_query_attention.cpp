// GroupQueryAttention of com.microsoft: attention of grouped heads behind a cache, as onnxruntime's decoders have it.
// Query, key and value are [batch, sequence, heads * width], apart or side by side in one; q and k may be turned by the
// angles of their positions. With T = seqlens_k[b] + 1 keys after this step, of which Q = query_seqlens[b], or
// min(sequence, T), are new, P = T - Q lie in the past, and the new ones are put right behind them. The presents have
// as many places as total_sequence_length says, or as the past has, if it has more: then past and present are one
// buffer with room. Lowered to heed.Attention, which has the kernels.
#include "com_microsoft_attention_inputs.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum {
  query_input,
  key_input,
  value_input,
  past_key_input,
  past_value_input,
  seqlens_input,
  total_input,
  cos_input,
  sin_input,
  positions_input,
  bias_input,
  sink_input,
  key_scale_input,
  value_scale_input,
  query_norm_input,
  key_norm_input,
  query_seqlens_input
};

Result<void> check_pair(const NodeView& node, int32_t a, int32_t b, std::string_view what) {
  if (node.has_input(a) == node.has_input(b)) return {};
  return Error{Code::invalid_model, std::string(what) + " come together"};
}

Result<void> check_attributes(const NodeView& node) {
  const int64_t heads = node.integer("num_heads"), kv_heads = node.integer("kv_num_heads");
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0 || heads > INT32_MAX)
    return Error{Code::invalid_model, "attributes 'num_heads' and 'kv_num_heads' are " + std::to_string(heads) +
                                          " and " + std::to_string(kv_heads) + "; expected a multiple of the other"};
  for (const std::string_view name : {"k_quant_type", "v_quant_type"})
    if (const auto type = node.text(name, "NONE"); type != "NONE")
      return Error{Code::unsupported, "attribute '" + std::string(name) + "' is '" + std::string(type) +
                                          "': quantised caches are not read; expected NONE"};
  if (node.has_input(key_scale_input) || node.has_input(value_scale_input))
    return Error{Code::unsupported, "inputs 'k_scale' and 'v_scale': quantised caches are not read"};
  if (node.integer("sliding_window_cache") != 0)
    return Error{Code::unsupported,
                 "attribute 'sliding_window_cache' is 1: caches that evict are not kept; expected 0"};
  const int64_t window = node.integer("local_window_size", -1), causal = node.integer("causal", 1),
                qk = node.integer("qk_output");
  if (window != -1 && (window < 1 || causal == 0))
    return Error{Code::invalid_model, "attribute 'local_window_size' is " + std::to_string(window) +
                                          "; expected -1, or, of causal attention, a number of keys"};
  if (qk < 0 || qk > 2)
    return Error{Code::invalid_model, "attribute 'qk_output' is " + std::to_string(qk) + "; expected 0, 1 or 2"};
  if (node.number("softcap") < 0)
    return Error{Code::invalid_model,
                 "attribute 'softcap' is " + std::to_string(node.number("softcap")) + ", negative"};
  return {};
}

// The places of the presents, and of output_qk: what total_sequence_length tells.
Dim told_total(Inference& node) {
  const auto total = node.elements(total_input);
  return total && total->size() == 1 ? total->front() : node.fresh_symbol("total_sequence_length");
}

Result<void> check_rotary(Inference& node, Dim batch, Dim sequence, Dim width) {
  if (node.integer("do_rotary") == 0) return {};
  if (!node.has_input(cos_input))
    return Error{Code::invalid_model, "attribute 'do_rotary' is 1, and there is no input 'cos_cache'"};
  const auto cos = node.input(cos_input), sin = node.input(sin_input);
  HEED_TRY(node.require_rank(cos_input, 2));
  HEED_TRY(node.require_rank(sin_input, 2));
  if (cos.has_rank() && sin.has_rank()) {
    for (const int32_t axis : {0, 1})
      HEED_TRY(node.require_equal(cos.dim(axis), sin.dim(axis),
                                  "axis " + std::to_string(axis) + " of cos_cache and sin_cache"));
    HEED_TRY(
        node.require_equal(max(cos.dim(1) * 2, width), width, "twice the width of cos_cache, at most, and a head"));
  }
  if (!node.has_input(positions_input)) return {};
  HEED_TRY(node.require_rank(positions_input, 2));
  const auto positions = node.input(positions_input);
  if (!positions.has_rank()) return {};
  HEED_TRY(node.require_equal(positions.dim(0), batch, "batch of position_ids"));
  return node.require_equal(positions.dim(1), sequence, "sequence of position_ids");
}

Result<void> infer(Inference& node) {
  HEED_TRY(check_attributes(node));
  HEED_TRY(check_pair(node, key_input, value_input, "key and value"));
  HEED_TRY(check_pair(node, cos_input, sin_input, "cos_cache and sin_cache"));
  HEED_TRY(check_pair(node, query_norm_input, key_norm_input, "q_norm_weight and k_norm_weight"));
  const bool has_past = node.has_input(past_key_input), is_packed = !node.has_input(key_input);
  if (node.has_input(query_seqlens_input) && (!has_past || node.integer("causal", 1) == 0))
    return Error{Code::invalid_model, "query_seqlens needs past_key and past_value, and causal attention"};
  for (const int32_t input : {query_input, key_input, value_input})
    if (node.has_input(input)) HEED_TRY(node.require_rank(input, 3));

  const auto query = node.input(query_input);
  const auto element = query.element(), cache_element = has_past ? node.input(past_key_input).element() : element;
  if (cache_element != element && node.input(past_key_input).has_element())
    return Error{Code::unsupported, "past_key is " + std::string(name_of(cache_element)) + " and query " +
                                        std::string(name_of(element)) + ": quantised caches are not read"};
  if (!query.has_rank()) {
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, element));
    return {};
  }
  const int64_t heads = node.integer("num_heads"), kv_heads = node.integer("kv_num_heads");
  const int64_t heads_in_query = is_packed ? heads + 2 * kv_heads : heads;
  const Dim batch = query.dim(0), sequence = query.dim(1), width = floor_divide(query.dim(2), heads_in_query);
  HEED_TRY(node.require_equal(modulo(query.dim(2), heads_in_query), 0,
                              is_packed ? "hidden size of the packed query modulo num_heads + 2 * kv_num_heads"
                                        : "hidden size of query modulo num_heads"));
  for (const int32_t input : {key_input, value_input}) {
    if (!node.has_input(input) || !node.input(input).has_rank()) continue;
    const std::string name = input == key_input ? "key" : "value";
    HEED_TRY(node.require_equal(node.input(input).dim(0), batch, "batch of query and " + name));
    HEED_TRY(node.require_equal(node.input(input).dim(1), sequence, "sequence of query and " + name));
    HEED_TRY(node.require_equal(node.input(input).dim(2), width * kv_heads,
                                "hidden size of " + name + " and kv_num_heads heads of the query's width"));
  }
  HEED_ASSIGN(const Dim room, check_past(node, past_key_input, {batch, kv_heads, width, width, "kv_num_heads"}));
  if (const auto seqlens = node.input(seqlens_input); seqlens.has_rank())
    HEED_TRY(node.require_equal(count_of(seqlens.dims()), batch, "elements of seqlens_k and batch"));
  if (const auto total = node.input(total_input); total.has_rank())
    HEED_TRY(node.require_equal(count_of(total.dims()), 1, "elements of total_sequence_length"));
  if (node.has_input(query_seqlens_input) && node.input(query_seqlens_input).has_rank())
    HEED_TRY(node.require_equal(count_of(node.input(query_seqlens_input).dims()), batch,
                                "elements of query_seqlens and batch"));
  HEED_TRY(check_rotary(node, batch, sequence, width));
  HEED_TRY(check_scores_bias(node, bias_input, {batch, heads, sequence}));
  if (node.has_input(sink_input) && node.input(sink_input).has_rank()) {
    HEED_TRY(node.require_rank(sink_input, 1));
    HEED_TRY(node.require_equal(node.input(sink_input).dim(0), heads, "elements of head_sink and num_heads"));
  }
  for (const int32_t input : {query_norm_input, key_norm_input})
    if (node.has_input(input) && node.input(input).has_rank())
      HEED_TRY(node.require_equal(count_of(node.input(input).dims()), width,
                                  "elements of q_norm_weight, k_norm_weight and the width of a head"));

  HEED_TRY(node.set_output(0, element, Dims{batch, sequence, width * heads}));
  const bool has_key = !is_packed && node.input(key_input).has_rank();
  const Dim total = has_past ? told_total(node) : has_key ? node.input(key_input).dim(1) : sequence;
  const Dim present = has_past && node.elements(total_input) ? max(total, room) : total;
  for (const int32_t output : {1, 2})
    if (node.has_output(output)) HEED_TRY(node.set_output(output, element, Dims{batch, kv_heads, present, width}));
  if (!node.has_output(3)) return {};
  if (node.integer("qk_output") == 0)
    return Error{Code::invalid_model, "output 'output_qk' is asked for, and attribute 'qk_output' is 0"};
  if (has_past && !node.elements(total_input))
    return Error{Code::unsupported,
                 "output 'output_qk' is as long as input 'total_sequence_length' says, which a step computes"};
  return node.set_output(3, element, Dims{batch, heads, sequence, total});
}

constexpr Types float_types{DataType::f32, DataType::f16, DataType::bf16};

// ---- lowering
// ---------------------------------------------------------------------------------------------------------------------

// A root-mean-square norm of each head; `weight` and `epsilon` are named so.
std::string normed(const std::string& x, const std::string& weight, const std::string& epsilon, int64_t heads,
                   Dim width) {
  const std::string per_head = constant_ints({0, 0, heads, width.number()}),
                    flat = constant_ints({0, 0, heads * width.number()});
  return x + "_normed = Reshape(RMSNormalization<axis = -1, epsilon = @" + epsilon + ">(Reshape(" + x + ", " +
         per_head + "), " + weight + "), " + flat + ");";
}

bool lower(Match& match) {
  const auto node = match.node("y");
  const auto query = match.type("query"), cos = match.type("cos"), past = match.type("past_key");
  if (!query || !query->has_rank() || (past && !past->has_rank())) return false;
  const int64_t heads = node.integer("num_heads"), kv_heads = node.integer("kv_num_heads");
  const bool is_packed = !match.type("key");
  const Dim width = floor_divide(query->dim(2), is_packed ? heads + 2 * kv_heads : heads);
  if (!width.is_number()) return false;

  const bool is_turned = node.integer("do_rotary") != 0;
  const int64_t query_hidden = heads * width.number(), key_hidden = kv_heads * width.number();
  std::string text, q = "query", k = "key", v = "value";
  if (is_packed) {
    text += "q, k, v = Split<axis = 2>(query, " + constant_ints({query_hidden, key_hidden, key_hidden}) + ");";
    q = "q", k = "k", v = "v";
  }
  if (match.type("q_norm")) {
    const float epsilon = node.number("qk_norm_epsilon", 1e-6f);
    match.set("q_epsilon", node.number("q_norm_epsilon", epsilon));
    match.set("k_epsilon", node.number("k_norm_epsilon", epsilon));
    text += normed(q, "q_norm", "q_epsilon", heads, width) + normed(k, "k_norm", "k_epsilon", kv_heads, width);
    q += "_normed", k += "_normed";
  }

  // T keys, of which the first P lie in the past.
  text += "one = Constant<value = int32[1] {1}>(); lengths = Reshape(seqlens, " + constant_ints({-1}) + ");";
  text += "valid = Add(lengths, one);";
  const bool needs_past = past.has_value() || (is_turned && !match.type("positions"));
  if (needs_past && match.type("query_seqlens"))
    text += "past = Sub(valid, Reshape(query_seqlens, " + constant_ints({-1}) + "));";
  else if (needs_past)
    text +=
        "nothing = Constant<value = int32[1] {0}>(); sequence = Cast<to = 6>(Shape<start = 1, end = 2>(query));"
        "past = Max(Sub(valid, sequence), nothing);";
  if (is_turned) {
    const auto turn = [&](const std::string& x, int64_t count) {
      text += x +
              "_turned = heed.RotaryEmbedding<interleaved = @rotary_interleaved, num_heads = " + std::to_string(count) +
              ", rotary_embedding_dim = @turned>(" + x + ", cos, sin, " +
              (match.type("positions") ? "positions" : "past") + ");";
    };
    match.set("turned", cos->has_rank() && cos->dim(1).is_number() ? 2 * cos->dim(1).number() : int64_t{0});
    turn(q, heads);
    turn(k, kv_heads);
    q += "_turned", k += "_turned";
  }
  text += split_heads(q, heads, width) + split_heads(k, kv_heads, width) + split_heads(v, kv_heads, width);

  std::string sinks = "\"\"";
  if (match.type("sink")) {
    text += "sinks = Cast<to = 1>(sink);";
    sinks = "sinks";
  } else if (node.integer("smooth_softmax", -1) > 0) {
    text += "sinks = ConstantOfShape(" + constant_ints({heads}) + ");";
    sinks = "sinks";
  }
  const int64_t window = node.integer("local_window_size", -1);
  match.set("window", window > 0 ? window - 1 : int64_t{-1});
  match.set("scale", node.number("scale", 0));
  const bool gives_weights = node.integer("qk_output") == 2;
  match.set("qk_mode", int64_t{gives_weights ? 3 : 2});
  text +=
      "y_heads, present_key, present_value, all_qk"
      " = heed.Attention<scale = @scale, causal = @causal, top_left = 1, softcap = @softcap, window = @window, "
      "qk_output_mode = @qk_mode>(" +
      q + "_heads, " + k + "_heads, " + v + "_heads, bias, past_key, past_value, valid, " + sinks +
      (past ? ", past, total" : "") + ");" + join_heads("y", width * heads);
  // Places without a key are left out; the scores of hidden keys are zeros.
  text += "there = " + (past ? "Slice(all_qk, " + constant_ints({0}) + ", Reshape(Cast<to = 7>(total), " +
                                   constant_ints({1}) + "), " + constant_ints({3}) + ");"
                             : std::string("Identity(all_qk);"));
  text += gives_weights ? "qk = Identity(there);"
                        : "qk = Where(IsInf(there), CastLike(Constant<value_float = 0.0>(), there), there);";
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Operator group_query_attention{
    .domain = "com.microsoft",
    .op_type = "GroupQueryAttention",
    .inputs = {{"query", "T"},
               {"key", "T", HEED_OPTIONAL_PARAMETER},
               {"value", "T", HEED_OPTIONAL_PARAMETER},
               {"past_key", "C", HEED_OPTIONAL_PARAMETER},
               {"past_value", "C", HEED_OPTIONAL_PARAMETER},
               {"seqlens_k", "M"},
               {"total_sequence_length", "M", HEED_SHAPE_DATA},
               {"cos_cache", "T", HEED_OPTIONAL_PARAMETER},
               {"sin_cache", "T", HEED_OPTIONAL_PARAMETER},
               {"position_ids", "P", HEED_OPTIONAL_PARAMETER},
               {"attention_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"head_sink", "T", HEED_OPTIONAL_PARAMETER},
               {"k_scale", "S", HEED_OPTIONAL_PARAMETER},
               {"v_scale", "S", HEED_OPTIONAL_PARAMETER},
               {"q_norm_weight", "T", HEED_OPTIONAL_PARAMETER},
               {"k_norm_weight", "T", HEED_OPTIONAL_PARAMETER},
               {"query_seqlens", "M", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"},
                present_of(past_key_input, "present_key", "C", 2),
                present_of(past_value_input, "present_value", "C", 2),
                {"output_qk", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", float_types},
              {"C", float_types | Types{DataType::u8, DataType::i8, DataType::f8e4m3fn}},
              {"M", {DataType::i32}},
              {"P", {DataType::i64}},
              {"S", {DataType::f32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), required("kv_num_heads", HEED_ATTRIBUTE_INT),
                   attribute("scale", 0.0f), attribute("softcap", 0.0f), attribute("causal", 1),
                   attribute("local_window_size", -1), attribute("do_rotary", 0), attribute("rotary_interleaved", 0),
                   attribute("smooth_softmax", -1), attribute("qk_output", 0), attribute("qk_norm_epsilon", 1e-6f),
                   optional("q_norm_epsilon", HEED_ATTRIBUTE_FLOAT), optional("k_norm_epsilon", HEED_ATTRIBUTE_FLOAT),
                   attribute("k_quant_type", "NONE"), attribute("v_quant_type", "NONE"),
                   attribute("kv_cache_bit_width", 0), attribute("sliding_window_cache", 0)},
    .infer = infer};

extern const Rewrite group_query_attention_lowered{
    .name = "group_query_attention",
    .patterns =
        {"y, present_key, present_value, qk = com.microsoft.GroupQueryAttention(query, key, value, past_key, "
         "past_value, "
         "seqlens, total, cos, sin, positions, bias, sink, key_scale, value_scale, q_norm, k_norm, query_seqlens)"},
    .replacement = "",
    .accept = lower};

}  // namespace heed::ops
