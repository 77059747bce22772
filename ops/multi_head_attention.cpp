// MultiHeadAttention of com.microsoft, in any of its layouts: query, key and value [batch, sequence, heads * width];
// key and value [batch, heads, sequence, width]; key and value packed [batch, sequence, heads, 2, width]; all three
// packed [batch, sequence, heads, 3, width]. A bias is added to each first. key_padding_mask is 1 where a key is seen,
// [batch, key] or [batch, query, key]; or it tells how many keys are, [batch] or the first of [3 * batch + 2]. A key
// that it hides has mask_filter_value added, which from -10000 down hides it altogether: who sees nothing gives zeros.
// cache_indirection [group, beam, room] tells of each place which sequence of its group, one of the `beam` that lie
// side by side in the batch, the past that is seen there comes from; the caches stay as they are. Lowered to
// heed.Attention, which has the kernels.
#include "com_microsoft_attention_inputs.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum {
  query_input,
  key_input,
  value_input,
  bias_input,
  mask_input,
  attention_bias_input,
  past_key_input,
  past_value_input,
  past_length_input,
  cache_indirection_input
};

struct Sizes {
  Dim batch, sequence, kv_sequence, width, value_width;
};

Error misfit(std::string_view name, std::span<const Dim> dims, std::string_view expected) {
  return Error{Code::shape_mismatch,
               "input '" + std::string(name) + "' is " + text_of(dims) + "; expected " + std::string(expected)};
}

// All ranks are known.
Result<Sizes> sizes_of(Inference& node) {
  const int64_t heads = node.integer("num_heads");
  const auto query = node.input(query_input);
  const auto check_heads = [&](Dim hidden, std::string_view name) {
    return node.require_equal(modulo(hidden, heads), 0, "hidden size of " + std::string(name) + " modulo num_heads");
  };
  if (!node.has_input(key_input)) {
    if (node.has_input(value_input)) return Error{Code::invalid_model, "input 'value' without 'key'"};
    if (query.rank() != 5)
      return misfit("query", query.dims(), "[batch, sequence, num_heads, 3, width] where there is no key");
    HEED_TRY(node.require_equal(query.dim(2), heads, "axis 2 of query and num_heads"));
    HEED_TRY(node.require_equal(query.dim(3), 3, "axis 3 of query, which is packed, and 3"));
    return Sizes{query.dim(0), query.dim(1), query.dim(1), query.dim(4), query.dim(4)};
  }
  if (query.rank() != 3) return misfit("query", query.dims(), "[batch, sequence, hidden]");
  HEED_TRY(check_heads(query.dim(2), "query"));
  const auto key = node.input(key_input);
  const Dim width = floor_divide(query.dim(2), heads);
  Sizes sizes{query.dim(0), query.dim(1), key.dim(1), width, width};
  HEED_TRY(node.require_equal(key.dim(0), sizes.batch, "batch of query and key"));
  if (key.rank() == 5) {
    if (node.has_input(value_input)) return Error{Code::invalid_model, "input 'value' beside a packed 'key'"};
    if (node.has_input(bias_input)) return Error{Code::unsupported, "input 'bias' beside a packed 'key'"};
    HEED_TRY(node.require_equal(key.dim(2), heads, "axis 2 of key and num_heads"));
    HEED_TRY(node.require_equal(key.dim(3), 2, "axis 3 of key, which is packed, and 2"));
    HEED_TRY(node.require_equal(key.dim(4), width, "width of a head of query and key"));
    return sizes;
  }
  if (!node.has_input(value_input)) return Error{Code::invalid_model, "input 'key' without 'value'"};
  const auto value = node.input(value_input);
  HEED_TRY(node.require_equal(value.dim(0), sizes.batch, "batch of query and value"));
  if (key.rank() == 4) {
    if (value.rank() != 4) return misfit("value", value.dims(), "[batch, num_heads, sequence, width], as key is");
    if (node.has_input(past_key_input)) return Error{Code::invalid_model, "past_key beside a key of rank 4"};
    sizes.kv_sequence = key.dim(2);
    sizes.value_width = value.dim(3);
    HEED_TRY(node.require_equal(key.dim(1), heads, "axis 1 of key and num_heads"));
    HEED_TRY(node.require_equal(value.dim(1), heads, "axis 1 of value and num_heads"));
    HEED_TRY(node.require_equal(key.dim(3), width, "width of a head of query and key"));
    HEED_TRY(node.require_equal(value.dim(2), key.dim(2), "sequence of key and value"));
    return sizes;
  }
  if (key.rank() != 3) return misfit("key", key.dims(), "rank 3, 4 or 5");
  if (value.rank() != 3) return misfit("value", value.dims(), "[batch, sequence, hidden], as key is");
  HEED_TRY(check_heads(value.dim(2), "value"));
  HEED_TRY(node.require_equal(key.dim(2), query.dim(2), "hidden sizes of query and key"));
  HEED_TRY(node.require_equal(value.dim(1), key.dim(1), "sequence of key and value"));
  sizes.value_width = floor_divide(value.dim(2), heads);
  return sizes;
}

