// Resize-19, and Upsample, which is its older form: each element of the output is a weighted sum of some of the input,
// the product of what heed/resize.hpp tells for each axis.
#include "heed/resize.hpp"

#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {
namespace {

enum { x_input, roi_input, scales_input, sizes_input };

// Version 10 and Upsample have no region before the scales.
int32_t scales_place(const NodeView& node) { return node.version() >= 11 ? scales_input : 1; }
bool has_sizes(const NodeView& node) { return node.version() >= 11 && node.has_input(sizes_input); }

Result<std::vector<int32_t>> axes_of(const NodeView& node, int32_t rank) {
  if (const auto axes = node.integers("axes")) return checked_axes(*axes, rank, "axes");
  std::vector<int32_t> all;
  for (int32_t axis = 0; axis < rank; ++axis) all.push_back(axis);
  return all;
}

// nullopt: the run tells, or there are none.
std::optional<std::vector<float>> scales_of(const NodeView& node) {
  if (auto scales = scales_in_attributes(node); !scales.empty()) return scales;
  const int32_t place = scales_place(node);
  if (!node.has_input(place)) return std::nullopt;
  const auto constant = node.constant(place);
  if (!constant || constant->element() != DataType::f32 || constant->count() == 0) return std::nullopt;
  const auto scales = constant->as<float>();
  return std::vector<float>(scales.begin(), scales.end());
}

// As scaled_size. Unknown: only the run tells.
Dim scaled(Dim size, float scale) {
  if (size.is_number()) return scaled_size(size.number(), scale);
  int exponent = 0;
  const auto whole = static_cast<int64_t>(std::ldexp(std::frexp(scale, &exponent), 8));
  exponent -= 8;
  if (!is_short(scale) || std::abs(exponent) > 38) return Dim::unknown(UnknownDim::outgrown);
  return exponent >= 0 ? size * (whole << exponent) : floor_divide(size * whole, int64_t{1} << -exponent);
}

Result<void> infer(Inference& node) {
  HEED_ASSIGN(const auto settings, resize_settings_of(node));
  if (settings.mode == ResizeMode::nearest && settings.antialias)
    return Error{Code::invalid_model, "attribute 'antialias' is set, and 'mode' is nearest; expected linear or cubic"};
  const auto x = node.input(x_input);
  if (!x.has_rank()) return node.set_output(0, x.element());
  HEED_ASSIGN(const auto axes, axes_of(node, x.rank()));
  const auto scales = scales_of(node);
  const auto sizes = has_sizes(node) ? node.elements(sizes_input) : std::nullopt;
  const size_t given = scales ? scales->size() : sizes ? sizes->size() : axes.size();
  if (given != axes.size())
    return Error{Code::shape_mismatch, std::to_string(given) + " scales or sizes for " + std::to_string(axes.size()) +
                                           " axes of " + text_of(x.dims())};
  const bool is_stretched = node.text("keep_aspect_ratio_policy", "stretch") == "stretch";
  Dims dims(x.dims().begin(), x.dims().end());
  for (size_t i = 0; i < axes.size(); ++i) {
    Dim& dim = dims[static_cast<size_t>(axes[i])];
    if (scales && !is_scale((*scales)[i]))
      return Error{Code::invalid_model,
                   "the scale of axis " + std::to_string(axes[i]) + " is " + std::to_string((*scales)[i])};
    if (scales)
      dim = scaled(dim, (*scales)[i]);
    else if (sizes && is_stretched)
      dim = (*sizes)[i];
    else
      dim = node.fresh_symbol("resized");
    if (dim.is_unknown()) dim = node.fresh_symbol("resized");
  }
  // Proportions are kept where all sizes are numbers.
  if (const auto numbers = numbers_of(sizes); !is_stretched && numbers && !scales) {
    std::vector<int64_t> in;
    for (const Dim dim : x.dims()) in.push_back(dim.is_number() ? dim.number() : -1);
    if (std::all_of(axes.begin(), axes.end(), [&](int32_t axis) { return in[static_cast<size_t>(axis)] >= 0; })) {
      HEED_ASSIGN(const auto resized, resized_axes(in, axes, {}, *numbers, node.text("keep_aspect_ratio_policy")));
      for (const int32_t axis : axes) dims[static_cast<size_t>(axis)] = resized[static_cast<size_t>(axis)].out;
    }
  }
  return node.set_output(0, x.element(), dims);
}

// ---- on a GPU
// ---------------------------------------------------------------------------------------------------------

// Mirrors shaders/resize.comp, whose parameters end with the tables of the axes.
struct Axis {
  uint32_t size, tap_count, first_tap;  // of the output; in the tables
  int32_t stride;                       // of x
};
struct Parameters {
  uint32_t count, rank, tap_count;
  int32_t x_offset, y_offset;
  float extrapolation;
  Axis axes[most_axes];
};
struct Tap {
  int32_t index;
  float weight;
};

Result<GpuPlan> plan(Planning& node) {
  const auto x = node.input(x_input);
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::resize));
  if (!x.has_rank()) return decline("the rank is not known");
  if (!scales_of(node) && !(has_sizes(node) && numbers_of(node.elements(sizes_input))) &&
      !(has_sizes(node) && node.elements(sizes_input) && node.text("keep_aspect_ratio_policy", "stretch") == "stretch"))
    return decline("scales or sizes are known to the run alone");
  HEED_ASSIGN(const auto settings, resize_settings_of(node));
  if (settings.coordinates == Coordinates::tf_crop_and_resize && !node.constant(roi_input))
    return decline("the region is known to the run alone");
  node.take_strided(x_input);
  return GpuPlan{.variants = {{.name = "an element a thread", .shader = shader}},
                 .bindings = {read(x_input), write(0)}};
}

