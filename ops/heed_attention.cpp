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
// present_key and present_value are past and new ones, one after the other. past_lengths tells how many keys of a past that
// has room behind them there are in each batch: there `past` is past_lengths[b], the new ones go right behind it, end is
// past_lengths[b] + key where valid_lengths says nothing else, and what the room holds otherwise stays as it is. The
// presents then have max(past_key's room, total_length) keys: all of them where there is room for all already. Without
// total_length they have room for all new ones behind a full past.
//
// `past` and `present`, [2, batch, kv_head, key, channel], hold what past_key and past_value do, present_key and
// present_value, keys before values, which are as wide.
//
// qk_output_mode says what `weights` holds, as
// ai.onnx Attention-24 numbers it: 0 scale * dot, 1 after the softcap, 2 with the mask (-inf where hidden), 3 weight.
// Sums and exponentials are f32 (f64 for f64); for 16-bit types query and key are each multiplied by the root of scale, as
// ONNX does against overflow, for others the score is multiplied once.
//
// heed.RotaryAttention turns queries and new keys by their places first, as heed.RotaryEmbedding does, or ONNX's where there
// are no position_ids; the cache then has turned keys. It gives no weights.
#include <cmath>

#include "attention_cooperative.hpp"
#include "rotary.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum {
  query_input,
  key_input,
  value_input,
  mask_input,
  past_key_input,
  past_value_input,
  valid_input,
  sinks_input,
  past_lengths_input,
  total_length_input,
  past_input,
  cos_input,  // from here on of heed.RotaryAttention alone
  sin_input,
  positions_input
};
enum { y_output, present_key_output, present_value_output, weights_output, present_output };

// How many keys there are places for: the axis of the presents along which they grow.
Result<Dim> total_of(Inference& node, Dim past, Dim fresh) {
  if (!node.has_input(total_length_input)) return past + fresh;
  const auto type = node.input(total_length_input);
  if (type.has_rank()) HEED_TRY(node.require_equal(count_of(type.dims()), 1, "elements of total_length"));
  const auto total = node.elements(total_length_input);
  return total && !total->empty() ? max(past, total->front()) : node.fresh_symbol("total");
}


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
  if (node.has_input(past_input) && node.has_input(past_key_input))
    return Error{Code::invalid_model, "past beside past_key and past_value"};
  if (node.has_output(present_output) && (node.has_output(present_key_output) || node.has_output(present_value_output)))
    return Error{Code::invalid_model, "present beside present_key and present_value"};
  if (node.has_input(past_lengths_input) && !node.has_input(past_key_input) && !node.has_input(past_input))
    return Error{Code::invalid_model, "past_lengths without past_key and past_value, or past"};
  if (node.has_input(total_length_input) && !node.has_input(past_lengths_input))
    return Error{Code::invalid_model, "total_length without past_lengths"};
  for (const int32_t input : {query_input, key_input, value_input, past_key_input, past_value_input})
    if (node.has_input(input)) HEED_TRY(node.require_rank(input, 4));
  if (node.has_input(past_input)) HEED_TRY(node.require_rank(past_input, 5));
  if (node.integer("window", -1) < -1 || node.integer("right_window", -1) < -1)
    return Error{Code::invalid_model, "a window is -1 or a number of keys"};
  if (node.number("softcap") < 0) return Error{Code::invalid_model, "softcap is negative"};
  if (const int64_t mode = node.integer("qk_output_mode"); mode < 0 || mode > 3)
    return Error{Code::invalid_model, "qk_output_mode is " + std::to_string(mode) + "; expected 0 to 3"};

  const DataType element = query.element(), value_element = value.element();
  bool all_ranks = true;
  for (const int32_t input : {query_input, key_input, value_input, past_key_input, past_value_input, past_input})
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
  if (node.has_input(past_input) || node.has_output(present_output))
    HEED_TRY(node.require_equal(value.dim(3), key.dim(3), "widths of a head of key and value, which lie in one past"));
  if (node.has_input(past_input)) {
    const auto both = node.input(past_input);
    past = both.dim(3);
    const Dims expected{2, batch, kv_head, past, key.dim(3)};
    for (int32_t axis = 0; axis < 5; ++axis)
      HEED_TRY(node.require_equal(both.dim(axis), expected[static_cast<size_t>(axis)],
                                  "axis " + std::to_string(axis) + " of past and of " + text_of(expected)));
  }
  HEED_ASSIGN(const Dim total, total_of(node, past, key.dim(2)));
  const Dims weights{batch, head, query.dim(2), total};
  if (node.has_input(mask_input) && node.input(mask_input).has_rank()) HEED_TRY(check_mask(node, weights));
  for (const auto& [input, what] : {std::pair(valid_input, "valid_lengths and batch"), std::pair(past_lengths_input, "past_lengths and batch")}) {
    if (!node.has_input(input)) continue;
    HEED_TRY(node.require_rank(input, 1));
    if (node.input(input).has_rank()) HEED_TRY(node.require_equal(node.input(input).dim(0), batch, what));
  }
  if (node.has_input(sinks_input)) {
    HEED_TRY(node.require_rank(sinks_input, 1));
    if (node.input(sinks_input).has_rank()) HEED_TRY(node.require_equal(node.input(sinks_input).dim(0), head, "sinks and heads"));
  }

  HEED_TRY(node.set_output(0, element, Dims{batch, head, query.dim(2), value.dim(3)}));
  if (node.has_output(1)) HEED_TRY(node.set_output(1, key.element(), Dims{batch, kv_head, total, key.dim(3)}));
  if (node.has_output(2)) HEED_TRY(node.set_output(2, value_element, Dims{batch, kv_head, total, value.dim(3)}));
  if (node.has_output(3)) HEED_TRY(node.set_output(3, element, weights));
  if (node.has_output(4)) HEED_TRY(node.set_output(4, key.element(), Dims{2, batch, kv_head, total, key.dim(3)}));
  return {};
}

