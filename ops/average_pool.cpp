// AveragePool: the mean of each window's elements. LpPool: the p-th root of the sum of their sizes' p-th powers.
#include "rows.hpp"
#include "shaders.hpp"
#include "windows.hpp"

namespace heed::ops {
namespace {

Result<void> infer_lp(Inference& node) {
  if (node.integer("p") < 1)
    return Error{Code::invalid_model, "attribute 'p' is " + std::to_string(node.integer("p")) + "; expected 1 or more"};
  return infer_pooling(node);
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
  const auto windows = sliding_of(node, x, y, *node.integers("kernel_shape"));
  const Parameters p{.windows = windows,
                     .count = static_cast<uint32_t>(y.count()),
                     .channel_count = static_cast<uint32_t>(x.dim(1)),
                     .power = is_average ? 0 : static_cast<uint32_t>(node.integer("p")),
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
  Operator pool = pooling("LpPool", {22, 18, 11, 2}, attribute("p", 2));
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

Operator global_lp() {
  Operator pool = global("GlobalLpPool", {22, 2},
                         HEED_SPATIAL_AXES
                         "p = CastLike(Constant<value_int = @p>(), X); one = CastLike(Constant<value_int = 1>(), X);"
                         "Y = Pow(ReduceSum(Pow(Abs(X), p), axes), Div(one, p))");
  pool.attributes = {attribute("p", 2)};
  return pool;
}

}  // namespace

extern const Operator average_pool = average();
extern const Operator lp_pool = lp();
extern const Operator global_average_pool =
    global("GlobalAveragePool", {22, 1}, HEED_SPATIAL_AXES "Y = ReduceMean(X, axes)");
extern const Operator global_max_pool = global("GlobalMaxPool", {22, 1}, HEED_SPATIAL_AXES "Y = ReduceMax(X, axes)");
extern const Operator global_lp_pool = global_lp();

}  // namespace heed::ops
