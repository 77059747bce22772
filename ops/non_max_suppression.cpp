// NonMaxSuppression-11: of the boxes of each batch and class the best, one after the other, without those that overlap
// a better one by more than iou_threshold: rows [batch, class, box].
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { boxes_input, scores_input, most_input, iou_input, score_input };

Result<void> infer(Inference& node) {
  const int64_t centers = node.integer("center_point_box");
  if (centers != 0 && centers != 1)
    return Error{Code::invalid_model,
                 "attribute 'center_point_box' is " + std::to_string(centers) + "; expected 0 or 1"};
  const auto boxes = node.input(boxes_input), scores = node.input(scores_input);
  for (const int32_t input : {boxes_input, scores_input}) HEED_TRY(node.require_rank(input, 3));
  if (boxes.has_rank()) HEED_TRY(node.require_equal(boxes.dim(2), 4, "numbers of a box"));
  if (boxes.has_rank() && scores.has_rank()) {
    HEED_TRY(node.require_equal(boxes.dim(0), scores.dim(0), "batch of boxes and scores"));
    HEED_TRY(node.require_equal(boxes.dim(1), scores.dim(2), "boxes and their scores"));
  }
  const Dim most = scores.has_rank() ? count_of(scores.dims()) : Dim(std::numeric_limits<int64_t>::max());
  return node.set_output(0, DataType::i64, Dims{node.fresh_symbol("selected", most), 3});
}

}  // namespace

extern const Operator non_max_suppression{.op_type = "NonMaxSuppression",
                                          .versions = {11, 10},
                                          .inputs = {{"boxes", "F"},
                                                     {"scores", "F"},
                                                     {"max_output_boxes_per_class", "I", HEED_OPTIONAL_PARAMETER},
                                                     {"iou_threshold", "F", HEED_OPTIONAL_PARAMETER},
                                                     {"score_threshold", "F", HEED_OPTIONAL_PARAMETER}},
                                          .outputs = {{"selected_indices", "I"}},
                                          .types = {{"F", {DataType::f32}}, {"I", {DataType::i64}}},
                                          .attributes = {attribute("center_point_box", 0)},
                                          .infer = infer};

}  // namespace heed::ops
