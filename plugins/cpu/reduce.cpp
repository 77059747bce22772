// ReduceSum, ReduceMean, ReduceMax, ReduceMin, ReduceProd, ReduceL1, ReduceL2, ReduceSumSquare, ReduceLogSum: y =
// finish(combine over the reduced axes of take(x)). Each is a struct of those three and of what an empty slice of
// elements of a type gives. ReduceLogSumExp goes over each slice twice.
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// The extreme numbers of a type, infinities where it has them.
template <class T>
T greatest(DataType type) {
  if constexpr (std::is_floating_point_v<T>) return std::numeric_limits<T>::infinity();
  if (type == DataType::boolean) return 1;
  const int bits = bits_of(type) - (is_signed_integer(type) ? 1 : 0);
  return static_cast<T>(bits == 64 ? UINT64_MAX : (uint64_t{1} << bits) - 1);
}
template <class T>
T least(DataType type) {
  if constexpr (std::is_floating_point_v<T>) return -std::numeric_limits<T>::infinity();
  return is_signed_integer(type) ? static_cast<T>(-greatest<T>(type) - 1) : T{0};
}

struct Sum {
  template <class T>
  static T empty(DataType) {
    return 0;
  }
  template <class T>
  static T take(T x) {
    return x;
  }
  template <class T>
  static T combine(T a, T b) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
    return a + b;
  }
  template <class T>
  static T finish(T y, int64_t) {
    return y;
  }
};
struct Mean : Sum {
  template <class T>
  static T finish(T y, int64_t count) {
    if constexpr (std::is_integral_v<T>) return count ? y / static_cast<T>(count) : 0;
    return y / static_cast<T>(count);
  }
};
struct SumSquare : Sum {
  template <class T>
  static T take(T x) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(x));
    return x * x;
  }
};
struct L2 : SumSquare {
  template <class T>
  static T finish(T y, int64_t) {
    return static_cast<T>(std::sqrt(y));
  }
};
struct L1 : Sum {
  template <class T>
  static T take(T x) {
    if constexpr (std::is_floating_point_v<T>) return std::abs(x);
    return x < 0 ? static_cast<T>(-static_cast<uint64_t>(x)) : x;
  }
};
struct LogSum : Sum {
  template <class T>
  static T finish(T y, int64_t) {
    return static_cast<T>(std::log(y));
  }
};
struct Product {
  template <class T>
  static T empty(DataType) {
    return 1;
  }
  template <class T>
  static T take(T x) {
    return x;
  }
  template <class T>
  static T combine(T a, T b) {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(static_cast<uint64_t>(a) * static_cast<uint64_t>(b));
    return a * b;
  }
  template <class T>
  static T finish(T y, int64_t) {
    return y;
  }
};
struct Max {
  template <class T>
  static T empty(DataType type) {
    return least<T>(type);
  }
  template <class T>
  static T take(T x) {
    return x;
  }
  template <class T>
  static T combine(T a, T b) {
    return b > a || b != b ? b : a;
  }
  template <class T>
  static T finish(T y, int64_t) {
    return y;
  }
};
struct Min {
  template <class T>
  static T empty(DataType type) {
    return greatest<T>(type);
  }
  template <class T>
  static T take(T x) {
    return x;
  }
  template <class T>
  static T combine(T a, T b) {
    return b < a || b != b ? b : a;
  }
  template <class T>
  static T finish(T y, int64_t) {
    return y;
  }
};

// The input's axes, neighbours of one kind merged, as loops over kept and over reduced ones.
struct Loops {
  std::vector<int64_t> kept_dims, kept_strides, reduced_dims, reduced_strides;
  int64_t kept_count = 1, reduced_count = 1;
  bool reduced_is_inner = true;  // the last axis of the input is reduced
};

Loops loops_of(std::span<const int64_t> dims, const std::vector<bool>& is_reduced) {
  Loops loops;
  const auto strides = dense_strides(dims);
  int32_t last_kind = -1;
  for (size_t axis = 0; axis < dims.size(); ++axis) {
    if (dims[axis] == 1) continue;
    const bool reduced = is_reduced[axis];
    (reduced ? loops.reduced_count : loops.kept_count) *= dims[axis];
    auto& to_dims = reduced ? loops.reduced_dims : loops.kept_dims;
    auto& to_strides = reduced ? loops.reduced_strides : loops.kept_strides;
    if (last_kind == static_cast<int32_t>(reduced)) {
      to_dims.back() *= dims[axis];
      to_strides.back() = strides[axis];
    } else {
      to_dims.push_back(dims[axis]);
      to_strides.push_back(strides[axis]);
    }
    last_kind = reduced;
    loops.reduced_is_inner = reduced;
  }
  return loops;
}

