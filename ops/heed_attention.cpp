// heed.Attention: the attention that all others lower to. For each batch b, head h and query i, over the keys j of
// past_key followed by key, of head g = h / (head / kv_head) (grouped heads repeat: 0, 0, 1, 1):
//
//   score[j] = softcap(scale * dot(query[b, h, i], key[b, g, j]))      softcap(s) = softcap * tanh(s / softcap), where set
//   weight   = softmax over j of score + mask, hidden keys left out    (a sink adds exp(sinks[h]) to the sum alone)
//   y[b, h, i] = sum over j of weight[j] * value[b, g, j]              zeros where every key is hidden
//
// A key is hidden where the mask is false or -inf or has no such key (its last axis may be shorter than the keys; of size
// 1 it does not broadcast), where j >= valid_lengths[b], and, with p the place of query i among the keys, where causal and
// j > p, where window >= 0 and j < p - window, where right_window >= 0 and j > p + right_window. p is bottom-right:
// i + end - query, end being valid_lengths[b], or past + key; with top_left it is i + past.
// A mask is added as it is: only -inf hides, the lowest finite number does not.
//
// present_key and present_value are past and new ones, one after the other. qk_output_mode says what `weights` holds, as
// ai.onnx Attention-24 numbers it: 0 scale * dot, 1 after the softcap, 2 with the mask (-inf where hidden), 3 weight.
// Sums and exponentials are f32 (f64 for f64); for 16-bit types query and key are each multiplied by the root of scale, as
// ONNX does against overflow, for others the score is multiplied once.
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { query_input, key_input, value_input, mask_input, past_key_input, past_value_input, valid_input, sinks_input };

Result<void> check_mask(Inference& node, const Dims& weights) {
  const auto mask = node.input(mask_input).dims();
  if (mask.empty()) return {};
  if (mask.size() > weights.size())
    return Error{Code::shape_mismatch, "the mask " + text_of(mask) + " has more axes than " + text_of(weights)};
  const auto what = "the mask " + text_of(mask) + " and [batch, head, query, key] = " + text_of(weights);
  const size_t lead = weights.size() - mask.size();
  for (size_t axis = 0; axis + 1 < mask.size(); ++axis)
    HEED_TRY(node.require_equal(select(equal(mask[axis], 1), weights[lead + axis], mask[axis]), weights[lead + axis], what));
  return node.require_equal(min(mask.back(), weights.back()), mask.back(), what + ": more keys in the mask than there are");
}

Result<void> infer(Inference& node) {
  const auto query = node.input(query_input), key = node.input(key_input), value = node.input(value_input);
  if (node.has_input(past_key_input) != node.has_input(past_value_input))
    return Error{Code::invalid_model, "past_key and past_value come together"};
  for (const int32_t input : {query_input, key_input, value_input, past_key_input, past_value_input})
    if (node.has_input(input)) HEED_TRY(node.require_rank(input, 4));
  if (node.integer("window", -1) < -1 || node.integer("right_window", -1) < -1)
    return Error{Code::invalid_model, "a window is -1 or a number of keys"};
  if (node.number("softcap") < 0) return Error{Code::invalid_model, "softcap is negative"};
  if (const int64_t mode = node.integer("qk_output_mode"); mode < 0 || mode > 3)
    return Error{Code::invalid_model, "qk_output_mode is " + std::to_string(mode) + "; expected 0 to 3"};

  const DataType element = query.element(), value_element = value.element();
  bool all_ranks = true;
  for (const int32_t input : {query_input, key_input, value_input, past_key_input, past_value_input})
    all_ranks = all_ranks && (!node.has_input(input) || node.input(input).has_rank());
  if (!all_ranks) {
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, output == 2 ? value_element : element));
    return {};
  }

  const Dim batch = query.dim(0), head = query.dim(1), kv_head = key.dim(1);
  HEED_TRY(node.require_equal(key.dim(0), batch, "batch of query and key"));
  HEED_TRY(node.require_equal(value.dim(0), batch, "batch of query and value"));
  HEED_TRY(node.require_equal(value.dim(1), kv_head, "heads of key and value"));
  HEED_TRY(node.require_equal(modulo(head, kv_head), 0, "heads of query modulo heads of key"));
  HEED_TRY(node.require_equal(key.dim(3), query.dim(3), "width of a head of query and key"));
  HEED_TRY(node.require_equal(value.dim(2), key.dim(2), "lengths of key and value"));
  Dim past = 0;
  if (node.has_input(past_key_input)) {
    const auto past_key = node.input(past_key_input), past_value = node.input(past_value_input);
    past = past_key.dim(2);
    HEED_TRY(node.require_equal(past_value.dim(2), past, "lengths of past_key and past_value"));
    for (const int32_t axis : {0, 1, 3}) {
      HEED_TRY(node.require_equal(past_key.dim(axis), key.dim(axis), "axis " + std::to_string(axis) + " of past_key and key"));
      HEED_TRY(node.require_equal(past_value.dim(axis), value.dim(axis), "axis " + std::to_string(axis) + " of past_value and value"));
    }
  }
  const Dim total = past + key.dim(2);
  const Dims weights{batch, head, query.dim(2), total};
  if (node.has_input(mask_input) && node.input(mask_input).has_rank()) HEED_TRY(check_mask(node, weights));
  if (node.has_input(valid_input)) {
    HEED_TRY(node.require_rank(valid_input, 1));
    if (node.input(valid_input).has_rank()) HEED_TRY(node.require_equal(node.input(valid_input).dim(0), batch, "valid_lengths and batch"));
  }
  if (node.has_input(sinks_input)) {
    HEED_TRY(node.require_rank(sinks_input, 1));
    if (node.input(sinks_input).has_rank()) HEED_TRY(node.require_equal(node.input(sinks_input).dim(0), head, "sinks and heads"));
  }

  HEED_TRY(node.set_output(0, element, Dims{batch, head, query.dim(2), value.dim(3)}));
  if (node.has_output(1)) HEED_TRY(node.set_output(1, key.element(), Dims{batch, kv_head, total, key.dim(3)}));
  if (node.has_output(2)) HEED_TRY(node.set_output(2, value_element, Dims{batch, kv_head, total, value.dim(3)}));
  if (node.has_output(3)) HEED_TRY(node.set_output(3, element, weights));
  return {};
}

}  // namespace

extern const Operator heed_attention{
    .domain = "heed", .op_type = "Attention",
    .inputs = {{"query", "T"}, {"key", "T"}, {"value", "V"}, {"mask", "M", HEED_OPTIONAL_PARAMETER},
               {"past_key", "T", HEED_OPTIONAL_PARAMETER}, {"past_value", "V", HEED_OPTIONAL_PARAMETER},
               {"valid_lengths", "I", HEED_OPTIONAL_PARAMETER}, {"sinks", "F", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"y", "T"},
                {.name = "present_key", .type = "T", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_key_input, .state_axis = 2},
                {.name = "present_value", .type = "V", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_value_input, .state_axis = 2},
                {"weights", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float}, {"V", any_float}, {"M", any_float | Types{DataType::boolean}}, {"I", {DataType::i64}}, {"F", {DataType::f32}}},
    .attributes = {attribute("scale", 0.0f), attribute("causal", 0), attribute("top_left", 0), attribute("softcap", 0.0f),
                   attribute("window", -1), attribute("right_window", -1), attribute("qk_output_mode", 0)},
    .infer = infer};

}  // namespace heed::ops
