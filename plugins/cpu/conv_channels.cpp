// Conv and heed.FusedConv of f32 images that are small and have many channels, with outputs in the lanes: as sums of
// products, by Winograd's tiles, or channel by channel where each has its own window. Images lie channels last where
// the plan lays them so, and are copied so where it does not. Weights are constant, and packed once.
#include <algorithm>
#include <utility>

#include "channels_last.hpp"
#include "conv_finish.hpp"
#include "ranks.hpp"

namespace heed::cpu {
namespace {

// What holds at all sizes. Channels are those of a window: 1 where each output has its own.
struct Settings {
  WindowAttributes windows;
  int64_t channels, outputs;
  bool has_own_channels;             // output i looks at channel i alone
  int64_t tile_pixels;               // of a side of Winograd's tiles; 1: there are none
  std::optional<ConvBounds> bounds;  // null: a program takes their place
};

// Winograd's tiles, F(4x4, 3x3) or F(2x2, 5x5), where they save half of the products. A few of them alone wait for
// their weights, which are more.
constexpr int64_t tile_side = 6, least_tiles = 4;
int64_t tile_pixels_of(const NodeView& node, std::span<const int64_t> kernel, int64_t channels) {
  const auto are_ones = [&](const char* name) {
    const auto numbers = node.integers(name);
    return !numbers || std::all_of(numbers->begin(), numbers->end(), [](int64_t number) { return number == 1; });
  };
  const bool fits = kernel.size() == 2 && kernel[0] == kernel[1] && (kernel[0] == 3 || kernel[0] == 5) &&
                    are_ones("strides") && are_ones("dilations") && channels % channel_step == 0;
  if (!fits) return 1;
  const int64_t pixels = tile_side + 1 - kernel[0];
  const auto out = node.output(0).dims().last(2);
  const int64_t tiles = ceil_divide(out[0].number(), pixels) * ceil_divide(out[1].number(), pixels);
  const bool saves = 2 * tiles * tile_side * tile_side <= out[0].number() * out[1].number() * kernel[0] * kernel[0];
  return saves && tiles >= least_tiles ? pixels : 1;
}

Settings settings_of(const NodeView& node, std::span<const int64_t> w) {
  const bool has_own_channels = node.integer("group", 1) > 1;
  return {window_attributes_of(node, w.subspan(2)),
          w[1],
          w[0],
          has_own_channels,
          has_own_channels ? 1 : tile_pixels_of(node, w.subspan(2), w[1]),
          conv_bounds(node)};
}

std::vector<int64_t> weight_sizes(const NodeView& node) {
  std::vector<int64_t> sizes;
  for (const Dim dim : node.input(conv_w).dims()) sizes.push_back(dim.is_number() ? dim.number() : 0);
  return sizes;
}

// Enough floats of transformed input and sums, for one block of tiles.
constexpr int64_t most_tiles = 64;

// From pixel to pixel: where these are a power of two apart, they fall into few sets of the cache.
int64_t spread_step(int64_t channels) { return channels % 512 == 0 ? channels + 16 : channels; }

// A node with its sizes as numbers, and how its work is shared out: blocks of rows, of pixels or of tiles, and ranges
// of panels of outputs.
struct Work : Windows {
  Settings settings;
  int64_t images, lanes;
  bool is_last_x, is_last_y, has_residual, is_last_residual;
  bool copies_x;                          // into a piece with its padding, channels last
  int64_t x_step;                         // between its pixels
  int64_t in_channels, rows, row_blocks;  // of a block: rows of tiles, or of pixels
  int64_t tile_columns, panels, ranges;   // of an image
  int64_t copy_rows, copy_columns;        // of a block's piece of the image
  int64_t copy = 0, transformed = 0, sums = 0, y = 0, residual = 0, taps = 0,
          floats = 0;  // of a thread, where they begin
  int64_t tasks, cost;

