// NegativeLogLikelihoodLoss: loss = -input[batch, target, place] * weight[target], 0 where the target is ignored. Sums
// are of f64, in the order of the target.
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <class T>
Result<void> run_of(const Running& run, const TensorView& out) {
  const auto input = run.input(0), target = run.input(1), weight = run.input(2);
  const int64_t class_count = input.dim(1), place_count = input.count(2, input.rank());
  const bool has_ignored = run.has_attribute("ignore_index");
  const int64_t ignored = run.integer("ignore_index");
  const auto reduction = run.text("reduction", "mean");
  double loss_sum = 0, weight_sum = 0;
  for (int64_t i = 0; i < target.count(); ++i) {
    const auto chosen = read_element<int64_t>(target, i);
    const bool counts = !has_ignored || chosen != ignored;
    if (counts && (chosen < 0 || chosen >= class_count))
      return Error{Code::invalid_argument, "element " + std::to_string(i) + " of the target is " +
                                               std::to_string(chosen) + "; there are " + std::to_string(class_count) +
                                               " classes"};
    const T own_weight = !counts ? 0 : weight.present() ? read_element<T>(weight, chosen) : 1;
    const int64_t at = (i / place_count * class_count + chosen) * place_count + i % place_count;
    const T loss = counts ? -read_element<T>(input, at) * own_weight : 0;
    if (reduction == "none") write_elements(out.element(), &loss, 1, out.c.data, i);
    loss_sum += static_cast<double>(loss);
    weight_sum += static_cast<double>(own_weight);
  }
  if (reduction == "none") return {};
  const double y = reduction == "mean" ? loss_sum / weight_sum : loss_sum;
  write_elements(out.element(), &y, 1, out.c.data, 0);
  return {};
}

Result<void> run(Running& run) {
  const auto input = run.input(0), target = run.input(1), weight = run.input(2);
  const auto dims = target.dims();
  bool fits = input.rank() >= 2 && target.rank() == input.rank() - 1;
  for (int32_t axis = 0; fits && axis < target.rank(); ++axis)
    fits = target.dim(axis) == input.dim(axis == 0 ? 0 : axis + 1);
  if (!fits) return Error{Code::shape_mismatch, "the target has not the shape of the input without its classes"};
  if (weight.present() && weight.count() != input.dim(1))
    return Error{Code::shape_mismatch, "there are " + std::to_string(weight.count()) + " weights for " +
                                           std::to_string(input.dim(1)) + " classes"};
  HEED_ASSIGN(const auto out, run.allocate(0, run.text("reduction", "mean") == "none" ? dims : dims.first(0)));
  return dispatch_float(out.element(), [&]<class T>(T) { return run_of<T>(run, out); });
}

}  // namespace

extern const CpuKernel negative_log_likelihood_loss{.op_type = "NegativeLogLikelihoodLoss", .run = run};

}  // namespace heed::cpu