int64_t offset_of(int64_t index, const std::vector<int64_t>& dims, const std::vector<int64_t>& strides, size_t axes) {
  int64_t offset = 0;
  for (size_t axis = axes; axis-- > 0; index /= dims[axis]) offset += index % dims[axis] * strides[axis];
  return offset;
}

// Sixteen running results, so that the loop has no chain through one number.
template <class F, class T>
T reduce_row(const T* x, int64_t n) {
  constexpr int64_t lanes = 16;
  if (n < lanes) {
    T result = F::take(x[0]);
    for (int64_t i = 1; i < n; ++i) result = F::combine(result, F::take(x[i]));
    return result;
  }
  T partial[lanes];
  for (int64_t k = 0; k < lanes; ++k) partial[k] = F::take(x[k]);
  int64_t i = lanes;
  for (; i + lanes <= n; i += lanes)
    for (int64_t k = 0; k < lanes; ++k) partial[k] = F::combine(partial[k], F::take(x[i + k]));
  for (; i < n; ++i) partial[i % lanes] = F::combine(partial[i % lanes], F::take(x[i]));
  for (int64_t half = lanes / 2; half > 0; half /= 2)
    for (int64_t k = 0; k < half; ++k) partial[k] = F::combine(partial[k], partial[k + half]);
  return partial[0];
}

template <class F, class T>
void reduce_inner(const Running& run, const TensorView& in, const TensorView& out, const Loops& loops) {
  const bool all_kept = loops.reduced_dims.empty();
  const int64_t row = all_kept ? 1 : loops.reduced_dims.back(), rows = loops.reduced_count / row;
  run.parallel_for(
      loops.kept_count, std::max<int64_t>(1, 16384 / loops.reduced_count), [&](int64_t begin, int64_t end) {
        RowReader<T> reader(in);
        RowWriter<T> writer(out);
        T* y = writer.row(begin, end - begin);
        for (int64_t at = begin; at < end; ++at) {
          const int64_t first = offset_of(at, loops.kept_dims, loops.kept_strides, loops.kept_dims.size());
          T result{};
          for (int64_t r = 0; r < rows; ++r) {
            const int64_t shift =
                all_kept ? 0 : offset_of(r, loops.reduced_dims, loops.reduced_strides, loops.reduced_dims.size() - 1);
            const T part = reduce_row<F>(reader.row(first + shift, row), row);
            result = r == 0 ? part : F::combine(result, part);
          }
          y[at - begin] = F::finish(result, loops.reduced_count);
        }
        writer.finish();
      });
}

// The last axis is kept: whole rows are combined, element by element.
template <class F, class T>
void reduce_outer(const Running& run, const TensorView& in, const TensorView& out, const Loops& loops) {
  const int64_t row = loops.kept_dims.back(), piece = std::min<int64_t>(row, 4096), pieces = (row + piece - 1) / piece;
  run.parallel_for(
      loops.kept_count / row * pieces, std::max<int64_t>(1, 16384 / (loops.reduced_count * piece)),
      [&](int64_t begin, int64_t end) {
        RowReader<T> reader(in);
        RowWriter<T> writer(out);
        for (int64_t item = begin; item < end; ++item) {
          const int64_t outer = item / pieces, from = item % pieces * piece, n = std::min(piece, row - from);
          const int64_t first =
              from + offset_of(outer, loops.kept_dims, loops.kept_strides, loops.kept_dims.size() - 1);
          T* y = writer.row(outer * row + from, n);
          for (int64_t r = 0; r < loops.reduced_count; ++r) {
            const T* x = reader.row(
                first + offset_of(r, loops.reduced_dims, loops.reduced_strides, loops.reduced_dims.size()), n);
            if (r == 0)
              for (int64_t i = 0; i < n; ++i) y[i] = F::take(x[i]);
            else
              for (int64_t i = 0; i < n; ++i) y[i] = F::combine(y[i], F::take(x[i]));
          }
          for (int64_t i = 0; i < n; ++i) y[i] = F::finish(y[i], loops.reduced_count);
          writer.finish();
        }
      });
}