  Work(const Settings& settings, const TensorView& x, const TensorView& y_view, const TensorView& residual_view,
       int64_t lanes, int64_t threads)
      : Windows(windows_of(settings.windows, x.dims(), y_view.dims())),
        settings(settings),
        images(x.dim(0)),
        lanes(lanes),
        is_last_x(lies_channels_last(x)),
        is_last_y(lies_channels_last(y_view)),
        has_residual(residual_view.present()),
        is_last_residual(has_residual && lies_channels_last(residual_view)),
        in_channels(x.dim(1)) {
    const int64_t side = settings.tile_pixels, row_count = ceil_divide(out[height], side);
    const int64_t multiplications = images * settings.outputs * settings.channels * kernel_count * out_count;
    const int64_t wanted = threads == 1 || multiplications < serial_work ? 1 : threads;
    tile_columns = ceil_divide(out[width], side);
    panels = ceil_divide(settings.outputs, panel_outputs(settings.outputs, lanes));
    const bool takes_ranges =
        !settings.has_own_channels && images % wanted != 0 && (panels % wanted == 0 || panels >= 4 * wanted);
    ranges = takes_ranges ? wanted : 1;
    const int64_t most_rows = side == 1 ? row_count : std::max<int64_t>(1, most_tiles / tile_columns);
    const int64_t blocks = std::max(ceil_divide(row_count, most_rows), ceil_divide(wanted, images * ranges));
    rows = ceil_divide(row_count, std::min(blocks, row_count));
    row_blocks = ceil_divide(row_count, rows);
    tasks = images * row_blocks * ranges;
    cost = std::max<int64_t>(1, multiplications / tasks);

    const bool is_whole = pads == Sizes{} && pads_behind == Sizes{};
    x_step = settings.has_own_channels ? in_channels : spread_step(in_channels);
    copies_x = !is_last_x || x_step != in_channels || (!settings.has_own_channels && !(is_whole && side == 1));
    copy_rows = settings.has_own_channels ? in[height] : (rows * side - 1) * strides[height] + reach(height);
    copy_columns = settings.has_own_channels ? in[width] : (tile_columns * side - 1) * strides[width] + reach(width);
    const int64_t pixels = rows * side * out[width], tiles = rows * tile_columns;
    const auto take = [&](bool needed, int64_t count) {
      return needed ? std::exchange(floats, floats + whole_lines(count)) : floats;
    };
    copy = take(copies_x, copy_rows * copy_columns * x_step);
    transformed = take(side > 1, tile_side * tile_side * position_of(tiles * x_step));
    sums = take(side > 1, tile_side * tile_side * position_of(tiles * range_outputs()));
    y = take(!is_last_y, pixels * range_outputs());
    residual = take(has_residual && !is_last_residual, pixels * range_outputs());
    taps = take(true, kernel_count * static_cast<int64_t>(sizeof(ChannelTap) / sizeof(float)));
  }

  int64_t reach(int axis) const { return (kernel[axis] - 1) * dilations[axis] + 1; }
  // Matrices of Winograd's positions do not fall into the same cache sets.
  static int64_t position_of(int64_t count) { return whole_lines(count) + 16; }
  int64_t range_panels() const { return ceil_divide(panels, ranges); }
  // At most so many.
  int64_t range_outputs() const {
    return ranges == 1 ? settings.outputs : range_panels() * panel_outputs(settings.outputs, lanes);
  }
};

struct Kept {
  Settings settings;
  const float* weights;         // of pack_channels; of Winograd, for each position; of own channels [tap, channel]
  const FusedProgram* program;  // what is done with sums; null: bounds are all
};

struct Run {
  const Work& work;
  const ChannelKernels& kernels;
  const Kept& kept;
  const float *x, *bias, *residual;  // null: there is none
  RunFused loops;
  float* y;

  // Outputs [first, first + count) of a block of rows, as a task writes them.
  struct Piece {
    int64_t image, first_row, row_count, first, count = 0;
    float* y = nullptr;  // of output 0 of the first pixel
    int64_t y_row = 0, y_step = 0;
    const float* residual = nullptr;
    int64_t residual_row = 0, residual_step = 0;
    ConvFinish finish{};
  };

