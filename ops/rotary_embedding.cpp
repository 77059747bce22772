// RotaryEmbedding-23: turns pairs of channels of each head by the angle of their position. With x1, x2 the halves of a
// head (or its even and odd channels, where interleaved): y1 = cos x1 - sin x2, y2 = sin x1 + cos x2. Channels past
// rotary_embedding_dim stay.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0), cos = node.input(1), sin = node.input(2);
  if (x.has_rank() && x.rank() != 3 && x.rank() != 4)
    return Error{Code::shape_mismatch, "the input has rank " + std::to_string(x.rank()) +
                                           "; expected [batch, head, sequence, channel] or [batch, sequence, hidden]"};
  if (x.has_rank() && x.rank() == 3) {
    const int64_t heads = node.integer("num_heads");
    if (heads <= 0) return Error{Code::invalid_model, "an input of rank 3 needs attribute 'num_heads'"};
    HEED_TRY(node.require_equal(modulo(x.dim(2), heads), 0, "hidden size modulo num_heads"));
  }
  if (node.integer("rotary_embedding_dim") < 0 || node.integer("rotary_embedding_dim") % 2 != 0)
    return Error{Code::invalid_model, "attribute 'rotary_embedding_dim' is " +
                                          std::to_string(node.integer("rotary_embedding_dim")) +
                                          "; expected an even number"};
  const bool positions = node.has_input(3);
  HEED_TRY(node.require_rank(1, positions ? 2 : 3));
  HEED_TRY(node.require_rank(2, positions ? 2 : 3));
  if (positions) HEED_TRY(node.require_rank(3, 2));
  if (x.has_rank() && cos.has_rank() && sin.has_rank()) {
    for (int32_t axis = 0; axis < cos.rank(); ++axis)
      HEED_TRY(node.require_equal(cos.dim(axis), sin.dim(axis), "cos_cache and sin_cache"));
    const Dim batch = x.dim(0), sequence = x.rank() == 4 ? x.dim(2) : x.dim(1);
    const Dim head = x.rank() == 4 ? x.dim(3) : floor_divide(x.dim(2), node.integer("num_heads", 1));
    const int64_t given = node.integer("rotary_embedding_dim");
    HEED_TRY(node.require_equal(cos.dim(-1) * 2, given ? Dim(given) : head,
                                "twice the width of cos_cache and the rotated channels"));
    if (positions && node.input(3).has_rank()) {
      HEED_TRY(node.require_equal(node.input(3).dim(0), batch, "batch of position_ids"));
      HEED_TRY(node.require_equal(node.input(3).dim(1), sequence, "sequence of position_ids"));
    } else if (!positions) {
      HEED_TRY(node.require_equal(cos.dim(0), batch, "batch of cos_cache"));
      HEED_TRY(node.require_equal(cos.dim(1), sequence, "sequence of cos_cache"));
    }
  }
  return like_input(node);
}

}  // namespace

extern const Operator rotary_embedding{
    .op_type = "RotaryEmbedding",
    .versions = {23},
    .inputs = {{"X", "T"}, {"cos_cache", "T"}, {"sin_cache", "T"}, {"position_ids", "M", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}, {"M", {DataType::i64}}},
    .attributes = {attribute("interleaved", 0), attribute("num_heads", 0), attribute("rotary_embedding_dim", 0)},
    .infer = infer};

}  // namespace heed::ops
