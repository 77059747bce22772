// Winograd's F(4x4, 3x3) on a GPU: the weights are transformed once, the data in a launch, then a product for each of the 36
// positions makes sums that are transformed back. Parts of the tiles follow each other, so that scratch stays small.
#include "conv_winograd.hpp"

#include "launch.hpp"
#include "matmul.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

constexpr int64_t position_count = 36, tile_size = 4, kernel_size = 3;

// With fewer channels or outputs of a group the transforms cost more than the products save. Counted on lavapipe.
constexpr int64_t least_channels = 16;
// An image of less is all edge: a tile of it has more positions than the windows have products.
constexpr int64_t least_pixels = 16;

// What a part of the tiles may take of scratch: some hundred workgroups, and within the caches of large devices.
constexpr int64_t part_bytes = int64_t{16} << 20;

// Variants, counted from the first.
enum { transform_weights, transform_input, transform_output, first_of_product };

// Mirrors shaders/conv_winograd_weights.comp.
struct WeightParameters {
  uint32_t window_count;
  int32_t w_offset;
};

// Mirrors shaders/conv_winograd.glsl.
struct Parameters : ConvParameters {
  uint32_t first_tile, tile_count;
  uint32_t tile_pitch, sums_offset;
};

bool is_all(std::optional<std::span<const int64_t>> numbers, int64_t number) {
  return !numbers || std::all_of(numbers->begin(), numbers->end(), [&](int64_t each) { return each == number; });
}

size_t transformed_bytes(const TensorView& w) {
  return static_cast<size_t>(w.count() / (kernel_size * kernel_size) * position_count) * sizeof(float);
}

Shader of_type(const shaders::ElementShaders& shaders, DataType type) {
  return type == DataType::f16 ? shaders.f16 : type == DataType::bf16 ? shaders.bf16 : shaders.f32;
}

}  // namespace

bool takes_winograd(const NodeView& node, uint64_t most_bytes) {
  const auto w = node.constant(conv_w);
  const auto y = node.output(0);
  if (!w || w->rank() != 4 || w->dim(2) != kernel_size || w->dim(3) != kernel_size || !y.has_rank()) return false;
  if (w->element() == DataType::f64 || !is_all(node.integers("strides"), 1) || !is_all(node.integers("dilations"), 1))
    return false;
  const Dim pixels = y.dim(2) * y.dim(3);
  if (pixels.is_number() && pixels.number() < least_pixels) return false;
  return w->dim(1) >= least_channels && w->dim(0) / node.integer("group", 1) >= least_channels &&
         transformed_bytes(*w) <= most_bytes;
}

void add_winograd_variants(const Planning& node, GpuPlan& plan) {
  const DataType type = node.input(conv_x).element();
  std::vector<heed_binding> bindings = plan.bindings;
  bindings[conv_w] = read(conv_x);  // the weights themselves are not read again
  bindings.push_back(scratch());
  plan.variants.push_back({.name = "Winograd, weights",
                           .shader = of_type(shaders::conv_winograd_weights, type),
                           .bindings = {read(conv_w), make_kept()}});
  plan.variants.push_back({.name = "Winograd, data", .shader = of_type(shaders::conv_winograd_input, type), .bindings = bindings});
  plan.variants.push_back({.name = "Winograd, sums", .shader = of_type(shaders::conv_winograd_output, type), .bindings = bindings});
  for (Variant& variant : stacked_product_variants(node, kept(), scratch(), scratch())) {
    variant.name = "Winograd, " + variant.name;
    plan.variants.push_back(std::move(variant));
  }
}

Result<Launch> prepare_winograd(const Binding& node, int32_t first) {
  const auto w = node.input(conv_w);
  const int64_t windows = w.count() / (kernel_size * kernel_size);
  node.replaced(conv_w);
  return Launch{.dispatches = {{first + transform_weights,
                                bytes_of(WeightParameters{static_cast<uint32_t>(windows), offset_of(w)}),
                                {workgroups_for(windows, 64), 1, 1}}},
                .scratch_bytes = transformed_bytes(w)};
}

Launch launch_winograd(const Binding& node, const ConvParameters& conv, int32_t first) {
  const auto y = node.output(0);
  const int64_t channels = int64_t{conv.group_count} * conv.channel_count;
  const int64_t outputs = int64_t{conv.group_count} * conv.output_count;
  const int64_t tiles = y.dim(0) * ceil_divide(y.dim(2), tile_size) * ceil_divide(y.dim(3), tile_size);
  const int64_t bytes_of_tile = position_count * (channels + outputs) * static_cast<int64_t>(sizeof(float));
  const int64_t most_tiles = std::max<int64_t>(part_bytes / bytes_of_tile / 4 * 4, 4);
  Launch launch;
  for (int64_t begin = 0; begin < tiles; begin += most_tiles) {
    const auto count = static_cast<uint32_t>(std::min(most_tiles, tiles - begin)), pitch = (count + 3) / 4 * 4;
    const Parameters p{{conv},
                       static_cast<uint32_t>(begin),
                       count,
                       pitch,
                       static_cast<uint32_t>(position_count * channels * pitch)};
    launch.scratch_bytes = std::max(launch.scratch_bytes, static_cast<size_t>(bytes_of_tile) * pitch);
    launch.dispatches.push_back(
        {first + transform_input, bytes_of(p), {workgroups_for(channels * pitch, 64), 1, 1}});
    launch.dispatches.push_back(stacked_product(node,
                                                {.stack = static_cast<uint32_t>(position_count) * conv.group_count,
                                                 .rows = conv.output_count,
                                                 .columns = pitch,
                                                 .inner = conv.channel_count,
                                                 .c_offset = p.sums_offset},
                                                first + first_of_product));
    launch.dispatches.push_back(
        {first + transform_output, bytes_of(p), {workgroups_for(outputs * count, 64), 1, 1}});
  }
  return launch;
}

}  // namespace heed::ops
