// Conv and heed.FusedConv of f32, f16 and bf16 by vectors, in four ways: tiles of outputs x pixels that read the image
// where a padded copy of a piece of it lies (few numbers behind each pixel), or a matrix made of it (many); rows of
// single channels, for groups of one; and Winograd's, of tiles or of lines of pixels. Up to three spatial axes; images
// with fewer have size 1 along the first ones. Constant weights are packed once, others at each run. Of f16 and bf16
// all is f32 meanwhile: pixels as they are copied, outputs until a task is done with them.
#include <algorithm>
#include <functional>
#include <numeric>
#include <utility>

#include "conv_finish.hpp"
#include "conv_panels.hpp"
#include "half.hpp"
#include "ranks.hpp"
#include "stripes.hpp"

namespace heed::cpu {
namespace {

// Whether outputs share so little that each is taken by itself. Its weights are read where they lie.
bool slides(int64_t channels, int64_t outputs) { return channels == 1 && outputs <= 2; }

// One node with its sizes as numbers. Channels and outputs are those of a group.
struct Convolution : Windows {
  DataType element;
  int64_t images, groups, channels, outputs;
  bool has_points;  // a window is one pixel, and each pixel has its own: an image is one row of pixels

  int64_t k_count() const { return channels * kernel_count; }
};

// The weights' sizes, [output, channel, kernel...], where all are numbers: else none.
struct WeightSizes {
  int64_t numbers[most_window_axes + 2];
  size_t count = 0;
  explicit WeightSizes(const NodeView& node) {
    const auto dims = node.input(conv_w).dims();
    if (dims.size() > std::size(numbers)) return;
    for (const Dim& dim : dims)
      if (!dim.is_number()) return;
    for (const Dim& dim : dims) numbers[count++] = dim.number();
  }
  std::span<const int64_t> kernel() const { return {numbers + 2, count - 2}; }
};

// What holds at all sizes.
struct Settings {
  WindowAttributes windows;
  DataType element;
  int64_t groups, channels, outputs;  // those of a group
  std::optional<ConvBounds> bounds;   // null: a program takes their place
};

Settings settings_of(const NodeView& node) {
  const WeightSizes w(node);
  const int64_t groups = node.integer("group", 1);
  return {window_attributes_of(node, w.kernel()),
          node.input(conv_x).element(),
          groups,
          w.numbers[1],
          w.numbers[0] / groups,
          conv_bounds(node)};
}

Convolution convolution_of(const Settings& settings, std::span<const int64_t> x, std::span<const int64_t> y) {
  Convolution c;
  static_cast<Windows&>(c) = windows_of(settings.windows, x, y);
  c.element = settings.element;
  c.images = x[0];
  c.groups = settings.groups;
  c.channels = settings.channels;
  c.outputs = settings.outputs;
  c.has_points = c.kernel_count == 1 && product_of(c.strides) == 1 && c.in == c.out && c.pads == Sizes{} &&
                 !slides(c.channels, c.outputs);
  if (c.has_points) c.in = c.out = {1, 1, c.in_count};
  return c;
}

// ---- how the work is shared out

enum class Method { tiles, packed_tiles, rows, winograd };

// Winograd's F(4x4, 3x3); or F(4, 3) or F(2, 5) for each line of a window.
enum class Winograd { none, tiles, lines };

// Its tiles: so many pixels, out of the sums at so many positions, each over channels and these lines of a window.
struct WinogradTile {
  int64_t rows, columns, positions, lines;
  WinogradTile(Winograd kind, std::span<const int64_t> kernel) {
    if (kind == Winograd::tiles) {
      rows = columns = 4;
      positions = winograd_points * winograd_points;
      lines = 1;
    } else {
      rows = 1;
      columns = winograd_points + 1 - kernel.back();
      positions = winograd_points;
      lines = std::accumulate(kernel.begin(), kernel.end() - 1, int64_t{1}, std::multiplies<>());
    }
  }
};

// Numbers behind a pixel that are multiplied at once: 24 KB for two vectors of 8 pixels stay in the first-level cache.
constexpr int64_t most_k_at_once = 384;
// Tuned on a core of a Zen 4 with AVX2, as all numbers here.
constexpr int64_t packed_pixels = 240, packed_floats = 1 << 20, stripe_floats = 48 * 1024,
                  rows_stripe_floats = 6 * 1024, widest_block = 512, least_tiles = 48, least_pixels = 96,
                  winograd_outputs = 48;
// From here on a thread has several tasks, so that one that is late is helped: multiplications of a task.
constexpr int64_t task_work = 1024 * 1024;
// Channels that are multiplied at once: even parts.
int64_t channels_at_once(int64_t channels, int64_t kernel_count) {
  const int64_t most = std::max<int64_t>(1, most_k_at_once / kernel_count);
  return ceil_divide(channels, ceil_divide(channels, most));
}

// Rows of a matrix do not fall into the same cache sets, nor does a vector reach into the next one.
int64_t spread(int64_t count) { return (ceil_divide(count, 16) | 1) * 16; }

// Blocks are of pixels, or with Winograd of tiles.
struct Work {
  WinogradTile tile;
  Method method{};
  Blocks blocks{};
  Stripe stripe{};                 // under a block
  int64_t rows_at_once = 0;        // of tiles: two narrow ones, each a vector
  int64_t channels = 0;            // at once
  int64_t chunks = 0, ranges = 0;  // of outputs: a task takes a range of chunks
  int64_t matrix_stride = 0;       // between numbers of one pixel: of packed pixels a panel, or of Winograd's sums
  int64_t channel_stride = 0;      // of Winograd's transformed input
  int64_t tasks = 0, cost = 0;     // of a task, in multiplications
  int64_t offset_count = 0;        // of each of two tables
  int64_t widened = 0;             // of a thread's scratch: where it has room for rows of f16 and bf16
  // Scratch: packed weights, transformed input, that of a thread.
  int64_t weight_floats = 0, input_floats = 0, thread_floats = 0;

