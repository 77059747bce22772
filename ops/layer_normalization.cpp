// LayerNormalization-17: over the axes from `axis` on, y = (x - mean) / sqrt(variance + epsilon) * scale + bias; the
// mean and 1 / sqrt(variance + epsilon) on request.
#include "normalization.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const auto x = node.input(0);
  HEED_TRY(like_input(node));
  const auto stash = static_cast<DataType>(node.integer("stash_type", 1));
  Dims rows;
  if (x.has_rank()) {
    HEED_ASSIGN(const int32_t axis, node.axis("axis", x.rank(), -1));
    rows.assign(x.dims().begin(), x.dims().end());
    for (int32_t i = axis; i < x.rank(); ++i) rows[i] = 1;
    for (const int32_t parameter : {1, 2}) {
      if (!node.has_input(parameter) || !node.input(parameter).has_rank()) continue;
      HEED_ASSIGN(const auto met, checked_broadcast(node, x.dims(), node.input(parameter).dims()));
      if (met.size() != x.dims().size())
        return Error{Code::shape_mismatch, "input " + std::to_string(parameter) + " " +
                                               text_of(node.input(parameter).dims()) +
                                               " has more axes than the input " + text_of(x.dims())};
    }
  }
  for (const int32_t output : {1, 2}) {
    if (!node.has_output(output)) continue;
    if (x.has_rank())
      HEED_TRY(node.set_output(output, stash, rows));
    else
      HEED_TRY(node.set_output(output, stash));
  }
  return {};
}

Result<GpuPlan> plan(Planning& node) { return plan_normalization(node, Normalization::layer); }

}  // namespace

extern const Operator layer_normalization{
    .op_type = "LayerNormalization",
    .versions = {17},
    .inputs = {{"X", "T"}, {"Scale", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}, {"Mean", "U", HEED_OPTIONAL_PARAMETER}, {"InvStdDev", "U", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float}, {"U", any_float}},
    .attributes = {attribute("axis", -1), attribute("epsilon", 1e-5f), attribute("stash_type", 1)},
    .infer = infer,
    .plan = plan,
    .bind = bind_normalization};

}  // namespace heed::ops
