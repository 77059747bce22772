// AveragePool: the mean of each window's elements. LpPool: the p-th root of the sum of their sizes' p-th powers;
// GlobalLpPool: that of one window over all spatial axes.
#include <cmath>

#include "rows.hpp"
#include "shaders.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

// A float in version 1.
float power_of(const NodeView& node) { return node.number("p", static_cast<float>(node.integer("p"))); }

Result<void> check_power(const NodeView& node) {
  if (power_of(node) >= 1) return {};
  return Error{Code::invalid_model, "attribute 'p' is " + std::to_string(power_of(node)) + "; expected 1 or more"};
}

Result<void> infer_lp(Inference& node) {
  HEED_TRY(check_power(node));
  return infer_pooling(node);
}

Result<void> infer_global_lp(Inference& node) {
  HEED_TRY(check_power(node));
  const auto x = node.input(0);
  if (!x.has_rank()) return node.set_output(0, x.element());
  if (x.rank() < 3)
    return Error{Code::shape_mismatch, "input 0 has rank " + std::to_string(x.rank()) + "; expected 3 or more"};
  Dims dims(static_cast<size_t>(x.rank()), 1);
  dims[0] = x.dim(0), dims[1] = x.dim(1);
  return node.set_output(0, x.element(), dims);
}

// Mirrors shaders/average_pool.comp.
struct Parameters {
  Sliding windows;
  uint32_t count, channel_count, power, include_pad;  // power 0: the mean
  PaddedEnds padded;
  int32_t y_offset;
};

Result<GpuPlan> plan(Planning& node) {
  HEED_TRY(check_windows(node.input(0)));
  if (power_of(node) != std::round(power_of(node))) return decline("attribute 'p' is no whole number");
  HEED_ASSIGN(const Shader shader, shader_for(node, shaders::average_pool));
  node.take_strided(0);
  return GpuPlan{.variants = {{.name = "a window a thread", .shader = shader}}, .bindings = {read(0), write(0)}};
}

template <bool is_average>
Result<Launch> bind(const Binding& node) {
  const auto x = node.input(0), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(y, "the output"));
  std::vector<int64_t> kernel;
  if (const auto given = node.integers("kernel_shape"))
    kernel.assign(given->begin(), given->end());
  else
    for (int32_t axis = 2; axis < x.rank(); ++axis) kernel.push_back(x.dim(axis));
  const auto windows = sliding_of(node, x, y, kernel);
  const Parameters p{.windows = windows,
                     .count = static_cast<uint32_t>(y.count()),
                     .channel_count = static_cast<uint32_t>(x.dim(1)),
                     .power = is_average ? 0 : static_cast<uint32_t>(power_of(node)),
                     .include_pad = node.integer("count_include_pad") != 0,
                     .padded = padded_ends_of(node, windows),
                     .y_offset = offset_of(y)};
  return Launch{.dispatches = {{0, bytes_of(p), {workgroups_for(y.count(), 64), 1, 1}}}};
}

Operator pooling(std::string_view op_type, std::vector<int32_t> versions, AttributeRule own) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"X", "T"}},
          .outputs = {{"Y", "T"}},
          .types = {{"T", any_float}},
          .attributes = {attribute("auto_pad", "NOTSET"), attribute("ceil_mode", 0), std::move(own),
                         optional("dilations", HEED_ATTRIBUTE_INTS), required("kernel_shape", HEED_ATTRIBUTE_INTS),
                         optional("pads", HEED_ATTRIBUTE_INTS), optional("strides", HEED_ATTRIBUTE_INTS)},
          .plan = plan};
}
Operator average() {
  Operator pool = pooling("AveragePool", {22, 19, 11, 10, 7, 1}, attribute("count_include_pad", 0));
  pool.infer = infer_pooling;
  pool.bind = bind<true>;
  return pool;
}
Operator lp() {
  Operator pool = pooling("LpPool", {22, 18, 11, 2, 1}, attribute("p", 2));
  pool.attributes.push_back(optional("p", HEED_ATTRIBUTE_FLOAT));
  pool.infer = infer_lp;
  pool.bind = bind<false>;
  return pool;
}

// One window over all spatial axes.
Operator global(std::string_view op_type, std::vector<int32_t> versions, std::string_view body) {
  return {.op_type = op_type,
          .versions = std::move(versions),
          .inputs = {{"X", "T"}},
          .outputs = {{"Y", "T"}},
          .types = {{"T", any_float}},
          .body = body};
}
#define HEED_SPATIAL_AXES "axes = Range(Constant<value_int = 2>(), Size(Shape(X)), Constant<value_int = 1>());"

}  // namespace

extern const Operator average_pool = average();
extern const Operator lp_pool = lp();
extern const Operator global_average_pool =
    global("GlobalAveragePool", {22, 1}, HEED_SPATIAL_AXES "Y = ReduceMean(X, axes)");
extern const Operator global_max_pool = global("GlobalMaxPool", {22, 1}, HEED_SPATIAL_AXES "Y = ReduceMax(X, axes)");
extern const Operator global_lp_pool{.op_type = "GlobalLpPool",
                                     .versions = {22, 2, 1},
                                     .inputs = {{"X", "T"}},
                                     .outputs = {{"Y", "T"}},
                                     .types = {{"T", any_float}},
                                     .attributes = {attribute("p", 2), optional("p", HEED_ATTRIBUTE_FLOAT)},
                                     .infer = infer_global_lp,
                                     .plan = plan,
                                     .bind = bind<false>};

}  // namespace heed::ops