  int64_t block_count(const Convolution& c) const { return c.out[depth] * blocks.row_blocks * blocks.column_blocks; }
};

// Cycles of a number behind each of `columns` pixels, for a chunk of outputs: a vector alone waits for its sums.
int64_t tile_cost(int64_t columns, int64_t lanes) {
  const auto narrow = [](int64_t count) { return count <= most_few_columns ? (count + 1) / 2 : 4; };
  const int64_t rest = columns % (2 * lanes);
  return columns / (2 * lanes) * 6 + (rest <= lanes ? narrow(rest) : std::min<int64_t>(6, 4 + narrow(rest - lanes)));
}

// What weights that are constant are worth. A few tiles alone wait for the weights, which are more: images whose sizes
// only the run tells are taken to be larger, sounds to come in short chunks.
Winograd winograd_of(const NodeView& node) {
  if (!node.constant(conv_w)) return Winograd::none;
  const WeightSizes w(node);
  const auto kernel = w.kernel();
  const auto axes = static_cast<int64_t>(kernel.size());
  const int64_t channels = w.numbers[1], outputs = w.numbers[0] / node.integer("group", 1);
  const auto is_one = [&](const char* name, int64_t axis) {
    const auto numbers = node.integers(name);
    return axis < 0 || !numbers || (*numbers)[static_cast<size_t>(axis)] == 1;
  };
  if (!is_one("strides", axes - 1) || !is_one("dilations", axes - 1) || !is_one("strides", axes - 2))
    return Winograd::none;
  const auto tile_count = [&](const WinogradTile& tile) -> std::optional<int64_t> {
    const auto y = node.output(0).dims().last(kernel.size());
    int64_t count = 1;
    for (int64_t axis = 0; axis < axes; ++axis) {
      const Dim size = y[static_cast<size_t>(axis)];
      if (!size.is_number()) return std::nullopt;
      count *= ceil_divide(size.number(), axis == axes - 1 ? tile.columns : axis == axes - 2 ? tile.rows : 1);
    }
    return count;
  };
  if (axes == 2 && kernel[0] == 3 && kernel[1] == 3 && is_one("dilations", 0) && std::min(channels, outputs) >= 8 &&
      channels * outputs >= 192 && tile_count({Winograd::tiles, kernel}).value_or(9) >= 9)
    return Winograd::tiles;
  if (kernel.back() != 3 && kernel.back() != 5) return Winograd::none;
  const WinogradTile tile(Winograd::lines, kernel);
  return outputs >= 16 && channels * tile.lines >= 24 && tile_count(tile).value_or(0) >= 48 ? Winograd::lines
                                                                                            : Winograd::none;
}

// Floats of packed pixels under a block.
int64_t packed_count(const Work& work) {
  return ceil_divide(work.blocks.rows * work.blocks.columns, work.matrix_stride) * work.matrix_stride *
         work.offset_count;
}

// Floats of the pixels that Winograd's sums become: a row of tiles, or all lines.
int64_t pixels_count(const Work& work, int64_t lanes) {
  return whole_lines(work.tile.rows > 1 ? work.tile.rows * work.tile.columns * std::max(work.blocks.columns, lanes)
                                        : work.tile.columns * (work.blocks.rows * work.blocks.columns + lanes));
}

// Those of Winograd's transformed input.
int64_t transformed_count(const Convolution& c, const Work& work) {
  return work.tile.positions * spread(c.channels * work.channel_stride) + stripe_slack;
}

Work work_of(const Convolution& c, const ConvKernels& kernels, Winograd winograd, bool is_constant, int64_t threads) {
  Work work{.tile = WinogradTile(winograd, c.kernel)};
  const int64_t rows = c.out[height], columns = c.out[width], lanes = kernels.lanes;
  const int64_t multiplications = c.images * c.groups * c.outputs * c.k_count() * c.out_count;
  const int64_t wanted = threads == 1 || multiplications < serial_work
                             ? 1
                             : threads * std::clamp<int64_t>(multiplications / threads / task_work, 1, 4);
  const int64_t image_count = c.images * c.groups * c.out[depth];
  const auto split = [&](int64_t row_count, int64_t column_count, int64_t most_rows, int64_t most_columns) {
    work.blocks = blocks_of(row_count, column_count, most_rows, most_columns, 2 * lanes, image_count, wanted);
  };
  // Into no smaller blocks than all weights are worth reading for: rather a task takes a range of outputs.
  int64_t least_blocks = wanted;
  const auto split_evenly = [&](int64_t row_count, int64_t column_count, int64_t least, int64_t most) {
    const int64_t count =
        std::clamp(ceil_divide(image_count * row_count * column_count, wanted), std::min(least, most), most);
    work.blocks = blocks_of(row_count, column_count, ceil_divide(count, std::min(column_count, count)), count, lanes,
                            image_count, 1);
    least_blocks = std::min(wanted, threads);
  };
  work.chunks = chunk_count(c.outputs, kernels.tile_outputs);
  work.ranges = 1;
  work.weight_floats = is_constant || slides(c.channels, c.outputs) ? 0 : c.groups * c.outputs * c.k_count();
  if (winograd != Winograd::none) {
    const WinogradTile& tile = work.tile;
    work.method = Method::winograd;
    work.channels = channels_at_once(c.channels, tile.lines);
    work.offset_count = work.channels * tile.lines;
    const int64_t tile_rows = ceil_divide(rows, tile.rows), tile_columns = ceil_divide(columns, tile.columns);
    // Transformed input of about a megabyte.
    const int64_t most = winograd == Winograd::tiles
                             ? std::clamp<int64_t>(8192 / c.channels, 64, 128)
                             : std::clamp<int64_t>(49152 / (c.channels * c.kernel[depth]), 64, 512);
    split_evenly(tile_rows, tile_columns,
                 std::clamp(ceil_divide(image_count * tile_rows * tile_columns, threads), lanes, least_tiles), most);
    work.stripe = stripe_of(c, work.blocks.rows * tile.rows, work.blocks.columns * tile.columns);
    work.matrix_stride = spread(work.blocks.rows * work.blocks.columns + lanes);
    work.channel_stride = winograd == Winograd::tiles
                              ? work.matrix_stride
                              : spread(c.kernel[depth] * work.stripe.rows * work.blocks.columns + lanes);
  } else {
    if (slides(c.channels, c.outputs)) {
      work.method = Method::rows;
    } else {
      const bool fits = c.k_count() <= most_k_at_once && !c.has_points;
      work.rows_at_once = columns <= lanes && columns > most_few_columns ? 2 : 1;
      const int64_t cost_of_rows = work.rows_at_once == 2 ? tile_cost(2 * lanes, lanes) : tile_cost(columns, lanes);
      const int64_t direct = ceil_divide(rows, work.rows_at_once) * cost_of_rows * work.chunks;
      const int64_t packed = tile_cost(rows * columns, lanes) * work.chunks + rows * columns * 2 / lanes;
      work.method = fits && direct <= packed ? Method::tiles : Method::packed_tiles;
    }
    work.channels = channels_at_once(c.channels, c.kernel_count);
    work.offset_count = work.channels * c.kernel_count;
    const bool is_packed = work.method == Method::packed_tiles;
    if (is_packed) {
      const int64_t pixels = std::clamp<int64_t>(packed_floats / work.offset_count, 2 * lanes, packed_pixels);
      if (c.has_points)
        split(rows, columns, pixels / std::min(columns, pixels), pixels);
      else
        split_evenly(rows, columns, least_pixels, pixels);
      work.matrix_stride = 2 * lanes;
    } else {
      const int64_t most_floats = work.method == Method::rows ? rows_stripe_floats : stripe_floats;
      const int64_t row_floats =
          work.channels * c.kernel[depth] * stripe_of(c, 1, std::min(columns, widest_block)).row_length;
      const int64_t reach = (c.kernel[height] - 1) * c.dilations[height] + 1;
      split(rows, columns, (most_floats / row_floats - reach) / c.strides[height], widest_block);
    }
    work.stripe = stripe_of(c, work.blocks.rows, work.blocks.columns);
  }
  const int64_t blocks = c.images * c.groups * work.block_count(c);
  if (work.method != Method::rows && blocks < least_blocks)
    work.ranges = std::min(work.chunks, ceil_divide(least_blocks, blocks));
  work.tasks = blocks * (work.method == Method::rows ? c.outputs : work.ranges);
  work.cost = std::max<int64_t>(1, multiplications / work.tasks);

  int64_t floats = 0;
  if (winograd != Winograd::none) {
    const int64_t input = transformed_count(c, work);
    work.input_floats = work.ranges > 1 ? input : 0;
    floats = work.stripe.floats(c, 1) + pixels_count(work, lanes) + (work.ranges > 1 ? 0 : input) +
             work.tile.positions *
                 spread(std::min(c.outputs, winograd_outputs + kernels.tile_outputs) * work.matrix_stride) +
             stripe_slack;
  } else {
    if (!c.has_points) floats += work.stripe.floats(c, work.method == Method::rows ? 1 : work.channels);
    if (work.method == Method::packed_tiles) floats += packed_count(work) + stripe_slack;
  }
  work.widened = work.thread_floats = whole_lines(floats);
  if (is_half(c.element))
    work.thread_floats += whole_lines(c.has_points ? work.blocks.columns : widened_floats(c, work.stripe));
  return work;
}

// ---- weights

struct Kept {
  Settings settings;
  // [group][channels at once][chunk][k][output], or for Winograd [group][position][channels at once][chunk][k][output];
  // null: not packed for all runs.
  const float* weights;
  Winograd winograd;
  const FusedProgram* program;  // what is done with sums; null: bounds are all
};

// w [output, channel, kernel], dense.
void pack_weights(const float* w, std::span<const int64_t> dims, int64_t groups, const ConvKernels& kernels,
                  float* to) {
  const int64_t outputs = dims[0] / groups, channels = dims[1];
  const int64_t kernel_count = std::accumulate(dims.begin() + 2, dims.end(), int64_t{1}, std::multiplies<>());
  const int64_t at_once = channels_at_once(channels, kernel_count);
  for (int64_t group = 0; group < groups; ++group)
    for (int64_t channel = 0; channel < channels; channel += at_once) {
      const int64_t count = std::min(at_once, channels - channel) * kernel_count;
      pack_outputs(w + (group * outputs * channels + channel) * kernel_count, channels * kernel_count, 1, outputs,
                   count, kernels.tile_outputs, to);
      to += outputs * count;
    }
}

Result<void> prepare(Preparing& node, const ConvKernels& kernels) {
  auto* kept = node.keep<Kept>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for packed weights"};
  kept->settings = settings_of(node);
  if (!kept->settings.bounds) {
    HEED_ASSIGN(kept->program, prepare_conv_program(node));
  }
  const auto w = node.constant(conv_w);
  if (!w) return {};
  const int64_t groups = node.integer("group", 1), outputs = w->dim(0) / groups, channels = w->dim(1);
  const bool lies = slides(channels, outputs);
  if (lies && !is_half(w->element())) return {};
  std::vector<float> widened(is_half(w->element()) ? static_cast<size_t>(w->count()) : 0);
  if (!widened.empty()) widen(w->element(), w->c.data, w->count(), widened.data());
  const float* const from = widened.empty() ? w->data<float>() : widened.data();
  kept->winograd = winograd_of(node);
  const bool by_winograd = kept->winograd != Winograd::none;
  const WinogradTile tile(kept->winograd, w->dims().subspan(2));
  const int64_t count = by_winograd ? w->dim(0) * channels * tile.lines * tile.positions : w->count();
  auto* to = static_cast<float*>(node.keep_bytes(static_cast<size_t>(count + stripe_slack) * sizeof(float)));
  if (to == nullptr)
    return Error{Code::out_of_memory, "no memory for packed weights of " + std::to_string(count) + " numbers"};
  kept->weights = to;
  if (lies) {
    std::copy(widened.begin(), widened.end(), to);
    return node.replaced(conv_w), Result<void>{};
  }
  if (!by_winograd) {
    pack_weights(from, w->dims(), groups, kernels, to);
    return node.replaced(conv_w), Result<void>{};
  }
  const int64_t at_once = channels_at_once(channels, tile.lines) * tile.lines, k_count = channels * tile.lines;
  const int64_t matrix = outputs * k_count, taps = w->count() / (groups * matrix);
  std::vector<float> transformed(static_cast<size_t>(matrix * tile.positions));
  for (int64_t group = 0; group < groups; ++group) {
    for (int64_t i = 0; i < matrix; ++i) {
      const float* const weights = from + (group * matrix + i) * taps;
      if (kept->winograd == Winograd::tiles)
        winograd_tile_weights(weights, 3, transformed.data() + i, matrix);
      else
        winograd_line_weights(weights, taps, transformed.data() + i, matrix);
    }
    for (int64_t position = 0; position < tile.positions; ++position)
      for (int64_t k = 0; k < k_count; k += at_once) {
        const int64_t count = std::min(at_once, k_count - k);
        pack_outputs(transformed.data() + position * matrix + k, k_count, 1, outputs, count, kernels.tile_outputs, to);
        to += outputs * count;
      }
  }
  return node.replaced(conv_w), Result<void>{};
}

// ---- a run

struct Run {
  const Convolution& c;
  const Work& work;
  const ConvKernels& kernels;
  Elements x;
  const float *weights, *bias, *residual;  // null: there is none
  ConvBounds bounds;
  const FusedProgram* program;
  RunFused loops;
  float* y;
  // Of f16 and bf16, whose residual and y are those of a Widened.
  Elements half_residual;
  float* widened_residual;
  uint16_t* half_y;
  const int32_t *stripe_table, *matrix_table;  // offsets of k

