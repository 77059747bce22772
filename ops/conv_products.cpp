// Convolutions by products of matrices: the data is laid out in scratch, a product for each position makes sums, and these
// are finished. Parts of the tiles follow each other, so that scratch stays small.
#include "conv_products.hpp"

#include "launch.hpp"
#include "matmul.hpp"
#include "rows.hpp"
#include "shaders.hpp"

namespace heed::ops {
namespace {

constexpr int64_t winograd_positions = 36, tile_size = 4, kernel_size = 3;

// With fewer channels or outputs of a group the transforms cost more than the products save. Counted on lavapipe.
constexpr int64_t least_channels_of_winograd = 16;
// An image of less is all edge: a tile of it has more positions than the windows have products.
constexpr int64_t least_pixels_of_winograd = 16;
// With fewer outputs there is little that is laid out once and read often, with fewer rows little to multiply; of more a
// few pixels would take much scratch. Counted on lavapipe.
constexpr int64_t least_outputs_of_columns = 4, least_rows_of_columns = 32, most_rows_of_columns = 1 << 20;

// What a part of the tiles may take of scratch: some hundred workgroups, and within the caches of large devices.
constexpr int64_t part_bytes = int64_t{16} << 20;

// Variants, counted from the first.
enum { lay_out, finish_sums, first_product_of_columns, transform_weights = first_product_of_columns, first_product_of_winograd };

constexpr int64_t columns_per_thread = 4;  // of shaders/conv_columns.comp

// Mirrors shaders/conv_winograd_weights.comp.
struct WeightParameters {
  uint32_t window_count;
  int32_t w_offset;
};

// Mirrors shaders/conv_products.glsl.
struct Parameters : ConvParameters {
  uint32_t first_tile, tile_count;
  uint32_t tile_pitch, sums_offset;
};

bool is_all(std::optional<std::span<const int64_t>> numbers, int64_t number) {
  return !numbers || std::all_of(numbers->begin(), numbers->end(), [&](int64_t each) { return each == number; });
}

int64_t window_count(const TensorView& w) { return w.count() / (kernel_size * kernel_size); }
size_t transformed_bytes(const TensorView& w) {
  return static_cast<size_t>(window_count(w) * winograd_positions) * sizeof(float);
}

// Constant windows of 3 x 3 that move by one, and channels enough.
bool takes_winograd(const NodeView& node, uint64_t most_bytes) {
  const auto w = node.constant(conv_w);
  const auto y = node.output(0);
  if (!w || w->rank() != 4 || w->dim(2) != kernel_size || w->dim(3) != kernel_size || !y.has_rank()) return false;
  if (!is_all(node.integers("strides"), 1) || !is_all(node.integers("dilations"), 1)) return false;
  const Dim pixels = y.dim(2) * y.dim(3);
  if (pixels.is_number() && pixels.number() < least_pixels_of_winograd) return false;
  return w->dim(1) >= least_channels_of_winograd &&
         w->dim(0) / node.integer("group", 1) >= least_channels_of_winograd &&
         transformed_bytes(*w) <= (most_bytes ? most_bytes : UINT64_MAX);
}

bool takes_columns(const NodeView& node) {
  const auto w = node.input(conv_w);
  if (!w.has_rank() || w.element() != DataType::f32) return false;
  const int64_t groups = node.integer("group", 1);
  const Dim rows = count_of(w.dims().subspan(1));  // of a group
  return w.dim(0).is_number() && w.dim(0).number() / groups >= least_outputs_of_columns && rows.is_number() &&
         rows.number() >= least_rows_of_columns && rows.number() <= most_rows_of_columns / groups;
}

template <class Node>
ConvProducts products_for(const Node& node) {
  if (takes_winograd(node, node.capability("max_binding_bytes"))) return ConvProducts::winograd;
  return cpu_lanes(node) && takes_columns(node) ? ConvProducts::columns : ConvProducts::none;
}

}  // namespace

ConvProducts products_of(const Planning& node) { return products_for(node); }
ConvProducts products_of(const Binding& node) { return products_for(node); }

Result<void> add_product_variants(const Planning& node, ConvProducts products, GpuPlan& plan) {
  if (products == ConvProducts::none) return {};
  const bool is_winograd = products == ConvProducts::winograd;
  const std::string name = is_winograd ? "Winograd, " : "columns, ";
  std::vector<heed_binding> bindings = plan.bindings;
  bindings[conv_w] = read(conv_x);  // the weights themselves are the products' alone
  bindings.push_back(scratch());
  const auto add = [&](const char* step, const shaders::ElementShaders& shaders,
                       std::vector<heed_binding> bindings) -> Result<void> {
    HEED_ASSIGN(const Shader shader, shader_for(node, shaders));
    plan.variants.push_back({.name = name + step, .shader = shader, .bindings = std::move(bindings)});
    return {};
  };
  HEED_TRY(add("data", is_winograd ? shaders::conv_winograd_input : shaders::conv_columns, bindings));
  HEED_TRY(add("sums", is_winograd ? shaders::conv_winograd_output : shaders::conv_column_sums, bindings));
  if (is_winograd) HEED_TRY(add("weights", shaders::conv_winograd_weights, {read(conv_w), make_kept()}));
  for (Variant& variant : stacked_product_variants(node, is_winograd ? kept() : read(conv_w), scratch(), scratch())) {
    variant.name.insert(0, name);
    plan.variants.push_back(std::move(variant));
  }
  return {};
}

Launch prepare_winograd(const Binding& node, int32_t first) {
  const auto w = node.input(conv_w);
  node.replaced(conv_w);
  return {.dispatches = {{first + transform_weights,
                          bytes_of(WeightParameters{static_cast<uint32_t>(window_count(w)), offset_of(w)}),
                          {workgroups_for(window_count(w), 64), 1, 1}}},
          .scratch_bytes = transformed_bytes(w)};
}

Launch launch_products(const Binding& node, ConvProducts products, const ConvParameters& conv, int32_t first) {
  const auto w = node.input(conv_w), y = node.output(0);
  const bool is_winograd = products == ConvProducts::winograd;
  const int64_t groups = conv.group_count, outputs = groups * conv.output_count;
  const int64_t positions = is_winograd ? winograd_positions : 1;
  const int64_t inner = is_winograd ? conv.channel_count : w.count(1, w.rank());
  const int64_t tiles = y.dim(0) * (is_winograd ? ceil_divide(y.dim(2), tile_size) * ceil_divide(y.dim(3), tile_size)
                                                : y.count(2, y.rank()));
  const int64_t bytes_of_tile = positions * (groups * inner + outputs) * static_cast<int64_t>(sizeof(float));
  const int64_t most_tiles = std::max<int64_t>(part_bytes / bytes_of_tile / 4 * 4, 4);
  Launch launch;
  for (int64_t begin = 0; begin < tiles; begin += most_tiles) {
    const auto count = static_cast<uint32_t>(std::min(most_tiles, tiles - begin)), pitch = (count + 3) / 4 * 4;
    const auto sums_offset = static_cast<uint32_t>(positions * groups * inner * pitch);
    const Parameters p{{conv}, static_cast<uint32_t>(begin), count, pitch, sums_offset};
    launch.scratch_bytes = std::max(launch.scratch_bytes, static_cast<size_t>(bytes_of_tile) * pitch);
    const int64_t channels = groups * conv.channel_count;
    launch.dispatches.push_back({first + lay_out,
                                 bytes_of(p),
                                 {workgroups_for(channels * pitch / (is_winograd ? 1 : columns_per_thread), 64), 1, 1}});
    launch.dispatches.push_back(stacked_product(node,
                                                {.stack = static_cast<uint32_t>(positions * groups),
                                                 .rows = conv.output_count,
                                                 .columns = pitch,
                                                 .inner = static_cast<uint32_t>(inner),
                                                 .a_offset = is_winograd ? 0 : static_cast<uint32_t>(conv.w_offset),
                                                 .c_offset = sums_offset},
                                                first + (is_winograd ? first_product_of_winograd : first_product_of_columns)));
    launch.dispatches.push_back({first + finish_sums, bytes_of(p), {workgroups_for(outputs * count, 64), 1, 1}});
  }
  return launch;
}

}  // namespace heed::ops
