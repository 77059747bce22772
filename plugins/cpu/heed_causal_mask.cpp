// heed.CausalMask: y[i, j] is true where p - window <= j <= p + right_window, p being i + (key - query).
#include <array>
#include <cstring>

#include "heed/plugin.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const int64_t query = *run.input(0).data<int64_t>(), key = *run.input(1).data<int64_t>();
  if (query < 0 || key < 0)
    return Error{Code::invalid_argument,
                 "lengths " + std::to_string(query) + " and " + std::to_string(key) + "; expected none below 0"};
  const int64_t window = run.integer("window", -1), right_window = run.integer("right_window", 0);
  HEED_ASSIGN(const auto y, run.allocate(0, std::array{query, key}));
  run.parallel_for(query, std::max<int64_t>(1, 65536 / std::max<int64_t>(key, 1)), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto* row = y.data<uint8_t>() + i * key;
      const int64_t place = i + (key - query);
      const int64_t from = window < 0 ? 0 : std::clamp<int64_t>(place - window, 0, key);
      const int64_t to = right_window < 0 ? key : std::clamp<int64_t>(place + right_window + 1, from, key);
      std::memset(row, 0, static_cast<size_t>(key));
      std::memset(row + from, 1, static_cast<size_t>(to - from));
    }
  });
  return {};
}

}  // namespace

extern const CpuKernel heed_causal_mask{.domain = "heed", .op_type = "CausalMask", .run = run};

}  // namespace heed::cpu