Result<void> infer_with_rotary(Inference& node) {
  const auto query = node.input(query_input), key = node.input(key_input);
  const bool all_ranks = query.has_rank() && query.rank() == 4 && key.has_rank() && key.rank() == 4;
  if (all_ranks) HEED_TRY(node.require_equal(key.dim(2), query.dim(2), "lengths of query and key, which are turned by one list of places"));
  HEED_TRY(infer_rotary(node, cos_input, true, all_ranks ? Dims{query.dim(0), query.dim(2), query.dim(3)} : Dims()));
  return infer(node);
}

// ---- on a GPU -----------------------------------------------------------------------------------------------------------

// `fours`: of tiles, where they can be read so.
enum {
  tile_variant,
  rows_variant,
  merge_variant,
  fours_variant,
  weights_variant,
  turn_query_variant = weights_variant,
  turn_key_variant
};

constexpr std::pair<int32_t, int32_t> states[] = {
    {past_key_input, present_key_output}, {past_value_input, present_value_output}, {past_input, present_output}};

constexpr int64_t most_channels = 576, most_value_channels = 512;  // latent attention's (DeepSeek-AI, DeepSeek-V2, 2024)

// Mirrors shaders/attention.glsl.
enum MaskKind : uint32_t { no_mask, boolean_mask, f32_mask, f16_mask, bf16_mask, f64_mask };
struct Parameters {
  uint32_t batch_count, head_count, key_head_count, heads_per_key_head;
  uint32_t query_count, channel_count, value_channel_count;
  int32_t key_count, past_room, fresh_count, mask_key_count;
  int32_t keys_to_the_left, keys_to_the_right, first_place;
  uint32_t counts_from_end;
  float scale, softcap;
  uint32_t mask_kind, valid_words, past_length_words, has_sinks;
  int32_t valid_offset, valid_stride, past_length_offset, past_length_stride, sinks_offset, sinks_stride;
  uint32_t split_count, keeps_softmax, output_mode;
  int32_t appended_keys, appended_values;
  Layout query, key, past_key, value, past_value, y, mask, weights, present_key, present_value;
  RotaryParameters rotary;  // where few rows are turned on the way
};

// ---- the sizes of the ways

// Mirrors shaders/attention_tile.comp.
constexpr int64_t tile_chunk = 32;        // channels of a chunk; keys of a tile
constexpr int64_t tile_column_count = 8;  // threads of a row
struct TileSizes {
  uint32_t thread_count, rows_per_thread;
  int64_t rows() const { return thread_count / tile_column_count * rows_per_thread; }
};

