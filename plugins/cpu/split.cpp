// Split as copies of the parts.
#include "move.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const int32_t axis, run.axis("axis", in.rank()));
  std::vector<int64_t> parts;
  if (const auto attribute = run.integers("split")) {
    parts.assign(attribute->begin(), attribute->end());
  } else if (run.input(1).present()) {
    parts = run.input(1).integers();
  } else {
    const int64_t count = run.integer("num_outputs", run.output_count()), part = (in.dim(axis) + count - 1) / count;
    parts.assign(static_cast<size_t>(count - 1), part);
    parts.push_back(in.dim(axis) - (count - 1) * part);
  }
  int64_t begin = 0;
  std::vector<int64_t> dims(in.dims().begin(), in.dims().end());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] < 0 || parts[i] > in.dim(axis) - begin)
      return Error{Code::shape_mismatch, "the parts do not sum up to the " + std::to_string(in.dim(axis)) +
                                             " elements of axis " + std::to_string(axis)};
    const auto output = static_cast<int32_t>(i);
    dims[static_cast<size_t>(axis)] = parts[i];
    if (output < run.output_count() && run.has_output(output)) {
      HEED_ASSIGN(const auto out, run.allocate(output, dims));
      move_elements(run, in.element(), dims, {in.c.data, in.strides(), begin * in.stride(axis)},
                    {out.c.data, out.strides()});
      own_texts(run, output, out);
    }
    begin += parts[i];
  }
  if (begin != in.dim(axis))
    return Error{Code::shape_mismatch, "the parts sum up to " + std::to_string(begin) + ", axis " +
                                           std::to_string(axis) + " has " + std::to_string(in.dim(axis)) + " elements"};
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  return {};
}

}  // namespace

extern const CpuKernel split{.op_type = "Split", .plan = plan, .run = run};

}  // namespace heed::cpu
