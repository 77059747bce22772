// Attention-23 to -25: y = softmax(scale * q * k' + mask) * v for each head, with a past that k and v are appended to.
// The contract alone: a rewrite lowers it to heed.Attention, which has the kernels.
#include "shapes.hpp"

namespace heed::ops {
namespace {

// One of q, k and v, whichever of its two layouts it comes in: [batch, head, sequence, channel] or
// [batch, sequence, head * channel].
struct Heads {
  Dim batch, head, sequence, channel;
};

Result<Heads> heads_of(Inference& node, int32_t input, std::string_view attribute) {
  const auto type = node.input(input);
  if (type.rank() == 4) return Heads{type.dim(0), type.dim(1), type.dim(2), type.dim(3)};
  if (type.rank() != 3)
    return Error{Code::shape_mismatch,
                 "input " + std::to_string(input) + " has rank " + std::to_string(type.rank()) + "; expected 3 or 4"};
  const int64_t head = node.integer(attribute);
  if (head < 1) return Error{Code::invalid_model, "inputs of rank 3 need attribute '" + std::string(attribute) + "'"};
  HEED_TRY(node.require_equal(modulo(type.dim(2), head), 0,
                              "hidden size of input " + std::to_string(input) + " modulo " + std::string(attribute)));
  return Heads{type.dim(0), head, type.dim(1), floor_divide(type.dim(2), head)};
}

Result<void> infer(Inference& node) {
  const auto element = node.input(0).element();
  for (int32_t i = 0; i < 3; ++i) {
    if (node.input(i).has_rank()) continue;
    for (int32_t output = 0; output < node.output_count(); ++output)
      if (node.has_output(output)) HEED_TRY(node.set_output(output, element));
    return {};
  }
  HEED_ASSIGN(const auto q, heads_of(node, 0, "q_num_heads"));
  HEED_ASSIGN(const auto k, heads_of(node, 1, "kv_num_heads"));
  HEED_ASSIGN(const auto v, heads_of(node, 2, "kv_num_heads"));
  HEED_TRY(node.require_equal(q.batch, k.batch, "batch of Q and K"));
  HEED_TRY(node.require_equal(k.batch, v.batch, "batch of K and V"));
  HEED_TRY(node.require_equal(k.head, v.head, "heads of K and V"));
  HEED_TRY(node.require_equal(k.sequence, v.sequence, "sequence of K and V"));
  HEED_TRY(node.require_equal(q.channel, k.channel, "channels of a head of Q and K"));
  HEED_TRY(node.require_equal(modulo(q.head, k.head), 0, "heads of Q modulo heads of K"));

  Dim past = 0;
  if (node.has_input(4) != node.has_input(5))
    return Error{Code::invalid_model, "past_key and past_value come together"};
  if (node.has_input(4) && node.input(4).has_rank()) {
    HEED_TRY(node.require_rank(4, 4));
    past = node.input(4).dim(2);
  } else if (node.has_input(4)) {
    past = node.fresh_symbol("past");
  }
  const Dim total = past + k.sequence;
  if (node.has_input(3) && node.input(3).has_rank()) {
    // The mask broadcasts to [batch, head, query, key]; since 24 its keys may be fewer.
    const auto mask = node.input(3).dims();
    Dims weights{q.batch, q.head, q.sequence, total};
    if (mask.size() > 4) return Error{Code::shape_mismatch, "the mask " + text_of(mask) + " has more than 4 axes"};
    if (!mask.empty()) weights.back() = mask.back();
    HEED_TRY(checked_broadcast(node, weights, mask));
  }

  HEED_TRY(node.set_output(0, element,
                           node.input(0).rank() == 4 ? Dims{q.batch, q.head, q.sequence, v.channel}
                                                     : Dims{q.batch, q.sequence, q.head * v.channel}));
  if (node.has_output(1))
    HEED_TRY(node.set_output(1, node.input(1).element(), Dims{k.batch, k.head, total, k.channel}));
  if (node.has_output(2))
    HEED_TRY(node.set_output(2, node.input(2).element(), Dims{v.batch, v.head, total, v.channel}));
  if (node.has_output(3)) HEED_TRY(node.set_output(3, element, Dims{q.batch, q.head, q.sequence, total}));
  return {};
}

}  // namespace

extern const Operator attention{
    .op_type = "Attention",
    .versions = {25, 24, 23},
    .inputs = {{"Q", "T1"},
               {"K", "T1"},
               {"V", "T2"},
               {"attn_mask", "U", HEED_OPTIONAL_PARAMETER},
               {"past_key", "T1", HEED_OPTIONAL_PARAMETER},
               {"past_value", "T2", HEED_OPTIONAL_PARAMETER},
               {"nonpad_kv_seqlen", "I", HEED_OPTIONAL_PARAMETER}},
    .outputs =
        {{"Y", "T1"},
         {.name = "present_key", .type = "T1", .flags = HEED_OPTIONAL_PARAMETER, .state_of = 4, .state_axis = 2},
         {.name = "present_value", .type = "T2", .flags = HEED_OPTIONAL_PARAMETER, .state_of = 5, .state_axis = 2},
         {"qk_matmul_output", "T1", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T1", any_float},
              {"T2", any_float},
              {"U", any_number | Types{DataType::boolean}},
              {"I", {DataType::i64}}},
    .attributes = {attribute("is_causal", 0), optional("kv_num_heads", HEED_ATTRIBUTE_INT),
                   optional("q_num_heads", HEED_ATTRIBUTE_INT), attribute("qk_matmul_output_mode", 0),
                   optional("scale", HEED_ATTRIBUTE_FLOAT), attribute("softcap", 0.0f),
                   optional("softmax_precision", HEED_ATTRIBUTE_INT), attribute("left_window_size", -1),
                   attribute("right_window_size", -1)},
    .infer = infer};

}  // namespace heed::ops
