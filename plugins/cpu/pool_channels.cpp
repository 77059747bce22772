// MaxPool, without indices, and AveragePool of f32 images that lie channels last, with channels in the lanes.
#include "channels_last.hpp"

namespace heed::cpu {
namespace {

struct Settings {
  WindowAttributes windows;
  bool counts_padding;
};

Settings settings_of(const NodeView& node) {
  return {window_attributes_of(node, *node.integers("kernel_shape")), node.integer("count_include_pad") != 0};
}

// A node with its sizes as numbers; blocks are of rows of outputs. Where outputs do not lie channels last, a thread has
// room for those of a block.
struct Pooling : Windows {
  int64_t images, channels, rows, row_blocks;
  bool is_last_x, is_last_y;
  int64_t copy = 0, outputs = 0, floats = 0;  // of a thread, where they begin: x and y channels last, and the taps
  bool counts_padding;

  Pooling(const Settings& settings, const TensorView& x, const TensorView& y, int64_t threads)
      : Windows(windows_of(settings.windows, x.dims(), y.dims())),
        images(x.dim(0)),
        channels(x.dim(1)),
        is_last_x(lies_channels_last(x)),
        is_last_y(lies_channels_last(y)),
        counts_padding(settings.counts_padding) {
    row_blocks = images % threads == 0 ? 1 : std::min(threads, out[height]);
    rows = ceil_divide(out[height], row_blocks);
    row_blocks = ceil_divide(out[height], rows);
    copy = whole_lines(kernel_count * static_cast<int64_t>(sizeof(ChannelTap) / sizeof(float)));
    outputs = copy + (is_last_x ? 0 : whole_lines(in_count * channels));
    floats = outputs + (is_last_y ? 0 : whole_lines(rows * out[width] * channels));
  }

  // One block of rows of an image.
  template <bool is_mean>
  void pool(const ChannelKernels& kernels, const float* x, int64_t task, float* own, float* y) const {
    const int64_t image = quotient(task, row_blocks), first = (task - image * row_blocks) * rows;
    const int64_t count = std::min(rows, out[height] - first);
    x += image * channels * in_count;
    if (!is_last_x) {
      kernels.transpose(x, in_count, channels, in_count, own + copy, channels);
      x = own + copy;
    }
    float* const last = is_last_y ? y + (image * out_count + first * out[width]) * channels : own + outputs;
    const ChannelWindows given{
        .channel_count = channels, .y = last, .y_row = out[width] * channels, .y_step = channels, .residual = last};
    for_each_rectangle(*this, x, first, first + count, reinterpret_cast<ChannelTap*>(own), given,
                       [&](ChannelWindows& call) {
                         call.divisor = static_cast<float>(counts_padding ? kernel_count : call.tap_count);
                         is_mean ? kernels.means(call) : kernels.greatest(call);
                       });
    if (!is_last_y)
      kernels.transpose(last, channels, count * out[width], channels,
                        y + image * channels * out_count + first * out[width], out_count);
  }
};

Result<void> prepare(Preparing& node) {
  auto* kept = node.keep<Settings>();
  if (kept == nullptr) return Error{Code::out_of_memory, "no memory for what the attributes say"};
  *kept = settings_of(node);
  return {};
}

Result<void> bind(Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return {};
  const int64_t threads = std::max(host->prepare_threads(node.c()), 1);
  const Pooling pooling(settings_of(node), node.input(0), y, threads);
  node.scratch(static_cast<size_t>(threads * pooling.floats) * sizeof(float));
  return {};
}

template <bool is_mean>
Result<void> run_channels(Running& run, const ChannelKernels& kernels) {
  const auto x = run.input(0), y = run.output(0);
  if (y.count() == 0) return {};
  const int64_t threads = std::max(host->prepare_threads(run.c()), 1);
  const Pooling p(*run.kept<Settings>(), x, y, threads);
  const int64_t tasks = p.images * p.row_blocks;
  for_each_task(
      run, threads, tasks, p.images * p.channels * p.out_count * p.kernel_count / tasks, run.scratch<float>(), p.floats,
      [&](int64_t task, float* own) { p.pool<is_mean>(kernels, x.data<float>(), task, own, y.data<float>()); });
  return {};
}

template <Isa isa, bool is_mean>
Result<void> plan(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  const auto x = node.input(0);
  if (x.element() != DataType::f32) return decline("elements are " + std::string(name_of(x.element())) + ", not f32");
  if (channel_kernels(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  if (node.has_output(1)) return decline("it is asked where the greatest stand");
  HEED_TRY(check_images(node, *node.integers("kernel_shape")));
  if (is_mean && node.integer("ceil_mode") != 0 && node.integer("count_include_pad") != 0)
    return decline("windows may reach behind the padding that counts");
  if (x.dim(1).number() % channel_step != 0)
    return decline("channels are no multiple of " + std::to_string(channel_step));
  if (!node.take_channels_last(0)) return decline("its images do not lie channels last");
  node.give_channels_last(0);
  return {};
}

template <Isa isa, int32_t score, bool is_mean>
CpuKernel channel_kernel() {
  return {.op_type = is_mean ? "AveragePool" : "MaxPool",
          .name = channels_last_name(isa),
          .score = score,
          .plan = plan<isa, is_mean>,
          .prepare = prepare,
          .bind = bind,
          .run = [](Running& run) { return run_channels<is_mean>(run, *channel_kernels(isa)); }};
}

}  // namespace

extern const CpuKernel max_pool_channels_neon = channel_kernel<Isa::neon, 25, false>();
extern const CpuKernel max_pool_channels_avx2 = channel_kernel<Isa::avx2, 30, false>();
extern const CpuKernel max_pool_channels_avx512 = channel_kernel<Isa::avx512, 40, false>();
extern const CpuKernel average_pool_channels_neon = channel_kernel<Isa::neon, 25, true>();
extern const CpuKernel average_pool_channels_avx2 = channel_kernel<Isa::avx2, 30, true>();
extern const CpuKernel average_pool_channels_avx512 = channel_kernel<Isa::avx512, 40, true>();

}  // namespace heed::cpu
