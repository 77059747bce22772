// Equal, Less, LessOrEqual, Greater, GreaterOrEqual: c = a op b as a boolean. Equal also compares texts. IsNaN, IsInf.
#include "walk.hpp"

namespace heed::cpu {
namespace {

struct Same {
  template <class T>
  bool operator()(T a, T b) const {
    return a == b;
  }
};
struct Below {
  template <class T>
  bool operator()(T a, T b) const {
    return a < b;
  }
};
struct AtMost {
  template <class T>
  bool operator()(T a, T b) const {
    return a <= b;
  }
};
struct Above {
  template <class T>
  bool operator()(T a, T b) const {
    return a > b;
  }
};
struct AtLeast {
  template <class T>
  bool operator()(T a, T b) const {
    return a >= b;
  }
};

std::array<Strides, 2> strides_of(const Running& run, std::span<const int64_t> dims) {
  int64_t trailing = 0;
  if (run.version() < 7 && run.has_attribute("axis")) {
    const int64_t rank = run.input(0).rank(), axis = run.integer("axis");
    trailing = rank - (axis < 0 ? axis + rank : axis) - run.input(1).rank();
  }
  return {broadcast_strides(run.input(0), dims), broadcast_strides(run.input(1), dims, trailing)};
}

template <class Function>
Result<void> run_comparison(Running& run) {
  HEED_ASSIGN(const auto out, broadcast_output(run));
  dispatch(run.input(0).element(), [&]<class T>(T) {
    apply<T, uint8_t, 2>(run, out, {run.input(0), run.input(1)}, strides_of(run, out.dims()),
                         binary_block<Function, T, uint8_t>);
  });
  return {};
}

Result<void> run_equal(Running& run) {
  if (run.input(0).element() != DataType::string) return run_comparison<Same>(run);
  const auto* a = run.input(0).data<heed_text>();
  const auto* b = run.input(1).data<heed_text>();
  HEED_ASSIGN(const auto output, broadcast_output(run));
  auto* out = output.data<uint8_t>();
  walk(run, output.dims(), strides_of(run, output.dims()),
       [&](int64_t first, const int64_t* firsts, const int64_t* steps, int64_t n) {
         for (int64_t i = 0; i < n; ++i)
           out[first + i] = from_c(a[firsts[0] + i * steps[0]]) == from_c(b[firsts[1] + i * steps[1]]);
       });
  return {};
}

// The output's elements are of another size than the inputs': it never lies in their place.
Result<void> plan(Planning& node) {
  node.take_strided(0);
  node.take_strided(1);
  return {};
}

struct IsNan {
  template <class T>
  bool operator()(T x) const {
    return x != x;
  }
};

template <class T>
void is_infinite_block(const T* const* in, const int64_t* steps, uint8_t* out, int64_t n) {
  constexpr T infinity = std::numeric_limits<T>::infinity();
  const bool positive = *in[1] != 0, negative = *in[2] != 0;
  for (int64_t i = 0, x = 0; i < n; ++i, x += steps[0])
    out[i] = (positive && in[0][x] == infinity) || (negative && in[0][x] == -infinity);
}

Result<void> run_is_nan(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0);
  dispatch_float(x.element(), [&]<class T>(T) {
    apply<T, uint8_t, 1>(run, out, {x}, {broadcast_strides(x, out.dims())}, unary_block<IsNan, T, uint8_t>);
  });
  return {};
}

Result<void> run_is_inf(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0);
  dispatch_float(x.element(), [&]<class T>(T) {
    const T signs[] = {static_cast<T>(run.integer("detect_positive")), static_cast<T>(run.integer("detect_negative"))};
    const Strides still(out.dims().size(), 0);
    apply<T, uint8_t, 3>(run, out, {x, scalar_view(signs[0]), scalar_view(signs[1])},
                         {broadcast_strides(x, out.dims()), still, still}, is_infinite_block<T>);
  });
  return {};
}

}  // namespace

extern const CpuKernel equal_to{.op_type = "Equal", .plan = plan, .run = run_equal};
extern const CpuKernel less_than{.op_type = "Less", .plan = plan, .run = run_comparison<Below>};
extern const CpuKernel less_or_equal{.op_type = "LessOrEqual", .plan = plan, .run = run_comparison<AtMost>};
extern const CpuKernel greater{.op_type = "Greater", .plan = plan, .run = run_comparison<Above>};
extern const CpuKernel greater_or_equal{.op_type = "GreaterOrEqual", .plan = plan, .run = run_comparison<AtLeast>};
extern const CpuKernel is_nan{.op_type = "IsNaN", .plan = plan_elementwise, .run = run_is_nan};
extern const CpuKernel is_inf{.op_type = "IsInf", .plan = plan_elementwise, .run = run_is_inf};

}  // namespace heed::cpu
