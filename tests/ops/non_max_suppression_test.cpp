// NonMaxSuppression: boxes by hand.
#include <catch2/catch.hpp>

#include "cases.hpp"

namespace heed::test {
namespace {

// Two pairs that overlap by 9 of 11 parts, and one box alone; [y, x, y, x].
const Tensor boxes = f32({1, 5, 4}, {0, 0, 1, 1, 0, 0.1, 1, 1.1, 0, 10, 1, 11, 0, 10.1, 1, 11.1, 5, 5, 6, 6});
const Tensor scores = f32({1, 1, 5}, {0.5, 0.9, 0.8, 0.7, 0.1});
const Tensor ten = i64({1}, {10});

Tensors limits(Tensor boxes_in, Tensor scores_in, Tensor most, double iou) {
  return {std::move(boxes_in), std::move(scores_in), std::move(most), f32({1}, {iou})};
}
Tensors limits(Tensor boxes_in, Tensor scores_in, Tensor most, double iou, double score) {
  return {std::move(boxes_in), std::move(scores_in), std::move(most), f32({1}, {iou}), f32({1}, {score})};
}
Tensor rows(const std::vector<double>& numbers) { return i64({std::ssize(numbers) / 3, 3}, numbers); }

const std::vector<Case> cases = {
    {"the better of each pair", limits(boxes, scores, ten, 0.5), {rows({0, 0, 1, 0, 0, 2, 0, 0, 4})}},
    {"none overlaps by so much",
     limits(boxes, scores, ten, 0.9),
     {rows({0, 0, 1, 0, 0, 2, 0, 0, 3, 0, 0, 0, 0, 0, 4})}},
    {"the best two", limits(boxes, scores, i64({}, {2}), 0.5), {rows({0, 0, 1, 0, 0, 2})}},
    {"with more than a score", limits(boxes, scores, ten, 0.5, 0.1), {rows({0, 0, 1, 0, 0, 2})}},
    {"no limit given is none at all", {boxes, scores}, {i64({0, 3}, {})}},
    {"no threshold: whatever touches", {boxes, scores, ten}, {rows({0, 0, 1, 0, 0, 2, 0, 0, 4})}},
    {"equal scores and boxes: the first",
     limits(f32({1, 2, 4}, {0, 0, 1, 1, 0, 0, 1, 1}), f32({1, 1, 2}, {0.5, 0.5}), ten, 0.5),
     {rows({0, 0, 0})}},
    {"just the threshold is not above it",
     limits(f32({1, 2, 4}, {0, 0, 1, 2, 0, 1, 1, 2}), f32({1, 1, 2}, {0.5, 0.4}), ten, 0.5),
     {rows({0, 0, 0, 0, 0, 1})}},
    {"corners the other way round",
     limits(f32({1, 2, 4}, {1, 1, 0, 0, 0, 1, 1, 0.1}), f32({1, 1, 2}, {0.5, 0.4}), ten, 0.5),
     {rows({0, 0, 0})}},
    {"center and size",
     limits(f32({1, 2, 4}, {0.5, 0.5, 1, 1, 0.6, 0.5, 1, 1}), f32({1, 1, 2}, {0.4, 0.5}), ten, 0.5),
     {rows({0, 0, 1})},
     0,
     "center_point_box = 1"},
    {"batches and classes",
     limits(f32({2, 2, 4}, {0, 0, 1, 1, 3, 3, 4, 4, 0, 0, 1, 1, 0, 0, 1, 1}), f32({2, 2, 2}, {1, 2, 4, 3, 1, 2, 4, 3}),
            ten, 0.5),
     {rows({0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0})}},
    {"scores that are no numbers",
     limits(boxes, f32({1, 1, 5}, {nan, 0.9, nan, 0.7, nan}), ten, 0.5),
     {rows({0, 0, 1, 0, 0, 3})}},
    {"no boxes", limits(f32({1, 0, 4}, {}), f32({1, 1, 0}, {}), ten, 0.5), {i64({0, 3}, {})}},
};

}  // namespace

HEED_TEST_OPERATOR("NonMaxSuppression", cases)

TEST_CASE("NonMaxSuppression refuses boxes that do not fit") {
  check_refused("NonMaxSuppression", {"", {boxes, f32({1, 1, 4}, {1, 1, 1, 1})}, {rows({})}}, "boxes and their scores");
  check_refused("NonMaxSuppression", {"", {boxes, scores}, {rows({})}, 0, "center_point_box = 2"}, "center_point_box");
}

}  // namespace heed::test