  // Of the outputs from this one on, as far as kernels do it.
  ConvFinish finish(int64_t first_output) const {
    return {bias ? bias + first_output : nullptr, residual && !program, bounds.low, bounds.high};
  }
  // Where the residual of a piece of y lies; y's own place where there is none.
  const float* residual_of(const float* to) const { return residual ? residual + (to - y) : to; }

  // Calls body(first, n) for the rows, of pixels that follow each other, of a piece of y: outputs, each of rows of
  // pixels.
  template <class Body>
  void for_each_row(float* first, int64_t output_count, int64_t row_count, int64_t column_count, Body&& body) const {
    if (column_count == c.out[width]) column_count *= std::exchange(row_count, 1);
    for (int64_t output = 0; output < output_count; ++output)
      for (int64_t row = 0; row < row_count; ++row)
        body(first + output * c.out_count + row * c.out[width], column_count);
  }
  // What kernels leave over, of such a piece, before and after them.
  void begin_piece(float* first, int64_t output_count, int64_t row_count, int64_t column_count) const {
    if (!residual || !is_half(c.element)) return;
    for_each_row(first, output_count, row_count, column_count, [&](const float* to, int64_t n) {
      widen(c.element, half_residual.from(to - y).data, n, widened_residual + (to - y));
    });
  }
  void end_piece(float* first, int64_t output_count, int64_t row_count, int64_t column_count) const {
    if (!program && !is_half(c.element)) return;
    for_each_row(first, output_count, row_count, column_count, [&](float* to, int64_t n) {
      if (program) run_conv_program(*program, loops, to, residual ? residual_of(to) : nullptr, n);
      if (is_half(c.element)) narrow(c.element, to, n, half_y + (to - y));
    });
  }