Result<Launch> bind(const Binding& node) {
  const auto x = node.input(x_input), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the input"));
  HEED_TRY(check_addressable(y, "the output"));
  HEED_ASSIGN(const auto settings, resize_settings_of(node));
  HEED_ASSIGN(const auto axes, axes_of(node, x.rank()));
  const auto scales = scales_of(node).value_or(std::vector<float>{});
  std::vector<int64_t> sizes;
  if (scales.empty()) {
    const auto numbers = numbers_of(node.elements(sizes_input));
    for (const int32_t axis : axes) sizes.push_back(y.dim(axis));
    if (numbers) sizes = *numbers;
  }
  HEED_ASSIGN(auto resized,
              resized_axes(x.dims(), axes, scales, sizes, node.text("keep_aspect_ratio_policy", "stretch")));
  if (settings.coordinates == Coordinates::tf_crop_and_resize) {
    const auto roi = *node.constant(roi_input);
    std::vector<double> region;
    for (int64_t i = 0; i < roi.count(); ++i)
      region.push_back(roi.element() == DataType::f32 ? roi.data<float>()[i] : roi.data<double>()[i]);
    HEED_TRY(set_regions(region, axes, resized));
  }
  Parameters p{.count = static_cast<uint32_t>(y.count()),
               .rank = static_cast<uint32_t>(x.rank()),
               .tap_count = 1,
               .x_offset = offset_of(x),
               .y_offset = offset_of(y),
               .extrapolation = node.number("extrapolation_value"),
               .axes = {}};
  std::vector<Tap> tables;
  for (int32_t axis = 0; axis < x.rank(); ++axis) {
    const auto taps = resize_taps(settings, resized[static_cast<size_t>(axis)]);
    p.axes[axis] = {static_cast<uint32_t>(y.dim(axis)), static_cast<uint32_t>(taps.tap_count),
                    static_cast<uint32_t>(tables.size()), stride_of(x, axis)};
    p.tap_count *= static_cast<uint32_t>(taps.tap_count);
    for (size_t i = 0; i < taps.indices.size(); ++i)
      tables.push_back({static_cast<int32_t>(taps.indices[i]), static_cast<float>(taps.weights[i])});
  }
  auto parameters = bytes_of(p);
  const auto* bytes = reinterpret_cast<const std::byte*>(tables.data());
  parameters.insert(parameters.end(), bytes, bytes + tables.size() * sizeof(Tap));
  return Launch{.dispatches = {{0, std::move(parameters), {workgroups_for(y.count(), 64), 1, 1}}}};
}

constexpr Types any_resized = any_number | Types{DataType::boolean};
constexpr uint32_t run_reads = HEED_OPTIONAL_PARAMETER | HEED_SHAPE_DATA;

}  // namespace

extern const Operator resize{
    .op_type = "Resize",
    .versions = {19, 18, 13, 11, 10},
    .inputs = {{"X", "T1"}, {"roi", "T2", run_reads}, {"scales", "F", run_reads}, {"sizes", "I", run_reads}},
    .outputs = {{"Y", "T1"}},
    .types = {{"T1", any_resized}, {"T2", any_float}, {"F", {DataType::f32}}, {"I", {DataType::i64}}},
    .attributes = {attribute("antialias", 0), optional("axes", HEED_ATTRIBUTE_INTS),
                   attribute("coordinate_transformation_mode", "half_pixel"), attribute("cubic_coeff_a", -0.75f),
                   attribute("exclude_outside", 0), attribute("extrapolation_value", 0.0f),
                   attribute("keep_aspect_ratio_policy", "stretch"), attribute("mode", "nearest"),
                   attribute("nearest_mode", "round_prefer_floor")},
    .infer = infer,
    .plan = plan,
    .bind = bind};

extern const Operator upsample{.op_type = "Upsample",
                               .versions = {9, 7, 1},
                               .inputs = {{"X", "T"}, {"scales", "F", run_reads}},
                               .outputs = {{"Y", "T"}},
                               .types = {{"T", any_resized}, {"F", {DataType::f32}}},
                               .attributes = {optional("height_scale", HEED_ATTRIBUTE_FLOAT), attribute("mode", "nearest"),
                                              optional("scales", HEED_ATTRIBUTE_FLOATS),
                                              optional("width_scale", HEED_ATTRIBUTE_FLOAT)},
                               .infer = infer,
                               .plan = plan,
                               .bind = bind};

}  // namespace heed::ops
