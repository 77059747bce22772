// Clip: y = min(max(x, low), high); NaN stays.
#include "walk.hpp"

namespace heed::cpu {
namespace {

template <class T>
void clip_block(const T* const* in, const int64_t* steps, T* out, int64_t n) {
  const T low = *in[1], high = *in[2];
  for (int64_t i = 0, at = 0; i < n; ++i, at += steps[0]) {
    const T x = in[0][at], raised = x < low ? low : x;
    out[i] = raised > high ? high : raised;
  }
}

template <class T>
constexpr T unbounded = std::numeric_limits<T>::has_infinity ? std::numeric_limits<T>::infinity()
                                                             : std::numeric_limits<T>::max();
template <class T>
constexpr T unbounded_below = std::numeric_limits<T>::has_infinity ? -std::numeric_limits<T>::infinity()
                                                                   : std::numeric_limits<T>::lowest();

Result<void> run(Running& run) {
  HEED_ASSIGN(const auto out, output_like(run));
  const auto x = run.input(0);
  for (const int32_t i : {1, 2})
    if (run.input(i).present() && run.input(i).count() != 1)
      return Error{Code::shape_mismatch,
                   "a bound has " + std::to_string(run.input(i).count()) + " elements; expected one"};
  dispatch(out.element(), [&]<class T>(T) {
    T bounds[2] = {unbounded_below<T>, unbounded<T>};
    for (int32_t i : {0, 1}) {
      const auto name = i == 0 ? "min" : "max";
      if (run.version() < 11) {
        if (run.has_attribute(name)) bounds[i] = static_cast<T>(run.number(name));
      } else if (run.input(1 + i).present()) {
        bounds[i] = read_element<T>(run.input(1 + i));
      }
    }
    const auto element = static_cast<int32_t>(data_type_of<T>());
    const TensorView low{{&bounds[0], nullptr, nullptr, 0, 0, element}},
        high{{&bounds[1], nullptr, nullptr, 0, 0, element}};
    const Strides still(out.dims().size(), 0);
    apply<T, T, 3>(run, out, {x, low, high}, {broadcast_strides(x, out.dims()), still, still}, clip_block<T>);
  });
  return {};
}

Result<void> plan(Planning& node) {
  node.take_strided(0);
  node.in_place(0, 0);
  return {};
}

}  // namespace

extern const CpuKernel clip{.op_type = "Clip", .plan = plan, .run = run};

}  // namespace heed::cpu
