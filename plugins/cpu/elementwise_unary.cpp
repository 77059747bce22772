// y = f(x), one number at a time: the formulas of ONNX's operators, in f32 or f64 (integers where the operator has
// them).
#include <cmath>
#include <numbers>

#include "walk.hpp"

namespace heed::cpu {
namespace {

struct Relu {
  template <class T>
  T operator()(T x) const {
    return x < 0 ? T{0} : x;
  }
};
struct Sigmoid {
  template <class T>
  T operator()(T x) const {
    return 1 / (1 + std::exp(-x));
  }
};
struct Tanh {
  template <class T>
  T operator()(T x) const {
    return std::tanh(x);
  }
};
struct Erf {
  template <class T>
  T operator()(T x) const {
    return static_cast<T>(std::erf(x));
  }
};
struct Exp {
  template <class T>
  T operator()(T x) const {
    return std::exp(x);
  }
};
struct Log {
  template <class T>
  T operator()(T x) const {
    return std::log(x);
  }
};
struct Sqrt {
  template <class T>
  T operator()(T x) const {
    return std::sqrt(x);
  }
};
struct Reciprocal {
  template <class T>
  T operator()(T x) const {
    return 1 / x;
  }
};
struct Sin {
  template <class T>
  T operator()(T x) const {
    return std::sin(x);
  }
};
struct Cos {
  template <class T>
  T operator()(T x) const {
    return std::cos(x);
  }
};
struct Floor {
  template <class T>
  T operator()(T x) const {
    return std::floor(x);
  }
};
struct Ceil {
  template <class T>
  T operator()(T x) const {
    return std::ceil(x);
  }
};
// Half to even.
struct Round {
  template <class T>
  T operator()(T x) const {
    return std::nearbyint(x);
  }
};
// log(1 + exp(x)), without overflow.
struct Softplus {
  template <class T>
  T operator()(T x) const {
    return (x > 0 ? x : T{0}) + std::log1p(std::exp(-std::abs(x)));
  }
};
struct Negative {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_integral_v<T>) return static_cast<T>(0 - static_cast<uint64_t>(x));
    return -x;
  }
};
struct Absolute {
  template <class T>
  T operator()(T x) const {
    if constexpr (std::is_floating_point_v<T>) return std::abs(x);
    return x < 0 ? Negative()(x) : x;
  }
};
struct Sign {
  template <class T>
  T operator()(T x) const {
    return x > 0 ? T(1) : x < 0 ? T(-1) : x;
  }
};
// x * Phi(x), Phi the distribution function of the normal distribution.
struct Gelu {
  template <class T>
  T operator()(T x) const {
    return x * (T(0.5) * (1 + std::erf(x / std::numbers::sqrt2_v<T>)));
  }
};
struct GeluTanh {
  template <class T>
  T operator()(T x) const {
    const T inner = std::sqrt(2 / std::numbers::pi_v<T>) * (x + T(0.044715) * x * x * x);
    return T(0.5) * x * (1 + std::tanh(inner));
  }
};

template <class Function>
Result<void> run_float(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto in = run.input(0);
  dispatch_float(out.element(), [&]<class T>(T) {
    apply<T, T, 1>(run, out, {in}, {broadcast_strides(in, out.dims())}, unary_block<Function, T, T>);
  });
  return {};
}

template <class Function>
Result<void> run_number(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto in = run.input(0);
  dispatch(out.element(), [&]<class T>(T) {
    apply<T, T, 1>(run, out, {in}, {broadcast_strides(in, out.dims())}, unary_block<Function, T, T>);
  });
  return {};
}

Result<void> run_gelu(Running& run) {
  return run.text("approximate") == "tanh" ? run_float<GeluTanh>(run) : run_float<Gelu>(run);
}

// x * sigmoid(alpha * x)
template <class T>
void swish_block(const T* const* in, const int64_t* steps, T* out, int64_t n) {
  const T alpha = *in[1];
  for (int64_t i = 0, x = 0; i < n; ++i, x += steps[0]) out[i] = in[0][x] / (1 + std::exp(-alpha * in[0][x]));
}

Result<void> run_swish(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto in = run.input(0);
  const float alpha = run.number("alpha", 1);
  const TensorView scalar = scalar_view(alpha);
  dispatch_float(out.element(), [&]<class T>(T) {
    apply<T, T, 2>(run, out, {in, scalar}, {broadcast_strides(in, out.dims()), broadcast_strides(scalar, out.dims())},
                   swish_block<T>);
  });
  return {};
}

}  // namespace

extern const CpuKernel relu{.op_type = "Relu", .plan = plan_elementwise, .run = run_number<Relu>};
extern const CpuKernel sigmoid{.op_type = "Sigmoid", .plan = plan_elementwise, .run = run_float<Sigmoid>};
extern const CpuKernel tanh_of{.op_type = "Tanh", .plan = plan_elementwise, .run = run_float<Tanh>};
extern const CpuKernel erf_of{.op_type = "Erf", .plan = plan_elementwise, .run = run_number<Erf>};
extern const CpuKernel exp_of{.op_type = "Exp", .plan = plan_elementwise, .run = run_float<Exp>};
extern const CpuKernel log_of{.op_type = "Log", .plan = plan_elementwise, .run = run_float<Log>};
extern const CpuKernel sqrt_of{.op_type = "Sqrt", .plan = plan_elementwise, .run = run_float<Sqrt>};
extern const CpuKernel reciprocal{.op_type = "Reciprocal", .plan = plan_elementwise, .run = run_float<Reciprocal>};
extern const CpuKernel sin_of{.op_type = "Sin", .plan = plan_elementwise, .run = run_float<Sin>};
extern const CpuKernel cos_of{.op_type = "Cos", .plan = plan_elementwise, .run = run_float<Cos>};
extern const CpuKernel floor_of{.op_type = "Floor", .plan = plan_elementwise, .run = run_float<Floor>};
extern const CpuKernel ceil_of{.op_type = "Ceil", .plan = plan_elementwise, .run = run_float<Ceil>};
extern const CpuKernel round_of{.op_type = "Round", .plan = plan_elementwise, .run = run_float<Round>};
extern const CpuKernel softplus{.op_type = "Softplus", .plan = plan_elementwise, .run = run_float<Softplus>};
extern const CpuKernel neg{.op_type = "Neg", .plan = plan_elementwise, .run = run_number<Negative>};
extern const CpuKernel abs_of{.op_type = "Abs", .plan = plan_elementwise, .run = run_number<Absolute>};
extern const CpuKernel sign{.op_type = "Sign", .plan = plan_elementwise, .run = run_number<Sign>};
extern const CpuKernel gelu{.op_type = "Gelu", .plan = plan_elementwise, .run = run_gelu};
extern const CpuKernel swish{.op_type = "Swish", .plan = plan_elementwise, .run = run_swish};

}  // namespace heed::cpu
