// RoiAlign, MaxRoiPool: regions of images, each divided into bins of which one number becomes. RoiAlign takes the mean (or
// the greatest part) of samples between the elements, MaxRoiPool the greatest element.
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, rois_input, batch_input };

Result<void> infer(Inference& node, Dim height, Dim width, int64_t numbers_per_roi) {
  const auto x = node.input(x_input), rois = node.input(rois_input);
  HEED_TRY(node.require_rank(x_input, 4));
  HEED_TRY(node.require_rank(rois_input, 2));
  for (const Dim size : {height, width})
    if (size.number() < 1)
      return Error{Code::invalid_model, "a region has " + to_string(size) + " bins along an axis; expected 1 or more"};
  if (!x.has_rank() || !rois.has_rank()) return node.set_output(0, x.element());
  HEED_TRY(node.require_equal(rois.dim(1), numbers_per_roi, "numbers of a region"));
  return node.set_output(0, x.element(), Dims{rois.dim(0), x.dim(1), height, width});
}

Result<void> infer_align(Inference& node) {
  const auto mode = node.text("mode", "avg"), transformation = node.text("coordinate_transformation_mode");
  if (mode != "avg" && mode != "max")
    return Error{Code::invalid_model, "attribute 'mode' is '" + std::string(mode) + "'; expected avg or max"};
  if (!transformation.empty() && transformation != "half_pixel" && transformation != "output_half_pixel")
    return Error{Code::invalid_model,
                 "attribute 'coordinate_transformation_mode' is '" + std::string(transformation) + "'"};
  if (node.integer("sampling_ratio") < 0)
    return Error{Code::invalid_model,
                 "attribute 'sampling_ratio' is " + std::to_string(node.integer("sampling_ratio"))};
  HEED_TRY(node.require_rank(batch_input, 1));
  HEED_TRY(node.require_rank(rois_input, 2));
  if (node.input(batch_input).has_rank() && node.input(rois_input).has_rank())
    HEED_TRY(node.require_equal(node.input(batch_input).dim(0), node.input(rois_input).dim(0),
                                "regions and batch_indices"));
  return infer(node, node.integer("output_height"), node.integer("output_width"), 4);
}

Result<void> infer_max(Inference& node) {
  const auto shape = *node.integers("pooled_shape");
  if (shape.size() != 2)
    return Error{Code::invalid_model,
                 "attribute 'pooled_shape' has " + std::to_string(shape.size()) + " numbers; expected 2"};
  return infer(node, shape[0], shape[1], 5);
}

enum Way : uint32_t { mean_of_samples, greatest_part_of_samples, greatest_element };

// Mirrors shaders/roi_pooling.comp.
struct Parameters {
  uint32_t count, channel_count, bin_rows, bin_columns;
  int32_t batch_count, height, width, sampling_ratio;
  float spatial_scale, shift;
  int32_t x_offset, rois_offset, batch_offset, y_offset;
  int32_t x_strides[4];
};

// MaxRoiPool's regions tell their images themselves.
bool is_align(const NodeView& node) { return node.has_input(batch_input); }

Result<GpuPlan> plan(Planning& node) {
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::roi_pooling));
  const uint32_t way = !is_align(node)                         ? greatest_element
                       : node.text("mode", "avg") == "max" ? greatest_part_of_samples
                                                               : mean_of_samples;
  node.take_strided(x_input);
  return GpuPlan{.variants = {{"a bin a thread", shader, {{0, way}}}},
                 .bindings = {read(x_input), read(rois_input), read(is_align(node) ? batch_input : rois_input), write(0),
                              error_word()},
                 .error = is_align(node) ? "region {} is of an image that is not in the batch, or asks for more than "
                                           "16777216 samples"
                                         : "region {} is of an image that is not in the batch"};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), rois = node.input(rois_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(rois, "the regions"));
  HEED_TRY(check_addressable(y, "the output"));
  if (x.dim(0) == 0) return Error{Code::shape_mismatch, "there are regions, and no image"};
  const bool half_pixel =
      is_align(node) && node.version() >= 16 &&
      node.text("coordinate_transformation_mode", "half_pixel") == "half_pixel";
  const Parameters p{.count = static_cast<uint32_t>(y.count()),
                     .channel_count = static_cast<uint32_t>(y.dim(1)),
                     .bin_rows = static_cast<uint32_t>(y.dim(2)),
                     .bin_columns = static_cast<uint32_t>(y.dim(3)),
                     .batch_count = static_cast<int32_t>(x.dim(0)),
                     .height = static_cast<int32_t>(x.dim(2)),
                     .width = static_cast<int32_t>(x.dim(3)),
                     .sampling_ratio = static_cast<int32_t>(node.integer("sampling_ratio")),
                     .spatial_scale = node.number("spatial_scale"),
                     .shift = half_pixel ? 0.5f : 0.0f,
                     .x_offset = offset_of(x),
                     .rois_offset = offset_of(rois),
                     .batch_offset = is_align(node) ? offset_of(node.input(batch_input)) : 0,
                     .y_offset = offset_of(y),
                     .x_strides = {stride_of(x, 0), stride_of(x, 1), stride_of(x, 2), stride_of(x, 3)}};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

}  // namespace

extern const Operator roi_align{
    .op_type = "RoiAlign",
    .versions = {22, 16, 10},
    .inputs = {{"X", "T1"}, {"rois", "T1"}, {"batch_indices", "T2"}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", any_float}, {"T2", {DataType::i64}}},
    .attributes = {optional("coordinate_transformation_mode", HEED_ATTRIBUTE_STRING), attribute("mode", "avg"),
                   attribute("output_height", 1), attribute("output_width", 1), attribute("sampling_ratio", 0),
                   attribute("spatial_scale", 1.0f)},
    .infer = infer_align,
    .plan = plan,
    .bind = bind};

extern const Operator max_roi_pool{
    .op_type = "MaxRoiPool",
    .versions = {22, 1},
    .inputs = {{"X", "T"}, {"rois", "T"}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {required("pooled_shape", HEED_ATTRIBUTE_INTS), attribute("spatial_scale", 1.0f)},
    .infer = infer_max,
    .plan = plan,
    .bind = bind};

}  // namespace heed::ops
