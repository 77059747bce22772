// Conv: y[n, m, ...] = b[m] + sum over c and the window of w[m, c, ...] * x[n, c, ...], in groups of channels.
#include "conv.hpp"

#include "conv_products.hpp"
#include "rows.hpp"
#include "shaders.hpp"
#include "shapes.hpp"

namespace heed::ops {

Result<std::optional<Dims>> infer_convolution(Inference& node, ConvInputs inputs, DataType element) {
  const int64_t group = node.integer("group", 1);
  if (group < 1) return Error{Code::invalid_model, "attribute 'group' is " + std::to_string(group)};
  if (const auto w = node.input(inputs.w); w.has_rank() && w.rank() >= 3 && !node.input(inputs.x).has_rank())
    HEED_TRY(node.require_rank(inputs.x, w.rank()));
  const auto x = node.input(inputs.x), w = node.input(inputs.w);
  if (!x.has_rank() || !w.has_rank()) {
    HEED_TRY(node.set_output(0, element));
    return std::optional<Dims>();
  }
  if (x.rank() < 3 || w.rank() != x.rank())
    return Error{Code::shape_mismatch,
                 "data " + text_of(x.dims()) + " and weights " + text_of(w.dims()) +
                     "; expected [batch, channel, spatial...] and [out, channel / group, kernel...]"};
  HEED_TRY(node.require_equal(x.dim(1), w.dim(1) * group, "channels of the data and of the weights"));
  if (w.dim(0).is_number() && w.dim(0).number() % group != 0)
    return Error{Code::shape_mismatch,
                 to_string(w.dim(0)) + " output channels do not divide into " + std::to_string(group) + " groups"};
  HEED_TRY(node.require_equal(modulo(w.dim(0), group), 0, "output channels modulo group"));
  if (inputs.bias >= 0 && node.has_input(inputs.bias)) {
    HEED_TRY(node.require_rank(inputs.bias, 1));
    const auto bias = node.input(inputs.bias);
    if (bias.has_rank()) HEED_TRY(node.require_equal(bias.dim(0), w.dim(0), "bias and output channels"));
  }

  Dims dims{x.dim(0), w.dim(0)};
  Dims kernel(w.dims().begin() + 2, w.dims().end());
  if (const auto given = node.integers("kernel_shape")) {
    kernel.assign(given->begin(), given->end());
    for (size_t i = 0; i < kernel.size() && i + 2 < w.dims().size(); ++i)
      HEED_TRY(node.require_equal(w.dims()[i + 2], kernel[i], "kernel_shape and the weights"));
  }
  HEED_ASSIGN(const auto counts, window_counts(node, x.dims().subspan(2), kernel));
  dims.insert(dims.end(), counts.begin(), counts.end());
  HEED_TRY(node.set_output(0, element, dims));
  return std::optional(std::move(dims));
}

namespace {

Result<void> infer(Inference& node) {
  HEED_TRY(infer_convolution(node, {conv_x, conv_w, conv_bias}, node.input(conv_x).element()));
  return {};
}

enum { tall_tiles, flat_tiles, of_few_outputs, first_of_products };

// Of a tile of shaders/conv.comp; eight threads along each side.
constexpr int64_t threads_per_side = 8, tile_columns = 32;

// With fewer outputs in a group there is little that a tile's columns share.
constexpr int64_t least_outputs_of_tiles = 4;

// The strips of shaders/conv_strips.comp: along the axis where windows are longest, rather not along the last, so that
// neighbouring threads read neighbours. None where no axis fits.
std::optional<Strips> strips_of(const NodeView& node) {
  const auto w = node.input(conv_w), y = node.output(0);
  if (!w.has_rank() || !y.has_rank()) return std::nullopt;
  std::optional<Strips> best;
  for (int32_t back = 0; back < std::min(w.rank() - 2, 2); ++back) {
    if (y.dim(-1 - back).is_number(1)) continue;
    const auto strips = strips_along(node, conv_w, back);
    if (strips && (!best || strips->kernel >= best->kernel)) best = strips;
  }
  return best;
}

}  // namespace

std::optional<Strips> strips_along(const NodeView& node, int32_t w_input, int32_t back) {
  constexpr int64_t most_kernel = 7, most_stride = 2;
  const auto w = node.input(w_input);
  const auto along = [&](std::string_view name) {
    const auto numbers = node.integers(name);
    return numbers ? *(numbers->end() - 1 - back) : 1;
  };
  const Dim kernel = w.dim(-1 - back);
  const int64_t stride = along("strides");
  if (!w.dim(1).is_number(1) || !kernel.is_number() || kernel.number() > most_kernel) return std::nullopt;
  if (stride > most_stride || along("dilations") != 1) return std::nullopt;
  return Strips{static_cast<uint32_t>(most_window_axes - 1 - back), static_cast<uint32_t>(kernel.number()),
                static_cast<uint32_t>(stride)};
}

Result<GpuPlan> plan_conv(Planning& node) {
  const auto x = node.input(conv_x), w = node.input(conv_w);
  HEED_TRY(check_windows(x));
  HEED_ASSIGN(const Shader tiles, shader_for(node, shaders::conv));
  HEED_ASSIGN(const Shader direct, shader_for(node, shaders::conv_direct));
  HEED_ASSIGN(const Shader in_strips, shader_for(node, shaders::conv_strips));
  if (!w.has_rank()) return decline("the rank of the weights is not known");
  node.take_strided(conv_x);
  node.work(2 * count_of(node.output(0).dims()) * count_of(w.dims().subspan(1)));
  // What is absent is bound to something that is there, and never read.
  const auto read_if_there = [&](int32_t input) { return read(node.has_input(input) ? input : conv_x); };
  Variant few{.name = "an output a thread", .shader = direct};
  if (const auto strips = strips_of(node))
    few = {.name = "strips of " + std::to_string(strip_length) + " outputs",
           .shader = in_strips,
           .constants = {{0, strips->axis}, {1, strips->kernel}, {2, strips->stride}, {3, strip_length}}};
  GpuPlan plan{
      .variants = {{.name = "tiles of 32 outputs", .shader = tiles, .constants = {{0, 4}}},
                   {.name = "tiles of 8 outputs", .shader = tiles, .constants = {{0, 1}}},
                   few},
      .bindings = {read(conv_x), read(conv_w), read_if_there(conv_bias), write(0), read_if_there(conv_residual)}};
  HEED_TRY(add_product_variants(node, products_of(node), plan));
  return plan;
}

Result<Launch> prepare_conv(const Binding& node) {
  const bool is_there = node.input(conv_w).rank() > 0;  // not where something else took its place
  return is_there && products_of(node) == ConvProducts::winograd ? prepare_winograd(node, first_of_products) : Launch{};
}

Result<Launch> bind_conv(const Binding& node) {
  const auto x = node.input(conv_x), w = node.input(conv_w), y = node.output(0);
  if (y.count() == 0) return Launch{};
  HEED_TRY(check_addressable(x, "the data"));
  HEED_TRY(check_addressable(w, "the weights"));
  HEED_TRY(check_addressable(y, "the output"));
  const int64_t group_count = node.integer("group", 1), output_count = w.dim(0) / group_count;
  const bool has_bias = node.has_input(conv_bias);
  const bool has_residual = node.has_input(conv_residual);
  const auto activation =
      std::find(std::begin(conv_activations), std::end(conv_activations), node.text("activation", "none"));
  const ConvParameters p{.windows = sliding_of(node, x, y, w.dims().subspan(2)),
                         .batch_count = static_cast<uint32_t>(x.dim(0)),
                         .group_count = static_cast<uint32_t>(group_count),
                         .channel_count = static_cast<uint32_t>(w.dim(1)),
                         .output_count = static_cast<uint32_t>(output_count),
                         .has_bias = has_bias,
                         .w_offset = offset_of(w),
                         .bias_offset = has_bias ? offset_of(node.input(conv_bias)) : 0,
                         .y_offset = offset_of(y),
                         .activation = static_cast<uint32_t>(activation - std::begin(conv_activations)),
                         .residual_kind = has_residual ? 1 + static_cast<uint32_t>(node.integer("residual_last")) : 0,
                         .alpha = node.number("alpha"),
                         .beta = node.number("beta"),
                         .residual_offset = has_residual ? offset_of(node.input(conv_residual)) : 0};
  if (node.has_kept()) return launch_products(node, ConvProducts::winograd, p, first_of_products);
  if (products_of(node) == ConvProducts::columns)
    return launch_products(node, ConvProducts::columns, p, first_of_products);
  if (output_count < least_outputs_of_tiles || group_count > most_workgroups) {
    int64_t threads = y.count();
    if (const auto strips = strips_of(node)) {
      const int64_t length = p.windows.out[strips->axis];
      threads = threads / length * ceil_divide(length, strip_length);
    }
    return Launch{.dispatches = {{of_few_outputs, bytes_of(p), {workgroups_for(threads, 64), 1, 1}}}};
  }
  const int64_t positions = x.dim(0) * y.count(2, y.rank());
  const bool is_flat = output_count <= threads_per_side;
  const uint32_t row_tiles = ceil_divide(output_count, is_flat ? threads_per_side : 4 * threads_per_side);
  return Launch{
      .dispatches = {{is_flat ? flat_tiles : tall_tiles,
                      bytes_of(p),
                      {workgroups_for(positions, tile_columns), row_tiles, static_cast<uint32_t>(group_count)}}}};
}

extern const Operator conv{
    .op_type = "Conv",
    .versions = {22, 11, 1},
    .inputs = {{"X", "T"}, {"W", "T"}, {"B", "T", HEED_OPTIONAL_PARAMETER}},
    .outputs = {{"Y", "T"}},
    .types = {{"T", any_float}},
    .attributes = {attribute("auto_pad", "NOTSET"), optional("dilations", HEED_ATTRIBUTE_INTS), attribute("group", 1),
                   optional("kernel_shape", HEED_ATTRIBUTE_INTS), optional("pads", HEED_ATTRIBUTE_INTS),
                   optional("strides", HEED_ATTRIBUTE_INTS)},
    .infer = infer,
    .plan = plan_conv,
    .bind = bind_conv,
    .prepare = prepare_conv};

}  // namespace heed::ops
