// com.microsoft.EmbedLayerNormalization: LayerNormalization of the sum of rows of three tables, of words by input_ids,
// of positions by position_ids (else 0, 1, ... along the sequence), of segments by segment_ids. mask_index counts the
// ones of each row of the mask. A rewrite lowers it.
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { input_ids, segment_ids, word_embedding, position_embedding, segment_embedding, gamma, beta, mask, position_ids };
enum { y_output, mask_index_output, sum_output };

Result<void> infer(Inference& node) {
  const auto ids = node.input(input_ids), words = node.input(word_embedding);
  if (node.has_input(segment_ids) != node.has_input(segment_embedding))
    return Error{Code::invalid_model, "segment_ids and segment_embedding come together"};
  HEED_TRY(node.require_rank(input_ids, 2));
  for (const int32_t table : {word_embedding, position_embedding, segment_embedding})
    if (node.has_input(table)) HEED_TRY(node.require_rank(table, 2));
  for (const int32_t parameter : {gamma, beta}) HEED_TRY(node.require_rank(parameter, 1));
  for (const int32_t like_ids : {segment_ids, mask, position_ids})
    if (node.has_input(like_ids)) HEED_TRY(node.require_rank(like_ids, 2));
  if (!ids.has_rank() || !words.has_rank()) return node.set_output(y_output, words.element());
  const Dim batch = ids.dim(0), sequence = ids.dim(1), width = words.dim(1);
  for (const int32_t wide : {position_embedding, segment_embedding, gamma, beta})
    if (node.has_input(wide) && node.input(wide).has_rank())
      HEED_TRY(node.require_equal(node.input(wide).dim(-1), width,
                                  "widths of input " + std::to_string(wide) + " and the words"));
  for (const int32_t like_ids : {segment_ids, mask, position_ids}) {
    if (!node.has_input(like_ids) || !node.input(like_ids).has_rank()) continue;
    const auto dims = node.input(like_ids).dims();
    const std::string what = " of input_ids and input " + std::to_string(like_ids);
    if (!(like_ids == position_ids && dims[0].is_number(1)))
      HEED_TRY(node.require_equal(dims[0], batch, "batches" + what));
    HEED_TRY(node.require_equal(dims[1], sequence, "lengths" + what));
  }
  const Dims dims{batch, sequence, width};
  HEED_TRY(node.set_output(y_output, words.element(), dims));
  if (node.has_output(mask_index_output)) HEED_TRY(node.set_output(mask_index_output, DataType::i32, Dims{batch}));
  if (node.has_output(sum_output)) HEED_TRY(node.set_output(sum_output, words.element(), dims));
  return {};
}

bool lower(Match& match) {
  match.set("epsilon", match.node("y").number("epsilon"));
  std::string text = "words = Gather(word_embedding, input_ids);";
  // Without ids of their own positions are the first rows of their table, as many as the sequence is long.
  text += match.type("position_ids") ? "positions = Gather(position_embedding, position_ids);"
                                     : "positions = Gather(position_embedding, Range(Constant<value_int = 0>(), "
                                       "Squeeze(Shape<start = 1>(input_ids)), Constant<value_int = 1>()));";
  // Which sizes are equal may be known to the run alone; the sum has the shape of the words.
  text += match.type("segment_ids")
              ? "sum = Reshape(Add(Add(words, positions), Gather(segment_embedding, segment_ids)), Shape(words));"
              : "sum = Reshape(Add(words, positions), Shape(words));";
  text += match.type("mask") ? "mask_index = ReduceSum<keepdims = 0>(Cast<to = 6>(Equal(mask, Cast<to = 6>(Constant<"
                               "value_int = 1>()))), Constant<value_ints = [1]>());"
                             : "mask_index = ConstantOfShape<value = int32[1] {0}>(Shape<end = 1>(input_ids));";
  match.replace_by(text + "y = LayerNormalization<epsilon = @epsilon>(sum, gamma, beta)");
  return true;
}

}  // namespace

extern const Operator embed_layer_normalization{
    .domain = "com.microsoft",
    .op_type = "EmbedLayerNormalization",
    .inputs = {{"input_ids", "I"},
               {"segment_ids", "I", HEED_OPTIONAL_PARAMETER},
               {"word_embedding", "T"},
               {"position_embedding", "T"},
               {"segment_embedding", "T", HEED_OPTIONAL_PARAMETER},
               {"gamma", "T"},
               {"beta", "T"},
               {"mask", "I", HEED_OPTIONAL_PARAMETER},
               {"position_ids", "I", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"},
                {"mask_index", "I", HEED_OPTIONAL_PARAMETER},
                {"embedding_sum", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float}, {"I", {DataType::i32}}},
    .attributes = {attribute("epsilon", 1e-12f), attribute("mask_index_type", 0)},
    .infer = infer};

extern const Rewrite embed_layer_normalization_lowered{
    .name = "embed_layer_normalization",
    .patterns = {"y, mask_index, sum = com.microsoft.EmbedLayerNormalization(input_ids, segment_ids, word_embedding, "
                 "position_embedding, segment_embedding, gamma, beta, mask, position_ids)"},
    .replacement = "",
    .accept = lower};

}  // namespace heed::ops