int64_t tile_chunks(int64_t channels) { return std::max<int64_t>(1, ceil_divide(channels, tile_chunk)); }

// The largest tile whose shared memory has room on the device, and whose sums have room in registers.
TileSizes tile_sizes(int64_t channels, int64_t value_channels, uint64_t shared_bytes) {
  constexpr int64_t most_sums = 16;  // vectors of four in a thread; untuned
  for (const TileSizes sizes : {TileSizes{64, 4}, TileSizes{64, 2}, TileSizes{64, 1}}) {
    const int64_t vectors = sizes.rows() * (tile_chunks(channels) + 1) * tile_chunk / 4 + tile_chunk * (tile_chunk / 4 + 1);
    const int64_t bytes = 16 * vectors + sizes.rows() * (4 * tile_column_count + 20);
    if (static_cast<uint64_t>(bytes) <= shared_bytes && sizes.rows_per_thread * tile_chunks(value_channels) <= most_sums)
      return sizes;
  }
  return {32, 1};  // has room in the least that Vulkan promises, 16 KiB, whatever the widths
}

// Of shaders/attention_lanes.comp.
struct LaneSizes {
  uint32_t lanes;
  static constexpr uint32_t rows_of_lane = 2;  // tuned on an AMD Zen 4 core
  int64_t rows() const { return int64_t{lanes} * rows_of_lane; }
  // Room for channels in steps of 32, so that few sizes are compiled.
  static int64_t fours(int64_t channels) { return tile_chunks(channels) * tile_chunk / 4; }
};

// Where the device is a CPU, and what a thread has of keys and values is not too much to unroll.
template <class Node>  // Planning or Binding
std::optional<LaneSizes> lane_sizes(const Node& node, DataType element, int64_t channels, int64_t value_channels) {
  constexpr int64_t most_channels_of_lane = 64;
  const uint32_t lanes = element == DataType::f32 ? cpu_lanes(node) : 0;
  if (lanes == 0 || std::max(channels, value_channels) > most_channels_of_lane) return std::nullopt;
  return LaneSizes{lanes};
}

// Mirrors shaders/attention_rows.comp.
struct RowsSizes {
  uint32_t block_rows, keys_per_group, lane_count, sums_per_row;
};

// Lanes enough for a value's channels; as many rows as a group has `heads`, which are 0 where only the run tells.
RowsSizes rows_sizes(int64_t heads, int64_t value_channels) {
  constexpr uint32_t most_rows = 8, most_sums = 8, most_scores = 16, most_keys = 4;  // untuned
  RowsSizes sizes{.block_rows = 1, .keys_per_group = most_keys, .lane_count = 8, .sums_per_row = 1};
  while (sizes.lane_count * most_sums < value_channels) sizes.lane_count *= 2;
  while (sizes.block_rows < heads && sizes.block_rows < most_rows) sizes.block_rows *= 2;
  sizes.keys_per_group = std::min(most_keys, most_scores / sizes.block_rows);
  sizes.sums_per_row = std::max(1u, ceil_divide(value_channels, sizes.lane_count));
  return sizes;
}

// ---- planning