  void task(int64_t index, float* scratch) const {
    const int64_t block = quotient(index, work.ranges), range = index - block * work.ranges;
    const int64_t image = quotient(block, work.row_blocks), side = work.settings.tile_pixels;
    const int64_t row = (block - image * work.row_blocks) * work.rows;
    const int64_t width_of_panel = panel_outputs(work.settings.outputs, work.lanes);
    const int64_t panel_begin = work.panels * range / work.ranges, panel_end = work.panels * (range + 1) / work.ranges;
    Piece piece{.image = image,
                .first_row = row * side,
                .row_count = std::min(work.rows * side, work.out[height] - row * side),
                .first = panel_begin * width_of_panel};
    piece.count = std::min(panel_end * width_of_panel, work.settings.outputs) - piece.first;
    place(piece, scratch);
    if (work.settings.has_own_channels)
      slide(piece, scratch);
    else if (side > 1)
      multiply_tiles(piece, panel_begin, panel_end, scratch);
    else
      multiply(piece, panel_begin, panel_end, scratch);
    finish(piece);
  }

  // Where a piece is written, and its residual read.
  void place(Piece& piece, float* scratch) const {
    const int64_t outputs = work.settings.outputs, columns = work.out[width];
    const int64_t first_pixel = piece.image * work.out_count + piece.first_row * columns;
    const int64_t plane = (piece.image * outputs + piece.first) * work.out_count + piece.first_row * columns;
    piece.y_step = work.is_last_y ? outputs : piece.count;
    piece.y = work.is_last_y ? y + first_pixel * outputs : scratch + work.y - piece.first;
    piece.residual_step = work.is_last_residual ? outputs : piece.count;
    piece.residual = piece.y;
    if (work.is_last_residual) {
      piece.residual = residual + first_pixel * outputs;
    } else if (residual) {
      kernels.transpose(residual + plane, work.out_count, piece.count, piece.row_count * columns,
                        scratch + work.residual, piece.count);
      piece.residual = scratch + work.residual - piece.first;
    }
    piece.y_row = piece.y_step * columns;
    piece.residual_row = piece.residual_step * columns;
    const ConvBounds bounds = work.settings.bounds.value_or(no_bounds);
    piece.finish = {bias, residual && !kept.program, bounds.low, bounds.high};
  }

  // What is left to be done with it.
  void finish(const Piece& piece) const {
    const int64_t pixels = piece.row_count * work.out[width];
    if (kept.program)
      for (int64_t pixel = 0; pixel < pixels; ++pixel)
        run_conv_program(*kept.program, loops, piece.y + piece.first + pixel * piece.y_step,
                         residual ? piece.residual + piece.first + pixel * piece.residual_step : nullptr, piece.count);
    if (work.is_last_y) return;
    kernels.transpose(
        piece.y + piece.first, piece.y_step, pixels, piece.count,
        y + (piece.image * work.settings.outputs + piece.first) * work.out_count + piece.first_row * work.out[width],
        work.out_count);
  }

  // The rows of an image that a piece reads, between their padding.
  const float* padded(const Piece& piece, float* scratch) const {
    const int64_t channels = work.in_channels, columns = work.in[width], step = work.x_step;
    const bool is_padded = !work.settings.has_own_channels;
    const int64_t first = is_padded ? piece.first_row * work.strides[height] - work.pads[height] : 0;
    const int64_t before = is_padded ? std::min(work.pads[width], work.copy_columns) : 0;
    const int64_t count = std::min(columns, work.copy_columns - before), behind = work.copy_columns - before - count;
    const float* const image = x + piece.image * channels * work.in_count;
    if (!work.copies_x) return image + first * columns * channels;
    float* to = scratch + work.copy;
    for (int64_t row = first; row < first + work.copy_rows; ++row) {
      if (row < 0 || row >= work.in[height]) {
        to = std::fill_n(to, work.copy_columns * step, 0.0f);
        continue;
      }
      to = std::fill_n(to, before * step, 0.0f);
      if (!work.is_last_x)
        kernels.transpose(image + row * columns, work.in_count, channels, count, to, step);
      else if (step == channels)
        std::copy_n(image + row * columns * channels, count * channels, to);
      else
        for (int64_t i = 0; i < count; ++i)
          std::copy_n(image + (row * columns + i) * channels, channels, to + i * step);
      to = std::fill_n(to + count * step, behind * step, 0.0f);
    }
    return scratch + work.copy;
  }

