// Range: start + i * delta for i < max(0, ceil((limit - start) / delta)). A delta that is absent is 1.
#include <cmath>

#include "convert.hpp"

namespace heed::cpu {
namespace {

constexpr int64_t most = int64_t{1} << 40;

template <class T>
Result<int64_t> count_of(T start, T limit, T delta) {
  if (delta == 0 || delta != delta) return Error{Code::invalid_argument, "delta is " + std::to_string(delta)};
  double count;
  if constexpr (std::is_floating_point_v<T>) {
    count = std::ceil((static_cast<double>(limit) - static_cast<double>(start)) / static_cast<double>(delta));
  } else {
    const bool ahead = delta > 0 ? limit > start : limit < start;
    if (!ahead) return 0;
    const auto distance = delta > 0 ? static_cast<uint64_t>(limit) - static_cast<uint64_t>(start)
                                    : static_cast<uint64_t>(start) - static_cast<uint64_t>(limit);
    const auto step = delta > 0 ? static_cast<uint64_t>(delta) : 0 - static_cast<uint64_t>(delta);
    count = static_cast<double>((distance - 1) / step + 1);
  }
  if (!(count < static_cast<double>(most)))
    return Error{Code::invalid_argument, "from " + std::to_string(start) + " to " + std::to_string(limit) + " by " +
                                             std::to_string(delta) + " are too many numbers"};
  return std::max<int64_t>(0, static_cast<int64_t>(count));
}

Result<void> run(Running& run) {
  return dispatch(run.input(0).element(), [&]<class T>(T) -> Result<void> {
    for (const int32_t i : {0, 1, 2})
      if (run.input(i).present() && run.input(i).count() != 1)
        return Error{Code::shape_mismatch, "input " + std::to_string(i) + " has " +
                                               std::to_string(run.input(i).count()) + " elements; expected one"};
    const T start = read_element<T>(run.input(0)), limit = read_element<T>(run.input(1)),
            delta = run.input(2).present() ? read_element<T>(run.input(2)) : T{1};
    HEED_ASSIGN(const int64_t count, count_of(start, limit, delta));
    HEED_ASSIGN(const auto out, run.allocate(0, {&count, 1}));
    RowWriter<T> writer(out);
    T* to = writer.row(0, count);
    using Sum = std::conditional_t<std::is_integral_v<T>, uint64_t, T>;  // i * delta may be out of range where y is not
    for (int64_t i = 0; i < count; ++i)
      to[i] = static_cast<T>(static_cast<Sum>(start) + static_cast<Sum>(i) * static_cast<Sum>(delta));
    writer.finish();
    return {};
  });
}

}  // namespace

extern const CpuKernel range{.op_type = "Range", .run = run};

}  // namespace heed::cpu
