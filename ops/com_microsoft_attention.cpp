// Attention and QAttention of com.microsoft: projection and attention in one. weights [input, q + k + v] hold the three
// projections side by side, of 8-bit integers in QAttention; past and present [2, batch, heads, key, width] hold keys
// and then values. mask_index is 1 where a key is seen, [batch, key], [batch, query, key] or [batch, 1, room, room] by
// places; or tells where keys end, [batch], or end and then begin, [2 * batch]. Who sees nothing gives zeros.
// Lowered to one product for query, key and value and heed.Attention over views of it, which have the kernels.
#include <cmath>
#include <cstdio>

#include "com_microsoft_attention_inputs.hpp"
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
  if (at.attention_bias >= 0) HEED_TRY(check_scores_bias(node, at.attention_bias, {batch, heads, sequence, total}));
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

// ---- lowering
// ---------------------------------------------------------------------------------------------------------------------

// Turns "q" and "k" by the angles of their places, whose first is "first_place" of i64: GPT-NeoX's rotary embedding (Su
// et al., RoFormer, 2021), frequencies being powers of 10000.
std::string turned(int64_t heads, int64_t channels) {
  std::string frequencies;
  for (int64_t i = 0; i < channels / 2; ++i) {
    const double frequency = std::pow(10000.0, -2.0 * static_cast<double>(i) / static_cast<double>(channels));
    char number[32];
    std::snprintf(number, sizeof number, "%s%.9e", i ? ", " : "", frequency);
    frequencies += number;
  }
  const std::string turn = " = heed.RotaryEmbedding<num_heads = " + std::to_string(heads) +
                           ", rotary_embedding_dim = " + std::to_string(channels) + ">(";
  return "step_place = Constant<value_int = 1>(); end_place = Add(first_place, Squeeze(Shape<start = 1, end = "
         "2>(input)));"
         "angles = Mul(Unsqueeze(Cast<to = 1>(Range(first_place, end_place, step_place)), " +
         constant_ints({1}) + "), Constant<value_floats = [" + frequencies +
         "]>()); cos = CastLike(Cos(angles), q); sin = CastLike(Sin(angles), q);"
         "first_row = " +
         constant_ints({0}) + "; q_turned" + turn + "q, cos, sin, first_row); k_turned" + turn +
         "k, cos, sin, first_row);";
}

// Text of attention behind "projected" [batch, sequence, q + k + v].
bool lower_projected(Match& match, std::string text) {
  const auto node = match.node("y");
  const auto input = match.type("input"), weights = match.type("weights"), past = match.type("past");
  for (const std::string_view name : {"input", "weights", "mask", "past"})
    if (const auto type = match.type(name); type && !type->has_rank()) return false;
  if (!weights->dim(1).is_number()) return false;
  const int64_t heads = node.integer("num_heads");
  int64_t hidden = weights->dim(1).number() / 3, value_hidden = hidden;
  if (const auto sizes = node.integers("qkv_hidden_sizes"); sizes && sizes->size() == 3)
    hidden = (*sizes)[0], value_hidden = (*sizes)[2];
  text += "q, k, v = Split<axis = 2>(projected, " + constant_ints({hidden, hidden, value_hidden}) + ");";

  const bool shares = node.integer("past_present_share_buffer") != 0;
  const std::string past_places = past ? "Shape<start = 3, end = 4>(past)" : "";
  const bool is_turned = node.integer("do_rotary") != 0,
             has_places = match.type("mask") && match.type("mask")->rank() == 4;
  if (is_turned || has_places) {
    if (shares)
      text += "first_place = Squeeze(Cast<to = 7>(past_length));";
    else if (past)
      text += "first_place = Squeeze(" + past_places + ");";
    else
      text += "first_place = Constant<value_int = 0>();";
  }
  std::string q = "q", k = "k";
  if (is_turned) {
    const int64_t channels = node.integer("rotary_embedding_dim");
    text += turned(heads, channels > 0 ? channels : hidden / heads);
    q = "q_turned", k = "k_turned";
  }
  text += split_heads(q, heads, hidden / heads) + split_heads(k, heads, hidden / heads) +
          split_heads("v", heads, value_hidden / heads);
  q += "_heads", k += "_heads";
  const auto mask = mask_inputs(match, input->dim(0), node.number("mask_filter_value", -10000), false, k, past_places);
  text += mask.text;
  std::string there = "\"\", \"\"";
  if (shares) {
    text += "there = Expand(Reshape(past_length, " + constant_ints({1}) +
            "), Shape<start = 0, end = 1>(input));"
            "no_more = Constant<value = int32[1] {0}>();";
    there = "there, no_more";
  }
  match.set("scale", node.number("scale", 0));
  match.set("top_left", int64_t{shares});
  text += std::string("y_heads") + (hidden == value_hidden ? ", \"\", \"\", \"\", present" : "") +
          " = heed.Attention<scale = @scale, causal = @unidirectional, top_left = @top_left>(" + q + ", " + k +
          ", v_heads, " + mask.mask + ", \"\", \"\", " + mask.valid + ", \"\", " + there + ", past);" +
          join_heads("y", value_hidden);
  match.replace_by(text);
  return true;
}