  // Chunks of a range of a task.
  std::pair<int64_t, int64_t> range(int64_t index) const {
    return {work.chunks * index / work.ranges, work.chunks * (index + 1) / work.ranges};
  }

  // A block's row of single pixels.
  const float* points(Elements from, const Block& block, float* scratch) const {
    if (!is_half(c.element)) return static_cast<const float*>(from.data);
    widen(c.element, from.data, block.columns, scratch + work.widened);
    return scratch + work.widened;
  }

  void multiply(int64_t task, float* scratch) const {
    const auto [chunk_begin, chunk_end] = range(task % work.ranges);
    task /= work.ranges;
    const int64_t image = task / work.block_count(c);  // and group
    const Block block = work.blocks.at(task % work.block_count(c), c.out[height], c.out[width]);
    const int64_t group = image % c.groups, first_output = group * c.outputs;
    const int64_t first = (block.depth * c.out[height] + block.row) * c.out[width] + block.column;
    float* const to = y + image * c.outputs * c.out_count + first;
    const ConvFinish last = finish(first_output);
    float* const stripe = scratch;
    float* const matrix = c.has_points ? scratch : scratch + work.stripe.floats(c, work.channels);
    ConvTiles tiles{};
    tiles.output_count = c.outputs;
    tiles.chunk_begin = chunk_begin;
    tiles.chunk_end = chunk_end;
    tiles.y_stride = c.out_count;
    tiles.panel_stride = 2 * kernels.lanes;
    const int64_t output_begin = chunk_first(c.outputs, work.chunks, chunk_begin);
    const int64_t output_count = chunk_first(c.outputs, work.chunks, chunk_end) - output_begin;
    begin_piece(to + output_begin * c.out_count, output_count, block.rows, block.columns);
    for (int64_t channel = 0; channel < c.channels; channel += work.channels) {
      const int64_t channels = std::min(work.channels, c.channels - channel);
      const Elements from = x.from((image * c.channels + channel) * c.in_count);
      tiles.k_count = channels * c.kernel_count;
      tiles.weights = weights + (group * c.channels + channel) * c.kernel_count * c.outputs;
      tiles.accumulate = channel > 0;
      tiles.finish = channel + channels == c.channels ? &last : nullptr;
      if (!c.has_points) fill_stripe(kernels, c, work.stripe, from, channels, block, scratch + work.widened, stripe);
      const int64_t row_step = c.strides[height] * work.stripe.row_length;
      if (work.method == Method::packed_tiles) {
        for (int64_t k = 0; k < tiles.k_count; ++k)
          kernels.join({.from = c.has_points ? points(from.from(k * c.in_count + block.column), block, scratch)
                                             : stripe + stripe_table[k],
                        .from_stride = row_step,
                        .row_count = block.rows,
                        .column_count = block.columns,
                        .to = matrix + k * work.matrix_stride,
                        .panel_stride = tiles.k_count * work.matrix_stride});
        tiles.panel_stride = tiles.k_count * work.matrix_stride;
        tiles.source = matrix;
        tiles.offsets = matrix_table;
        tiles.column_count = block.rows * block.columns;
        tiles.y = to;
        tiles.residual = residual_of(to);
        kernels.tiles(tiles);
        continue;
      }
      tiles.offsets = stripe_table;
      tiles.column_count = block.columns;
      for (int64_t r = 0; r < block.rows; r += work.rows_at_once) {
        if (work.rows_at_once > 1) {
          tiles.row_count = std::min(work.rows_at_once, block.rows - r);
          tiles.row_step = row_step;
          tiles.y_row_step = c.out[width];
        }
        tiles.source = stripe + r * row_step;
        tiles.y = to + r * c.out[width];
        tiles.residual = residual_of(tiles.y);
        kernels.tiles(tiles);
      }
    }
    end_piece(to + output_begin * c.out_count, output_count, block.rows, block.columns);
  }

