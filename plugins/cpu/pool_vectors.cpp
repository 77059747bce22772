// MaxPool, without indices, and AveragePool by vectors: of a block of windows first the elements above each other
// become one, along rows of the image as they lie; then of these lines, between their padding, elements beside each
// other do. Where windows do not overlap, lines are one long line, of several small images. Images of f16 and bf16 are
// f32 meanwhile.
#include <algorithm>
#include <limits>
#include <utility>

#include "conv_panels.hpp"
#include "half.hpp"
#include "ranks.hpp"
#include "stripes.hpp"

namespace heed::cpu {
namespace {

// The lines of a block stay in the first-level cache.
constexpr int64_t block_floats = 6 * 1024, widest_block = 512;

// What holds at all sizes.
struct Settings {
  WindowAttributes windows;
  bool counts_padding;
};

Settings settings_of(const NodeView& node) {
  return {window_attributes_of(node, *node.integers("kernel_shape")), node.integer("count_include_pad") != 0};
}

struct Pooling : Windows {
  int64_t images;  // of all batches and channels
  bool is_half, counts_padding;
  bool has_lines;     // rows of images are lines as they lie
  bool are_one_line;  // those of a block, side by side
  Blocks blocks;
  int64_t line_length;  // of a block, with its padding
  int64_t at_once;      // images, where each is one block

  Pooling(const Settings& settings, const TensorView& x, const TensorView& y, bool is_mean, int64_t threads)
      : Windows(windows_of(settings.windows, x.dims(), y.dims())),
        images(x.dim(0) * x.dim(1)),
        is_half(cpu::is_half(x.element())),
        counts_padding(settings.counts_padding) {
    const auto lies = [&](int axis) {
      return kernel[axis] == 1 && pads[axis] == 0 && (out[axis] - 1) * strides[axis] < in[axis];
    };
    const bool are_lines = in_count > 0 && lies(depth) && lies(height);
    // Where no window reaches into the next image, all are one of many rows.
    const bool are_rows = are_lines && in[height] * out[height] == 1;
    if (are_rows) strides[height] = 1;
    const bool are_stacked = pads[height] == 0 && (kernel[height] - 1) * dilations[height] < strides[height] &&
                             out[height] * strides[height] == in[height];
    if (are_stacked && lies(depth) && in[depth] * out[depth] == 1 && !is_half) {
      const int64_t count = std::exchange(images, 1);
      in[height] *= count;
      out[height] *= count;
      in_count *= count;
      out_count *= count;
    }
    has_lines = are_lines && strides[width] == 1 && pads[width] == 0 && reach(out[width]) <= in[width];
    blocks = blocks_of(out[height], out[width], block_floats / reach(std::min(out[width], widest_block)), widest_block,
                       16, images * out[depth], 1);
    are_one_line = !is_mean && !has_lines && reach(1) <= strides[width] && blocks.column_blocks == 1;
    line_length = are_one_line ? blocks.columns * strides[width] : reach(blocks.columns);
    at_once = are_one_line && !is_half && block_count() == 1
                  ? std::clamp<int64_t>(block_floats / (blocks.rows * line_length), 1, ceil_divide(images, threads))
                  : 1;
  }

  int64_t reach(int64_t columns) const {
    return (columns - 1) * strides[width] + (kernel[width] - 1) * dilations[width] + 1;
  }
  int64_t block_count() const { return out[depth] * blocks.row_blocks * blocks.column_blocks; }

  // Behind the last output whose window ends within the image.
  int64_t whole_end(int axis) const {
    const int64_t room = in[axis] + pads[axis] - (kernel[axis] - 1) * dilations[axis] - 1;
    return room < 0 ? 0 : quotient(room, strides[axis]) + 1;
  }
  // Elements that count in a mean.
  float count(int axis, int64_t output) const {
    const int64_t end = in[axis] + (counts_padding ? pads_behind[axis] : 0);
    return static_cast<float>(count_before(axis, output, end) - (counts_padding ? 0 : count_before(axis, output, 0)));
  }
};

// Scratch, in floats: what all threads read, and what each has.
struct Room {
  int64_t across, row_divisors, column_divisors, shared;  // where the first three begin, and where they end
  int64_t lines, image, outputs, thread;                  // likewise, of a thread; first its offsets

