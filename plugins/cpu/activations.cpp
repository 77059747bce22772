// Activations with parameters, and gates: y = f(x, ...), one number at a time, in f32 or f64 (integers where the
// operator has them).
#include <cmath>
#include <numbers>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// Functions of x and of one or two attributes, which are numbers.
struct Elu {
  static constexpr const char* attributes[] = {"alpha"};
  template <class T>
  T operator()(T x, T alpha, T) const {
    return x < 0 ? alpha * std::expm1(x) : x;
  }
};
struct Celu {
  static constexpr const char* attributes[] = {"alpha"};
  template <class T>
  T operator()(T x, T alpha, T) const {
    return x < 0 ? alpha * std::expm1(x / alpha) : x;
  }
};
struct Selu {
  static constexpr const char* attributes[] = {"alpha", "gamma"};
  template <class T>
  T operator()(T x, T alpha, T gamma) const {
    return gamma * (x > 0 ? x : alpha * std::expm1(x));
  }
};
struct LeakyRelu {
  static constexpr const char* attributes[] = {"alpha"};
  template <class T>
  T operator()(T x, T alpha, T) const {
    return x < 0 ? alpha * x : x;
  }
};
struct ThresholdedRelu {
  static constexpr const char* attributes[] = {"alpha"};
  template <class T>
  T operator()(T x, T alpha, T) const {
    return x > alpha ? x : 0;
  }
};
struct HardSigmoid {
  static constexpr const char* attributes[] = {"alpha", "beta"};
  template <class T>
  T operator()(T x, T alpha, T beta) const {
    const T y = alpha * x + beta;
    return y < 0 ? 0 : y > 1 ? 1 : y;
  }
};
struct Shrink {
  static constexpr const char* attributes[] = {"lambd", "bias"};
  template <class T>
  T operator()(T x, T lambd, T bias) const {
    return x < -lambd ? x + bias : x > lambd ? x - bias : 0;
  }
};

// Functions of x alone.
struct HardSwish {
  template <class T>
  T operator()(T x) const {
    const T gate = x / 6 + T(0.5);
    return x * (gate < 0 ? 0 : gate > 1 ? 1 : gate);
  }
};
struct Softsign {
  template <class T>
  T operator()(T x) const {
    return x / (1 + std::abs(x));
  }
};
struct Mish {
  template <class T>
  T operator()(T x) const {
    return x * std::tanh(x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x)));
  }
};

// Functions of x and another tensor.
struct PRelu {
  template <class T>
  T operator()(T x, T slope) const {
    if constexpr (std::is_integral_v<T>)
      return x < 0 ? static_cast<T>(static_cast<uint64_t>(x) * static_cast<uint64_t>(slope)) : x;
    return x < 0 ? x * slope : x;
  }
};
struct FastGelu {
  template <class T>
  T operator()(T x, T bias) const {
    const T t = x + bias, inner = std::sqrt(2 / std::numbers::pi_v<T>) * (t + T(0.044715) * t * t * t);
    return T(0.5) * t * (1 + std::tanh(inner));
  }
};

template <class Function, class T>
void block_with_attributes(const T* const* in, const int64_t* steps, T* out, int64_t n) {
  const T first = *in[1], second = *in[2];
  for (int64_t i = 0, x = 0; i < n; ++i, x += steps[0]) out[i] = Function()(in[0][x], first, second);
}

// Integers go through f64.
template <class Function>
Result<void> run_with_attributes(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0);
  dispatch_float(is_float(out.element()) ? out.element() : DataType::f64, [&]<class T>(T) {
    T numbers[2] = {0, 0};
    for (size_t i = 0; i < std::size(Function::attributes); ++i)
      numbers[i] = static_cast<T>(run.number(Function::attributes[i]));
    const Strides still(out.dims().size(), 0);
    apply<T, T, 3>(run, out, {x, scalar_view(numbers[0]), scalar_view(numbers[1])},
                   {broadcast_strides(x, out.dims()), still, still}, block_with_attributes<Function, T>);
  });
  return {};
}

template <class Function>
Result<void> run_unary(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0);
  dispatch_float(out.element(), [&]<class T>(T) {
    apply<T, T, 1>(run, out, {x}, {broadcast_strides(x, out.dims())}, unary_block<Function, T, T>);
  });
  return {};
}