Result<GpuPlan> plan(Planning& node) {
  for (const int32_t input : {query_input, key_input, value_input, past_key_input, past_value_input, past_input}) {
    if (!node.has_input(input)) continue;
    const auto type = node.input(input);
    if (!type.has_rank()) return decline("a rank is not known");
    if (type.element() != node.input(query_input).element())
      return decline("queries are " + name_in_reason(node.input(query_input)) + ", values " + name_in_reason(type));
  }
  HEED_ASSIGN(const Shader tile, shader_for(node, shaders::attention_tile));
  HEED_ASSIGN(const Shader rows, shader_for(node, shaders::attention_rows));
  HEED_ASSIGN(const Shader merge, shader_for(node, shaders::attention_merge));
  HEED_ASSIGN(const Shader weights, shader_for(node, shaders::attention_weights));
  const auto query = node.input(query_input), key = node.input(key_input), value = node.input(value_input);
  const int64_t channels = query.dim(3).upper_bound(), value_channels = value.dim(3).upper_bound();
  if (channels > most_channels) return decline("heads of keys that are, or may be, wider than 576");
  if (value_channels > most_value_channels) return decline("heads of values that are, or may be, wider than 512");
  const bool has_lengths = node.has_input(past_lengths_input);
  if (node.has_input(total_length_input) && !node.elements(total_length_input))
    return decline("how long the caches become only the run tells");
  const bool has_mask = node.has_input(mask_input), is_stacked = node.has_input(past_input);
  const bool has_past = is_stacked || node.has_input(past_key_input);
  if (has_mask && (!node.input(mask_input).has_rank() || node.input(mask_input).rank() == 0))
    return decline("a mask without axes");

  for (int32_t input = query_input; input <= past_input; ++input)
    if (input != total_length_input && node.has_input(input)) node.take_strided(input);
  const bool turns = node.has_input(cos_input);
  if (turns) HEED_TRY(plan_rotary(node, cos_input));
  for (int32_t output = y_output; output <= present_output; ++output)
    if (node.has_output(output)) node.give_strided(output);
  for (const auto& [past, present] : states)
    if (node.has_input(past) && node.has_output(present)) node.in_place(past, present);
  // Scores and their sum: each query of each head with each key.
  const Dim key_count =
      key.dim(2) + (is_stacked ? node.input(past_input).dim(3) : has_past ? node.input(past_key_input).dim(2) : Dim(0));
  node.work(2 * count_of(query.dims().first(3)) * key_count * (query.dim(3) + value.dim(3)));

  // What is absent is bound to something that is there, and neither read nor written. Without a past all keys are its,
  // unless they are turned.
  const auto read_if_there = [&](int32_t input) { return read(node.has_input(input) ? input : query_input); };
  const auto write_if_there = [&](int32_t output) {
    return node.has_output(output) ? write(output) : node.has_output(present_output) ? write(present_output) : scratch();
  };
  const auto past_of = [&](int32_t apart, int32_t fresh) { return is_stacked ? past_input : has_past ? apart : fresh; };
  const std::vector<heed_binding> common{read(query_input), read(key_input), read(past_of(past_key_input, key_input)),
                                         read_if_there(mask_input), read_if_there(valid_input), read_if_there(sinks_input), scratch(),
                                         error_word(), read_if_there(past_lengths_input)};
  const auto with = [](std::vector<heed_binding> bindings, const std::vector<heed_binding>& more) {
    bindings.insert(bindings.end(), more.begin(), more.end());
    return bindings;
  };
  const auto attend = with(common, {read(value_input), read(past_of(past_value_input, value_input)), write(y_output),
                                    write_if_there(present_key_output), write_if_there(present_value_output)});

  // Many rows find queries and new keys in scratch, turned before; few turn them on the way.
  auto in_scratch = attend, on_the_way = attend;
  if (turns) in_scratch[query_input] = in_scratch[key_input] = scratch();
  for (int32_t input = cos_input; input <= positions_input; ++input) on_the_way.push_back(read_if_there(input));

  const auto in_tile = tile_sizes(channels, value_channels, node.capability("max_shared_bytes"));
  const Dim heads_of_key = floor_divide(query.dim(1), max(key.dim(1), 1));
  const auto in_rows = rows_sizes(heads_of_key.is_number() ? heads_of_key.number() : 0, value_channels);
  const auto constant = [](uint32_t id, int64_t value) { return heed_constant{id, static_cast<uint32_t>(value)}; };
  const heed_constant query_room = constant(2, std::max<int64_t>(channels, 1));
  GpuPlan plan{.variants = {{.name = "tiles of rows and keys", .shader = tile,
                             .constants = {constant(0, in_tile.thread_count), constant(1, in_tile.rows_per_thread),
                                           constant(2, tile_chunks(channels)), constant(3, tile_chunks(value_channels))},
                             .bindings = in_scratch},
                            {.name = "few rows", .shader = rows,
                             .constants = {constant(0, in_rows.block_rows), constant(1, in_rows.keys_per_group), query_room,
                                           constant(3, in_rows.lane_count), constant(4, in_rows.sums_per_row),
                                           constant(5, turns)},
                             .bindings = on_the_way},
                            {.name = "merge", .shader = merge, .bindings = with(common, {write(y_output)})}},
               .bindings = {},
               .error = has_lengths ? "of batch {}, past_lengths or valid_lengths is negative, or more than there is room for"
                                    : "valid_lengths[{}] is negative, or more than there are keys"};
  if (const auto cooperative = cooperative_attention(node, channels, value_channels)) {
    plan.variants[tile_variant] = cooperative->variant();
    plan.variants[tile_variant].bindings = in_scratch;
  }
  plan.variants.push_back(plan.variants[tile_variant]);
  if (const auto in_lanes = lane_sizes(node, query.element(), channels, value_channels))
    for (const bool in_fours : {false, true})
      plan.variants[in_fours ? fours_variant : tile_variant] = {
          .name = in_fours ? "tiles in lanes, in fours" : "tiles in lanes", .shader = shaders::attention_lanes,
          .constants = {constant(0, in_lanes->lanes), constant(1, LaneSizes::rows_of_lane), constant(2, LaneSizes::fours(channels)),
                        constant(3, LaneSizes::fours(value_channels)), constant(4, in_fours)},
          .bindings = in_scratch};
  if (turns) {
    HEED_ASSIGN(const Shader turn, shader_for(node, shaders::rotary_embedding));
    for (const int32_t input : {query_input, key_input})
      plan.variants.push_back({.name = input == query_input ? "turned queries" : "turned keys", .shader = turn,
                               .constants = {constant(0, 1)},
                               .bindings = {read(input), read(cos_input), read(sin_input), read_if_there(positions_input),
                                            scratch(), error_word()}});
    plan.error = "of batch {}, past_lengths or valid_lengths is negative, or more than there is room for, or a position is "
                 "outside of the rows of cos_cache";
  }
  if (node.has_output(weights_output))
    plan.variants.push_back({.name = "weights", .shader = weights, .constants = {query_room},
                             .bindings = with(common, {write(weights_output)})});
  return plan;
}

