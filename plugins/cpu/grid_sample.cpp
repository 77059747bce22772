// GridSample: the data at places between its elements. For each place and axis the elements around and their weights;
// what they sum up to is the same for all channels.
#include <cmath>

#include "walk.hpp"

namespace heed::cpu {
namespace {

enum class Mode { nearest, linear, cubic };
enum class Padding { zeros, border, reflection };

struct Settings {
  Mode mode;
  Padding padding;
  bool align_corners;
};
Settings settings_of(const NodeView& node) {
  const auto mode = node.text("mode", "linear"), padding = node.text("padding_mode", "zeros");
  return {mode == "nearest"          ? Mode::nearest
          : mode.ends_with("linear") ? Mode::linear
                                     : Mode::cubic,
          padding == "zeros"    ? Padding::zeros
          : padding == "border" ? Padding::border
                                : Padding::reflection,
          node.integer("align_corners") != 0};
}

template <class T>
T reflected(T at, T least, T greatest) {
  const T range = greatest - least;
  if (range <= 0) return least;
  const T beyond = at < least ? least - at : at > greatest ? at - greatest : 0;
  const T turns = std::floor(beyond / range), rest = beyond - turns * range;
  const bool is_even = std::fmod(turns, T{2}) == 0;
  if (at < least) return is_even ? least + rest : greatest - rest;
  if (at > greatest) return is_even ? greatest - rest : least + rest;
  return at;
}

template <class T>
T cubic_weight(T distance) {
  const T a = T(-0.75), d = std::abs(distance);
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// The elements along an axis that make the value at a place, and their weights; -1: a zero of the padding.
template <class T>
struct Taps {
  int64_t count = 1, indices[4] = {};
  T weights[4] = {1};
};
template <class T>
Taps<T> taps_of(const Settings& s, T told, int64_t size) {
  const T length = static_cast<T>(size);
  const T least = s.align_corners ? 0 : T(-0.5), greatest = s.align_corners ? length - 1 : length - T(0.5);
  T at = s.align_corners ? (told + 1) / 2 * (length - 1) : ((told + 1) * length - 1) / 2;
  at = std::isnan(at) ? least : std::clamp(at, T(-1e8), T(1e8));
  if (s.mode == Mode::nearest) at = std::nearbyint(at);
  if (at < least || at > greatest) {
    if (s.padding == Padding::border) at = std::clamp(at, T{0}, length - 1);
    if (s.padding == Padding::reflection) at = reflected(at, least, greatest);
  }
  const auto left = static_cast<int64_t>(s.mode == Mode::nearest ? std::trunc(at) : std::floor(at));
  Taps<T> taps;
  taps.count = s.mode == Mode::nearest ? 1 : s.mode == Mode::linear ? 2 : 4;
  for (int64_t i = 0; i < taps.count; ++i) {
    int64_t index = left + i - (s.mode == Mode::cubic ? 1 : 0);
    const T distance = at - static_cast<T>(index);
    taps.weights[i] = s.mode == Mode::nearest  ? 1
                      : s.mode == Mode::linear ? 1 - std::abs(distance)
                                               : cubic_weight(distance);
    if (s.padding == Padding::border) index = std::clamp<int64_t>(index, 0, size - 1);
    if (s.padding == Padding::reflection)
      index = std::clamp<int64_t>(static_cast<int64_t>(reflected(static_cast<T>(index), least, greatest)), 0, size - 1);
    taps.indices[i] = index < 0 || index >= size ? -1 : index;
  }
  return taps;
}

struct Weighted {
  int64_t offset;
  double weight;
};

Result<void> run(Running& run) {
  const auto x = run.input(0), grid = run.input(1);
  if (x.rank() < 3 || grid.rank() != x.rank() || grid.dim(0) != x.dim(0) || grid.dim(-1) != x.rank() - 2)
    return Error{Code::shape_mismatch,
                 "the grid does not fit the data: expected [batch, places..., " + std::to_string(x.rank() - 2) + "]"};
  const auto rank = static_cast<size_t>(x.rank()) - 2;
  std::vector<int64_t> dims{x.dim(0), x.dim(1)};
  dims.insert(dims.end(), grid.dims().begin() + 1, grid.dims().end() - 1);
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  const Settings settings = settings_of(run);
  const int64_t channels = x.dim(1), image = x.count(2, x.rank()), places = y.count(2, y.rank());
  if (image == 0) return Error{Code::shape_mismatch, "the data has no elements"};
  dispatch_float(x.element(), [&]<class T>(T) {
    run.parallel_for(x.dim(0) * places, std::max<int64_t>(1, 4096 / channels), [&](int64_t begin, int64_t end) {
      std::vector<T> told(rank);
      std::vector<Weighted> around, next;
      for (int64_t at = begin; at < end; ++at) {
        read_elements(grid.element(), grid.c.data, at * static_cast<int64_t>(rank), 1, static_cast<int64_t>(rank),
                      told.data());
        around.assign(1, {0, 1.0});
        for (size_t axis = 0; axis < rank; ++axis) {
          const int64_t size = x.dim(static_cast<int32_t>(axis) + 2);
          const auto taps = taps_of(settings, told[rank - 1 - axis], size);  // the grid tells the last axis first
          next.clear();
          for (const auto& [offset, weight] : around)
            for (int64_t i = 0; i < taps.count; ++i)
              if (taps.indices[i] >= 0)
                next.push_back({offset * size + taps.indices[i], weight * static_cast<double>(taps.weights[i])});
          std::swap(around, next);
        }
        const int64_t batch = at / places, place = at % places;
        for (int64_t channel = 0; channel < channels; ++channel) {
          double sum = 0;
          const int64_t first = (batch * channels + channel) * image;
          for (const auto& [offset, weight] : around) {
            T element{};
            read_elements(x.element(), x.c.data, first + offset, 1, 1, &element);
            sum += weight * static_cast<double>(element);
          }
          const T value = static_cast<T>(sum);
          write_elements(y.element(), &value, 1, y.c.data, (batch * channels + channel) * places + place);
        }
      }
    });
  });
  return {};
}

}  // namespace

extern const CpuKernel grid_sample{.op_type = "GridSample", .run = run};

}  // namespace heed::cpu