  void slide(int64_t task, float* scratch) const {
    const int64_t plane = quotient(task, work.block_count(c)), image = quotient(plane, c.groups * c.outputs);
    const int64_t output = plane - image * c.groups * c.outputs;
    const Block block = work.blocks.at(task - plane * work.block_count(c), c.out[height], c.out[width]);
    const Elements from = x.from((image * c.groups + quotient(output, c.outputs)) * c.in_count);
    fill_stripe(kernels, c, work.stripe, from, 1, block, scratch + work.widened, scratch);
    float* const to = y + (image * c.groups * c.outputs + output) * c.out_count +
                      (block.depth * c.out[height] + block.row) * c.out[width] + block.column;
    begin_piece(to, 1, block.rows, block.columns);
    kernels.rows({.source = scratch,
                  .source_stride = c.strides[height] * work.stripe.row_length,
                  .offsets = stripe_table,
                  .k_count = c.kernel_count,
                  .weights = weights + output * c.kernel_count,
                  .row_count = block.rows,
                  .column_count = block.columns,
                  .y = to,
                  .residual = residual_of(to),
                  .y_stride = c.out[width],
                  .finish = finish(output)});
    end_piece(to, 1, block.rows, block.columns);
  }

  Block tiles_at(int64_t index) const {
    return work.blocks.at(index, ceil_divide(c.out[height], work.tile.rows),
                          ceil_divide(c.out[width], work.tile.columns));
  }