Result<void> run_prelu(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0), slope = run.input(1);
  // Before 7 the slopes are those of channels, axis 1.
  const int64_t trailing = run.version() < 7 && slope.rank() == 1 ? std::max<int64_t>(x.rank() - 2, 0) : 0;
  if (trailing == 0) HEED_TRY(check_broadcasts_to(slope, out.dims()));
  if (trailing > 0 && slope.count() != 1 && slope.count() != x.dim(1))
    return Error{Code::shape_mismatch, "there are " + std::to_string(slope.count()) + " slopes for " +
                                           std::to_string(x.dim(1)) + " channels"};
  dispatch(out.element(), [&]<class T>(T) {
    apply<T, T, 2>(run, out, {x, slope},
                   {broadcast_strides(x, out.dims()), broadcast_strides(slope, out.dims(), trailing)},
                   binary_block<PRelu, T, T>);
  });
  return {};
}

Result<void> run_fast_gelu(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0);
  if (run.input(1).present()) HEED_TRY(check_broadcasts_to(run.input(1), out.dims()));
  dispatch_float(out.element(), [&]<class T>(T) {
    const T none = 0;
    const auto bias = run.input(1).present() ? run.input(1) : scalar_view(none);
    apply<T, T, 2>(run, out, {x, bias}, {broadcast_strides(x, out.dims()), broadcast_strides(bias, out.dims())},
                   binary_block<FastGelu, T, T>);
  });
  return {};
}

// swish(a) * b
template <class T>
void swiglu_block(const T* const* in, const int64_t* steps, T* out, int64_t n) {
  const T alpha = *in[2];
  for (int64_t i = 0, a = 0, b = 0; i < n; ++i, a += steps[0], b += steps[1])
    out[i] = in[0][a] / (1 + std::exp(-alpha * in[0][a])) * in[1][b];
}

Result<void> run_swiglu(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto a = run.input(0), b = run.input(1);
  HEED_TRY(check_broadcasts_to(b, out.dims()));
  dispatch_float(out.element(), [&]<class T>(T) {
    const T alpha = static_cast<T>(run.number("alpha", 1));
    apply<T, T, 3>(run, out, {a, b, scalar_view(alpha)},
                   {broadcast_strides(a, out.dims()), broadcast_strides(b, out.dims()), Strides(out.dims().size(), 0)},
                   swiglu_block<T>);
  });
  return {};
}

}  // namespace

extern const CpuKernel elu{.op_type = "Elu", .plan = plan_elementwise, .run = run_with_attributes<Elu>};
extern const CpuKernel celu{.op_type = "Celu", .plan = plan_elementwise, .run = run_with_attributes<Celu>};
extern const CpuKernel selu{.op_type = "Selu", .plan = plan_elementwise, .run = run_with_attributes<Selu>};
extern const CpuKernel leaky_relu{
    .op_type = "LeakyRelu", .plan = plan_elementwise, .run = run_with_attributes<LeakyRelu>};
extern const CpuKernel thresholded_relu{
    .op_type = "ThresholdedRelu", .plan = plan_elementwise, .run = run_with_attributes<ThresholdedRelu>};
extern const CpuKernel hard_sigmoid{
    .op_type = "HardSigmoid", .plan = plan_elementwise, .run = run_with_attributes<HardSigmoid>};
extern const CpuKernel shrink{.op_type = "Shrink", .plan = plan_elementwise, .run = run_with_attributes<Shrink>};
extern const CpuKernel hard_swish{.op_type = "HardSwish", .plan = plan_elementwise, .run = run_unary<HardSwish>};
extern const CpuKernel softsign{.op_type = "Softsign", .plan = plan_elementwise, .run = run_unary<Softsign>};
extern const CpuKernel mish{.op_type = "Mish", .plan = plan_elementwise, .run = run_unary<Mish>};
extern const CpuKernel prelu{.op_type = "PRelu", .plan = plan_elementwise, .run = run_prelu};
extern const CpuKernel fast_gelu{
    .domain = "com.microsoft", .op_type = "FastGelu", .plan = plan_elementwise, .run = run_fast_gelu};
extern const CpuKernel swiglu{.op_type = "SwiGLU", .plan = plan_elementwise, .run = run_swiglu};

}  // namespace heed::cpu