  void multiply(const Piece& piece, int64_t panel_begin, int64_t panel_end, float* scratch) const {
    const int64_t channels = work.in_channels, step = work.x_step;
    const int64_t row_length = (work.copies_x ? work.copy_columns : work.in[width]) * step;
    // Where the numbers of a window follow each other, a row of it is one tap.
    const bool are_rows = work.dilations[width] == 1 && step == channels;
    const int64_t taps_across = are_rows ? 1 : work.kernel[width];
    auto* const taps = reinterpret_cast<int32_t*>(scratch + work.taps);
    int64_t tap_count = 0;
    for (int64_t i = 0; i < work.kernel[height]; ++i)
      for (int64_t j = 0; j < taps_across; ++j)
        taps[tap_count++] =
            static_cast<int32_t>(i * work.dilations[height] * row_length + j * work.dilations[width] * step);
    ChannelProducts products{.source = padded(piece, scratch),
                             .source_row = work.strides[height] * row_length,
                             .source_step = work.strides[width] * step,
                             .taps = taps,
                             .tap_count = tap_count,
                             .numbers = work.kernel[width] / taps_across * channels,
                             .weights = kept.weights,
                             .weights_row = 0,
                             .output_count = work.settings.outputs,
                             .panel_begin = panel_begin,
                             .panel_end = panel_end,
                             .row_count = piece.row_count,
                             .pixel_count = work.out[width],
                             .y = piece.y,
                             .y_row = piece.y_row,
                             .y_step = piece.y_step,
                             .residual = piece.residual,
                             .residual_row = piece.residual_row,
                             .residual_step = piece.residual_step,
                             .finish = &piece.finish};
    // Where each pixel has its own window, all are one row.
    if (products.source_row == work.out[width] * products.source_step)
      products.pixel_count *= std::exchange(products.row_count, 1);
    kernels.products(products);
  }

  void multiply_tiles(const Piece& piece, int64_t panel_begin, int64_t panel_end, float* scratch) const {
    const int64_t side = work.settings.tile_pixels, channels = work.in_channels, step = work.x_step;
    const int64_t tile_rows = ceil_divide(piece.row_count, side), tiles = tile_rows * work.tile_columns;
    const int64_t v_stride = Work::position_of(tiles * step), stride = Work::position_of(tiles * piece.count);
    float* const v = scratch + work.transformed;
    float* const sums = scratch + work.sums;
    kernels.tiles_in({.source = padded(piece, scratch),
                      .source_row = work.copy_columns * step,
                      .source_step = step,
                      .tile_rows = tile_rows,
                      .tile_columns = work.tile_columns,
                      .tile_pixels = side,
                      .channel_count = channels,
                      .v = v,
                      .v_step = step,
                      .position_stride = v_stride});
    constexpr int32_t here = 0;
    kernels.products({.source = v,
                      .source_row = v_stride,
                      .source_step = step,
                      .taps = &here,
                      .tap_count = 1,
                      .numbers = channels,
                      .weights = kept.weights,
                      .weights_row = channels * work.settings.outputs,
                      .output_count = work.settings.outputs,
                      .panel_begin = panel_begin,
                      .panel_end = panel_end,
                      .row_count = tile_side * tile_side,
                      .pixel_count = tiles,
                      .y = sums - piece.first,
                      .y_row = stride,
                      .y_step = piece.count,
                      .residual = nullptr,
                      .residual_row = 0,
                      .residual_step = 0,
                      .finish = nullptr});
    ConvFinish finish = piece.finish;
    if (finish.bias) finish.bias += piece.first;
    kernels.tiles_out({.sums = sums,
                       .position_stride = stride,
                       .tile_rows = tile_rows,
                       .tile_columns = work.tile_columns,
                       .tile_pixels = side,
                       .output_count = piece.count,
                       .row_count = piece.row_count,
                       .pixel_count = work.out[width],
                       .y = piece.y + piece.first,
                       .y_row = piece.y_row,
                       .y_step = piece.y_step,
                       .residual = piece.residual + piece.first,
                       .residual_row = piece.residual_row,
                       .residual_step = piece.residual_step,
                       .finish = finish});
  }

