// NegativeLogLikelihoodLoss: loss = -input[batch, target[batch, place], place] * weight[target[batch, place]], 0 where
// the target is ignore_index; then all of them, or their sum, or that by the sum of the weights met (reduction =
// "mean"). SoftmaxCrossEntropyLoss is the same of LogSoftmax(scores).
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { input_input, target_input, weight_input };

Result<void> check_reduction(const Inference& node) {
  const auto reduction = node.text("reduction");
  if (reduction == "none" || reduction == "sum" || reduction == "mean") return {};
  return Error{Code::invalid_model,
               "attribute 'reduction' is '" + std::string(reduction) + "'; expected 'none', 'sum' or 'mean'"};
}

// [batch, class, place...] and [batch, place...] and [class].
Result<void> infer(Inference& node) {
  HEED_TRY(check_reduction(node));
  const auto input = node.input(input_input), target = node.input(target_input);
  if (input.has_rank()) {
    if (input.rank() < 2)
      return Error{Code::shape_mismatch, "the input " + text_of(input.dims()) + " has no class axis"};
    HEED_TRY(node.require_rank(target_input, input.rank() - 1));
    for (int32_t axis = 0; target.has_rank() && axis < target.rank(); ++axis)
      HEED_TRY(node.require_equal(target.dim(axis), input.dim(axis == 0 ? 0 : axis + 1),
                                  "axis " + std::to_string(axis) + " of the target"));
  }
  if (node.has_input(weight_input) && node.input(weight_input).has_rank()) {
    HEED_TRY(node.require_rank(weight_input, 1));
    if (input.has_rank()) HEED_TRY(node.require_equal(node.input(weight_input).dim(0), input.dim(1), "the classes"));
  }
  if (node.text("reduction") != "none") return node.set_output(0, input.element(), Dims{});
  if (!target.has_rank()) return node.set_output(0, input.element());
  return node.set_output(0, input.element(), target.dims());
}

Result<void> infer_cross_entropy(Inference& node) {
  HEED_TRY(infer(node));
  return node.has_output(1) ? node.set_output(1, node.input(input_input)) : Result<void>();
}

// ---- on the GPU -----------------------------------------------------------------------------------------------------

// Mirrors shaders/negative_log_likelihood_loss.comp.
struct Parameters {
  uint32_t count, class_count, place_count, words_per_target;
  uint32_t part_count, has_weight, has_ignored;
  int32_t ignored;
  int32_t input_offset, target_offset, weight_offset, y_offset;
};

enum { each, parts, join };  // the shader's constant 0, and the variants

constexpr int64_t threads = 128;
// Losses that a workgroup adds up, at least, and how many workgroups there are at most; untuned.
constexpr int64_t least_part_length = 2048, most_parts = 256;

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::negative_log_likelihood_loss));
  const auto variant = [&](const char* name, uint32_t step) {
    return Variant{name, shader, {{0, step}, {1, node.text("reduction") == "mean"}}};
  };
  return GpuPlan{
      .variants = {variant("each loss", each), variant("sums of parts", parts), variant("sums joined", join)},
      .bindings = {read(input_input), read(target_input),
                   read(node.has_input(weight_input) ? weight_input : input_input), write(0), scratch(), error_word()},
      .error = "element {} of the target is neither a class nor ignored"};
}

Result<Launch> bind(const Binding& node) {
  const auto input = node.input(input_input), target = node.input(target_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(input, "the input"));
  const int64_t count = target.count();
  const bool has_weight = node.has_input(weight_input), is_each = node.text("reduction") == "none";
  if (count > 0 && input.dim(1) == 0) return Error{Code::shape_mismatch, "there are no classes"};
  const auto ignored = node.integer("ignore_index");
  const Parameters p{
      .count = static_cast<uint32_t>(count),
      .class_count = static_cast<uint32_t>(input.dim(1)),
      .place_count = static_cast<uint32_t>(input.count(2, input.rank())),
      .words_per_target = target.element() == DataType::i64 ? 2u : 1u,
      .part_count = static_cast<uint32_t>(std::clamp<int64_t>(count / least_part_length, count > 0, most_parts)),
      .has_weight = has_weight,
      .has_ignored = node.has_attribute("ignore_index"),
      .ignored = static_cast<int32_t>(std::clamp<int64_t>(ignored, INT32_MIN, INT32_MAX)),
      .input_offset = offset_of(input),
      .target_offset = offset_of(target),
      .weight_offset = has_weight ? offset_of(node.input(weight_input)) : 0,
      .y_offset = offset_of(y)};
  Launch launch;
  launch.scratch_bytes = std::max<size_t>(p.part_count, 1) * 2 * sizeof(float);
  if (is_each) launch.dispatches = {{each, bytes_of(p), {workgroups_for(count, threads), 1, 1}}};
  if (!is_each && count > 0) launch.dispatches = {{parts, bytes_of(p), {p.part_count, 1, 1}}};
  if (!is_each) launch.dispatches.push_back({join, bytes_of(p), {1, 1, 1}});
  return launch;
}

constexpr Types index_types{DataType::i32, DataType::i64};

}  // namespace

extern const Operator negative_log_likelihood_loss{
    .op_type = "NegativeLogLikelihoodLoss",
    .versions = {22, 13, 12},
    .inputs = {{"input", "T"}, {"target", "Tind"}, {"weight", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"loss", "T"}},
    .types = {{"T", any_float}, {"Tind", index_types}},
    .attributes = {attribute("reduction", "mean"), optional("ignore_index", HEED_ATTRIBUTE_INT)},
    .infer = infer,
    .plan = plan,
    .bind = bind};

extern const Operator softmax_cross_entropy_loss{
    .op_type = "SoftmaxCrossEntropyLoss",
    .versions = {13, 12},
    .inputs = {{"scores", "T"}, {"labels", "Tind"}, {"weights", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"output", "T"}, {"log_prob", "T", HEED_OPTIONAL_PARAMETER}},
    .types = {{"T", any_float}, {"Tind", index_types}},
    .attributes = {attribute("reduction", "mean"), optional("ignore_index", HEED_ATTRIBUTE_INT)},
    .body =
        "log_prob = LogSoftmax<axis = 1>(scores); output = NegativeLogLikelihoodLoss<reduction = @reduction, "
        "ignore_index = @ignore_index>(log_prob, labels, weights)",
    .infer = infer_cross_entropy};

}  // namespace heed::ops
