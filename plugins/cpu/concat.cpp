// Concat: copies each input to its place along the axis.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto first = run.input(0);
  HEED_ASSIGN(const int32_t axis, run.axis("axis", first.rank(), 1));
  std::vector<int64_t> dims(first.dims().begin(), first.dims().end());
  for (int32_t i = 1; i < run.input_count(); ++i) {
    const auto in = run.input(i);
    HEED_TRY(check_rank(run, i, first.rank()));
    for (int32_t k = 0; k < in.rank(); ++k)
      if (k != axis && in.dim(k) != first.dim(k))
        return Error{Code::shape_mismatch, "axis " + std::to_string(k) + " of inputs 0 and " + std::to_string(i) +
                                               ": " + std::to_string(first.dim(k)) + " and " +
                                               std::to_string(in.dim(k)) + " differ"};
    dims[static_cast<size_t>(axis)] += in.dim(axis);
  }
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  int64_t begin = 0;
  for (int32_t i = 0; i < run.input_count(); ++i) {
    const auto in = run.input(i);
    move_elements(run, in.element(), in.dims(), {in.c.data, in.strides()},
                  {out.c.data, out.strides(), begin * out.stride(axis)});
    begin += in.dim(axis);
  }
  own_texts(run, 0, out);
  return {};
}

Result<void> plan(Planning& node) {
  for (int32_t i = 0; i < node.input_count(); ++i) node.take_strided(i);
  node.keep_channels_last();
  return {};
}

}  // namespace

extern const CpuKernel concat{.op_type = "Concat", .plan = plan, .run = run};

}  // namespace heed::cpu
