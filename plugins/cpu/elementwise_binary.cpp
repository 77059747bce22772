// Add, Sub, Mul, Div, Mod, Pow, Min, Max, Sum, Mean: c = a op b after broadcasting, in the wide type of the elements.
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

// Integers wrap: arithmetic on them goes through unsigned numbers.
template <class T>
using Wrapping = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;

struct Plus {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wrapping<T>>(a) + static_cast<Wrapping<T>>(b));
  }
};
struct Minus {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wrapping<T>>(a) - static_cast<Wrapping<T>>(b));
  }
};
struct Times {
  template <class T>
  T operator()(T a, T b) const {
    return static_cast<T>(static_cast<Wrapping<T>>(a) * static_cast<Wrapping<T>>(b));
  }
};
// Integers truncate; a division of one by zero gives zero.
struct Over {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_integral_v<T>) {
      if (b == 0) return 0;
      if constexpr (std::is_signed_v<T>)
        if (b == -1) return Minus()(T{0}, a);
    }
    return a / b;
  }
};
// The sign follows the divisor (numpy's mod).
struct Modulo {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      const T rest = std::fmod(a, b);
      if (rest == 0) return std::copysign(rest, b);
      return (rest < 0) != (b < 0) ? rest + b : rest;
    } else if constexpr (std::is_signed_v<T>) {
      if (b == 0 || b == -1) return 0;
      const T rest = a % b;
      return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
    } else {
      return b == 0 ? 0 : a % b;
    }
  }
};
// The sign follows the dividend (C's fmod).
struct Remainder {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::fmod(a, b);
    } else if constexpr (std::is_signed_v<T>) {
      return b == 0 || b == -1 ? 0 : a % b;
    } else {
      return b == 0 ? 0 : a % b;
    }
  }
};
// NaN wins, as in numpy.
struct Least {
  template <class T>
  T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
struct Greatest {
  template <class T>
  T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Power {
  template <class T>
  T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>) {
      return std::pow(a, b);
    } else {
      if constexpr (std::is_signed_v<T>)
        if (b < 0) return a == 1 ? 1 : a == -1 ? (b % 2 ? -1 : 1) : 0;
      T result = 1;
      for (; b != 0; b /= 2, a = Times()(a, a))
        if (b % 2) result = Times()(result, a);
      return result;
    }
  }
};

template <class T>
void power_block(const T* const* in, const int64_t* steps, T* out, int64_t n) {
  if (steps[0] == 1 && steps[1] == 0 && *in[1] == 2) {
    for (int64_t i = 0; i < n; ++i) out[i] = Times()(in[0][i], in[0][i]);
  } else {
    binary_block<Power>(in, steps, out, n);
  }
}

// Before opset 7: the axes of a that lie behind b's last one.
int64_t trailing_axes(const Running& run) {
  if (run.version() >= 7 || !run.has_attribute("axis")) return 0;
  const int64_t a_rank = run.input(0).rank(), given = run.integer("axis"), axis = given < 0 ? given + a_rank : given;
  return a_rank - axis - run.input(1).rank();
}

template <class T>
void apply_pair(const Running& run, const TensorView& out, const TensorView& a, const TensorView& b,
                Block<T, T> block) {
  apply<T, T, 2>(run, out, {a, b},
                 {broadcast_strides(a, out.dims()), broadcast_strides(b, out.dims(), trailing_axes(run))}, block);
}

template <class Function>
Result<void> run_binary(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  dispatch(out.element(),
           [&]<class T>(T) { apply_pair<T>(run, out, run.input(0), run.input(1), binary_block<Function, T, T>); });
  return {};
}

Result<void> run_mod(Running& run) {
  return run.integer("fmod") ? run_binary<Remainder>(run) : run_binary<Modulo>(run);
}

// z = x ^ y in the type of x; y may be of another type.
Result<void> run_pow(Running& run) {
  const auto base = run.input(0), exponent = run.input(1);
  HEED_ASSIGN(const auto out, broadcast_output(run));
  const bool through_double = !is_float(base.element()) && is_float(exponent.element());
  dispatch(through_double ? DataType::f64 : base.element(),
           [&]<class T>(T) { apply_pair<T>(run, out, base, exponent, power_block<T>); });
  return {};
}

template <class Function>
Result<void> run_variadic(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  dispatch(out.element(), [&]<class T>(T) {
    const auto block = binary_block<Function, T, T>;
    apply_pair<T>(run, out, run.input(0), run.input(run.input_count() > 1 ? 1 : 0), block);
    for (int32_t i = 2; i < run.input_count(); ++i) apply_pair<T>(run, out, out, run.input(i), block);
  });
  return {};
}

// All inputs are added before the sum is rounded to the type of the output.
template <bool is_mean>
Result<void> run_sum(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  const int32_t count = run.input_count();
  std::vector<Strides> strides;
  for (int32_t k = 0; k < count; ++k) strides.push_back(broadcast_strides(run.input(k), out.dims()));
  dispatch_float(out.element(), [&]<class T>(T) {
    walk(run, out.dims(), strides, [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
      constexpr int64_t piece = 512;
      T sums[piece], addends[piece];
      for (int64_t done = 0; done < n; done += piece) {
        const int64_t now = std::min(piece, n - done);
        for (int32_t k = 0; k < count; ++k) {
          const auto in = run.input(k);
          const bool repeats = steps[k] == 0;
          T* to = k == 0 ? sums : addends;
          read_elements(in.element(), in.c.data, firsts[k] + done * steps[k], steps[k], repeats ? 1 : now, to);
          if (repeats) std::fill_n(to, now, *to);
          if (k > 0)
            for (int64_t i = 0; i < now; ++i) sums[i] += addends[i];
        }
        if (is_mean)
          for (int64_t i = 0; i < now; ++i) sums[i] /= static_cast<T>(count);
        write_elements(out.element(), sums, now, out.c.data, first + done);
      }
    });
  });
  return {};
}

// Later inputs are still read after the first pass wrote: no output in their place.
Result<void> plan_variadic(Planning& node) {
  if (node.input_count() <= 2) return plan_elementwise(node);
  for (int32_t i = 0; i < node.input_count(); ++i) node.take_strided(i);
  return {};
}

}  // namespace

extern const CpuKernel add{.op_type = "Add", .plan = plan_elementwise, .run = run_binary<Plus>};
extern const CpuKernel sub{.op_type = "Sub", .plan = plan_elementwise, .run = run_binary<Minus>};
extern const CpuKernel mul{.op_type = "Mul", .plan = plan_elementwise, .run = run_binary<Times>};
extern const CpuKernel div{.op_type = "Div", .plan = plan_elementwise, .run = run_binary<Over>};
extern const CpuKernel mod{.op_type = "Mod", .plan = plan_elementwise, .run = run_mod};
extern const CpuKernel pow{.op_type = "Pow", .plan = plan_elementwise, .run = run_pow};
extern const CpuKernel min_of{.op_type = "Min", .plan = plan_variadic, .run = run_variadic<Least>};
extern const CpuKernel max_of{.op_type = "Max", .plan = plan_variadic, .run = run_variadic<Greatest>};
extern const CpuKernel sum_of{.op_type = "Sum", .plan = plan_elementwise, .run = run_sum<false>};
extern const CpuKernel mean_of{.op_type = "Mean", .plan = plan_elementwise, .run = run_sum<true>};

}  // namespace heed::cpu