  explicit Room(const Pooling& p, bool is_mean) {
    const auto offsets = [](int64_t count) {
      return whole_lines(count * static_cast<int64_t>(sizeof(int64_t) / sizeof(float)));
    };
    across = 0;
    row_divisors = across + offsets(p.kernel[width]);
    column_divisors = row_divisors + (is_mean ? whole_lines(p.out[depth] * p.out[height]) : 0);
    shared = column_divisors + (is_mean ? whole_lines(p.out[width]) : 0);
    lines = offsets(p.kernel[depth] * p.kernel[height]);
    image = lines + (p.has_lines ? 0 : whole_lines(p.at_once * p.blocks.rows * p.line_length + stripe_slack));
    outputs = image + (p.is_half ? whole_lines(p.in_count) : 0);
    thread = outputs + (p.is_half ? whole_lines(p.out_count) : 0);
  }
};

struct Run {
  const Pooling& p;
  const Room& room;
  const ConvKernels& kernels;
  bool is_mean;
  float* shared;

  auto pooled() const { return is_mean ? kernels.sums : kernels.greatest; }

  void prepare() const {
    auto* across = reinterpret_cast<int64_t*>(shared + room.across);
    for (int64_t k = 0; k < p.kernel[width]; ++k) across[k] = k * p.dilations[width];
    if (!is_mean) return;
    for (int64_t z = 0; z < p.out[depth]; ++z)
      for (int64_t row = 0; row < p.out[height]; ++row)
        shared[room.row_divisors + z * p.out[height] + row] = p.count(depth, z) * p.count(height, row);
    for (int64_t column = 0; column < p.out[width]; ++column)
      shared[room.column_divisors + column] = p.count(width, column);
  }

  // A line for each row of a block: of the pixels [first, first + length) of rows of the image.
  void join_rows(const float* image, const Block& block, int64_t first, int64_t length, int64_t* offsets,
                 float* lines) const {
    const Taps deep = p.inside(depth, block.depth);
    const int64_t whole_end = p.whole_end(height) - block.row;  // of rows whose windows lie in the image
    for (int64_t row = 0, end; row < block.rows; row = end) {
      const Taps high = p.inside(height, block.row + row);
      end = high == Taps{0, p.kernel[height]} ? std::clamp(whole_end, row + 1, block.rows) : row + 1;
      int64_t count = 0;
      for (int64_t z = deep.begin; z < deep.end; ++z)
        for (int64_t k = high.begin; k < high.end; ++k)
          offsets[count++] =
              (p.place(depth, block.depth, z) * p.in[height] + p.place(height, block.row + row, k)) * p.in[width] +
              first;
      pooled()({.source = image,
                .source_stride = p.strides[height] * p.in[width],
                .step = 1,
                .offsets = offsets,
                .k_count = count,
                .row_count = end - row,
                .column_count = length,
                .y = lines + row * p.line_length,
                .y_stride = p.line_length,
                .row_divisors = nullptr,
                .column_divisors = nullptr});
    }
  }

  // The lines of a block; `length` pixels of the image's rows, from `first` on, lie `before` so many of their padding.
  void fill_lines(const float* image, const Block& block, int64_t first, int64_t length, int64_t before,
                  int64_t* offsets, float* lines) const {
    const float padding = is_mean ? 0 : -std::numeric_limits<float>::infinity();
    float* gap = lines;  // to the next line: what is behind one and before another
    for (int64_t row = 0; row < block.rows; ++row) {
      float* const line = lines + row * p.line_length + before;
      std::fill(gap, line, padding);
      gap = line + length;
    }
    std::fill(gap, lines + block.rows * p.line_length, padding);
    join_rows(image, block, first, length, offsets, lines + before);
  }

  // A block of each of `count` images.
  void pool(const float* image, int64_t count, const Block& block, float* own, float* y) const {
    const int64_t first = p.place(width, block.column, 0);
    const float* lines = image;
    int64_t line_stride = p.strides[height] * p.in[width];
    if (p.has_lines) {
      lines += (block.depth * p.strides[depth] * p.in[height] + block.row * p.strides[height]) * p.in[width] + first;
    } else {
      const int64_t begin = std::clamp<int64_t>(first, 0, p.in[width]);
      const int64_t end = std::clamp<int64_t>(first + p.reach(block.columns), begin, p.in[width]);
      const int64_t before = std::clamp<int64_t>(begin - first, 0, p.line_length);
      for (int64_t i = 0; i < count; ++i)
        fill_lines(image + i * p.in_count, block, begin, end - begin, before, reinterpret_cast<int64_t*>(own),
                   own + room.lines + i * block.rows * p.line_length);
      lines = own + room.lines;
      line_stride = p.line_length;
    }
    const int64_t output_row = block.depth * p.out[height] + block.row;
    PooledRows rows{.source = lines,
                    .source_stride = line_stride,
                    .step = p.strides[width],
                    .offsets = reinterpret_cast<const int64_t*>(shared + room.across),
                    .k_count = p.kernel[width],
                    .row_count = block.rows,
                    .column_count = block.columns,
                    .y = y + output_row * p.out[width] + block.column,
                    .y_stride = p.out[width],
                    .row_divisors = is_mean ? shared + room.row_divisors + output_row : nullptr,
                    .column_divisors = is_mean ? shared + room.column_divisors + block.column : nullptr};
    if (!p.are_one_line) return pooled()(rows);
    // Cut into vectors, as rows are taken side by side; and what is left.
    const int64_t outputs = count * block.rows * block.columns;
    rows.y_stride = rows.column_count = kernels.lanes;
    rows.source_stride = rows.column_count * p.strides[width];
    rows.row_count = outputs / rows.column_count;
    pooled()(rows);
    rows.source += rows.row_count * rows.source_stride;
    rows.y += rows.row_count * rows.y_stride;
    rows.column_count = outputs - rows.row_count * rows.column_count;
    rows.row_count = 1;
    pooled()(rows);
  }

