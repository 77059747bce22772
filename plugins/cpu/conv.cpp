// Conv: y[n, m, p] = bias[m] + sum over c and window positions k of w[m, c, k] * x[n, group(m) + c, p * stride + k *
// dilation - pad], over one to any number of spatial axes; and heed.FusedConv, which does something with it.
#include "conv_finish.hpp"
#include "sliding.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

// One output channel of one image: weights as scalars, rows of the image along its last axis.
template <class T>
void convolve(const T* x, const T* w, T* y, int64_t channels, const Sliding& s) {
  const size_t last = s.in.size() - 1;
  const int64_t row = s.out[last], rows = s.out_count / row;
  std::vector<int64_t> position(last), window(s.in.size());
  for (int64_t c = 0; c < channels; ++c, x += s.in_count) {
    for (int64_t k = 0; k < s.kernel_count; ++k) {
      const T weight = *w++;
      s.window_at(k, window);
      // The outputs along the last axis whose window position k lies within the image.
      const int64_t shift = window[last] * s.dilations[last] - s.pads[last], stride = s.strides[last];
      const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
      const int64_t end = s.in[last] - 1 < shift ? 0 : std::min(row, (s.in[last] - 1 - shift) / stride + 1);
      std::fill(position.begin(), position.end(), 0);
      for (int64_t r = 0; r < rows; ++r) {
        int64_t offset = 0;
        bool inside = true;
        for (size_t axis = 0; axis < last; ++axis) {
          const int64_t at = position[axis] * s.strides[axis] + window[axis] * s.dilations[axis] - s.pads[axis];
          inside = inside && at >= 0 && at < s.in[axis];
          offset = offset * s.in[axis] + at;
        }
        if (inside) {
          const T* from = x + offset * s.in[last] + shift;
          T* to = y + r * row;
          if (stride == 1)
            for (int64_t i = begin; i < end; ++i) to[i] += weight * from[i];
          else
            for (int64_t i = begin; i < end; ++i) to[i] += weight * from[i * stride];
        }
        for (size_t axis = last; axis-- > 0;) {
          if (++position[axis] < s.out[axis]) break;
          position[axis] = 0;
        }
      }
    }
  }
}

template <bool fused>
Result<void> run(Running& run) {
  const auto x = run.input(conv_x), w = run.input(conv_w), bias = run.input(conv_bias);
  const auto residual = run.input(conv_residual);
  if (x.rank() < 3) return check_rank(run, 0, 4);
  HEED_TRY(check_rank(run, 1, x.rank()));
  const int64_t groups = run.integer("group", 1), outputs = w.dim(0), channels = w.dim(1);
  if (x.dim(1) != channels * groups || outputs % groups != 0 || (bias.present() && bias.count() != outputs))
    return Error{Code::shape_mismatch, std::to_string(x.dim(1)) + " channels of data meet weights for " +
                                           std::to_string(channels) + " in each of " + std::to_string(groups) +
                                           " groups, with " + std::to_string(outputs) + " outputs"};
  const std::vector<int64_t> kernel(w.dims().begin() + 2, w.dims().end());
  HEED_ASSIGN(const auto s, sliding_of(run, x, kernel));
  std::vector<int64_t> dims{x.dim(0), w.dim(0)};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  if (fused && residual.present() && residual.count() != y.count())
    return Error{Code::shape_mismatch, "a residual of another size than the output"};

  const ConvFinisher finish(run);
  dispatch_float(x.element(), [&]<class T>(T) {
    const int64_t work = s.out_count * s.kernel_count * channels + 1;
    run.parallel_for(x.dim(0) * outputs, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
      RowReader<T> x_reader(x), w_reader(w), bias_reader(bias), residual_reader(residual);
      RowWriter<T> writer(y);
      for (int64_t at = begin; at < end; ++at) {
        const int64_t image = at / outputs, output = at % outputs, group = output / (outputs / groups);
        T* to = writer.row(at * s.out_count, s.out_count);
        std::fill_n(to, s.out_count, bias.present() ? *bias_reader.row(output, 1) : T{0});
        const T* from = x_reader.row((image * x.dim(1) + group * channels) * s.in_count, channels * s.in_count);
        const T* weights = w_reader.row(output * channels * s.kernel_count, channels * s.kernel_count);
        convolve(from, weights, to, channels, s);
        if constexpr (fused)
          finish(to, residual.present() ? residual_reader.row(at * s.out_count, s.out_count) : nullptr, s.out_count);
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel conv{.op_type = "Conv", .run = run<false>};
extern const CpuKernel fused_conv{.domain = "heed", .op_type = "FusedConv", .run = run<true>};

}  // namespace heed::cpu