// y = greatest + log(sum(exp(x - greatest))): nothing is out of range on the way.
template <class T>
void reduce_log_sum_exp(const Running& run, const TensorView& in, const TensorView& out, const Loops& loops) {
  const bool all_kept = loops.reduced_dims.empty();
  const int64_t row = all_kept ? 1 : loops.reduced_dims.back(), step = all_kept ? 1 : loops.reduced_strides.back();
  run.parallel_for(loops.kept_count, std::max<int64_t>(1, 2048 / loops.reduced_count), [&](int64_t begin, int64_t end) {
    RowReader<T> reader(in);
    RowWriter<T> writer(out);
    T* y = writer.row(begin, end - begin);
    for (int64_t at = begin; at < end; ++at) {
      const int64_t first = offset_of(at, loops.kept_dims, loops.kept_strides, loops.kept_dims.size());
      const auto each_row = [&](auto body) {
        for (int64_t r = 0; r < loops.reduced_count / row; ++r) {
          const int64_t shift =
              all_kept ? 0 : offset_of(r, loops.reduced_dims, loops.reduced_strides, loops.reduced_dims.size() - 1);
          const T* x = reader.row(first + shift, row, step);
          for (int64_t i = 0; i < row; ++i) body(x[i]);
        }
      };
      T greatest = -std::numeric_limits<T>::infinity(), sum = 0;
      each_row([&](T x) { greatest = x > greatest ? x : greatest; });
      if (std::isinf(greatest)) greatest = 0;
      each_row([&](T x) { sum += std::exp(x - greatest); });
      y[at - begin] = greatest + std::log(sum);
    }
    writer.finish();
  });
}

// The axes that are reduced, and room for the output.
struct Slices {
  std::vector<bool> is_reduced;
  TensorView out;
};

Result<Slices> slices_of(const Running& run) {
  const auto in = run.input(0);
  std::vector<int64_t> axes;
  if (const auto attribute = run.integers("axes"))
    axes.assign(attribute->begin(), attribute->end());
  else if (run.input(1).present())
    axes = run.input(1).integers();
  const bool all = axes.empty() && run.integer("noop_with_empty_axes") == 0;
  std::vector<bool> is_reduced(in.dims().size(), all);
  for (const auto given : axes) {
    HEED_ASSIGN(const int32_t axis, NodeView::checked_axis(given, in.rank(), "axes"));
    is_reduced[static_cast<size_t>(axis)] = true;
  }
  std::vector<int64_t> dims;
  for (int32_t axis = 0; axis < in.rank(); ++axis) {
    const bool reduced = is_reduced[static_cast<size_t>(axis)];
    if (!reduced) dims.push_back(in.dim(axis));
    if (reduced && run.integer("keepdims", 1) != 0) dims.push_back(1);
  }
  HEED_ASSIGN(const auto out, run.allocate(0, dims));
  return Slices{std::move(is_reduced), out};
}

template <class F>
Result<void> run_reduce(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const auto slices, slices_of(run));
  const auto& out = slices.out;
  if (out.count() == 0) return {};
  dispatch(in.element(), [&]<class T>(T) {
    if (in.count() == 0) {  // slices without elements
      std::vector<T> values(static_cast<size_t>(out.count()), F::finish(F::template empty<T>(in.element()), 0));
      write_elements(out.element(), values.data(), out.count(), out.c.data, 0);
      return;
    }
    const auto loops = loops_of(in.dims(), slices.is_reduced);
    loops.reduced_is_inner || loops.kept_dims.empty() ? reduce_inner<F, T>(run, in, out, loops)
                                                      : reduce_outer<F, T>(run, in, out, loops);
  });
  return {};
}

Result<void> run_log_sum_exp(Running& run) {
  const auto in = run.input(0);
  HEED_ASSIGN(const auto slices, slices_of(run));
  const auto& out = slices.out;
  if (out.count() == 0) return {};
  dispatch_float(is_float(in.element()) ? in.element() : DataType::f64, [&]<class T>(T) {
    if (in.count() == 0) {
      const std::vector<T> values(static_cast<size_t>(out.count()), -std::numeric_limits<T>::infinity());
      write_elements(out.element(), values.data(), out.count(), out.c.data, 0);
    } else {
      reduce_log_sum_exp<T>(run, in, out, loops_of(in.dims(), slices.is_reduced));
    }
  });
  return {};
}

}  // namespace

extern const CpuKernel reduce_sum{.op_type = "ReduceSum", .run = run_reduce<Sum>};
extern const CpuKernel reduce_mean{.op_type = "ReduceMean", .run = run_reduce<Mean>};
extern const CpuKernel reduce_prod{.op_type = "ReduceProd", .run = run_reduce<Product>};
extern const CpuKernel reduce_l2{.op_type = "ReduceL2", .run = run_reduce<L2>};
extern const CpuKernel reduce_l1{.op_type = "ReduceL1", .run = run_reduce<L1>};
extern const CpuKernel reduce_log_sum{.op_type = "ReduceLogSum", .run = run_reduce<LogSum>};
extern const CpuKernel reduce_log_sum_exp{.op_type = "ReduceLogSumExp", .run = run_log_sum_exp};
extern const CpuKernel reduce_sum_square{.op_type = "ReduceSumSquare", .run = run_reduce<SumSquare>};
extern const CpuKernel reduce_max{.op_type = "ReduceMax", .run = run_reduce<Max>};
extern const CpuKernel reduce_min{.op_type = "ReduceMin", .run = run_reduce<Min>};

}  // namespace heed::cpu
