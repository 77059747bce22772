// RMSNormalization-23: over the axes from `axis` on, y = x / sqrt(mean(x^2) + epsilon) * scale.
#include "normalization.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0), scale = node.input(1);
  if (x.has_rank()) {
    HEED_TRY(node.axis("axis", x.rank(), -1));
    if (scale.has_rank()) {
      HEED_ASSIGN(const auto met, checked_broadcast(node, x.dims(), scale.dims()));
      if (met.size() != x.dims().size())
        return Error{Code::shape_mismatch,
                     "scale " + text_of(scale.dims()) + " has more axes than the input " + text_of(x.dims())};
    }
  }
  return like_input(node, scale.has_element() ? scale.element() : x.element());
}

Result<GpuPlan> plan(Planning& node) { return plan_normalization(node, Normalization::rms); }

}  // namespace

extern const Operator rms_normalization{
    .op_type = "RMSNormalization",
    .versions = {23},
    .inputs = {{"X", "T"}, {"scale", "V"}},
    .outputs = {{"Y", "V"}},
    .types = {{"T", any_float}, {"V", any_float}},
    .attributes = {attribute("axis", -1), attribute("epsilon", 1e-5f), attribute("stash_type", 1)},
    .infer = infer,
    .plan = plan,
    .bind = bind_normalization};

}  // namespace heed::ops
