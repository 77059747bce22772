// GroupQueryAttention of com.microsoft: attention of grouped heads behind a cache, as onnxruntime's decoders have it.
// Query, key and value are [batch, sequence, heads * width], apart or side by side in one; q and k may be turned by the
// angles of their positions. With T = seqlens_k[b] + 1 keys after this step, of which Q = query_seqlens[b], or
// min(sequence, T), are new, P = T - Q lie in the past, and the new ones are put right behind them. The presents have
// as many places as total_sequence_length says, or as the past has, if it has more: then past and present are one
// buffer with room. With sliding_window_cache they have C places, C >= local_window_size W, of which the first
// L(T) = T - G * ceil(max(T - C, 0) / G), G = C - W + 1, hold the last of the T keys. A quantised cache holds
// round(x / scale) in 8 bits, or 8 more than that in half a byte, the low half first; new keys and values are seen as
// it holds them. Lowered to heed.Attention, which has the kernels.
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
enum { y_output, present_key_output, present_value_output, qk_output };

Result<void> check_pair(const NodeView& node, int32_t a, int32_t b, std::string_view what) {
  if (node.has_input(a) == node.has_input(b)) return {};
  return Error{Code::invalid_model, std::string(what) + " come together"};
}

bool is_quantized(const NodeView& node) { return node.text("k_quant_type", "NONE") != "NONE"; }

// Half as wide as a head where a byte holds two codes.
bool is_halved(const NodeView& node) { return is_quantized(node) && node.integer("kv_cache_bit_width") == 4; }