  // Transforms channels of an image, and group, under a block of tiles into v [position, channel, tile]; of lines
  // [position, channel, line, tile]. Blocks that are cut are as wide as others.
  void transform(int64_t image, const Block& block, int64_t channel_begin, int64_t channel_end, float* stripe,
                 float* v) const {
    const bool are_lines = work.tile.rows == 1;
    const auto transform_in = are_lines ? kernels.winograd_lines_in : kernels.winograd_tiles_in;
    const Block pixels{block.depth, block.row * work.tile.rows, block.rows * work.tile.rows,
                       block.column * work.tile.columns, block.columns * work.tile.columns};
    const int64_t lines =
        (c.kernel[depth] - 1) * work.stripe.rows + block.rows + (c.kernel[height] - 1) * c.dilations[height];
    for (int64_t channel = channel_begin; channel < channel_end; ++channel) {
      fill_stripe(kernels, c, work.stripe, x.from((image * c.channels + channel) * c.in_count), 1, pixels,
                  stripe + work.widened, stripe);
      transform_in({.source = stripe,
                    .row_stride = work.stripe.row_length,
                    .tile_rows = are_lines ? lines : block.rows,
                    .tile_columns = work.blocks.columns,
                    .line_pixels = work.tile.columns,
                    .v = v + channel * work.channel_stride,
                    .position_stride = spread(c.channels * work.channel_stride)});
    }
  }

  // The outputs of chunks, out of transformed channels; `scratch` has room for their sums and for rows of pixels.
  void finish_tiles(int64_t image, const Block& block, int64_t chunk_begin, int64_t chunk_end, const float* v,
                    float* scratch) const {
    const int64_t group = image % c.groups,
                  chunks_at_once = std::max<int64_t>(1, winograd_outputs / kernels.tile_outputs);
    float* const room = scratch;
    float* const sums = scratch + pixels_count(work, kernels.lanes);
    const WinogradTile& tile = work.tile;
    const auto transform_out = tile.rows == 1 ? kernels.winograd_lines_out : kernels.winograd_tiles_out;
    const int64_t first_row = block.row * tile.rows, first_column = block.column * tile.columns;
    const int64_t rows = std::min(block.rows * tile.rows, c.out[height] - first_row);
    const int64_t columns = std::min(block.columns * tile.columns, c.out[width] - first_column);
    for (int64_t chunk = chunk_begin; chunk < chunk_end; chunk += chunks_at_once) {
      const int64_t next = std::min(chunk + chunks_at_once, chunk_end);
      const int64_t first = chunk_first(c.outputs, work.chunks, chunk);
      const int64_t outputs = chunk_first(c.outputs, work.chunks, next) - first;
      for (int64_t position = 0; position < tile.positions; ++position)
        for (int64_t channel = 0; channel < c.channels; channel += work.channels) {
          const int64_t matrix = (group * tile.positions + position) * c.channels + channel;
          kernels.tiles(
              {.source = v + position * spread(c.channels * work.channel_stride) + channel * work.channel_stride,
               .panel_stride = 2 * kernels.lanes,
               .offsets = matrix_table,
               .k_count = std::min(work.channels, c.channels - channel) * tile.lines,
               .weights = weights + matrix * tile.lines * c.outputs,
               .output_count = c.outputs,
               .chunk_begin = chunk,
               .chunk_end = next,
               .column_count = block.rows * work.blocks.columns,
               .y = sums + position * spread(outputs * work.matrix_stride) - first * work.matrix_stride,
               .residual = nullptr,
               .y_stride = work.matrix_stride,
               .accumulate = channel > 0,
               .finish = nullptr});
        }
      for (int64_t output = 0; output < outputs; ++output) {
        float* const to = y + (image * c.outputs + first + output) * c.out_count +
                          (block.depth * c.out[height] + first_row) * c.out[width] + first_column;
        begin_piece(to, 1, rows, columns);
        transform_out({.sums = sums + output * work.matrix_stride,
                       .position_stride = spread(outputs * work.matrix_stride),
                       .tile_rows = block.rows,
                       .tile_columns = work.blocks.columns,
                       .line_pixels = tile.columns,
                       .y = to,
                       .residual = residual_of(to),
                       .y_stride = c.out[width],
                       .row_count = rows,
                       .column_count = columns,
                       .finish = finish(group * c.outputs + first + output),
                       .room = room});
        end_piece(to, 1, rows, columns);
      }
    }
  }

