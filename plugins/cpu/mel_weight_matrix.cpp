// MelWeightMatrix: for each bin a triangle over the spectrum, from the middle of the bin before to that of the one
// behind.
#include <cmath>

#include "convert.hpp"

namespace heed::cpu {
namespace {

Result<void> run(Running& run) {
  const auto integer = [&](int32_t input) { return run.input(input).integers().at(0); };
  const int64_t bins = integer(0), length = integer(1), rate = integer(2);
  const auto low = read_element<double>(run.input(3)), high = read_element<double>(run.input(4));
  if (bins < 0 || length < 0 || rate < 1 || !(low >= 0) || !(high >= low))
    return Error{Code::invalid_argument, std::to_string(bins) + " bins from " + std::to_string(low) + " to " +
                                             std::to_string(high) + " hertz, of a transform of " +
                                             std::to_string(length) + " at a rate of " + std::to_string(rate)};
  const int64_t spectrum = length / 2 + 1;
  HEED_ASSIGN(const auto y, run.allocate(0, std::array{spectrum, bins}));
  const auto mel_of = [](double hertz) { return 2595 * std::log1p(hertz / 700) / std::log(10.0); };
  const double first = mel_of(low), step = (mel_of(high) - first) / static_cast<double>(bins + 2);
  const auto place_of = [&](int64_t edge) {
    const double hertz = 700 * std::expm1((static_cast<double>(edge) * step + first) / 2595 * std::log(10.0));
    return static_cast<int64_t>(std::floor(static_cast<double>(length + 1) * hertz / static_cast<double>(rate)));
  };
  std::vector<double> weights(static_cast<size_t>(spectrum * bins), 0.0);
  const auto set = [&](int64_t place, int64_t bin, double weight) {
    if (place >= 0 && place < spectrum) weights[static_cast<size_t>(place * bins + bin)] = weight;
  };
  for (int64_t bin = 0; bin < bins; ++bin) {
    const int64_t begin = place_of(bin), middle = place_of(bin + 1), end = place_of(bin + 2);
    if (begin == middle) set(middle, bin, 1);
    for (int64_t i = begin; i <= middle && begin < middle && i < spectrum; ++i)
      set(i, bin, static_cast<double>(i - begin) / static_cast<double>(middle - begin));
    for (int64_t i = middle; i < end && i < spectrum; ++i)
      set(i, bin, static_cast<double>(end - i) / static_cast<double>(end - middle));
  }
  dispatch(y.element(), [&]<class T>(T) {
    const std::vector<T> numbers(weights.begin(), weights.end());
    write_elements(y.element(), numbers.data(), y.count(), y.c.data, 0);
  });
  return {};
}

}  // namespace

extern const CpuKernel mel_weight_matrix{.op_type = "MelWeightMatrix", .run = run};

}  // namespace heed::cpu
