// heed.DeformedWindows: where the elements of the windows of DeformConv read, and by which weights, is the same for all
// channels of a group: it is told once for each, and then read from each channel.
#include <cmath>

#include "sliding.hpp"
#include "walk.hpp"

namespace heed::cpu {
namespace {

// The corners of the cells between which the places of one element of the window lie: [corner, place]. Corners outside of
// the image weigh nothing.
template <class T>
struct Corners {
  std::vector<int64_t> offsets;
  std::vector<T> weights;
};

// `offset`: [axis, place]; `mask`: [place], or null.
template <class T>
void find_corners(const Sliding& s, const std::vector<int64_t>& window, const T* offset, const T* mask,
                  Corners<T>& corners) {
  const size_t rank = s.in.size(), corner_count = size_t{1} << rank;
  corners.offsets.assign(corner_count * static_cast<size_t>(s.out_count), 0);
  corners.weights.assign(corner_count * static_cast<size_t>(s.out_count), 0);
  std::vector<int64_t> position(rank, 0), low(rank);
  std::vector<T> across(rank);
  for (int64_t place = 0; place < s.out_count; ++place) {
    for (size_t axis = 0; axis < rank; ++axis) {
      const int64_t at = position[axis] * s.strides[axis] + window[axis] * s.dilations[axis] - s.pads[axis];
      const T moved = static_cast<T>(at) + offset[static_cast<int64_t>(axis) * s.out_count + place];
      // A place far away is as good as any outside; so is a NaN.
      const T bounded = moved >= -2 ? std::min(moved, static_cast<T>(s.in[axis] + 1)) : T{-2};
      low[axis] = static_cast<int64_t>(std::floor(bounded));
      across[axis] = bounded - std::floor(bounded);
    }
    for (size_t corner = 0; corner < corner_count; ++corner) {
      int64_t to = 0;
      T weight = mask ? mask[place] : T{1};
      bool inside = true;
      for (size_t axis = 0; axis < rank; ++axis) {
        const bool far = corner >> (rank - 1 - axis) & 1;
        const int64_t at = low[axis] + far;
        inside = inside && at >= 0 && at < s.in[axis];
        to = to * s.in[axis] + at;
        weight *= far ? across[axis] : 1 - across[axis];
      }
      if (!inside) continue;
      const size_t index = corner * static_cast<size_t>(s.out_count) + static_cast<size_t>(place);
      corners.offsets[index] = to;
      corners.weights[index] = weight;
    }
    for (size_t axis = rank; axis-- > 0;) {
      if (++position[axis] < s.out[axis]) break;
      position[axis] = 0;
    }
  }
}

Result<void> run(Running& run) {
  const auto x = run.input(0), offset = run.input(1), mask = run.input(2);
  if (x.rank() < 3) return check_rank(run, 0, 4);
  const auto kernel = *run.integers("kernel_shape");
  HEED_ASSIGN(const auto s, sliding_of(run, x, {kernel.begin(), kernel.end()}));
  const auto rank = static_cast<int64_t>(s.in.size());
  const int64_t groups = run.integer("offset_group", 1), channels = x.dim(1);
  const int64_t window_count = x.dim(0) * groups * s.kernel_count * s.out_count;
  if (rank > 8 || channels % groups != 0 || offset.count() != window_count * rank ||
      (mask.present() && mask.count() != window_count))
    return Error{Code::shape_mismatch, "offsets or mask do not fit the windows over the data"};
  std::vector<int64_t> dims{x.dim(0), channels * s.kernel_count};
  dims.insert(dims.end(), s.out.begin(), s.out.end());
  HEED_ASSIGN(const auto y, run.allocate(0, dims));
  if (y.count() == 0) return {};
  const int64_t group_channels = channels / groups;
  dispatch_float(x.element(), [&]<class T>(T) {
    const int64_t work = s.out_count * (group_channels + 4) << rank;
    run.parallel_for(
        x.dim(0) * groups * s.kernel_count, std::max<int64_t>(1, 16384 / work), [&](int64_t begin, int64_t end) {
          RowReader<T> x_reader(x), offset_reader(offset), mask_reader(mask);
          RowWriter<T> writer(y);
          std::vector<int64_t> window(s.in.size());
          Corners<T> corners;
          for (int64_t element = begin; element < end; ++element) {
            const int64_t group = element / s.kernel_count, k = element % s.kernel_count;
            s.window_at(k, window);
            find_corners(s, window, offset_reader.row(element * rank * s.out_count, rank * s.out_count),
                         mask.present() ? mask_reader.row(element * s.out_count, s.out_count) : nullptr, corners);
            for (int64_t channel = group * group_channels; channel < (group + 1) * group_channels; ++channel) {
              const T* image = x_reader.row(channel * s.in_count, s.in_count);
              T* to = writer.row((channel * s.kernel_count + k) * s.out_count, s.out_count);
              std::fill_n(to, s.out_count, T{0});
              const int64_t* offsets = corners.offsets.data();
              const T* weights = corners.weights.data();
              for (int64_t corner = 0; corner < int64_t{1} << rank; ++corner)
                for (int64_t place = 0; place < s.out_count; ++place, ++weights, ++offsets)
                  to[place] += *weights == 0 ? T{0} : *weights * image[*offsets];  // what is outside may be infinite
              writer.finish();
            }
          }
        });
  });
  return {};
}

}  // namespace

extern const CpuKernel heed_deformed_windows{.domain = "heed", .op_type = "DeformedWindows", .run = run};

}  // namespace heed::cpu
