// MultiHeadAttention of com.microsoft, in any of its layouts: query, key and value [batch, sequence, heads * width];
// key and value [batch, heads, sequence, width]; key and value packed [batch, sequence, heads, 2, width]; all three
// packed [batch, sequence, heads, 3, width]. A bias is added to each first. key_padding_mask is 1 where a key is seen,
// [batch, key] or [batch, query, key]; or it tells how many keys are, [batch] or the first of [3 * batch + 2]. A key
// that it hides has mask_filter_value added, which from -10000 down hides it altogether: who sees nothing gives zeros.
// The contract alone: a rewrite lowers it to heed.Attention, which has the kernels.
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
  if (node.has_input(cache_indirection_input))
    return Error{Code::unsupported, "input 'cache_indirection': caches of beams are not read"};
  if (node.has_input(past_key_input) != node.has_input(past_value_input))
    return Error{Code::invalid_model, "past_key and past_value come together"};
  if (node.has_input(past_length_input) && !node.has_input(past_key_input))
    return Error{Code::invalid_model, "past_sequence_length without past_key and past_value"};
  const auto element = node.input(query_input).element();
  for (int32_t input = query_input; input <= past_length_input; ++input) {
    if (!node.has_input(input) || node.input(input).has_rank()) continue;
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, element));
    return {};
  }
  HEED_ASSIGN(const Sizes sizes, sizes_of(node));
  const int64_t heads = node.integer("num_heads");
  Dim total = sizes.kv_sequence;
  if (node.has_input(past_key_input)) {
    for (const int32_t input : {past_key_input, past_value_input}) {
      HEED_TRY(node.require_rank(input, 4));
      const auto past = node.input(input);
      const std::string name = input == past_key_input ? "past_key" : "past_value";
      HEED_TRY(node.require_equal(past.dim(0), sizes.batch, "batch of query and " + name));
      HEED_TRY(node.require_equal(past.dim(1), heads, "heads of " + name + " and num_heads"));
      HEED_TRY(
          node.require_equal(past.dim(2), node.input(past_key_input).dim(2), "lengths of past_key and past_value"));
      HEED_TRY(node.require_equal(past.dim(3), input == past_key_input ? sizes.width : sizes.value_width,
                                  "width of a head of " + name));
    }
    total = node.input(past_key_input).dim(2) + (node.has_input(past_length_input) ? Dim(0) : sizes.kv_sequence);
  }
  if (node.has_input(past_length_input))
    HEED_TRY(node.require_equal(count_of(node.input(past_length_input).dims()), 1, "elements of past_sequence_length"));
  if (node.has_input(bias_input)) {
    HEED_TRY(node.require_rank(bias_input, 1));
    HEED_TRY(node.require_equal(node.input(bias_input).dim(0), (sizes.width * 2 + sizes.value_width) * heads,
                                "elements of bias and the hidden sizes of query, key and value"));
  }
  if (node.has_input(mask_input)) HEED_TRY(check_mask(node, sizes, total));
  if (node.has_input(attention_bias_input)) {
    HEED_TRY(node.require_rank(attention_bias_input, 4));
    const Dims weights{sizes.batch, heads, sizes.sequence, total};
    for (int32_t axis = 0; axis < 4; ++axis) {
      const Dim size = node.input(attention_bias_input).dim(axis), whole = weights[static_cast<size_t>(axis)];
      const Dim met = axis < 2 ? select(equal(size, 1), whole, size) : axis == 3 ? max(size, whole) : size;
      HEED_TRY(node.require_equal(met, whole,
                                  "axis " + std::to_string(axis) + " of attention_bias and of " + text_of(weights)));
    }
  }
  HEED_TRY(node.set_output(0, element, Dims{sizes.batch, sizes.sequence, sizes.value_width * heads}));
  if (node.has_output(1)) HEED_TRY(node.set_output(1, element, Dims{sizes.batch, heads, total, sizes.width}));
  if (node.has_output(2)) HEED_TRY(node.set_output(2, element, Dims{sizes.batch, heads, total, sizes.value_width}));
  if (node.has_output(3)) HEED_TRY(node.set_output(3, element, Dims{sizes.batch, heads, sizes.sequence, total}));
  return {};
}

}  // namespace

extern const Operator microsoft_multi_head_attention{
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
                {.name = "present_key",
                 .type = "T",
                 .flags = HEED_OPTIONAL_PARAMETER,
                 .state_of = past_key_input,
                 .state_axis = 2},
                {.name = "present_value",
                 .type = "T",
                 .flags = HEED_OPTIONAL_PARAMETER,
                 .state_of = past_value_input,
                 .state_axis = 2},
                {"qk", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", {DataType::f32, DataType::f16, DataType::bf16}}, {"M", {DataType::i32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), attribute("scale", 0.0f), attribute("unidirectional", 0),
                   attribute("mask_filter_value", -10000.0f)},
    .infer = infer};

}  // namespace heed::ops