// ---- binding

Layout layout_of(const TensorView& tensor) {
  return {offset_of(tensor), stride_of(tensor, 0), stride_of(tensor, 1), stride_of(tensor, 2), stride_of(tensor, 3)};
}

// Four channels lie side by side, and begin at a multiple of four.
bool is_in_fours(const Layout& l) {
  return l.channel == 1 && (l.offset | l.batch | l.head | l.sequence) % 4 == 0;
}

// The mask's axes, counted from the last; those that it lacks, or that are 1, are broadcast.
Layout mask_layout_of(const TensorView& mask) {
  const auto stride = [&](int32_t back) { return back > mask.rank() || mask.dim(-back) == 1 ? 0 : stride_of(mask, -back); };
  return {offset_of(mask), stride(4), stride(3), stride(2), stride(1)};
}

MaskKind mask_kind_of(DataType element) {
  switch (element) {
    case DataType::boolean: return boolean_mask;
    case DataType::f16: return f16_mask;
    case DataType::bf16: return bf16_mask;
    case DataType::f64: return f64_mask;
    default: return f32_mask;
  }
}

uint32_t words_of(const TensorView& lengths) { return lengths.element() == DataType::i64 ? 2 : 1; }

// As inference has told the outputs; where none tells, `all` have room.
int64_t key_count_of(const Binding& node, int64_t all) {
  for (const int32_t present : {present_key_output, present_value_output, present_output})
    if (node.has_output(present)) return node.output(present).dim(-2);
  return node.has_output(weights_output) ? node.output(weights_output).dim(3) : all;
}

// Keys (0) or values (1) of what holds both.
TensorView half_of(TensorView both, int64_t which) {
  both.c.offset += which * both.stride(0);
  ++both.c.dims, ++both.c.strides, --both.c.rank;
  return both;
}

// Among how many workgroups the keys of a block of rows are split: a power of two, so that it seldom changes as a past
// grows, and what is recorded stays.
uint32_t splits_of(int64_t blocks, int64_t seen_keys) {
  constexpr int64_t enough_workgroups = 128, least_keys = 256;  // untuned
  uint32_t splits = 1;
  while (blocks * splits < enough_workgroups && seen_keys >= 2 * least_keys * splits) splits *= 2;
  return splits;
}