Result<void> check_attributes(const NodeView& node) {
  const int64_t heads = node.integer("num_heads"), kv_heads = node.integer("kv_num_heads");
  if (heads < 1 || kv_heads < 1 || heads % kv_heads != 0 || heads > INT32_MAX)
    return Error{Code::invalid_model, "attributes 'num_heads' and 'kv_num_heads' are " + std::to_string(heads) +
                                          " and " + std::to_string(kv_heads) + "; expected a multiple of the other"};
  for (const std::string_view name : {"k_quant_type", "v_quant_type"})
    if (const auto type = node.text(name, "NONE"); type != "NONE" && type != "PER_TENSOR" && type != "PER_CHANNEL")
      return Error{Code::invalid_model, "attribute '" + std::string(name) + "' is '" + std::string(type) +
                                            "'; expected NONE, PER_TENSOR or PER_CHANNEL"};
  if (is_quantized(node) != (node.text("v_quant_type", "NONE") != "NONE"))
    return Error{Code::invalid_model, "one of the attributes 'k_quant_type' and 'v_quant_type' is NONE alone"};
  if (is_quantized(node) &&
      !(node.has_input(past_key_input) && node.has_input(key_scale_input) && node.has_input(value_scale_input)))
    return Error{Code::invalid_model, "attribute 'k_quant_type' is '" + std::string(node.text("k_quant_type")) +
                                          "': expected inputs 'past_key', 'past_value', 'k_scale' and 'v_scale'"};
  if (const int64_t bits = node.integer("kv_cache_bit_width"); is_quantized(node) && bits != 4 && bits != 8)
    return Error{Code::invalid_model,
                 "attribute 'kv_cache_bit_width' is " + std::to_string(bits) + "; expected 4 or 8"};
  if (node.integer("sliding_window_cache") != 0) {
    if (node.integer("local_window_size", -1) < 1 || !node.has_input(past_key_input))
      return Error{Code::invalid_model,
                   "attribute 'sliding_window_cache' is 1: expected a 'local_window_size', and a past"};
    if (node.has_output(qk_output)) return Error{Code::unsupported, "output 'output_qk' of a cache that evicts keys"};
  }
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

// A cache holds the query's type, or codes of as many bits as are told.
Result<void> check_cache(Inference& node, DataType element, Dim kv_heads, Dim width) {
  if (!node.has_input(past_key_input) || !node.input(past_key_input).has_element()) return {};
  const DataType cache = node.input(past_key_input).element();
  const bool fits = !is_quantized(node) ? cache == element
                    : is_halved(node)   ? cache == DataType::u8
                                        : cache == DataType::i8 || cache == DataType::f8e4m3fn;
  if (!fits)
    return Error{Code::invalid_model, "past_key is " + std::string(name_of(cache)) + "; expected " +
                                          (!is_quantized(node) ? std::string(name_of(element))
                                           : is_halved(node)   ? "u8, of two codes of 4 bits"
                                                               : "i8 or f8e4m3fn, of codes of 8 bits")};
  for (const int32_t input : {key_scale_input, value_scale_input}) {
    if (!node.has_input(input) || !node.input(input).has_rank()) continue;
    const auto scale = node.input(input).dims();
    const Dims whole{1, kv_heads, 1, width};
    const std::string what = std::string(input == key_scale_input ? "k_scale " : "v_scale ") + text_of(scale) +
                             " and [1, kv_num_heads, 1, width]";
    if (scale.size() > whole.size()) return Error{Code::shape_mismatch, what + ": too many axes"};
    for (size_t axis = 0; axis < scale.size(); ++axis) {
      const Dim all = whole[whole.size() - scale.size() + axis];
      HEED_TRY(node.require_equal(select(equal(scale[axis], 1), all, scale[axis]), all, what));
    }
  }
  return {};
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
  if (!query.has_rank()) {
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output))
        HEED_TRY(node.set_output(output, output == y_output || output == qk_output ? element : cache_element));
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
  HEED_TRY(check_cache(node, element, kv_heads, width));
  if (is_halved(node))
    HEED_TRY(node.require_equal(modulo(width, 2), 0, "the width of a head, of 4-bit codes, modulo 2"));
  const Dim cache_width = is_halved(node) ? floor_divide(width, 2) : width;
  const PastSizes past_sizes{batch, kv_heads, cache_width, cache_width, "kv_num_heads"};
  HEED_ASSIGN(const Dim room, check_past(node, past_key_input, past_sizes));
  const bool slides = node.integer("sliding_window_cache") != 0;
  if (slides)
    HEED_TRY(node.require_equal(max(room, node.integer("local_window_size")), room,
                                "places of a cache that evicts, and local_window_size at least"));
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
  const Dim present = slides ? room : has_past && node.elements(total_input) ? max(total, room) : total;
  for (const int32_t output : {present_key_output, present_value_output})
    if (node.has_output(output))
      HEED_TRY(node.set_output(output, cache_element, Dims{batch, kv_heads, present, cache_width}));
  if (!node.has_output(qk_output)) return {};
  if (node.integer("qk_output") == 0)
    return Error{Code::invalid_model, "output 'output_qk' is asked for, and attribute 'qk_output' is 0"};
  if (has_past && !node.elements(total_input))
    return Error{Code::unsupported,
                 "output 'output_qk' is as long as input 'total_sequence_length' says, which a step computes"};
  return node.set_output(qk_output, element, Dims{batch, heads, sequence, total});
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

// Text of a quantised cache: `codes` of "x" [batch, kv_head, key, width], and what they stand for, in the query's type.
struct Codes {
  DataType element;
  bool is_halved;
  int64_t width;

  std::string of(const std::string& x, const std::string& scale) const {
    std::string text = x + "_scaled = Div(Cast<to = 1>(" + x + "), " + scale + ");";
    if (element == DataType::f8e4m3fn) return text + x + "_codes = Cast<to = 17>(" + x + "_scaled);";
    const std::string least = is_halved ? "-8.0" : "-128.0", most = is_halved ? "7.0" : "127.0";
    text += x + "_whole = Clip(Round(" + x + "_scaled), Constant<value_float = " + least +
            ">(), Constant<value_float = " + most + ">());";
    if (!is_halved) return text + x + "_codes = Cast<to = 3>(" + x + "_whole);";
    const auto every_second = [&](int64_t first) {
      return "Slice(" + x + "_whole, " + constant_ints({first}) + ", " + constant_ints({width}) + ", " +
             constant_ints({3}) + ", " + constant_ints({2}) + ")";
    };
    // 136: both halves are counted from -8.
    return text + x + "_codes = Cast<to = 2>(Add(Add(" + every_second(0) + ", Mul(" + every_second(1) +
           ", Constant<value_float = 16.0>())), Constant<value_float = 136.0>()));";
  }

  std::string meaning(const std::string& codes, const std::string& scale, const std::string& meant) const {
    if (!is_halved) return meant + " = CastLike(Mul(Cast<to = 1>(" + codes + "), " + scale + "), query);";
    return codes + "_number = Cast<to = 1>(" + codes + "); " + codes + "_high = Floor(Mul(" + codes +
           "_number, Constant<value_float = 0.0625>())); " + codes + "_low = Sub(" + codes + "_number, Mul(" + codes +
           "_high, Constant<value_float = 16.0>())); " + codes + "_both = Reshape(Concat<axis = -1>(Unsqueeze(" +
           codes + "_low, " + constant_ints({4}) + "), Unsqueeze(" + codes + "_high, " + constant_ints({4}) + ")), " +
           constant_ints({0, 0, 0, width}) + "); " + meant + " = CastLike(Mul(Sub(" + codes +
           "_both, Constant<value_float = 8.0>()), " + scale + "), query);";
  }
};

// Text of how far caches grow: from "room" to "places", which is "total" at least.
std::string growth() {
  return "room = Shape<start = 2, end = 3>(past_key); places = Max(room, Reshape(Cast<to = 7>(total), " +
         constant_ints({1}) + ")); pads = Concat<axis = 0>(" + constant_ints({0, 0, 0, 0, 0, 0}) +
         ", Sub(places, room), " + constant_ints({0}) + ");";
}
// `fresh` behind the "past" keys of `cache`.
std::string appended(const std::string& cache, const std::string& fresh) {
  return "TensorScatter<axis = 2>(Pad(" + cache + ", pads), " + fresh + ", Cast<to = 7>(past))";
}

// Text of what a cache that evicts keys needs: "resident", how many of the "past" keys it holds; "all_resident", with
// the new ones; "evicted", what lies before both; "rows" [batch, key, 1], where of cache and new ones what stays comes
// from.
std::string evictions(int64_t window) {
  const std::string one = constant_ints({1}), last_axis = constant_ints({-1});
  const auto held = [&](const std::string& count) {
    return "Sub(" + count + ", Mul(step, Div(Add(Max(Sub(" + count + ", room), none), Sub(step, one_place)), step)))";
  };
  return "one_place = " + one + "; none = " + constant_ints({0}) +
         "; room = Shape<start = 2, end = 3>(past_key); step = Sub(room, " + constant_ints({window - 1}) +
         "); before = Cast<to = 7>(past); after = Cast<to = 7>(valid); held_before = " + held("before") +
         "; held_after = " + held("after") +
         "; resident = Cast<to = 6>(held_before); all_resident = Cast<to = 6>(Add(held_before, Sub(after, before)));"
         "evicted = Sub(before, held_before);"
         "first_row = Unsqueeze(Sub(after, held_after), " +
         last_axis +
         "); count_from = Constant<value_int = 0>(); count_by = Constant<value_int = 1>();"
         "kept_rows = Add(first_row, Unsqueeze(Range(count_from, Squeeze(room), count_by), none));"
         "behind = Unsqueeze(before, " +
         last_axis + "); from_cache = Sub(kept_rows, Unsqueeze(evicted, " + last_axis +
         ")); from_new = Add(Sub(kept_rows, behind), room);"
         "all_places = Add(room, Shape<start = 1, end = 2>(query));"
         "rows = Unsqueeze(Min(Where(Less(kept_rows, behind), from_cache, from_new), Sub(all_places, one_place)), " +
         last_axis + ");";
}
std::string kept(const std::string& cache, const std::string& fresh) {
  return "Transpose<perm = [0, 2, 1, 3]>(GatherND<batch_dims = 1>(Transpose<perm = [0, 2, 1, 3]>(Concat<axis = 2>(" +
         cache + ", " + fresh + ")), rows))";
}
// "resident_bias": of the keys that are there, which "bias" has behind those that are evicted.
std::string resident_bias() {
  return "whole_bias = Expand(bias, Concat<axis = 0>(Shape<start = 0, end = 1>(query), " + constant_ints({1, 1, 1}) +
         ")); columns = Add(Unsqueeze(evicted, " + constant_ints({-1}) +
         "), Unsqueeze(Range(count_from, Squeeze(all_places), count_by), none));"
         "some_columns = Unsqueeze(Min(columns, Sub(Shape<start = 3, end = 4>(bias), one_place)), " +
         constant_ints({-1}) +
         "); resident_bias = Transpose<perm = [0, 2, 3, 1]>(GatherND<batch_dims = 1>(Transpose<perm = [0, 3, 1, "
         "2]>(whole_bias), some_columns));";
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
  q += "_heads", k += "_heads", v += "_heads";

  // Caches that are not attention's own: of codes, or without what is behind the window.
  const bool slides = node.integer("sliding_window_cache") != 0, has_codes = is_quantized(node);
  std::string past_key = "past_key", past_value = "past_value", key_codes = k, value_codes = v, mask = "bias";
  if (has_codes) {
    const Codes codes{past->element(), is_halved(node), width.number()};
    text += codes.of(k, "key_scale") + codes.of(v, "value_scale");
    key_codes = k + "_codes", value_codes = v + "_codes";
    text += codes.meaning("past_key", "key_scale", "meant_past_key") +
            codes.meaning("past_value", "value_scale", "meant_past_value") +
            codes.meaning(key_codes, "key_scale", "meant_key") +
            codes.meaning(value_codes, "value_scale", "meant_value");
    past_key = "meant_past_key", past_value = "meant_past_value", k = "meant_key", v = "meant_value";
  }
  std::string lengths = past ? "past, total" : "", valid = "valid";
  if (slides) {
    text += evictions(window);
    lengths = "resident", valid = "all_resident";
    if (match.type("bias")) text += resident_bias();
    if (match.type("bias")) mask = "resident_bias";
  } else if (has_codes) {
    text += growth();
  }
  for (const auto& [cache, codes] : {std::pair("key", key_codes), {"value", value_codes}})
    if (slides || has_codes)
      text += present_text(
          "present_" + std::string(cache),
          slides ? kept("past_" + std::string(cache), codes) : appended("past_" + std::string(cache), codes), kv_heads,
          slides ? "room" : "places", is_halved(node) ? width.number() / 2 : width.number());
  match.set("scale", node.number("scale", 0));
  const bool gives_weights = node.integer("qk_output") == 2;
  match.set("qk_mode", int64_t{gives_weights ? 3 : 2});
  text += std::string(slides      ? "y_heads"
                      : has_codes ? "y_heads, \"\", \"\", all_qk"
                                  : "y_heads, present_key, present_value, all_qk") +
          " = heed.Attention<scale = @scale, causal = @causal, top_left = 1, softcap = @softcap, window = @window, "
          "qk_output_mode = @qk_mode>(" +
          q + ", " + k + ", " + v + ", " + mask + ", " + past_key + ", " + past_value + ", " + valid + ", " + sinks +
          (lengths.empty() ? "" : ", " + lengths) + ");" + join_heads("y", width * heads);
  if (slides) {
    match.replace_by(text);
    return true;
  }
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
