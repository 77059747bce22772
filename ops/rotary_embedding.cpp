// RotaryEmbedding-23: turns pairs of channels of each head by the angle of their position. With x1, x2 the halves of a
// head (or its even and odd channels, where interleaved): y1 = cos x1 - sin x2, y2 = sin x1 + cos x2. Channels past
// rotary_embedding_dim stay. heed.RotaryEmbedding is the same, with position_ids that may be those of the first of each
// sequence alone ([batch], or [1] for all), whose others follow. com.microsoft's is that, its inputs in another order.
#include "rotary.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, cos_input, sin_input, positions_input };

// How many heads an input of rank 3 has. Where the attribute does not tell, the caches turn whole heads.
Dim heads_of(const NodeView& node, Dim hidden, Dim pairs) {
  const int64_t heads = node.integer("num_heads");
  return heads > 0 ? Dim(heads) : floor_divide(hidden, max(pairs * 2, 1));
}

Result<void> infer_turned(Inference& node, bool counts_on) {
  const auto x = node.input(x_input), cos = node.input(cos_input);
  if (x.has_rank() && x.rank() != 3 && x.rank() != 4)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(x.rank()) +
                                           "; expected [batch, head, sequence, channel] or [batch, sequence, hidden]"};
  if (cos.has_rank() && cos.rank() != 2 && cos.rank() != 3)
    return Error{Code::shape_mismatch, "cos_cache has rank " + std::to_string(cos.rank()) + "; expected 2 or 3"};
  if (x.has_rank() && x.rank() == 3 && cos.has_rank()) {
    if (node.integer("num_heads") <= 0 && (!counts_on || node.integer("rotary_embedding_dim") != 0))
      return Error{Code::invalid_model, "an input of rank 3 needs attribute 'num_heads'"};
    const Dim heads = heads_of(node, x.dim(2), cos.dim(-1));
    if (heads.is_number(0))
      return Error{Code::shape_mismatch, "a hidden size of " + to_string(x.dim(2)) + " has no head of " +
                                             to_string(cos.dim(-1) * 2) + " channels"};
    HEED_TRY(node.require_equal(modulo(x.dim(2), heads), 0, "hidden size modulo num_heads"));
  }
  Dims turned;
  if (x.has_rank() && cos.has_rank()) {
    const Dim head = x.rank() == 4 ? x.dim(3) : floor_divide(x.dim(2), heads_of(node, x.dim(2), cos.dim(-1)));
    turned = {x.dim(0), x.dim(x.rank() == 4 ? 2 : 1), head};
  }
  HEED_TRY(infer_rotary(node, cos_input, counts_on, turned));
  return like_input(node);
}

Result<void> infer(Inference& node) { return infer_turned(node, false); }
Result<void> infer_counting_on(Inference& node) { return infer_turned(node, true); }


Result<GpuPlan> plan(Planning& node) {
  if (!node.input(x_input).has_rank()) return decline("the rank of the input is not known");
  node.take_strided(x_input);
  HEED_TRY(plan_rotary(node, cos_input));
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::rotary_embedding));
  node.in_place(x_input, 0);
  // Without positions their binding is never read.
  return GpuPlan{.variants = {{.name = "a thread a pair", .shader = shader}},
                 .bindings = {read(x_input), read(cos_input), read(sin_input),
                              read(node.has_input(positions_input) ? positions_input : x_input), write(0), error_word()},
                 .error = "element {} of position_ids is outside of the rows of cos_cache"};
}

// Of [batch, head, sequence, channel] or [batch, sequence, head * channel].
Layout layout_of(const TensorView& x, uint32_t channel_count) {
  if (x.rank() == 4) return {offset_of(x), stride_of(x, 0), stride_of(x, 1), stride_of(x, 2), stride_of(x, 3)};
  return {offset_of(x), stride_of(x, 0), static_cast<int32_t>(channel_count) * stride_of(x, 2), stride_of(x, 1),
          stride_of(x, 2)};
}

// Of [batch, sequence, pair] or [position, pair].
Layout cache_layout_of(const TensorView& cache) {
  return {.offset = offset_of(cache),
          .batch = cache.rank() == 3 && cache.dim(0) != 1 ? stride_of(cache, 0) : 0,
          .sequence = stride_of(cache, -2),
          .channel = stride_of(cache, -1)};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  const bool has_heads = x.rank() == 4;
  const auto count = [](int64_t size) { return static_cast<uint32_t>(size); };
  TurnParameters p{.batch_count = count(x.dim(0)),
                   .head_count = count(has_heads ? x.dim(1) : heads_of(node, x.dim(2), node.input(cos_input).dim(-1)).number()),
                   .sequence_count = count(x.dim(has_heads ? 2 : 1)),
                   .channel_count = 0,
                   .x = {},
                   .y = {},
                   .rotary = {}};
  p.channel_count = has_heads ? count(x.dim(3)) : count(x.dim(2)) / p.head_count;
  p.x = layout_of(x, p.channel_count);
  p.y = layout_of(y, p.channel_count);
  HEED_ASSIGN(p.rotary, bind_rotary(node, cos_input, p.channel_count));
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), turn_threads), 1, 1}}}};
}

}  // namespace