// Turns queries and new keys into scratch, behind what it has, where attention then finds them.
Result<void> add_turns(const Binding& node, Parameters& p, Launch& launch) {
  for (const int32_t input : {query_input, key_input}) {
    const auto x = node.input(input);
    const size_t element_bytes = bits_of(x.element()) / 8, begin_bytes = (launch.scratch_bytes + 15) / 16 * 16;  // read in eights
    launch.scratch_bytes = begin_bytes + static_cast<size_t>(x.count()) * element_bytes;
    if (launch.scratch_bytes / element_bytes > most_addressed)
      return Error{Code::unsupported, "turned queries and keys reach past 2^31 elements of scratch"};
    const auto size = [&](int32_t axis) { return static_cast<int32_t>(x.dim(axis)); };
    Layout& turned = input == query_input ? p.query : p.key;
    const TurnParameters turn{.batch_count = p.batch_count,
                              .head_count = static_cast<uint32_t>(size(1)),
                              .sequence_count = static_cast<uint32_t>(size(2)),
                              .channel_count = p.channel_count,
                              .x = turned,
                              .y = {.offset = static_cast<int32_t>(begin_bytes / element_bytes),
                                    .batch = size(1) * size(2) * size(3),
                                    .head = size(2) * size(3),
                                    .sequence = size(3),
                                    .channel = 1},
                              .rotary = p.rotary};
    turned = turn.y;
    if (x.count() > 0)
      launch.dispatches.push_back({input == query_input ? turn_query_variant : turn_key_variant, bytes_of(turn),
                                   {workgroups_for(x.count(), turn_threads), 1, 1}});
  }
  return {};
}