bool lower(Match& match) {
  const bool has_bias = match.type("bias").has_value();
  return lower_projected(
      match, has_bias ? "projected = Add(MatMul(input, weights), bias);" : "projected = MatMul(input, weights);");
}

bool lower_of_integers(Match& match) {
  return lower_projected(
      match,
      "projected = com.microsoft.MatMulIntegerToFloat(input, weights, input_scale, weight_scale, input_zero, "
      "weight_zero, bias);");
}

}  // namespace

extern const Operator com_microsoft_attention{
    .domain = "com.microsoft",
    .op_type = "Attention",
    .inputs = {{"input", "T"},
               {"weights", "T"},
               {"bias", "T", HEED_OPTIONAL_PARAMETER},
               {"mask_index", "M", HEED_OPTIONAL_PARAMETER},
               {"past", "T", HEED_OPTIONAL_PARAMETER},
               {"attention_bias", "T", HEED_OPTIONAL_PARAMETER},
               {"past_sequence_length", "M", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}, present_of(of_floats.past, "present", "T", 3)},
    .types = {{"T", {DataType::f32, DataType::f16, DataType::bf16}}, {"M", {DataType::i32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), attribute("scale", 0.0f), attribute("unidirectional", 0),
                   attribute("mask_filter_value", -10000.0f), optional("qkv_hidden_sizes", HEED_ATTRIBUTE_INTS),
                   attribute("past_present_share_buffer", 0), attribute("do_rotary", 0),
                   attribute("rotary_embedding_dim", 0)},
    .infer = infer};

extern const Operator qattention{
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
    .outputs = {{"output", "T"}, present_of(of_integers.past, "present", "T", 3)},
    .types = {{"X", bytes}, {"W", bytes}, {"T", {DataType::f32, DataType::f16}}, {"M", {DataType::i32}}},
    .attributes = {required("num_heads", HEED_ATTRIBUTE_INT), attribute("scale", 0.0f), attribute("unidirectional", 0),
                   attribute("mask_filter_value", -10000.0f), attribute("past_present_share_buffer", 0),
                   attribute("do_rotary", 0)},
    .infer = infer_of_integers};

extern const Rewrite com_microsoft_attention_lowered{
    .name = "attention_with_projection",
    .patterns = {"y, present = com.microsoft.Attention(input, weights, bias, mask, past, bias_of_scores, past_length)"},
    .replacement = "",
    .accept = lower};

extern const Rewrite qattention_lowered{
    .name = "attention_with_integer_projection",
    .patterns = {"y, present = com.microsoft.QAttention(input, weights, bias, input_scale, weight_scale, mask, "
                 "input_zero, weight_zero, past)"},
    .replacement = "",
    .accept = lower_of_integers};

}  // namespace heed::ops