Result<void> infer_rotary(Inference& node, int32_t cos_input, bool counts_on, const Dims& turned) {
  const auto cos = node.input(cos_input), sin = node.input(cos_input + 1), positions = node.input(cos_input + 2);
  const int64_t given = node.integer("rotary_embedding_dim");
  if (given < 0 || given % 2 != 0)
    return Error{Code::invalid_model, "attribute 'rotary_embedding_dim' is " + std::to_string(given) +
                                          "; expected an even number"};
  const bool has_positions = node.has_input(cos_input + 2);
  for (const int32_t cache : {cos_input, cos_input + 1}) HEED_TRY(node.require_rank(cache, has_positions ? 2 : 3));
  const bool are_first = has_positions && counts_on && positions.has_rank() && positions.rank() == 1;
  if (has_positions && !are_first) HEED_TRY(node.require_rank(cos_input + 2, 2));
  if (turned.empty() || !cos.has_rank() || !sin.has_rank()) return {};
  for (int32_t axis = 0; axis < cos.rank(); ++axis)
    HEED_TRY(node.require_equal(cos.dim(axis), sin.dim(axis), "cos_cache and sin_cache"));
  const Dim batch = turned[0], sequence = turned[1], head = turned[2];
  HEED_TRY(node.require_equal(cos.dim(-1) * 2, given ? Dim(given) : head,
                              "twice the width of cos_cache and the rotated channels"));
  if (are_first) {
    const Dim count = positions.dim(0);
    return node.require_equal(select(equal(count, 1), batch, count), batch, "batch of position_ids");
  }
  if (has_positions) {
    if (!positions.has_rank()) return {};
    HEED_TRY(node.require_equal(positions.dim(0), batch, "batch of position_ids"));
    return node.require_equal(positions.dim(1), sequence, "sequence of position_ids");
  }
  // torch writes one for all, which ONNX does not have.
  HEED_TRY(node.require_equal(select(equal(cos.dim(0), 1), batch, cos.dim(0)), batch, "batch of cos_cache"));
  return node.require_equal(cos.dim(1), sequence, "sequence of cos_cache");
}

Result<void> plan_rotary(Planning& node, int32_t cos_input) {
  for (int32_t input = cos_input; input < cos_input + 3; ++input) {
    if (!node.has_input(input)) continue;
    if (!node.input(input).has_rank()) return decline("the rank of input " + std::to_string(input) + " is not known");
    node.take_strided(input);
  }
  return {};
}

Result<RotaryParameters> bind_rotary(const Binding& node, int32_t cos_input, uint32_t channel_count) {
  const auto cos = node.input(cos_input), sin = node.input(cos_input + 1);
  for (int32_t input = cos_input; input < cos_input + 3; ++input)
    if (node.has_input(input)) HEED_TRY(check_addressable(node.input(input), "input " + std::to_string(input)));
  const auto pairs = static_cast<uint32_t>(cos.dim(-1));
  if (2 * pairs > channel_count)
    return Error{Code::shape_mismatch, std::to_string(2 * pairs) + " channels are to be turned, a head has " +
                                           std::to_string(channel_count)};
  const bool interleaved = node.integer("interleaved") != 0;
  RotaryParameters p{.pair_count = pairs,
                     .pair_step = interleaved ? 2u : 1u,
                     .pair_distance = interleaved ? 1u : pairs,
                     .cos = cache_layout_of(cos),
                     .sin = cache_layout_of(sin)};
  if (!node.has_input(cos_input + 2)) return p;
  const auto positions = node.input(cos_input + 2);
  if (cos.dim(0) == 0) return Error{Code::invalid_argument, "cos_cache has no rows"};
  p.position_count = static_cast<int32_t>(cos.dim(0));
  p.positions_offset = offset_of(positions);
  p.positions_batch = positions.dim(0) == 1 ? 0 : stride_of(positions, 0);
  p.counts_on = positions.rank() == 1;
  p.positions_sequence = p.counts_on ? 0 : stride_of(positions, 1);
  p.words_per_position = positions.element() == DataType::i64 ? 2 : 1;
  return p;
}

extern const Operator rotary_embedding{
    .op_type = "RotaryEmbedding",
    .versions = {23},
    .inputs = {{"X", "T"}, {"cos_cache", "T"}, {"sin_cache", "T"}, {"position_ids", "M", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}, {"M", {DataType::i64}}},
    .attributes = {attribute("interleaved", 0), attribute("num_heads", 0), attribute("rotary_embedding_dim", 0)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

extern const Operator heed_rotary_embedding{
    .domain = "heed",
    .op_type = "RotaryEmbedding",
    .inputs = {{"X", "T"}, {"cos_cache", "T"}, {"sin_cache", "T"}, {"position_ids", "M"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}, {"M", {DataType::i32, DataType::i64}}},
    .attributes = {attribute("interleaved", 0), attribute("num_heads", 0), attribute("rotary_embedding_dim", 0)},
    .infer = infer_counting_on,
    .plan = plan,
    .bind = bind};

// `scale` is in onnxruntime's contract and in none of its kernels.
extern const Operator com_microsoft_rotary_embedding{
    .domain = "com.microsoft",
    .op_type = "RotaryEmbedding",
    .inputs = {{"input", "T"}, {"position_ids", "M"}, {"cos_cache", "T"}, {"sin_cache", "T"}},
    .outputs = {{"output", "T"}},
    .types = {{"T", {DataType::f32, DataType::f16, DataType::bf16}}, {"M", {DataType::i64}}},
    .attributes = {attribute("interleaved", 0), attribute("num_heads", 0), attribute("rotary_embedding_dim", 0),
                   attribute("is_packed_batching", 0), attribute("scale", 1.0f)},
    .body = "output = heed.RotaryEmbedding<interleaved = @interleaved, num_heads = @num_heads, rotary_embedding_dim = "
            "@rotary_embedding_dim>(input, cos_cache, sin_cache, position_ids)"};

}  // namespace heed::ops
