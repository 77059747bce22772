// ai.onnx.ml TreeEnsemble-5: what the leaves weigh that a row of features comes to, in each tree, summed (or averaged, or
// the least, or the greatest) for each target.
#include "shapes.hpp"

namespace heed::ops {
namespace {

Result<void> infer(Inference& node) {
  const size_t node_count = node.integers("nodes_featureids")->size(), leaf_count = node.integers("leaf_targetids")->size();
  for (const char* name : {"nodes_truenodeids", "nodes_falsenodeids", "nodes_trueleafs", "nodes_falseleafs",
                           "nodes_missing_value_tracks_true"})
    if (const auto list = node.integers(name); list && list->size() != node_count)
      return Error{Code::invalid_model, "attribute '" + std::string(name) + "' has " + std::to_string(list->size()) +
                                            " numbers for " + std::to_string(node_count) + " nodes"};
  const auto check = [&](const char* name, size_t count) -> Result<void> {
    const auto tensor = node.tensor(name);
    if (tensor && tensor->count() == static_cast<int64_t>(count)) return {};
    return Error{Code::invalid_model, "attribute '" + std::string(name) + "' has " +
                                          std::to_string(tensor ? tensor->count() : 0) + " numbers; expected " +
                                          std::to_string(count)};
  };
  HEED_TRY(check("nodes_splits", node_count));
  HEED_TRY(check("nodes_modes", node_count));
  HEED_TRY(check("leaf_weights", leaf_count));
  const auto targets = *node.integers("leaf_targetids");
  const int64_t greatest = targets.empty() ? -1 : *std::max_element(targets.begin(), targets.end());
  const int64_t target_count = node.integer("n_targets", greatest + 1);
  if (greatest >= target_count || target_count < 1 || (leaf_count > 0 && *std::min_element(targets.begin(), targets.end()) < 0))
    return Error{Code::invalid_model,
                 "attribute 'leaf_targetids' names a target that is none of " + std::to_string(target_count)};
  const auto in_range = [&](const char* name, int64_t most) { return node.integer(name, 1) >= 0 && node.integer(name, 1) <= most; };
  if (!in_range("aggregate_function", 3) || !in_range("post_transform", 4))
    return Error{Code::invalid_model, "attribute 'aggregate_function' or 'post_transform' is none that is known"};
  HEED_TRY(node.require_rank(0, 2));
  const auto x = node.input(0);
  return node.set_output(0, x.element(), Dims{x.has_rank() ? x.dim(0) : node.fresh_symbol("batch"), target_count});
}

}  // namespace

extern const Operator tree_ensemble{
    .domain = "ai.onnx.ml",
    .op_type = "TreeEnsemble",
    .versions = {5},
    .inputs = {{"X", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", {DataType::f32, DataType::f64, DataType::f16}}},
    .attributes = {attribute("aggregate_function", 1), required("leaf_targetids", HEED_ATTRIBUTE_INTS),
                   required("leaf_weights", HEED_ATTRIBUTE_TENSOR), optional("membership_values", HEED_ATTRIBUTE_TENSOR),
                   optional("n_targets", HEED_ATTRIBUTE_INT), required("nodes_falseleafs", HEED_ATTRIBUTE_INTS),
                   required("nodes_falsenodeids", HEED_ATTRIBUTE_INTS), required("nodes_featureids", HEED_ATTRIBUTE_INTS),
                   optional("nodes_hitrates", HEED_ATTRIBUTE_TENSOR),
                   optional("nodes_missing_value_tracks_true", HEED_ATTRIBUTE_INTS),
                   required("nodes_modes", HEED_ATTRIBUTE_TENSOR), required("nodes_splits", HEED_ATTRIBUTE_TENSOR),
                   required("nodes_trueleafs", HEED_ATTRIBUTE_INTS), required("nodes_truenodeids", HEED_ATTRIBUTE_INTS),
                   attribute("post_transform", 0), required("tree_roots", HEED_ATTRIBUTE_INTS)},
    .infer = infer};

}  // namespace heed::ops
