// NonMaxSuppression: of each batch and class the best boxes, in order, of equal ones the first, without those whose
// intersection with a better one is more than iou_threshold of their union.
#include <algorithm>
#include <cmath>

#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

enum { boxes_input, scores_input, most_input, iou_input, score_input };

struct Box {
  float left, right, low, high;
  float area() const { return (right - left) * (high - low); }
};

// [y, x, y, x] of two opposite corners, or the center and the sizes.
Box box_of(const float* numbers, bool by_center) {
  if (by_center)
    return {numbers[0] - numbers[2] / 2, numbers[0] + numbers[2] / 2, numbers[1] - numbers[3] / 2,
            numbers[1] + numbers[3] / 2};
  const auto [left, right] = std::minmax(numbers[1], numbers[3]);
  const auto [low, high] = std::minmax(numbers[0], numbers[2]);
  return {left, right, low, high};
}

bool overlap(const Box& a, const Box& b, float threshold) {
  const float width = std::min(a.right, b.right) - std::max(a.left, b.left),
              height = std::min(a.high, b.high) - std::max(a.low, b.low);
  if (!(width > 0) || !(height > 0) || !(a.area() > 0) || !(b.area() > 0)) return false;
  const float shared = width * height, all = a.area() + b.area() - shared;
  return all > 0 && shared / all > threshold;
}

Result<void> run(Running& run) {
  const auto boxes = run.input(boxes_input), scores = run.input(scores_input);
  if (boxes.rank() != 3 || scores.rank() != 3 || boxes.dim(2) != 4 || boxes.dim(0) != scores.dim(0) ||
      boxes.dim(1) != scores.dim(2))
    return Error{Code::shape_mismatch, "boxes and scores do not fit; expected [batch, box, 4] and [batch, class, box]"};
  const auto number = [&](int32_t input, float otherwise) {
    const auto tensor = run.input(input);
    return tensor.present() && tensor.count() > 0 ? tensor.data<float>()[0] : otherwise;
  };
  const auto limit = run.input(most_input);
  const int64_t most = limit.present() && limit.count() > 0 ? std::max<int64_t>(limit.data<int64_t>()[0], 0) : 0;
  const float iou_threshold = number(iou_input, 0);
  const bool has_least = run.input(score_input).present() && run.input(score_input).count() > 0;
  const float least = number(score_input, 0);
  const int64_t classes = scores.dim(1), count = boxes.dim(1);
  const bool by_center = run.integer("center_point_box") != 0;

  std::vector<std::vector<int64_t>> selected(static_cast<size_t>(boxes.dim(0) * classes));
  run.parallel_for(boxes.dim(0) * classes, 1, [&](int64_t begin, int64_t end) {
    std::vector<int64_t> order;
    std::vector<Box> kept;
    for (int64_t list = begin; list < end && most > 0; ++list) {
      const float* score = scores.data<float>() + list * count;
      const float* of_batch = boxes.data<float>() + list / classes * count * 4;
      order.clear();
      kept.clear();
      for (int64_t i = 0; i < count; ++i)
        if (has_least ? score[i] > least : !std::isnan(score[i])) order.push_back(i);
      std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) { return score[a] > score[b]; });
      for (const int64_t i : order) {
        if (std::ssize(kept) == most) break;
        const Box box = box_of(of_batch + i * 4, by_center);
        if (std::any_of(kept.begin(), kept.end(),
                        [&](const Box& better) { return overlap(box, better, iou_threshold); }))
          continue;
        kept.push_back(box);
        selected[static_cast<size_t>(list)].push_back(i);
      }
    }
  });
  int64_t all = 0;
  for (const auto& list : selected) all += std::ssize(list);
  HEED_ASSIGN(const auto y, run.allocate(0, std::array<int64_t, 2>{all, 3}));
  auto* to = y.data<int64_t>();
  for (size_t list = 0; list < selected.size(); ++list)
    for (const int64_t box : selected[list])
      for (const int64_t number_of_row :
           {static_cast<int64_t>(list) / classes, static_cast<int64_t>(list) % classes, box})
        *to++ = number_of_row;
  return {};
}

}  // namespace

extern const CpuKernel non_max_suppression{.op_type = "NonMaxSuppression", .run = run};

}  // namespace heed::cpu
