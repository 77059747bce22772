// Reshape, Flatten, Squeeze, Unsqueeze, Identity, BitCast as plain copies, for where the plan cannot make them views:
// the new shape is known only now, or the value is a sequence.
#include "move.hpp"

namespace heed::cpu {
namespace {

using Sizes = std::vector<int64_t>;

bool has_dims(const TensorView& tensor) { return tensor.c.rank >= 0 && tensor.present(); }

// The wished shape with 0 (kept) and -1 (what is left) replaced.
Result<void> run_reshape(Running& run) {
  const auto in = run.input(0);
  if (has_dims(run.output(0))) return copy_as(run, run.output(0).dims());
  Sizes dims;
  if (const auto attribute = run.integers("shape"))  // Reshape-1
    dims.assign(attribute->begin(), attribute->end());
  else
    dims = run.input(1).integers();
  int64_t rest = 1, open = -1;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 0 && run.integer("allowzero") == 0) {
      if (axis >= in.dims().size())
        return Error{Code::shape_mismatch, "axis " + std::to_string(axis) + " is to be kept, but the input has none"};
      dims[axis] = in.dims()[axis];
    }
    if (dims[axis] < -1) return Error{Code::shape_mismatch, "the shape has a size of " + std::to_string(dims[axis])};
    if (dims[axis] == -1) {
      if (open >= 0) return Error{Code::shape_mismatch, "the shape has more than one -1"};
      open = static_cast<int64_t>(axis);
    } else if (__builtin_mul_overflow(rest, dims[axis], &rest)) {
      return Error{Code::shape_mismatch, "the shape has more than 2^63 elements"};
    }
  }
  if (open >= 0) {
    if (rest == 0 || in.count() % rest != 0)
      return Error{Code::shape_mismatch,
                   std::to_string(in.count()) + " elements do not divide by " + std::to_string(rest)};
    dims[static_cast<size_t>(open)] = in.count() / rest;
  } else if (rest != in.count()) {
    return Error{Code::shape_mismatch,
                 "the input has " + std::to_string(in.count()) + " elements, the shape " + std::to_string(rest)};
  }
  return copy_as(run, dims);
}

Result<void> run_flatten(Running& run) {
  const auto in = run.input(0);
  const int64_t given = run.integer("axis", 1);
  const auto axis = static_cast<int32_t>(given < 0 ? given + in.rank() : given);
  if (axis < 0 || axis > in.rank())
    return Error{Code::shape_mismatch,
                 "there is no axis " + std::to_string(given) + " in a tensor of rank " + std::to_string(in.rank())};
  return copy_as(run, Sizes{in.count(0, axis), in.count(axis, in.rank())});
}

// The axes, as the attribute or the input tells, within [0, rank).
Result<std::optional<std::vector<bool>>> axes_of(const Running& run, int64_t rank_of_node, bool added) {
  Sizes axes;
  if (const auto attribute = run.integers("axes"))
    axes.assign(attribute->begin(), attribute->end());
  else if (run.input(1).present())
    axes = run.input(1).integers();
  else
    return std::optional<std::vector<bool>>();
  const int64_t rank = rank_of_node + (added ? static_cast<int64_t>(axes.size()) : 0);
  std::vector<bool> chosen(static_cast<size_t>(rank));
  for (const auto given : axes) {
    HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(given, static_cast<int32_t>(rank), "axes"));
    chosen[static_cast<size_t>(axis)] = true;
  }
  return std::optional(std::move(chosen));
}

Result<void> run_squeeze(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const auto dropped, axes_of(run, in.rank(), false));
  Sizes dims;
  for (int32_t axis = 0; axis < in.rank(); ++axis) {
    const bool drop = dropped ? (*dropped)[static_cast<size_t>(axis)] : in.dim(axis) == 1;
    if (drop && in.dim(axis) != 1)
      return Error{Code::shape_mismatch, "squeezed axis " + std::to_string(axis) + " has " +
                                             std::to_string(in.dim(axis)) + " elements; expected 1"};
    if (!drop) dims.push_back(in.dim(axis));
  }
  return copy_as(run, dims);
}

Result<void> run_unsqueeze(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const auto added, axes_of(run, in.rank(), true));
  if (!added) return Error{Code::invalid_model, "the axes are missing"};
  Sizes dims;
  int32_t from = 0;
  for (const bool is_new : *added) {
    if (!is_new && from >= in.rank()) return Error{Code::invalid_model, "an axis is named twice"};
    dims.push_back(is_new ? 1 : in.dim(from++));
  }
  return copy_as(run, dims);
}

Result<void> run_identity(Running& run) {
  if (run.NodeView::input(0).is_tensor()) return copy_as(run, run.input(0).dims());
  return run.set_output(0, run.input_value(0));
}

Result<void> run_bit_cast(Running& run) { return copy_as(run, run.input(0).dims()); }

}  // namespace

extern const CpuKernel reshape{.op_type = "Reshape", .run = run_reshape};
extern const CpuKernel flatten{.op_type = "Flatten", .run = run_flatten};
extern const CpuKernel squeeze{.op_type = "Squeeze", .run = run_squeeze};
extern const CpuKernel unsqueeze{.op_type = "Unsqueeze", .run = run_unsqueeze};
extern const CpuKernel identity{.op_type = "Identity", .run = run_identity};
extern const CpuKernel bit_cast{.op_type = "BitCast", .run = run_bit_cast};

}  // namespace heed::cpu