  // A block of tiles, of all channels and outputs.
  void multiply_tiles(int64_t task, float* scratch) const {
    const int64_t image = task / work.block_count(c);
    const Block block = tiles_at(task % work.block_count(c));
    float* const v = scratch + work.stripe.floats(c, 1);
    transform(image, block, 0, c.channels, scratch, v);
    finish_tiles(image, block, 0, work.chunks, v, v + transformed_count(c, work));
  }
};

// Tensors of f16 and bf16 as f32: where they begin in a piece of scratch, in floats.
struct Widened {
  int64_t weights = 0, bias = 0, residual = 0, y = 0, floats = 0;
  Widened(const NodeView& node, const Convolution& c, bool has_constant_weights) {
    if (!is_half(c.element)) return;
    const auto take = [&](int64_t count) { return std::exchange(floats, floats + whole_lines(count)); };
    const int64_t outputs = c.groups * c.outputs, y_count = c.images * outputs * c.out_count;
    weights = take(has_constant_weights ? 0 : outputs * c.k_count());
    bias = take(node.has_input(conv_bias) ? outputs : 0);
    residual = take(node.has_input(conv_residual) ? y_count : 0);
    y = take(y_count);
  }
};

Result<void> bind(Binding& node, const ConvKernels& kernels) {
  const auto x = node.input(conv_x), y = node.output(0);
  if (y.count() == 0) return {};
  const auto c = convolution_of(settings_of(node), x.dims(), y.dims());
  const bool is_constant = node.constant(conv_w).has_value();
  const auto floats_for = [&](int64_t threads) {
    const Work work = work_of(c, kernels, winograd_of(node), is_constant, threads);
    return 2 * spread(work.offset_count) + work.weight_floats + stripe_slack + work.input_floats +
           Widened(node, c, is_constant).floats + threads * work.thread_floats;
  };
  // A run may be one thread's.
  const int64_t most = std::max(floats_for(std::max(host->prepare_threads(node.c()), 1)), floats_for(1));
  node.scratch(static_cast<size_t>(most) * sizeof(float));
  return {};
}

// Of the numbers behind a packed pixel, or a tile of Winograd's.
void matrix_offsets(const Convolution& c, const Work& work, int32_t* to) {
  if (work.method == Method::packed_tiles)
    for (int64_t k = 0; k < work.offset_count; ++k) *to++ = static_cast<int32_t>(k * work.matrix_stride);
  if (work.method != Method::winograd) return;
  for (int64_t channel = 0; channel < work.channels; ++channel)
    for (int64_t z = 0; z < work.tile.lines; z += c.kernel[height])
      for (int64_t line = 0; line < std::min(work.tile.lines, c.kernel[height]); ++line) {
        const int64_t row = z / c.kernel[height] * work.stripe.rows + line * c.dilations[height];
        *to++ = static_cast<int32_t>(channel * work.channel_stride + row * work.blocks.columns);
      }
}

Result<void> run_vectors(Running& run, const ConvKernels& kernels, RunFused loops) {
  const auto x = run.input(conv_x), w = run.input(conv_w), bias = run.input(conv_bias), y = run.output(0);
  if (y.count() == 0) return {};
  const auto* kept = run.kept<Kept>();
  const auto c = convolution_of(kept->settings, x.dims(), y.dims());
  const int64_t threads = run.thread_count() == 1 ? 1 : std::max(host->prepare_threads(run.c()), 1);
  const Work work = work_of(c, kernels, kept->winograd, kept->weights != nullptr, threads);

  auto* const stripe_table = run.scratch<int32_t>();
  int32_t* const matrix_table = stripe_table + spread(work.offset_count);
  float* const packed = run.scratch<float>() + 2 * spread(work.offset_count);
  float* const input = packed + whole_lines(work.weight_floats);
  float* const room = input + work.input_floats;
  const Widened widened(run, c, kept->weights != nullptr);
  float* const scratch = room + widened.floats;
  if (kept->winograd == Winograd::none && !c.has_points) stripe_offsets(c, work.stripe, work.channels, stripe_table);
  matrix_offsets(c, work, matrix_table);
  const auto as_f32 = [&](const TensorView& tensor, int64_t at) -> const float* {
    if (!tensor.present()) return nullptr;
    if (!is_half(tensor.element())) return tensor.data<float>();
    widen(tensor.element(), tensor.c.data, tensor.count(), room + at);
    return room + at;
  };
  const float* weights = kept->weights ? kept->weights : as_f32(w, widened.weights);
  if (work.weight_floats != 0) {
    pack_weights(weights, w.dims(), c.groups, kernels, packed);
    weights = packed;
  }
  const auto residual = run.input(conv_residual);
  const bool are_halves = is_half(c.element);
  const Run body{.c = c,
                 .work = work,
                 .kernels = kernels,
                 .x = {x.c.data, c.element},
                 .weights = weights,
                 .bias = as_f32(bias, widened.bias),
                 .residual = !residual.present() ? nullptr
                             : are_halves        ? room + widened.residual
                                                 : residual.data<float>(),
                 .bounds = kept->settings.bounds.value_or(no_bounds),
                 .program = kept->program,
                 .loops = loops,
                 .y = are_halves ? room + widened.y : y.data<float>(),
                 .half_residual = {residual.c.data, c.element},
                 .widened_residual = room + widened.residual,
                 .half_y = y.data<uint16_t>(),
                 .stripe_table = stripe_table,
                 .matrix_table = matrix_table};

  const auto for_each = [&](int64_t count, int64_t cost, auto&& task) {
    for_each_task(run, threads, count, cost, scratch, work.thread_floats, task);
  };
  switch (work.method) {
    case Method::tiles:
    case Method::packed_tiles:
      for_each(work.tasks, work.cost, [&](int64_t task, float* room) { body.multiply(task, room); });
      break;
    case Method::rows:
      for_each(work.tasks, work.cost, [&](int64_t task, float* room) { body.slide(task, room); });
      break;
    case Method::winograd:
      if (work.ranges == 1) {
        for_each(work.tasks, work.cost, [&](int64_t task, float* room) { body.multiply_tiles(task, room); });
        break;
      }
      for (int64_t index = 0; index < work.tasks / work.ranges; ++index) {
        const int64_t image = index / work.block_count(c), tiles = work.blocks.rows * work.blocks.columns;
        const Block block = body.tiles_at(index % work.block_count(c));
        for_each(c.channels, tiles * work.tile.positions * 8, [&](int64_t channel, float* room) {
          body.transform(image, block, channel, channel + 1, room, input);
        });
        for_each(work.ranges, work.cost, [&](int64_t range, float* room) {
          const auto [begin, end] = body.range(range);
          body.finish_tiles(image, block, begin, end, input, room);
        });
      }
      break;
  }
  return {};
}

template <Isa isa>
Result<void> plan_vectors(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  const auto x = node.input(conv_x);
  if (x.element() != DataType::f32 && !is_half(x.element()))
    return decline("elements are " + std::string(name_of(x.element())) + ", not f32, f16 or bf16");
  if (conv_kernels(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  HEED_TRY(require_ranks(node));
  const WeightSizes w(node);
  if (w.count == 0) return decline("only the run tells the sizes of the weights, or there are many");
  if (std::count(w.numbers, w.numbers + w.count, 0) != 0) return decline("there are no weights");
  return check_stripes(node, x, w.kernel());
}

template <Isa isa, int32_t score, bool fused>
CpuKernel vector_kernel() {
  return {.domain = fused ? "heed" : "",
          .op_type = fused ? "FusedConv" : "Conv",
          .name = name_of(isa),
          .score = score,
          .plan = plan_vectors<isa>,
          .prepare = [](Preparing& node) { return prepare(node, *conv_kernels(isa)); },
          .bind = [](Binding& node) { return bind(node, *conv_kernels(isa)); },
          .run = [](Running& run) { return run_vectors(run, *conv_kernels(isa), fused_with(isa)); }};
}

}  // namespace

extern const CpuKernel conv_neon = vector_kernel<Isa::neon, 5, false>();
extern const CpuKernel conv_avx2 = vector_kernel<Isa::avx2, 10, false>();
extern const CpuKernel conv_avx512 = vector_kernel<Isa::avx512, 20, false>();
extern const CpuKernel fused_conv_neon = vector_kernel<Isa::neon, 5, true>();
extern const CpuKernel fused_conv_avx2 = vector_kernel<Isa::avx2, 10, true>();
extern const CpuKernel fused_conv_avx512 = vector_kernel<Isa::avx512, 20, true>();

}  // namespace heed::cpu
