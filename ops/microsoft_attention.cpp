// Attention and QAttention of com.microsoft: projection and attention in one. weights [input, q + k + v] hold the three
// projections side by side, of 8-bit integers in QAttention; past and present [2, batch, heads, key, width] hold keys
// and then values. mask_index is 1 where a key is seen, [batch, key], [batch, query, key] or [batch, 1, room, room] by
// places; or tells where keys end, [batch], or end and then begin, [2 * batch]. Who sees nothing gives zeros. The
// contracts alone: a rewrite lowers them to a product and heed.Attention, which have the kernels.
#include "shapes.hpp"

namespace heed::ops {
namespace {

// Where inputs stand; -1: there is none.
struct Inputs {
  int32_t bias, mask, past, attention_bias, past_length;
};
constexpr Inputs of_floats{2, 3, 4, 5, 6}, of_integers{2, 5, 8, -1, -1};

Result<void> check_mask(Inference& node, int32_t input, Dim batch, Dim sequence, Dim total) {
  const auto mask = node.input(input).dims();
  const std::string text = "mask_index, " + text_of(mask);
  if (mask.size() == 1) {
    if (mask[0] == batch * 2 || mask[0] == batch * 3 + 2) return {};
    return node.require_equal(mask[0], batch, "elements of " + text + ", and batch");
  }
  if (mask.size() < 2 || mask.size() > 4)
    return Error{Code::shape_mismatch, text + ", has rank " + std::to_string(mask.size()) + "; expected 1 to 4"};
  HEED_TRY(node.require_equal(mask[0], batch, "batch of " + text));
  if (mask.size() == 4) {
    HEED_TRY(node.require_equal(mask[1], 1, "axis 1 of " + text + ", and 1"));
    return node.require_equal(max(min(mask[2], mask[3]), total), min(mask[2], mask[3]),
                              "places of " + text + ", of at least " + text_of(Dims{total}));
  }
  if (mask.size() == 3) HEED_TRY(node.require_equal(mask[1], sequence, "queries of " + text));
  return node.require_equal(min(mask.back(), total), mask.back(),
                            "keys of " + text + ", of at most " + text_of(Dims{total}));
}

Result<void> infer_projected(Inference& node, const Inputs& at, DataType element) {
  const int64_t heads = node.integer("num_heads");
  if (heads < 1)
    return Error{Code::invalid_model, "attribute 'num_heads' is " + std::to_string(heads) + "; expected 1 or more"};
  const bool shares = node.integer("past_present_share_buffer") != 0, has_past = node.has_input(at.past);
  const bool has_length = at.past_length >= 0 && node.has_input(at.past_length);
  if (shares && (!has_past || !has_length))
    return Error{Code::invalid_model,
                 "attribute 'past_present_share_buffer' is 1: expected inputs 'past' and 'past_sequence_length'"};
  const auto input = node.input(0), weights = node.input(1);
  HEED_TRY(node.require_rank(0, 3));
  HEED_TRY(node.require_rank(1, 2));
  bool all_ranks = input.has_rank() && weights.has_rank();
  for (const int32_t i : {at.mask, at.past, at.attention_bias})
    all_ranks = all_ranks && (i < 0 || !node.has_input(i) || node.input(i).has_rank());
  if (!all_ranks) {
    if (node.has_output(1)) HEED_TRY(node.set_output(1, element));
    return node.set_output(0, element);
  }

  HEED_TRY(node.require_equal(input.dim(2), weights.dim(0), "the last axis of input and the first of weights"));
  Dim hidden = floor_divide(weights.dim(1), 3), value_hidden = hidden;
  if (const auto sizes = node.integers("qkv_hidden_sizes"); sizes && !sizes->empty()) {
    if (sizes->size() != 3 || (*sizes)[0] < 1 || (*sizes)[0] != (*sizes)[1] || (*sizes)[2] < 1)
      return Error{Code::invalid_model, "attribute 'qkv_hidden_sizes' is not three sizes, the first two alike"};
    hidden = (*sizes)[0], value_hidden = (*sizes)[2];
  }
  HEED_TRY(node.require_equal(hidden * 2 + value_hidden, weights.dim(1),
                              "the hidden sizes of query, key and value, and the columns of weights"));
  HEED_TRY(node.require_equal(modulo(hidden, heads), 0, "hidden size modulo num_heads"));
  HEED_TRY(node.require_equal(modulo(value_hidden, heads), 0, "hidden size of the values modulo num_heads"));
  if (node.has_input(at.bias) && node.input(at.bias).has_rank()) {
    HEED_TRY(node.require_rank(at.bias, 1));
    HEED_TRY(node.require_equal(node.input(at.bias).dim(0), weights.dim(1), "elements of bias and columns of weights"));
  }
  const Dim batch = input.dim(0), sequence = input.dim(1), width = floor_divide(hidden, heads);
  Dim total = sequence;
  if (has_past || node.has_output(1))
    HEED_TRY(node.require_equal(value_hidden, hidden, "hidden sizes of key and value, which lie in one past"));
  if (has_past) {
    HEED_TRY(node.require_rank(at.past, 5));
    const auto past = node.input(at.past);
    const Dims expected{2, batch, heads, past.dim(3), width};
    for (int32_t axis = 0; axis < 5; ++axis)
      HEED_TRY(
          node.require_equal(past.dim(axis), expected[static_cast<size_t>(axis)],
                             "axis " + std::to_string(axis) + " of past and of [2, batch, num_heads, key, width]"));
    total = shares ? past.dim(3) : past.dim(3) + sequence;
  }
  if (has_length)
    HEED_TRY(node.require_equal(count_of(node.input(at.past_length).dims()), 1, "elements of past_sequence_length"));
  if (node.has_input(at.mask)) HEED_TRY(check_mask(node, at.mask, batch, sequence, total));
  if (at.attention_bias >= 0 && node.has_input(at.attention_bias)) {
    HEED_TRY(node.require_rank(at.attention_bias, 4));
    const Dims weights_dims{batch, heads, sequence, total};
    for (int32_t axis = 0; axis < 4; ++axis) {
      const Dim size = node.input(at.attention_bias).dim(axis), whole = weights_dims[static_cast<size_t>(axis)];
      const Dim met = axis < 2 ? select(equal(size, 1), whole, size) : axis == 3 ? max(size, whole) : size;
      HEED_TRY(node.require_equal(
          met, whole, "axis " + std::to_string(axis) + " of attention_bias and of " + text_of(weights_dims)));
    }
  }
  if (node.has_output(1)) HEED_TRY(node.set_output(1, element, Dims{2, batch, heads, total, width}));
  return node.set_output(0, element, Dims{batch, sequence, value_hidden});
}

Result<void> infer(Inference& node) {
  if (const int64_t turned = node.integer("rotary_embedding_dim"); turned < 0 || turned % 2 != 0)
    return Error{Code::invalid_model,
                 "attribute 'rotary_embedding_dim' is " + std::to_string(turned) + "; expected an even number"};
  return infer_projected(node, of_floats, node.input(0).element());
}

Result<void> infer_of_integers(Inference& node) {
  for (const std::string_view name : {"do_rotary", "past_present_share_buffer"})
    if (node.integer(name) != 0)
      return Error{Code::unsupported, "attribute '" + std::string(name) + "' is 1; expected 0"};
  return infer_projected(node, of_integers, node.input(of_integers.bias).element());
}

constexpr Types bytes{DataType::i8, DataType::u8};

}  // namespace

extern const Operator microsoft_attention{
    .domain = "com.microsoft",
    .op_type = "Attention",
    .inputs = {{"input", "T"},
               {"weights", "T"},
               {"bias", "T", HEED_OPTIONAL_PARAMETER},
               {"mask_index", "M", HEED_OPTIONAL_PARAMETER},
               {"past", "T", HEED_OPTIONAL_PARAMETER},
               {"attention_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"past_sequence_length", "M", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"},
                {.name = "present",
                 .type = "T",
                 .flags = HEED_OPTIONAL_PARAMETER,
                 .state_of = of_floats.past,
                 .state_axis = 3}},
    .types = {{"T", {DataType::f32, DataType::f16, DataType::bf16}}, {"M", {DataType::i32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), attribute("scale", 0.0f), attribute("unidirectional", 0),
                   attribute("mask_filter_value", -10000.0f), optional("qkv_hidden_sizes", HEED_ATTRIBUTE_INTS),
                   attribute("past_present_share_buffer", 0), attribute("do_rotary", 0),
                   attribute("rotary_embedding_dim", 0)},
    .infer = infer};

extern const Operator microsoft_qattention{
    .domain = "com.microsoft",
    .op_type = "QAttention",
    .inputs = {{"input", "X"},
               {"weight", "W"},
               {"bias", "T"},
               {"input_scale", "T"},
               {"weight_scale", "T"},
               {"mask_index", "M", HEED_OPTIONAL_PARAMETER},
               {"input_zero_point", "X", HEED_OPTIONAL_PARAMETER},
               {"weight_zero_point", "W", HEED_OPTIONAL_PARAMETER},
               {"past", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"},
                {.name = "present",
                 .type = "T",
                 .flags = HEED_OPTIONAL_PARAMETER,
                 .state_of = of_integers.past,
                 .state_axis = 3}},
    .types = {{"X", bytes}, {"W", bytes}, {"T", {DataType::f32, DataType::f16}}, {"M", {DataType::i32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), attribute("scale", 0.0f), attribute("unidirectional", 0),
                   attribute("mask_filter_value", -10000.0f), attribute("past_present_share_buffer", 0),
                   attribute("do_rotary", 0)},
    .infer = infer_of_integers};

}  // namespace heed::ops
