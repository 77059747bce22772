// Softmax-13: y = exp(x - max) / sum(exp(x - max)) along one axis; before 13 over all axes from `axis` on, as one.
// LogSoftmax: its logarithm, x - max - log(sum(exp(x - max))).
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto input = node.input(0);
  const int64_t otherwise = node.version() < 13 ? 1 : -1;
  // Before 13 the axis may also be the rank: rows of one element.
  const bool past_the_end = node.version() < 13 && input.has_rank() && node.integer("axis", otherwise) == input.rank();
  if (input.has_rank() && !past_the_end) HEED_TRY(node.axis("axis", std::max(input.rank(), 1), otherwise));
  return like_input(node);
}

Operator softmax_like(std::string_view op_type) {
  return {.op_type = op_type,
          .versions = {13, 11, 1},
          .inputs = {{"input", "T"}},
          .outputs = {{"output", "T"}},
          .types = {{"T", any_float}},
          .attributes = {optional("axis", HEED_ATTRIBUTE_INT)},
          .infer = infer};
}

}  // namespace

extern const Operator softmax = softmax_like("Softmax");
extern const Operator log_softmax = softmax_like("LogSoftmax");

}  // namespace heed::ops