  Block block_at(int64_t index) const { return p.blocks.at(index, p.out[height], p.out[width]); }
};

Result<void> prepare(Preparing& node) {
  auto* kept = node.keep<Settings>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for what the attributes say"};
  *kept = settings_of(node);
  return {};
}

template <bool is_mean>
Result<void> bind(Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return {};
  const int64_t threads = std::max(host->prepare_threads(node.c()), 1);
  const Room room(Pooling(settings_of(node), node.input(0), y, is_mean, threads), is_mean);
  node.scratch(static_cast<size_t>(room.shared + threads * room.thread) * sizeof(float));
  return {};
}

template <bool is_mean>
Result<void> run_vectors(Running& run, const ConvKernels& kernels) {
  const auto x = run.input(0), y = run.output(0);
  if (y.count() == 0) return {};
  const int64_t threads = std::max(host->prepare_threads(run.c()), 1);
  const Pooling p(*run.kept<Settings>(), x, y, is_mean, threads);
  const Room room(p, is_mean);
  const Run body{p, room, kernels, is_mean, run.scratch<float>()};
  body.prepare();

  const auto pool = [&](int64_t task, float* own) {
    if (!p.is_half) {
      const int64_t group = quotient(task, p.block_count()), image = group * p.at_once;
      body.pool(x.data<float>() + image * p.in_count, std::min(p.at_once, p.images - image),
                body.block_at(task - group * p.block_count()), own, y.data<float>() + image * p.out_count);
      return;
    }
    widen(x.element(), x.data<uint16_t>() + task * p.in_count, p.in_count, own + room.image);
    for (int64_t block = 0; block < p.block_count(); ++block)
      body.pool(own + room.image, 1, body.block_at(block), own, own + room.outputs);
    narrow(y.element(), own + room.outputs, p.out_count, y.data<uint16_t>() + task * p.out_count);
  };
  float* const own = run.scratch<float>() + room.shared;
  const int64_t tasks = ceil_divide(p.images, p.at_once) * (p.is_half ? 1 : p.block_count());
  for_each_task(run, threads, tasks, p.images * p.out_count * p.kernel_count / tasks, own, room.thread, pool);
  return {};
}

template <Isa isa>
Result<void> plan(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  const auto x = node.input(0);
  if (x.element() != DataType::f32 && !is_half(x.element()))
    return decline("elements are " + std::string(name_of(x.element())) + ", not f32, f16 or bf16");
  if (conv_kernels(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  if (node.has_output(1)) return decline("it is asked where the greatest stand");
  HEED_TRY(require_ranks(node));
  return check_stripes(node, x, *node.integers("kernel_shape"));
}

template <Isa isa, int32_t score, bool is_mean>
CpuKernel vector_kernel() {
  return {.op_type = is_mean ? "AveragePool" : "MaxPool",
          .name = name_of(isa),
          .score = score,
          .plan = plan<isa>,
          .prepare = prepare,
          .bind = bind<is_mean>,
          .run = [](Running& run) { return run_vectors<is_mean>(run, *conv_kernels(isa)); }};
}

}  // namespace

extern const CpuKernel max_pool_neon = vector_kernel<Isa::neon, 5, false>();
extern const CpuKernel max_pool_avx2 = vector_kernel<Isa::avx2, 10, false>();
extern const CpuKernel max_pool_avx512 = vector_kernel<Isa::avx512, 20, false>();
extern const CpuKernel average_pool_neon = vector_kernel<Isa::neon, 5, true>();
extern const CpuKernel average_pool_avx2 = vector_kernel<Isa::avx2, 10, true>();
extern const CpuKernel average_pool_avx512 = vector_kernel<Isa::avx512, 20, true>();

}  // namespace heed::cpu
