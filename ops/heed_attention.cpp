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
#include <cmath>

#include "launch.hpp"
#include "shaders.hpp"
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

// ---- on a GPU -----------------------------------------------------------------------------------------------------------

enum { y_output, present_key_output, present_value_output, weights_output };
enum { attend_variant, append_variant };
enum MaskKind : uint32_t { no_mask, boolean_mask, added_mask };

constexpr int64_t most_channels = 256;  // of a head, in shaders/attention.comp
constexpr int64_t append_threads = 64;  // of a workgroup of shaders/attention_append.comp

// [batch, head, sequence, channel] in elements, as the shaders see tensors.
struct Layout {
  int32_t offset = 0, batch = 0, head = 0, sequence = 0, channel = 0;
};

// Mirrors shaders/attention.comp.
struct AttendParameters {
  uint32_t batch_count, head_count, query_count, past_count, key_count, channel_count, value_channel_count;
  uint32_t heads_per_key_head;
  float scale, softcap;
  uint32_t mask_kind = no_mask, mask_key_count = 0;
  int32_t last_key_of_first_query, window_begin_of_first_query;
  Layout query, key, value, past_key, past_value, y, mask;
};

// Mirrors shaders/attention_append.comp.
struct AppendParameters {
  uint32_t batch_count, head_count, past_count, key_count, first_key, channel_count, value_channel_count;
  Layout key, value, past_key, past_value, present_key, present_value;
};

Result<GpuPlan> plan(Planning& node) {
  for (const int32_t input : {query_input, key_input, value_input, past_key_input, past_value_input}) {
    if (!node.has_input(input)) continue;
    const auto type = node.input(input);
    if (!type.has_rank()) return decline("a rank is not known");
    if (type.element() != DataType::f32) return decline("the GPU kernel works on f32, not " + name_in_reason(type));
  }
  for (const int32_t input : {query_input, value_input})
    if (node.input(input).dim(3).upper_bound() > most_channels) return decline("heads that are, or may be, wider than 256");
  const bool has_mask = node.has_input(mask_input), has_past = node.has_input(past_key_input);
  if (has_mask) {
    const auto mask = node.input(mask_input);
    if (!mask.has_rank() || mask.rank() == 0) return decline("a mask without axes");
    if (mask.element() != DataType::boolean && mask.element() != DataType::f32)
      return decline("the GPU kernel takes masks of bool and f32, not " + name_in_reason(mask));
  }
  if (node.has_input(valid_input)) return decline("valid_lengths");
  if (node.has_input(sinks_input)) return decline("sinks");
  if (node.has_output(weights_output)) return decline("the weights are asked for");
  if (node.has_output(present_key_output) != node.has_output(present_value_output))
    return decline("one of present_key and present_value alone");

  for (const int32_t input : {query_input, key_input, value_input}) node.take_strided(input);
  // Scores and their sum: each query of each head with each key.
  const auto query = node.input(query_input);
  const Dim key_count = node.input(key_input).dim(2) + (has_past ? node.input(past_key_input).dim(2) : Dim(0));
  node.work(2 * count_of(query.dims().first(3)) * key_count * (query.dim(3) + node.input(value_input).dim(3)));
  if (has_mask) node.take_strided(mask_input);
  node.give_strided(y_output);
  const int32_t past_key = has_past ? past_key_input : key_input, past_value = has_past ? past_value_input : value_input;
  if (has_past)
    for (const int32_t input : {past_key_input, past_value_input}) node.take_strided(input);
  // What is absent is bound to something that is there, and never read.
  GpuPlan plan{.variants = {{.name = "attend", .shader = shaders::attention,
                             .bindings = {read(query_input), read(key_input), read(value_input), read(past_key), read(past_value),
                                          read(has_mask ? mask_input : query_input), write(y_output)}}},
               .bindings = {}};
  if (node.has_output(present_key_output)) {
    plan.variants.push_back({.name = "append", .shader = shaders::attention_append,
                             .bindings = {read(key_input), read(value_input), read(past_key), read(past_value),
                                          write(present_key_output), write(present_value_output)}});
    for (const int32_t output : {present_key_output, present_value_output}) node.give_strided(output);
    if (has_past) {
      node.in_place(past_key_input, present_key_output);
      node.in_place(past_value_input, present_value_output);
    }
  }
  return plan;
}

Layout layout_of(const TensorView& tensor) {
  return {offset_of(tensor), stride_of(tensor, 0), stride_of(tensor, 1), stride_of(tensor, 2), stride_of(tensor, 3)};
}