  void slide(const Piece& piece, float* scratch) const {
    const ChannelWindows given{.weights = kept.weights,
                               .channel_count = work.in_channels,
                               .y = piece.y,
                               .y_row = piece.y_row,
                               .y_step = piece.y_step,
                               .residual = piece.residual,
                               .residual_row = piece.residual_row,
                               .residual_step = piece.residual_step,
                               .finish = &piece.finish};
    for_each_rectangle(work, padded(piece, scratch), piece.first_row, piece.first_row + piece.row_count,
                       reinterpret_cast<ChannelTap*>(scratch + work.taps), given,
                       [&](const ChannelWindows& call) { kernels.weighted(call); });
  }
};

Result<void> prepare(Preparing& node, const ChannelKernels& kernels) {
  auto* kept = node.keep<Kept>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for what the attributes say"};
  const auto w = *node.constant(conv_w);
  kept->settings = settings_of(node, w.dims());
  if (!kept->settings.bounds) {
    HEED_ASSIGN(kept->program, prepare_conv_program(node));
  }
  const auto [windows, channels, outputs, has_own_channels, tile_pixels, bounds] = kept->settings;
  const int64_t taps = product_of(windows.kernel), k_count = channels * taps, positions = tile_side * tile_side;
  const int64_t count = tile_pixels > 1 ? outputs * channels * positions : w.count();
  auto* to = static_cast<float*>(node.keep_bytes(static_cast<size_t>(count) * sizeof(float)));
  if (to == nullptr)
    return Error{Code::out_of_memory, "no memory for packed weights of " + std::to_string(count) + " numbers"};
  kept->weights = to;
  const float* const from = w.data<float>();
  if (has_own_channels) {
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t output = 0; output < outputs; ++output) *to++ = from[output * taps + tap];
  } else if (tile_pixels > 1) {
    std::vector<float> transformed(static_cast<size_t>(count));  // [output, channel, position]
    for (int64_t i = 0; i < outputs * channels; ++i)
      winograd_tile_weights(from + i * taps, windows.kernel[width], transformed.data() + i * positions, 1);
    for (int64_t position = 0; position < positions; ++position, to += outputs * channels)
      pack_channels(
          outputs, channels, kernels.lanes,
          [&](int64_t output, int64_t k) {
            return transformed[static_cast<size_t>((output * channels + k) * positions + position)];
          },
          to);
  } else {  // [tap, channel]: a pixel's channels lie side by side
    pack_channels(
        outputs, k_count, kernels.lanes,
        [&](int64_t output, int64_t k) { return from[(output * channels + k % channels) * taps + k / channels]; }, to);
  }
  return node.replaced(conv_w), Result<void>{};
}

Result<void> bind(Binding& node, const ChannelKernels& kernels) {
  const auto y = node.output(0);
  if (y.count() == 0) return {};
  const Settings settings = settings_of(node, weight_sizes(node));
  const auto floats_for = [&](int64_t threads) {
    const TensorView residual = node.has_input(conv_residual) ? node.input(conv_residual) : TensorView{};
    return threads * Work(settings, node.input(conv_x), y, residual, kernels.lanes, threads).floats;
  };
  // A run may be one thread's.
  const int64_t most = std::max(floats_for(std::max(host->prepare_threads(node.c()), 1)), floats_for(1));
  node.scratch(static_cast<size_t>(most) * sizeof(float));
  return {};
}

Result<void> run_channels(Running& run, const ChannelKernels& kernels, RunFused loops) {
  const auto x = run.input(conv_x), bias = run.input(conv_bias), residual = run.input(conv_residual), y = run.output(0);
  if (y.count() == 0) return {};
  const auto& kept = *run.kept<Kept>();
  const int64_t threads = run.thread_count() == 1 ? 1 : std::max(host->prepare_threads(run.c()), 1);
  const Work work(kept.settings, x, y, residual, kernels.lanes, threads);
  const Run body{.work = work,
                 .kernels = kernels,
                 .kept = kept,
                 .x = x.data<float>(),
                 .bias = bias.present() ? bias.data<float>() : nullptr,
                 .residual = residual.present() ? residual.data<float>() : nullptr,
                 .loops = loops,
                 .y = y.data<float>()};
  for_each_task(run, threads, work.tasks, work.cost, run.scratch<float>(), work.floats,
                [&](int64_t task, float* scratch) { body.task(task, scratch); });
  return {};
}

// Pixels of an image: more fill the lanes themselves.
constexpr int64_t most_pixels = 56 * 56;

template <Isa isa>
Result<void> plan(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  const auto x = node.input(conv_x), y = node.output(0);
  if (x.element() != DataType::f32) return decline("elements are " + std::string(name_of(x.element())) + ", not f32");
  if (channel_kernels(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  if (!node.constant(conv_w)) return decline("its weights are not constant");
  HEED_TRY(require_ranks(node));
  const auto w = weight_sizes(node);
  if (std::count(w.begin(), w.end(), 0) != 0) return decline("there are no weights");
  HEED_TRY(check_images(node, std::span(w).subspan(2)));
  const int64_t groups = node.integer("group", 1);
  const bool has_own_channels = groups > 1;
  if (has_own_channels && (groups != w[0] || w[1] != 1)) return decline("groups of several channels or outputs");
  if (w[0] % channel_step != 0) return decline("outputs are no multiple of " + std::to_string(channel_step));
  int64_t pixels = 1;
  for (const Dim dim : y.dims().subspan(2)) pixels *= dim.number();
  if (pixels > most_pixels) return decline("images are large enough to fill vectors by themselves");
  const bool is_last_x = node.take_channels_last(conv_x), is_last_y = node.give_channels_last(0);
  if (node.has_input(conv_residual)) node.take_channels_last(conv_residual);
  if (!is_last_x && !is_last_y) return decline("neither its images nor what becomes of them lie channels last");
  return {};
}

template <Isa isa, int32_t score, bool fused>
CpuKernel channel_kernel() {
  return {.domain = fused ? "heed" : "",
          .op_type = fused ? "FusedConv" : "Conv",
          .name = channels_last_name(isa),
          .score = score,
          .plan = plan<isa>,
          .prepare = [](Preparing& node) { return prepare(node, *channel_kernels(isa)); },
          .bind = [](Binding& node) { return bind(node, *channel_kernels(isa)); },
          .run = [](Running& run) { return run_channels(run, *channel_kernels(isa), fused_with(isa)); }};
}

}  // namespace

extern const CpuKernel conv_channels_neon = channel_kernel<Isa::neon, 25, false>();
extern const CpuKernel conv_channels_avx2 = channel_kernel<Isa::avx2, 30, false>();
extern const CpuKernel conv_channels_avx512 = channel_kernel<Isa::avx512, 40, false>();
extern const CpuKernel fused_conv_channels_neon = channel_kernel<Isa::neon, 25, true>();
extern const CpuKernel fused_conv_channels_avx2 = channel_kernel<Isa::avx2, 30, true>();
extern const CpuKernel fused_conv_channels_avx512 = channel_kernel<Isa::avx512, 40, true>();

}  // namespace heed::cpu