Result<void> check_mask(Inference& node, const Sizes& sizes, Dim total) {
  const auto mask = node.input(mask_input).dims();
  if (mask.size() == 1) {
    if (mask[0] == sizes.batch * 3 + 2) return {};
    return node.require_equal(mask[0], sizes.batch, "elements of key_padding_mask and batch");
  }
  if (mask.size() != 2 && mask.size() != 3)
    return misfit("key_padding_mask", mask, "[batch], [3 * batch + 2], [batch, key] or [batch, query, key]");
  HEED_TRY(node.require_equal(mask[0], sizes.batch, "batch of key_padding_mask"));
  if (mask.size() == 3) HEED_TRY(node.require_equal(mask[1], sizes.sequence, "queries of key_padding_mask"));
  return node.require_equal(min(mask.back(), total), mask.back(),
                            "keys of key_padding_mask, " + text_of(mask) + ", of at most " + text_of(Dims{total}));
}

Result<void> infer(Inference& node) {
  if (node.integer("num_heads") < 1)
    return Error{Code::invalid_model,
                 "attribute 'num_heads' is " + std::to_string(node.integer("num_heads")) + "; expected 1 or more"};
  if (node.has_input(cache_indirection_input) && !node.has_input(past_length_input))
    return Error{Code::invalid_model, "cache_indirection without past_sequence_length"};
  if (node.has_input(past_length_input) && !node.has_input(past_key_input))
    return Error{Code::invalid_model, "past_sequence_length without past_key and past_value"};
  const auto element = node.input(query_input).element();
  for (int32_t input = query_input; input <= cache_indirection_input; ++input) {
    if (!node.has_input(input) || node.input(input).has_rank()) continue;
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, element));
    return {};
  }
  HEED_ASSIGN(const Sizes sizes, sizes_of(node));
  const int64_t heads = node.integer("num_heads");
  const PastSizes past_sizes{sizes.batch, heads, sizes.width, sizes.value_width, "num_heads"};
  HEED_ASSIGN(const Dim past, check_past(node, past_key_input, past_sizes));
  const Dim total = past + (node.has_input(past_length_input) ? Dim(0) : sizes.kv_sequence);
  if (node.has_input(past_length_input))
    HEED_TRY(node.require_equal(count_of(node.input(past_length_input).dims()), 1, "elements of past_sequence_length"));
  if (node.has_input(cache_indirection_input)) {
    HEED_TRY(node.require_rank(cache_indirection_input, 3));
    const auto beams = node.input(cache_indirection_input);
    HEED_TRY(node.require_equal(beams.dim(0) * beams.dim(1), sizes.batch,
                                "groups and beams of cache_indirection, and batch"));
    HEED_TRY(node.require_equal(beams.dim(2), past, "places of cache_indirection and of past_key"));
  }
  if (node.has_input(bias_input)) {
    HEED_TRY(node.require_rank(bias_input, 1));
    HEED_TRY(node.require_equal(node.input(bias_input).dim(0), (sizes.width * 2 + sizes.value_width) * heads,
                                "elements of bias and the hidden sizes of query, key and value"));
  }
  if (node.has_input(mask_input)) HEED_TRY(check_mask(node, sizes, total));
  HEED_TRY(check_scores_bias(node, attention_bias_input, {sizes.batch, heads, sizes.sequence, total}));
  HEED_TRY(node.set_output(0, element, Dims{sizes.batch, sizes.sequence, sizes.value_width * heads}));
  if (node.has_output(1)) HEED_TRY(node.set_output(1, element, Dims{sizes.batch, heads, total, sizes.width}));
  if (node.has_output(2)) HEED_TRY(node.set_output(2, element, Dims{sizes.batch, heads, total, sizes.value_width}));
  if (node.has_output(3)) HEED_TRY(node.set_output(3, element, Dims{sizes.batch, heads, sizes.sequence, total}));
  return {};
}

