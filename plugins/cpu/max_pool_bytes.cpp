// MaxPool of bytes without indices: the greatest of the lines that a window crosses, place by place, and of that line along
// the last axis. Padding never wins.
#include "sliding.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <class T>
class Pool {
 public:
  explicit Pool(const Sliding& s)
      : s_(s), last_(s.in.size() - 1), line_(static_cast<size_t>(s.in[last_])), position_(last_), window_(s.in.size()) {}

  // One channel of one image.
  void run(const T* from, T* to) {
    const int64_t row = s_.out[last_], lines_of_window = s_.kernel_count / s_.kernel[last_];
    std::fill(position_.begin(), position_.end(), 0);
    for (int64_t at = 0; at < s_.out_count; at += row) {
      std::fill(line_.begin(), line_.end(), std::numeric_limits<T>::lowest());
      for (int64_t k = 0; k < lines_of_window; ++k) {
        s_.window_at(k * s_.kernel[last_], window_);
        int64_t offset = 0;
        bool inside = true;
        for (size_t axis = 0; axis < last_; ++axis) {
          const int64_t there = position_[axis] * s_.strides[axis] + window_[axis] * s_.dilations[axis] - s_.pads[axis];
          inside = inside && there >= 0 && there < s_.in[axis];
          offset = offset * s_.in[axis] + there;
        }
        if (inside) raise(from + offset * s_.in[last_], 1, s_.in[last_], line_.data());
      }
      std::fill_n(to + at, row, std::numeric_limits<T>::lowest());
      for (int64_t k = 0; k < s_.kernel[last_]; ++k) {
        // The outputs whose window position k lies within the line.
        const int64_t shift = k * s_.dilations[last_] - s_.pads[last_], stride = s_.strides[last_];
        const int64_t begin = shift >= 0 ? 0 : (-shift + stride - 1) / stride;
        const int64_t end = s_.in[last_] - 1 < shift ? 0 : std::min(row, (s_.in[last_] - 1 - shift) / stride + 1);
        if (begin < end) raise(line_.data() + begin * stride + shift, stride, end - begin, to + at + begin);
      }
      for (size_t axis = last_; axis-- > 0;) {
        if (++position_[axis] < s_.out[axis]) break;
        position_[axis] = 0;
      }
    }
  }

 private:
  // to[i] = the greater of it and from[i * step]
  static void raise(const T* from, int64_t step, int64_t n, T* to) {
    if (step == 1)
      for (int64_t i = 0; i < n; ++i) to[i] = std::max(to[i], from[i]);
    else if (step == 2)
      for (int64_t i = 0; i < n; ++i) to[i] = std::max(to[i], from[2 * i]);
    else
      for (int64_t i = 0; i < n; ++i) to[i] = std::max(to[i], from[step * i]);
  }

  const Sliding& s_;
  size_t last_;
  std::vector<T> line_;
  std::vector<int64_t> position_, window_;
};

template <class T>
void pool(const Running& run, const Sliding& s, const TensorView& x, const TensorView& y) {
  const int64_t work = s.out_count * s.kernel_count + 1;
  run.parallel_for(x.dim(0) * x.dim(1), std::max<int64_t>(1, 65536 / work), [&](int64_t begin, int64_t end) {
    Pool<T> pool(s);
    for (int64_t image = begin; image < end; ++image)
      pool.run(x.data<T>() + image * s.in_count, y.data<T>() + image * s.out_count);
  });
}

Result<void> run(Running& run) {
  const auto x = run.input(0);
  const auto kernel = *run.integers("kernel_shape");
  HEED_TRY(check_rank(run, 0, static_cast<int32_t>(kernel.size()) + 2));
  HEED_ASSIGN(const auto s, sliding_of(run, x, {kernel.begin(), kernel.end()}));
  std::vector<int64_t> dims{x.dim(0), x.dim(1)};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (x.element() == DataType::i8)
    pool<int8_t>(run, s, x, y);
  else
    pool<uint8_t>(run, s, x, y);
  return {};
}

Result<void> plan(Planning& node) {
  if (node.has_output(1)) return decline("it gives no indices");
  const DataType element = node.input(0).element();
  if (element != DataType::i8 && element != DataType::u8) return decline("it takes bytes alone");
  return {};
}

}  // namespace

extern const CpuKernel max_pool_bytes{.op_type = "MaxPool", .name = "lines of bytes", .score = 5, .plan = plan, .run = run};

}  // namespace heed::cpu
