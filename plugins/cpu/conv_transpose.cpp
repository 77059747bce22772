// ConvTranspose: y[n, m, o] = bias[m] + sum over c and window positions k of x[n, c, i] * w[c, m, k], where o = i *
// stride + k * dilation - pad, over one to any number of spatial axes.
#include "walk.hpp"

namespace heed::cpu {
namespace {

// One entry per spatial axis.
struct Spread {
  std::vector<int64_t> in, out, kernel, strides, dilations, pads;
  int64_t in_count = 1, out_count = 1, kernel_count = 1;
};

Result<Spread> spread_of(const Running& run, const TensorView& x, const TensorView& w) {
  const size_t rank = x.dims().size() - 2;
  const auto list = [&](std::string_view name, int64_t otherwise, size_t count) {
    const auto given = run.integers(name);
    return given ? std::vector<int64_t>(given->begin(), given->end()) : std::vector<int64_t>(count, otherwise);
  };
  Spread s{.in{x.dims().begin() + 2, x.dims().end()},
           .out{},
           .kernel{w.dims().begin() + 2, w.dims().end()},
           .strides = list("strides", 1, rank),
           .dilations = list("dilations", 1, rank),
           .pads{}};
  const auto pads = list("pads", 0, 2 * rank), more = list("output_padding", 0, rank);
  const auto auto_pad = run.text("auto_pad", "NOTSET");
  const bool same = auto_pad == "SAME_UPPER" || auto_pad == "SAME_LOWER";
  const auto wanted = run.integers("output_shape");
  // What inference checks where it knows the ranks.
  const auto fit = [](const std::vector<int64_t>& numbers, size_t count, int64_t least) {
    return numbers.size() == count && std::all_of(numbers.begin(), numbers.end(), [&](int64_t number) {
             return number >= least && number <= INT32_MAX;
           });
  };
  if (!fit(s.strides, rank, 1) || !fit(s.dilations, rank, 1) || !fit(pads, 2 * rank, 0) || !fit(more, rank, 0) ||
      (wanted && wanted->size() != rank && wanted->size() != rank + 2))
    return Error{Code::shape_mismatch, "strides, dilations, pads, output_padding or output_shape do not fit " +
                                           std::to_string(rank) + " spatial axes"};
  for (size_t axis = 0; axis < rank; ++axis) {
    const int64_t full = (s.in[axis] - 1) * s.strides[axis] + more[axis] + (s.kernel[axis] - 1) * s.dilations[axis] + 1;
    int64_t before = auto_pad == "VALID" ? 0 : pads[axis];
    int64_t out = full - (auto_pad == "VALID" ? 0 : pads[axis] + pads[rank + axis]);
    if (wanted || same) {
      out = wanted ? (*wanted)[wanted->size() - rank + axis] : s.in[axis] * s.strides[axis];
      const int64_t total = std::max<int64_t>(0, full - out);  // where the output is larger, zeros stand behind
      before = auto_pad == "SAME_UPPER" ? total / 2 : total - total / 2;
    }
    if (out < 0)
      return Error{Code::shape_mismatch,
                   "the pads of axis " + std::to_string(axis + 2) + " leave nothing of " + std::to_string(full)};
    s.out.push_back(out);
    s.pads.push_back(before);
    s.in_count *= s.in[axis];
    s.out_count *= out;
    s.kernel_count *= s.kernel[axis];
  }
  return s;
}

// One output channel of one image: a weight at a time, and with it rows of the image along its last axis.
template <class T>
void spread(const T* x, const T* w, int64_t w_stride, T* y, int64_t channels, const Spread& s) {
  const size_t last = s.in.size() - 1;
  const int64_t row = s.in[last], rows = row == 0 ? 0 : s.in_count / row, stride = s.strides[last];
  std::vector<int64_t> position(last), window(s.in.size());
  for (int64_t c = 0; c < channels; ++c, x += s.in_count, w += w_stride) {
    for (int64_t k = 0; k < s.kernel_count; ++k) {
      const T weight = w[k];
      int64_t rest = k;
      for (size_t axis = s.in.size(); axis-- > 0; rest /= s.kernel[axis]) window[axis] = rest % s.kernel[axis];
      // The inputs along the last axis that come to stand within the output.
      const int64_t shift = window[last] * s.dilations[last] - s.pads[last];
      const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
      const int64_t end = s.out[last] - 1 < shift ? 0 : std::min(row, (s.out[last] - 1 - shift) / stride + 1);
      std::fill(position.begin(), position.end(), 0);
      for (int64_t r = 0; r < rows; ++r) {
        int64_t offset = 0;
        bool inside = true;
        for (size_t axis = 0; axis < last; ++axis) {
          const int64_t at = position[axis] * s.strides[axis] + window[axis] * s.dilations[axis] - s.pads[axis];
          inside = inside && at >= 0 && at < s.out[axis];
          offset = offset * s.out[axis] + at;
        }
        if (inside) {
          const T* from = x + r * row;
          T* to = y + offset * s.out[last] + shift;
          for (int64_t i = begin; i < end; ++i) to[i * stride] += weight * from[i];
        }
        for (size_t axis = last; axis-- > 0;) {
          if (++position[axis] < s.in[axis]) break;
          position[axis] = 0;
        }
      }
    }
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0), w = run.input(1), bias = run.input(2);
  if (x.rank() < 3) return check_rank(run, 0, 4);
  HEED_TRY(check_rank(run, 1, x.rank()));
  const int64_t groups = run.integer("group", 1), outputs = w.dim(1), channels = x.dim(1) / groups;
  if (x.dim(1) != w.dim(0) || x.dim(1) % groups != 0 || (bias.present() && bias.count() != outputs * groups))
    return Error{Code::shape_mismatch, std::to_string(x.dim(1)) + " channels of data meet weights for " +
                                           std::to_string(w.dim(0)) + " in " + std::to_string(groups) +
                                           " groups, each with " + std::to_string(outputs) + " outputs"};
  HEED_ASSIGN(const auto s, spread_of(run, x, w));
  std::vector<int64_t> dims{x.dim(0), outputs * groups};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  dispatch_float(x.element(), [&]<class T>(T) {
    const int64_t work = s.in_count * s.kernel_count * channels + 1;
    run.parallel_for(x.dim(0) * outputs * groups, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
      RowReader<T> x_reader(x), w_reader(w), bias_reader(bias);
      RowWriter<T> writer(y);
      for (int64_t at = begin; at < end; ++at) {
        const int64_t image = at / (outputs * groups), output = at % (outputs * groups), group = output / outputs;
        T* to = writer.row(at * s.out_count, s.out_count);
        std::fill_n(to, s.out_count, bias.present() ? *bias_reader.row(output, 1) : T{0});
        const T* from = x_reader.row((image * x.dim(1) + group * channels) * s.in_count, channels * s.in_count);
        const int64_t kernels = outputs * s.kernel_count;
        const T* weights = w_reader.row(group * channels * kernels, channels * kernels);
        spread(from, weights + output % outputs * s.kernel_count, kernels, to, channels, s);
        writer.finish();
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel conv_transpose{.op_type = "ConvTranspose", .run = run};

}  // namespace heed::cpu