// ---- lowering
// ---------------------------------------------------------------------------------------------------------------------

// "x" becomes "x_heads" [batch, heads, sequence, width], of [batch, sequence, heads, 1, width].
std::string heads_of_packed(const std::string& x) {
  return x + "_heads = Transpose<perm = [0, 2, 1, 3]>(Squeeze(" + x + ", " + constant_ints({3}) + "));";
}

// Text of "past_key_seen" and "past_value_seen", [batch, head, place, width]: each place of the sequence that
// "indirection" tells.
std::string seen_by_beams() {
  std::string text =
      "some_beam = Cast<to = 7>(indirection); beams = Shape<start = 1, end = 2>(indirection); no_beam = " +
      constant_ints({0}) + "; beam_axis = " + constant_ints({1}) +
      "; beam = Reshape(Max(Min(some_beam, Sub(beams, beam_axis)), no_beam), Concat<axis = 0>(Shape<start = 0, end = "
      "1>(past_key), Shape<start = 2, end = 3>(past_key)));"
      "count_from = Constant<value_int = 0>(); count_by = Constant<value_int = 1>();"
      "sequences = Range(count_from, Squeeze(Shape<start = 0, end = 1>(past_key)), count_by);"
      "firsts = Unsqueeze(Mul(Div(sequences, beams), beams), beam_axis);"
      "sources = Unsqueeze(Transpose<perm = [1, 0]>(Add(firsts, beam)), " +
      constant_ints({2}) + ");";
  for (const std::string past : {"past_key", "past_value"})
    text += past + "_seen = Transpose<perm = [1, 2, 0, 3]>(GatherND<batch_dims = 1>(Transpose<perm = [2, 0, 1, 3]>(" +
            past + "), sources));";
  return text;
}