Result<Launch> bind(const Binding& node) {
  const auto query = node.input(query_input), key = node.input(key_input), value = node.input(value_input), y = node.output(y_output);
  for (int32_t input = query_input; input <= past_input; ++input)
    if (input != total_length_input && node.has_input(input))
      HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  for (int32_t output = y_output; output <= present_output; ++output)
    if (node.has_output(output)) HEED_TRY(check_addressable(node.output(output), "output " + std::to_string(output)));

  const bool is_stacked = node.has_input(past_input), has_past = is_stacked || node.has_input(past_key_input);
  const auto past_keys = is_stacked ? half_of(node.input(past_input), 0) : node.input(has_past ? past_key_input : key_input);
  const auto past_values = is_stacked ? half_of(node.input(past_input), 1) : node.input(has_past ? past_value_input : value_input);
  const int64_t past = has_past ? past_keys.dim(2) : 0, fresh = key.dim(2);
  const int64_t query_count = query.dim(2), key_count = key_count_of(node, past + fresh), key_heads = key.dim(1);
  const int64_t heads_of_key = query.dim(1) / std::max<int64_t>(key_heads, 1);
  const auto count = [](int64_t size) { return static_cast<uint32_t>(size); };
  Parameters p{};
  p.batch_count = count(query.dim(0));
  p.head_count = count(query.dim(1));
  p.key_head_count = count(key_heads);
  p.heads_per_key_head = count(heads_of_key);
  p.query_count = count(query_count);
  p.channel_count = count(query.dim(3));
  p.value_channel_count = count(value.dim(3));
  p.key_count = p.mask_key_count = static_cast<int32_t>(key_count);
  p.past_room = static_cast<int32_t>(has_past || node.has_input(cos_input) ? past : key_count);  // new keys may be turned
  p.fresh_count = static_cast<int32_t>(fresh);
  p.query = layout_of(query);
  p.key = layout_of(key);
  p.value = layout_of(value);
  p.past_key = layout_of(past_keys);
  p.past_value = layout_of(past_values);
  p.y = layout_of(y);

  // Who sees whom. Windows are bounded by all keys, and places by keys and queries.
  const int64_t all = key_count + query_count;
  if (2 * all > most_addressed) return Error{Code::unsupported, "more than 2^30 queries and keys"};
  const auto bounded = [&](int64_t window) { return static_cast<int32_t>(window < 0 ? all : std::min(window, all)); };
  p.keys_to_the_left = bounded(node.integer("window", -1));
  p.keys_to_the_right = node.integer("causal") != 0 ? 0 : bounded(node.integer("right_window", -1));
  p.counts_from_end = node.integer("top_left") == 0;
  p.first_place = static_cast<int32_t>(p.counts_from_end ? -query_count : past);
  if (node.has_input(mask_input)) {
    const auto mask = node.input(mask_input);
    p.mask_kind = mask_kind_of(mask.element());
    p.mask_key_count = static_cast<int32_t>(mask.dim(-1));
    p.mask = mask_layout_of(mask);
  }
  if (node.has_input(valid_input)) {
    p.valid_words = words_of(node.input(valid_input));
    p.valid_offset = offset_of(node.input(valid_input));
    p.valid_stride = stride_of(node.input(valid_input), 0);
  }
  if (node.has_input(past_lengths_input)) {
    p.past_length_words = words_of(node.input(past_lengths_input));
    p.past_length_offset = offset_of(node.input(past_lengths_input));
    p.past_length_stride = stride_of(node.input(past_lengths_input), 0);
  }
  if (node.has_input(sinks_input)) {
    p.has_sinks = 1;
    p.sinks_offset = offset_of(node.input(sinks_input));
    p.sinks_stride = stride_of(node.input(sinks_input), 0);
  }
  const float scale = node.number("scale");
  p.scale = scale != 0 ? scale : 1 / std::sqrt(static_cast<float>(std::max<int64_t>(query.dim(3), 1)));  // ONNX Attention-23's default
  p.softcap = node.number("softcap");

  // The cache. Where the past lies in it already, the new ones alone are written.
  int64_t appended_keys = 0, appended_values = 0;
  const auto append = [&](int32_t from, int32_t to, TensorView present, Layout& layout, int64_t& appended) {
    layout = layout_of(present);
    if (present.count() > 0) appended = past > 0 && node.in_place(from, to) ? fresh : key_count;
  };
  if (node.has_output(present_key_output))
    append(past_key_input, present_key_output, node.output(present_key_output), p.present_key, appended_keys);
  if (node.has_output(present_value_output))
    append(past_value_input, present_value_output, node.output(present_value_output), p.present_value, appended_values);
  if (node.has_output(present_output)) {
    append(past_input, present_output, half_of(node.output(present_output), 0), p.present_key, appended_keys);
    append(past_input, present_output, half_of(node.output(present_output), 1), p.present_value, appended_values);
  }
  p.appended_keys = static_cast<int32_t>(appended_keys);
  p.appended_values = static_cast<int32_t>(appended_values);
  const int64_t appended = query.dim(0) * key_heads * (appended_keys * query.dim(3) + appended_values * value.dim(3));

  // Rows that share a head of keys; the way they are gone, and by how many workgroups.
  const int64_t rows = heads_of_key * query_count, all_rows = query.dim(0) * query.dim(1) * query_count;
  const auto in_rows = rows_sizes(heads_of_key, value.dim(3));
  constexpr int64_t few_rows = 16, few_blocks = 4;  // untuned
  const bool is_few = rows <= few_rows && rows <= few_blocks * in_rows.block_rows;
  // Tiles on the least device: on others some workgroups find nothing to do.
  constexpr uint64_t least_shared_bytes = 16384;
  const auto cooperative = cooperative_attention(node, query.dim(3), value.dim(3));
  const auto in_lanes = lane_sizes(node, query.element(), query.dim(3), value.dim(3));
  const int64_t tile_rows = cooperative ? cooperative->rows()
                            : in_lanes  ? in_lanes->rows()
                                        : tile_sizes(query.dim(3), value.dim(3), least_shared_bytes).rows();
  const int64_t block_rows = is_few ? in_rows.block_rows : tile_rows;
  const int64_t blocks = query.dim(0) * key_heads * ceil_divide(rows, block_rows);
  const int64_t seen_keys = std::min<int64_t>(key_count, int64_t{p.keys_to_the_left} + p.keys_to_the_right + block_rows);
  p.split_count = splits_of(std::max<int64_t>(blocks, 1), seen_keys);
  const bool has_weights = node.has_output(weights_output) && node.output(weights_output).count() > 0;
  p.keeps_softmax = has_weights;
  p.output_mode = count(node.integer("qk_output_mode"));
  if (has_weights) p.weights = layout_of(node.output(weights_output));

  Launch launch;
  const int64_t kept = has_weights ? 2 * all_rows : 0, found = p.split_count > 1 ? all_rows * p.split_count * (value.dim(3) + 2) : 0;
  if (kept + found > most_addressed) return Error{Code::unsupported, "what is found of the rows has more than 2^31 numbers"};
  launch.scratch_bytes = static_cast<size_t>(kept + found) * sizeof(float);
  if (node.has_input(cos_input)) {
    HEED_ASSIGN(p.rotary, bind_rotary(node, cos_input, p.channel_count));
    if (!is_few) HEED_TRY(add_turns(node, p, launch));
  }
  const Layout read_layouts[] = {p.query, p.key, p.value, p.past_key, p.past_value};
  const bool in_fours = query.dim(3) % 4 == 0 && value.dim(3) % 4 == 0 &&
                        std::all_of(std::begin(read_layouts), std::end(read_layouts), is_in_fours);
  const auto add = [&](int32_t variant, int64_t workgroups) {
    launch.dispatches.push_back({variant, bytes_of(p), {workgroups_for(workgroups, 1), 1, 1}});
  };
  constexpr int64_t append_threads = 64;  // that append in a workgroup, at most
  if (all_rows > 0 || appended > 0)
    add(is_few ? rows_variant : in_fours ? fours_variant : tile_variant,
        std::max({blocks * p.split_count, int64_t{ceil_divide(appended, append_threads)}, int64_t{1}}));
  if (p.split_count > 1 && all_rows > 0) add(merge_variant, all_rows);
  if (has_weights) add(weights_variant, all_rows);
  return launch;
}

}  // namespace