// The mask's axes, counted from the last; those that it lacks, or that are 1, are broadcast.
Layout mask_layout_of(const TensorView& mask) {
  const auto stride = [&](int32_t back) { return back > mask.rank() || mask.dim(-back) == 1 ? 0 : stride_of(mask, -back); };
  return {offset_of(mask), stride(4), stride(3), stride(2), stride(1)};
}

Result<Launch> bind(const Binding& node) {
  const auto query = node.input(query_input), key = node.input(key_input), value = node.input(value_input), y = node.output(y_output);
  HEED_TRY(check_addressable(query, "query"));
  HEED_TRY(check_addressable(key, "key"));
  HEED_TRY(check_addressable(value, "value"));
  HEED_TRY(check_addressable(y, "the output"));
  AttendParameters p{};
  Layout past_key, past_value;
  int64_t past = 0;
  if (node.has_input(past_key_input)) {
    const auto past_keys = node.input(past_key_input), past_values = node.input(past_value_input);
    HEED_TRY(check_addressable(past_keys, "past_key"));
    HEED_TRY(check_addressable(past_values, "past_value"));
    past_key = layout_of(past_keys);
    past_value = layout_of(past_values);
    past = past_keys.dim(2);
  }
  const int64_t query_count = query.dim(2), key_count = past + key.dim(2);
  const auto count = [](int64_t size) { return static_cast<uint32_t>(size); };

  Launch launch;
  if (y.count() > 0) {
    p.batch_count = count(query.dim(0));
    p.head_count = count(query.dim(1));
    p.query_count = count(query_count);
    p.past_count = count(past);
    p.key_count = count(key_count);
    p.channel_count = count(query.dim(3));
    p.value_channel_count = count(value.dim(3));
    p.heads_per_key_head = count(query.dim(1) / std::max<int64_t>(key.dim(1), 1));
    const float scale = node.number("scale");
    p.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<float>(query.dim(3)));  // ONNX Attention-23's default
    p.softcap = node.number("softcap");
    // The place of the first query among the keys.
    const int64_t place = node.integer("top_left") != 0 ? past : key_count - query_count;
    int64_t last_key = key_count;
    if (node.integer("causal") != 0) last_key = place;
    if (const int64_t right = node.integer("right_window", -1); right >= 0) last_key = std::min(last_key, place + std::min(right, key_count));
    p.last_key_of_first_query = static_cast<int32_t>(last_key);
    const int64_t window = node.integer("window", -1);
    p.window_begin_of_first_query = static_cast<int32_t>(window < 0 ? -query_count : place - std::min(window, key_count + query_count));
    p.query = layout_of(query);
    p.key = layout_of(key);
    p.value = layout_of(value);
    p.past_key = past_key;
    p.past_value = past_value;
    p.y = layout_of(y);
    if (node.has_input(mask_input)) {
      const auto mask = node.input(mask_input);
      HEED_TRY(check_addressable(mask, "the mask"));
      p.mask_kind = mask.element() == DataType::boolean ? boolean_mask : added_mask;
      p.mask_key_count = count(mask.dim(-1));
      p.mask = mask_layout_of(mask);
    }
    const int64_t rows = query.dim(0) * query.dim(1) * query_count;
    launch.dispatches.push_back({attend_variant, bytes_of(p), {workgroups_for(rows, 1), 1, 1}});
  }
  if (node.has_output(present_key_output)) {
    const auto present_key = node.output(present_key_output), present_value = node.output(present_value_output);
    HEED_TRY(check_addressable(present_key, "present_key"));
    HEED_TRY(check_addressable(present_value, "present_value"));
    const bool in_place = past > 0 && node.in_place(past_key_input, present_key_output) && node.in_place(past_value_input, present_value_output);
    const int64_t first_key = in_place ? past : 0;
    const int64_t both = present_key.count() + present_value.count();
    if (both > most_addressed) return Error{Code::unsupported, "present_key and present_value have more than 2^31 elements"};
    const AppendParameters a{count(key.dim(0)), count(key.dim(1)), count(past), count(key_count), count(first_key), count(key.dim(3)), count(value.dim(3)),
                             layout_of(key), layout_of(value), past_key, past_value, layout_of(present_key), layout_of(present_value)};
    const int64_t written = key_count == 0 ? 0 : both / key_count * (key_count - first_key);
    if (written > 0) launch.dispatches.push_back({append_variant, bytes_of(a), {workgroups_for(written, append_threads), 1, 1}});
  }
  return launch;
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
    .infer = infer, .plan = plan, .bind = bind};

}  // namespace heed::ops
