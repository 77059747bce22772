// CenterCropPad: the middle of the input, or zeros around it, along each of the axes.
#include "pick.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto shape = run.input(1).integers();
  const auto axes = run.integers("axes");
  if (shape.size() != (axes ? axes->size() : x.dims().size()))
    return Error{Code::shape_mismatch, "the shape has " + std::to_string(shape.size()) + " sizes"};
  std::vector<int64_t> dims(x.dims().begin(), x.dims().end());
  for (size_t i = 0; i < shape.size(); ++i) {
    HEED_ASSIGN(const int32_t axis,
                NodeView::checked_axis(axes ? (*axes)[i] : static_cast<int64_t>(i), x.rank(), "axes"));
    if (shape[i] < 0) return Error{Code::invalid_argument, "the shape has a size of " + std::to_string(shape[i])};
    dims[static_cast<size_t>(axis)] = shape[i];
  }
  HEED_ASSIGN(const auto y, run.allocate(0, dims));  // what there is no room for needs no places
  if (y.count() == 0) return {};
  Places places;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    const int64_t size = x.dims()[axis], begin = (dims[axis] - size) / 2;  // towards zero: what is odd is behind
    auto& along = places.emplace_back();
    for (int64_t at = -begin; at < dims[axis] - begin; ++at) along.push_back(at >= 0 && at < size ? at : nothing);
  }
  return pick_elements(run, x, places);
}

}  // namespace

extern const CpuKernel center_crop_pad{.op_type = "CenterCropPad", .run = run};

}  // namespace heed::cpu