extern const Operator heed_attention{
    .domain = "heed", .op_type = "Attention",
    .inputs = {{"query", "T"}, {"key", "T"}, {"value", "V"}, {"mask", "M", HEED_OPTIONAL_PARAMETER},
               {"past_key", "T", HEED_OPTIONAL_PARAMETER}, {"past_value", "V", HEED_OPTIONAL_PARAMETER},
               {"valid_lengths", "I", HEED_OPTIONAL_PARAMETER}, {"sinks", "F", HEED_OPTIONAL_PARAMETER},
               {"past_lengths", "I", HEED_OPTIONAL_PARAMETER}, {"total_length", "L", HEED_OPTIONAL_PARAMETER | HEED_SHAPE_DATA},
               {"past", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"y", "T"},
                {.name = "present_key", .type = "T", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_key_input, .state_axis = 2},
                {.name = "present_value", .type = "V", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_value_input, .state_axis = 2},
                {"weights", "T", HEED_OPTIONAL_PARAMETER},
                {.name = "present", .type = "T", .flags = HEED_OPTIONAL_PARAMETER, .state_of = past_input, .state_axis = 3}},
    .types = {{"T", any_float}, {"V", any_float}, {"M", any_float | Types{DataType::boolean}}, {"I", {DataType::i32, DataType::i64}},
              {"L", {DataType::i32, DataType::i64}}, {"F", {DataType::f32}}},
    .attributes = {attribute("scale", 0.0f), attribute("causal", 0), attribute("top_left", 0), attribute("softcap", 0.0f),
                   attribute("window", -1), attribute("right_window", -1), attribute("qk_output_mode", 0)},
    .infer = infer, .plan = plan, .bind = bind};

extern const Operator heed_rotary_attention = [] {
  Operator turning = heed_attention;
  turning.op_type = "RotaryAttention";
  turning.inputs.insert(turning.inputs.end(), {{"cos_cache", "T"}, {"sin_cache", "T"}, {"position_ids", "P", HEED_OPTIONAL_PARAMETER}});
  turning.outputs.resize(present_value_output + 1);
  turning.types.push_back({"P", {DataType::i32, DataType::i64}});
  turning.attributes.insert(turning.attributes.end(), {attribute("interleaved", 0), attribute("rotary_embedding_dim", 0)});
  turning.infer = infer_with_rotary;
  return turning;
}();

}  // namespace heed::ops