bool lower(Match& match) {
  const auto node = match.node("y");
  const auto query = match.type("query"), key = match.type("key"), value = match.type("value"),
             past = match.type("past_key");
  const int64_t heads = node.integer("num_heads");
  for (const std::string_view name : {"query", "key", "value", "mask", "past_key"})
    if (const auto type = match.type(name); type && !type->has_rank()) return false;
  const bool all_packed = !key, pair_packed = key && key->rank() == 5, in_heads = key && key->rank() == 4;
  const Dim width = all_packed ? query->dim(4) : floor_divide(query->dim(2), heads);
  const Dim value_width = all_packed || pair_packed ? width
                          : in_heads                ? value->dim(3)
                                                    : floor_divide(value->dim(2), heads);
  if (!width.is_number() || !value_width.is_number()) return false;

  const bool has_bias = match.type("bias").has_value();
  const int64_t w = width.number(), value_w = value_width.number();
  std::string text;
  if (has_bias)
    text += "bias_q, bias_k, bias_v = Split<axis = 0>(bias, " + constant_ints({heads * w, heads * w, heads * value_w}) +
            ");";
  // What the parts of a packed tensor have added, [batch, sequence, heads, 1, width].
  const auto biased = [&](const std::string& x, const std::string& part, int64_t part_width, bool flat) {
    if (!has_bias) return x;
    const std::string addend = flat ? part : "Reshape(" + part + ", " + constant_ints({heads, 1, part_width}) + ")";
    text += x + "_biased = Add(" + x + ", " + addend + ");";
    return x + "_biased";
  };
  std::string q = "query", k = "key_heads", v = "value_heads";
  if (all_packed) {
    text += "q, k, v = Split<axis = 3>(query, " + constant_ints({1, 1, 1}) + ");";
    q = biased("q", "bias_q", w, false), k = biased("k", "bias_k", w, false), v = biased("v", "bias_v", w, false);
    text += heads_of_packed(q) + heads_of_packed(k) + heads_of_packed(v);
    q += "_heads", k += "_heads", v += "_heads";
  } else {
    q = biased("query", "bias_q", w, true);
    text += split_heads(q, heads, width);
    q += "_heads";
    if (pair_packed) {
      text +=
          "k, v = Split<axis = 3>(key, " + constant_ints({1, 1}) + ");" + heads_of_packed("k") + heads_of_packed("v");
      k = "k_heads", v = "v_heads";
    } else if (in_heads) {
      k = "key", v = "value";
    } else {
      k = biased("key", "bias_k", w, true), v = biased("value", "bias_v", value_w, true);
      text += split_heads(k, heads, width) + split_heads(v, heads, value_width);
      k += "_heads", v += "_heads";
    }
  }

  const bool has_room = match.type("past_length").has_value();
  const auto mask = mask_inputs(match, query->dim(0), node.number("mask_filter_value", -10000),
                                match.type("qk").has_value(), k, past ? "Shape<start = 2, end = 3>(past_key)" : "");
  text += mask.text;
  // A buffer with room stays as long as it is.
  std::string room;
  if (has_room) {
    text += "past = Expand(Reshape(past_length, " + constant_ints({1}) +
            "), Shape<start = 0, end = 1>(query));"
            "no_more = Constant<value = int32[1] {0}>();";
    room = ", \"\", past, no_more";
  }
  const bool has_beams = match.type("indirection").has_value();
  if (has_beams) {
    text += seen_by_beams() + "first_places = Cast<to = 7>(past);";
    for (const auto& [cache, fresh, cache_width] : {std::tuple("key", k, w), {"value", v, value_w}})
      text += present_text("present_" + std::string(cache),
                           "TensorScatter<axis = 2>(past_" + std::string(cache) + ", " + fresh + ", first_places)",
                           heads, "Shape<start = 2, end = 3>(past_key)", cache_width);
  }
  const bool as_many = !key || (!in_heads && query->dim(1) == key->dim(1));
  match.set("scale", node.number("scale", 0));
  match.set("top_left", int64_t{has_room || !as_many});
  text += std::string("y_heads, ") + (has_beams ? "\"\", \"\"" : "present_key, present_value") +
          ", qk = heed.Attention<scale = @scale, causal = @unidirectional, top_left = @top_left, qk_output_mode = 2>(" +
          q + ", " + k + ", " + v + ", " + mask.mask +
          (has_beams ? ", past_key_seen, past_value_seen, " : ", past_key, past_value, ") + mask.valid + room + ");" +
          join_heads("y", value_width * heads);
  match.replace_by(text);
  return true;
}

}  // namespace

extern const Operator multi_head_attention{
    .domain = "com.microsoft",
    .op_type = "MultiHeadAttention",
    .inputs = {{"query", "T"},
               {"key", "T", HEED_OPTIONAL_PARAMETER},
               {"value", "T", HEED_OPTIONAL_PARAMETER},
               {"bias", "T", HEED_OPTIONAL_PARAMETER},
               {"key_padding_mask", "M", HEED_OPTIONAL_PARAMETER},
               {"attention_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"past_key", "T", HEED_OPTIONAL_PARAMETER},
               {"past_value", "T", HEED_OPTIONAL_PARAMETER},
               {"past_sequence_length", "M", HEED_OPTIONAL_PARAMETER},
               {"cache_indirection", "M", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"},
                present_of(past_key_input, "present_key", "T", 2),
                present_of(past_value_input, "present_value", "T", 2),
                {"qk", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", {DataType::f32, DataType::f16, DataType::bf16}}, {"M", {DataType::i32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), attribute("scale", 0.0f), attribute("unidirectional", 0),
                   attribute("mask_filter_value", -10000.0f)},
    .infer = infer};

extern const Rewrite multi_head_attention_lowered{
    .name = "multi_head_attention",
    .patterns = {"y, present_key, present_value, qk = com.microsoft.MultiHeadAttention(query, key, value, bias, mask, "
                 "bias_of_scores, "
                 "past_key, past_value, past_length, indirection)"},
    .replacement = "",
    .accept = lower};

}  // namespace heed::ops
