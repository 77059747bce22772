// MaxPool of f32 by vectors, without indices: rows of windows over padded copies of pieces of images.
#include <algorithm>
#include <limits>

#include "conv_panels.hpp"
#include "ranks.hpp"
#include "stripes.hpp"

namespace heed::cpu {
namespace {

// A stripe stays in the first-level cache.
constexpr int64_t stripe_floats = 6 * 1024, widest_block = 512;
// Below this a thread costs more than it brings: comparisons.
constexpr int64_t serial_work = 64 * 1024;

struct Pooling : Windows {
  int64_t images;  // of all batches and channels
  Blocks blocks;
  Stripe stripe;
  int64_t thread_floats;

  Pooling(const NodeView& node, const TensorView& x, const TensorView& y)
      : Windows(windows_of(window_attributes_of(node, *node.integers("kernel_shape")), x.dims(), y.dims())),
        images(x.dim(0) * x.dim(1)) {
    const int64_t row_floats = kernel[depth] * stripe_of(*this, 1, std::min(out[width], widest_block)).row_length;
    const int64_t reach = (kernel[height] - 1) * dilations[height] + 1;
    blocks = blocks_of(out[height], out[width], (stripe_floats / row_floats - reach) / strides[height], widest_block,
                       16, images * out[depth], 1);
    stripe = stripe_of(*this, blocks.rows, blocks.columns);
    thread_floats = ceil_divide(stripe.floats(*this, 1), 16) * 16;
  }
  int64_t table_count() const { return ceil_divide(kernel_count, 16) * 16; }
  int64_t block_count() const { return out[depth] * blocks.row_blocks * blocks.column_blocks; }
};

Result<void> bind(Binding& node) {
  const auto y = node.output(0);
  if (y.count() == 0) return {};
  const Pooling p(node, node.input(0), y);
  const int64_t threads = std::max(host->prepare_threads(node.c()), 1);
  node.scratch(static_cast<size_t>(p.table_count() + threads * p.thread_floats) * sizeof(float));
  return {};
}

Result<void> run_vectors(Running& run, const ConvKernels& kernels) {
  const auto x = run.input(0), y = run.output(0);
  if (y.count() == 0) return {};
  const Pooling p(run, x, y);
  auto* const offsets = run.scratch<int32_t>();
  float* const stripes = run.scratch<float>() + p.table_count();
  stripe_offsets(p, p.stripe, 1, offsets);
  const auto pool = [&](int64_t task, float* stripe) {
    const int64_t image = quotient(task, p.block_count());
    const Block block = p.blocks.at(task - image * p.block_count(), p.out[height], p.out[width]);
    constexpr float padding = -std::numeric_limits<float>::infinity();
    fill_stripe(kernels, p, p.stripe, x.data<float>() + image * p.in_count, 1, block, padding, stripe);
    kernels.greatest({.source = stripe,
                      .source_stride = p.strides[height] * p.stripe.row_length,
                      .offsets = offsets,
                      .k_count = p.kernel_count,
                      .weights = nullptr,
                      .row_count = block.rows,
                      .column_count = block.columns,
                      .y = y.data<float>() + image * p.out_count +
                           (block.depth * p.out[height] + block.row) * p.out[width] + block.column,
                      .residual = nullptr,
                      .y_stride = p.out[width],
                      .finish = {}});
  };
  const int64_t tasks = p.images * p.block_count(), threads = std::max(host->prepare_threads(run.c()), 1);
  if (run.thread_count() > threads) {  // scratch was bound for fewer
    for (int64_t task = 0; task < tasks; ++task) pool(task, stripes);
    return {};
  }
  const int64_t cost = std::max<int64_t>(1, p.images * p.out_count * p.kernel_count / tasks);
  run.parallel_for(tasks, std::max<int64_t>(1, serial_work / cost), [&](int64_t begin, int64_t end, int32_t thread) {
    for (int64_t task = begin; task < end; ++task) pool(task, stripes + thread * p.thread_floats);
  });
  return {};
}

template <Isa isa>
Result<void> plan(Planning& node) {
  HEED_TRY(require_isa(node, isa));
  const auto x = node.input(0);
  if (x.element() != DataType::f32) return decline("elements are " + std::string(name_of(x.element())) + ", not f32");
  if (conv_kernels(isa) == nullptr) return decline("it is not compiled for " + std::string(name_of(isa)));
  if (node.has_output(1)) return decline("it is asked where the greatest stand");
  HEED_TRY(require_ranks(node));
  return check_stripes(node, x, *node.integers("kernel_shape"));
}

template <Isa isa, int32_t score>
CpuKernel vector_kernel() {
  return {.op_type = "MaxPool",
          .name = name_of(isa),
          .score = score,
          .plan = plan<isa>,
          .bind = bind,
          .run = [](Running& run) { return run_vectors(run, *conv_kernels(isa)); }};
}

}  // namespace

extern const CpuKernel max_pool_neon = vector_kernel<Isa::neon, 5>();
extern const CpuKernel max_pool_avx2 = vector_kernel<Isa::avx2, 10>();
extern const CpuKernel max_pool_avx512 = vector_kernel<Isa::avx512, 20>();

}  // namespace heed::cpu
